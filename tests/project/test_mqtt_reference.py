"""The page about MQTT says what is: its tests and settings exist, and every row names a test."""

import re
import tomllib
from pathlib import Path

import pytest
from tests.project.reference_pages import ReferencePage, unknown

from thingtank.doors.mqtt.settings import MqttSettings

CONFORMANCE = Path(__file__).parents[1] / "conformance/mqtt"
PAGE = ReferencePage("mqtt.md", "tests/conformance/mqtt")
TEXT = PAGE.text
SETTINGS = MqttSettings.__struct_fields__
LIMIT = re.compile(r"_max$|^receive_maximum$")


@pytest.mark.parametrize(("file", "name"), PAGE.named, ids=str)
def test_tests_of_the_page_exist(file: str, name: str) -> None:
    assert PAGE.has_test(file, name)


def test_every_row_names_a_test() -> None:
    assert PAGE.rows("## Features")
    assert PAGE.rows_without_test("## Features") == []


def test_settings_of_the_page_exist() -> None:
    assert unknown(PAGE.settings("mqtt"), SETTINGS) == []


def test_every_limit_is_told() -> None:
    limits = {name for name in SETTINGS if LIMIT.search(name)}
    assert unknown(limits, PAGE.settings_told("mqtt", "Limits")) == []


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
