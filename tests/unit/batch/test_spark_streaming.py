"""The wrapper for Spark, with lists for what Spark divides among machines."""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from thingtank.batch.programs import spark_streaming
from thingtank.batch.shipped import SHIPPED

COUNT = SHIPPED["sequence-count"]


class Parts:
    """What is used of an RDD: partitions, which are lists."""

    def __init__(self, parts: list[list[Any]], saved: dict[str, list[list[str]]]) -> None:
        self.parts = parts
        self._saved = saved

    def mapPartitions(self, function: Callable[[Iterator[Any]], Iterable[Any]]) -> "Parts":
        return Parts([list(function(iter(part))) for part in self.parts], self._saved)

    def map(self, function: Callable[[Any], Any]) -> "Parts":
        return Parts([[function(item) for item in part] for part in self.parts], self._saved)

    def keys(self) -> "Parts":
        return self.map(lambda pair: pair[0])

    def repartitionAndSortWithinPartitions(
        self, count: int, partition_of: Callable[[str], int]
    ) -> "Parts":
        pairs = [pair for part in self.parts for pair in part]
        parts = [
            sorted(pair for pair in pairs if partition_of(pair[0]) % count == i)
            for i in range(count)
        ]
        return Parts(parts, self._saved)

    def saveAsTextFile(self, output: str) -> None:
        self._saved[output] = self.parts


class Context:
    def __init__(self, parts: list[list[str]]) -> None:
        self._parts = parts
        self.saved: dict[str, list[list[str]]] = {}
        self.files: list[str] = []

    def addFile(self, file: str) -> None:
        self.files.append(file)

    def textFile(self, inputs: str) -> Parts:
        assert inputs == "s3://b/one,s3://b/two"
        return Parts(self._parts, self.saved)


WORDS = ["--file", "s3://b/m.py", "--input", "s3://b/one", "--input", "s3://b/two",
         "--output", "s3://b/out", "--env", "SEQ=a=b"]  # fmt: skip


def python(path: Path) -> str:
    return f"{sys.executable} {path}"


@pytest.mark.parametrize("combiner", [[], ["--combiner", python(COUNT.combiner)]])
def test_the_same_programs_give_the_same_counts(combiner: list[str]) -> None:
    context = Context([["1 a=b", "2"], ["3 a=b"], []])
    programs = ["--mapper", python(COUNT.mapper), "--reducer", python(COUNT.reducer)]
    asked = spark_streaming.arguments_of([*WORDS, *programs, *combiner])
    spark_streaming.run(context, asked, lambda: ".")
    assert context.saved == {"s3://b/out": [["a=b\t2"]]}
    assert context.files == ["s3://b/m.py"]


def test_keys_are_divided_as_here_and_sorted() -> None:
    context = Context([["b\t1", "a\t2"], ["a\t1", "c", "ü\t1"]])
    programs = ["--mapper", "cat", "--reducer", "cat", "--reducers", "2"]
    spark_streaming.run(context, spark_streaming.arguments_of([*WORDS, *programs]), lambda: ".")
    [parts] = context.saved.values()
    assert sorted(line for part in parts for line in part) == ["a\t1", "a\t2", "b\t1", "c", "ü\t1"]
    assert all(part == sorted(part) for part in parts)


def test_a_program_that_fails_fails_the_job() -> None:
    asked = spark_streaming.arguments_of([*WORDS, "--mapper", "false", "--reducer", "cat"])
    with pytest.raises(RuntimeError, match="false ended with exit status 1"):
        spark_streaming.run(Context([["x"]]), asked, lambda: ".")
