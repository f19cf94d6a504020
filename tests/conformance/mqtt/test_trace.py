"""The trace from each normative statement of MQTT 5.0 and 3.1.1 to the test that shows it.

The tables are `statements_5_*.toml` and `statements_311_*.toml`, by chapter. A statement has a list
of tests (`test_connect.py::test_name` of this folder, or a path below `tests/`), or the reason why
there is none. Texts of statements are OASIS', and are not here.
"""

import ast
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.conformance.mqtt.counting import COUNTED
from tests.conformance.mqtt.data import needed_data

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
NAMES = {"5": "MQTT 5.0", "311": "MQTT 3.1.1"}

# How many statements a clause of MQTT 3.1.1 has; they are numbered from 1. Source: Appendix B.
# Two are misprinted there: [MQTT-3.1.2.7] and [MQTT-3-8.3-4].
STATEMENTS_311 = {
    "1.5.3": 3,
    "2.2.2": 2,
    "2.3.1": 7,
    "3.1.0": 2,
    "3.1.2": 24,
    "3.1.3": 11,
    "3.1.4": 5,
    "3.2.0": 1,
    "3.2.2": 6,
    "3.3.1": 12,
    "3.3.2": 3,
    "3.3.4": 1,
    "3.3.5": 2,
    "3.6.1": 1,
    "3.8.1": 1,
    "3.8.3": 4,
    "3.8.4": 6,
    "3.9.3": 2,
    "3.10.1": 1,
    "3.10.3": 2,
    "3.10.4": 6,
    "3.12.4": 1,
    "3.14.1": 1,
    "3.14.4": 3,
    "4.1.0": 2,
    "4.3.1": 1,
    "4.3.2": 2,
    "4.3.3": 2,
    "4.4.0": 1,
    "4.5.0": 2,
    "4.6.0": 6,
    "4.7.1": 3,
    "4.7.2": 1,
    "4.7.3": 4,
    "4.8.0": 2,
    "6.0.0": 4,
    "7.0.0": 2,
    "7.1.1": 1,
    "7.1.2": 1,
}

Trace = list[str] | str  # tests, or the reason why there are none


def entries(version: str) -> Iterator[tuple[str, Trace]]:
    """All entries of a version's tables; a statement that is in two of them comes twice."""
    for path in sorted(HERE.glob(f"statements_{version}_*.toml")):
        yield from tomllib.loads(path.read_text()).items()


def published(version: str) -> set[str]:
    """All statements of a version."""
    if version == "311":
        clauses = STATEMENTS_311.items()
        return {f"MQTT-{clause}-{at}" for clause, count in clauses for at in range(1, count + 1)}
    lines = (needed_data() / "mqtt5-statements" / "ids.txt").read_text().splitlines()
    return {line for line in lines if line.startswith("MQTT-")}


@cache
def names_in(path: Path) -> frozenset[str]:
    """The names of a file's tests."""
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = [each.name for each in ast.walk(tree) if isinstance(each, kinds)]
    return frozenset(name for name in names if name.startswith("test_"))


def exists(test: str) -> bool:
    """Whether there is such a test."""
    file, _, name = test.partition("::")
    path = TESTS / file if "/" in file else HERE / file
    return path.is_file() and name.partition("[")[0] in names_in(path)


@pytest.mark.parametrize("version", NAMES)
def test_each_statement_is_traced_once(version: str) -> None:
    traced = Counter(statement for statement, _ in entries(version))
    assert set(traced) == published(version)
    assert not [statement for statement, count in traced.items() if count > 1]


@pytest.mark.parametrize("version", NAMES)
def test_tests_exist_and_reasons_are_given(
    version: str, record_property: Callable[[str, object], None]
) -> None:
    counts, missing = Counter[str](), []
    for statement, trace in entries(version):
        assert trace, f"{statement} has neither a test nor a reason"
        tests = trace if isinstance(trace, list) else []
        missing += [f"{statement}: {test}" for test in tests if not exists(test)]
        counts[f"{NAMES[version]} statements, {'shown by tests' if tests else 'no test'}"] += 1
    record_property(COUNTED, dict(counts))
    assert not missing, "\n".join(["", *missing])
