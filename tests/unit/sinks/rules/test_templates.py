"""Items are put as JSON or as a template says; a template that cannot be used is told why."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.sinks.engine import Item
from thingtank.sinks.rules.templates import TEMPLATE_CHARS_MAX, BadTemplate, compile_template

AT_US = 1_795_772_365_764_573
ITEM = Item("a1-7-0", "datapoint", 7, "u-1", "temperature", AT_US, "021.50", 21.5)
TEXT = Item("a1-7-1", "datapoint", 7, "u-1", "door", AT_US, 'say "on"', None)


def test_without_a_template_an_item_is_json() -> None:
    render = compile_template("")
    assert json.loads(render(ITEM)) == {
        "id": "a1-7-0",
        "feed": 7,
        "device": "u-1",
        "datastream": "temperature",
        "at": "2026-11-27T09:39:25.764573Z",
        "value": "021.50",
        "number": 21.5,
    }
    assert "number" not in json.loads(render(TEXT))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{device}} {{ value }}", "u-1 021.50"),
        ("plain", "plain"),
        ("{{feed}}/{{datastream}}@{{at_us}}", f"7/temperature@{AT_US}"),
        ("{{at}} {{id}} {{kind}}", "2026-11-27T09:39:25.764573Z a1-7-0 datapoint"),
        ('{"v": {{value|json}}, "n": {{number}}}', '{"v": "021.50", "n": 21.5}'),
        ("{ {{feed}} } café", "{ 7 } café"),
    ],
)
def test_names_in_double_braces_are_filled_in(template: str, expected: str) -> None:
    assert compile_template(template)(ITEM).decode() == expected


def test_no_number_is_null_and_quotes_are_escaped() -> None:
    render = compile_template('{"v": {{value | json}}, "n": {{number}}}')
    assert json.loads(render(TEXT)) == {"v": 'say "on"', "n": None}


@pytest.mark.parametrize(
    ("number", "words"),
    [(2400.0, "2400"), (-0.5, "-0.5"), (0.0, "0"), (2.0**53, str(2**53)), (1e300, "1e300")],
)
def test_whole_numbers_have_no_fraction(number: float, words: str) -> None:
    item = Item("a1-7-2", "datapoint", 7, "u-1", "pressure", AT_US, "x", number)
    assert compile_template("{{number}}")(item).decode() == words


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{colour}}", "there is no {{colour}}; there are id, kind"),
        ("{{value|upper}}", "there is no |upper"),
        ("{{}}", "double braces"),
        ("{{value", "double braces"),
        ("x" * (TEMPLATE_CHARS_MAX + 1), "at most 4,000"),
    ],
)
def test_what_cannot_be_filled_in_is_told(template: str, reason: str) -> None:
    with pytest.raises(BadTemplate, match=reason.replace("{", r"\{").replace("|", r"\|")):
        compile_template(template)


@given(st.text(max_size=40))
def test_a_value_as_json_can_always_be_read_back(value: str) -> None:
    item = Item("a", "datapoint", 1, "u", "t", 0, value)
    assert json.loads(compile_template("[{{value|json}}]")(item)) == [value]
