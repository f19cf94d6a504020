#!/usr/bin/env python3
"""A mapper and a reducer on Spark, as Hadoop streaming runs them: lines piped through programs.

spark-submit spark_streaming.py --mapper "python3 mapper.py" --reducer "python3 reducer.py"
    --file s3://bucket/mapper.py --file s3://bucket/reducer.py
    --input s3://bucket/data/ --output s3://bucket/out/

It needs nothing but Spark. Keys are divided by their CRC-32, and sorted by their bytes.
"""

import argparse
import contextlib
import os
import shlex
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def arguments_of(words: list[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mapper", required=True)
    parser.add_argument("--reducer", required=True)
    parser.add_argument("--combiner", default="")
    parser.add_argument("--file", dest="files", action="append", default=[])
    parser.add_argument("--env", dest="variables", action="append", default=[])
    parser.add_argument("--input", dest="inputs", action="append", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--reducers", type=int, default=1)
    return parser.parse_args(words)


def run(context: Any, asked: argparse.Namespace, folder: Callable[[], str]) -> None:
    """Run the job.

    Args:
        context: Spark's.
        folder: where a task finds the files; called in the task.
    """
    for file in asked.files:
        context.addFile(file)
    variables = dict(pair.split("=", 1) for pair in asked.variables)
    lines = context.textFile(",".join(asked.inputs))
    mapped = lines.mapPartitions(piped(asked.mapper, variables, folder))
    if asked.combiner:
        mapped = mapped.mapPartitions(sorted).mapPartitions(
            piped(asked.combiner, variables, folder)
        )
    shuffled = mapped.map(lambda line: (line, None)).repartitionAndSortWithinPartitions(
        asked.reducers, partition_of
    )
    reduced = shuffled.keys().mapPartitions(piped(asked.reducer, variables, folder))
    reduced.saveAsTextFile(asked.output)


def partition_of(line: str) -> int:
    """The number that divides lines among reducers: of their key."""
    return zlib.crc32(line.partition("\t")[0].encode())


def piped(
    command: str, variables: dict[str, str], folder: Callable[[], str]
) -> Callable[[Iterable[str]], Iterator[str]]:
    """What takes a task's lines through a program."""

    def pipe(lines: Iterable[str]) -> Iterator[str]:
        process = subprocess.Popen(  # noqa: S603 - what the user of the job names
            shlex.split(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder(),
            env={**os.environ, **variables},
        )
        feeder = threading.Thread(target=feed, args=(process, lines), daemon=True)
        feeder.start()
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                yield line.rstrip(b"\n").decode("utf-8", "replace")
        status = process.wait()
        feeder.join()
        if status:
            raise RuntimeError(f"{command} ended with exit status {status}")

    return pipe


def feed(process: "subprocess.Popen[bytes]", lines: Iterable[str]) -> None:
    """Write lines to a program, which need not read all."""
    assert process.stdin is not None
    try:
        for line in lines:
            process.stdin.write(line.encode() + b"\n")
    except BrokenPipeError:
        pass
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def main() -> None:
    """Run as Spark's driver."""
    from pyspark import SparkContext, SparkFiles

    with SparkContext(appName="thingtank") as context:
        run(context, arguments_of(sys.argv[1:]), SparkFiles.getRootDirectory)


if __name__ == "__main__":
    main()
