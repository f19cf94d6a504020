"""The page about MQTT says what is: its tests and settings exist, and every row names a test."""

import re
import tomllib
from pathlib import Path

import pytest

from thingtank.doors.mqtt.settings import MqttSettings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/mqtt.md"
TEXT = PAGE.read_text()
CONFORMANCE = ROOT / "tests/conformance/mqtt"
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)))
LIMIT = re.compile(r"_max$|^receive_maximum$")


def path_of(file: str) -> Path:
    return ROOT / file if "/" in file else CONFORMANCE / file


@pytest.mark.parametrize(("file", "name"), NAMED, ids=str)
def test_tests_of_the_page_exist(file: str, name: str) -> None:
    assert re.search(rf"^(?:async )?def {name}\(", path_of(file).read_text(), re.M)


def test_every_row_names_a_test() -> None:
    rows = [line for line in TEXT.split("\n## Features")[1].splitlines() if line.startswith("| ")]
    heads = ("| section |", "| what |", "| setting |", "| ---")
    unshown = [row for row in rows if "::" not in row and not row.startswith(heads)]
    assert rows
    assert unshown == []


def test_settings_of_the_page_exist() -> None:
    named = set(re.findall(r"`mqtt\.(\w+)`", TEXT))
    assert named <= set(MqttSettings.__struct_fields__)


def test_every_limit_is_told() -> None:
    limits = {name for name in MqttSettings.__struct_fields__ if LIMIT.search(name)}
    told = set(re.findall(r"`mqtt\.(\w+)`", TEXT.split("\n## Limits")[1].split("\n## ")[0]))
    assert limits - told == set()


def test_features_come_in_the_order_of_the_standard() -> None:
    table = TEXT.split("\n## Features")[1].split("\n\nNot supported")[0]
    sections = [row.split("|")[1].split(",")[0].strip() for row in table.splitlines()[4:]]
    assert len(sections) > 20
    numbers = [tuple(map(int, section.split("."))) for section in sections]
    chapters = [number[0] for number in numbers]
    assert chapters == sorted(chapters)


def test_no_count_of_statements_or_exchanges_is_written_where_it_would_grow_old() -> None:
    assert re.findall(r"\d[\d,]* (?:of \d+ )?(?:statements|exchanges|cases|tests)\b", TEXT) == []


@pytest.mark.parametrize("version", ["5", "311"])
def test_what_the_page_says_of_statements_without_a_test_holds(version: str) -> None:
    """Each has a reason in words; most of the reasons are that clients are asked."""
    reasons = []
    for path in CONFORMANCE.glob(f"statements_{version}_*.toml"):
        traced = tomllib.loads(path.read_text()).values()
        reasons += [trace for trace in traced if isinstance(trace, str)]
    assert reasons
    assert all(len(reason.split()) > 2 for reason in reasons)
    assert sum("client" in reason for reason in reasons) > len(reasons) / 2
