"""What was sent and heard over WAMP as people read it."""

import math
from datetime import UTC, datetime

import pytest

from thingtank.protocols.overviews import ListPage, ListQuery
from thingtank.protocols.wamp.router_facts import HeardEvent, Outcome, Payloaded, TopicFacts
from thingtank.web.workbench.outcomes import rate_text, took
from thingtank.web.workbench.router_lists import live_rows
from thingtank.web.workbench.wamp_lists import asked_of
from thingtank.web.workbench.wamp_panels import (
    EVENT_CHARS_MAX,
    pretty,
    shown_event,
    shown_outcome,
)

VALUES = {
    "short": ([1, "x", None, True], '[1, "x", null, true]'),
    "binary": ([b"\x00\x01\xff"], '[{"base64": "AAH/"}]'),
    "no JSON numbers": ([math.nan, math.inf, -math.inf], '["NaN", "Infinity", "-Infinity"]'),
    "large integers keep their digits": ([2**63 + 1], "[9223372036854775809]"),
    "other letters": (["°C"], '["°C"]'),
    "keys that are numbers": ({1: "a"}, '{"1": "a"}'),
    "times": ([datetime(2026, 1, 2, tzinfo=UTC)], '["2026-01-02T00:00:00+00:00"]'),
    "long": (["x" * 80], f'[\n  "{"x" * 80}"\n]'),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_are_json_for_people(name: str) -> None:
    value, text = VALUES[name]
    assert pretty(value) == text


def test_an_outcome_is_in_the_protocols_words() -> None:
    payload = Payloaded(["no"], {"why": "because"})
    shown = shown_outcome(Outcome("ERROR", 1234, "wamp.error.x", payload=payload), "")
    assert (shown.name, shown.uri, shown.is_good) == ("ERROR", "wamp.error.x", False)
    assert (shown.args, shown.kwargs, shown.took) == ('["no"]', '{"why": "because"}', "1.2 ms")
    shown = shown_outcome(Outcome("PUBLISHED", 0, ids={"publication": 7}), "")
    assert (shown.facts, shown.is_good) == ("publication 7", True)
    shown = shown_outcome(Outcome("", 0), "Nobody says.")
    assert (shown.name, shown.words, shown.is_good) == ("Sent", "Nobody says.", True)
    shown = shown_outcome(Outcome("", 0, is_late=True), "Nobody says.")
    assert (shown.name, shown.is_good) == ("No answer", False)


def test_an_event_is_cut_where_it_is_long() -> None:
    long = Payloaded(["x" * (2 * EVENT_CHARS_MAX)], {})
    shown = shown_event(HeardEvent("a", 2**53, 1_500_000, {}, long))
    assert len(shown.text) < EVENT_CHARS_MAX + 50
    assert shown.text.endswith("characters")
    assert (shown.publication, shown.at_ms, shown.details) == (str(2**53), 1500, "")
    left_out = HeardEvent("a", 1, 0, {"retained": True}, Payloaded([], {}), 70_000)
    assert shown_event(left_out).text.startswith("70000 bytes")
    assert shown_event(left_out).details == '{"retained": true}'


def test_times_and_rates_have_few_digits() -> None:
    assert [took(us) for us in (90, 1500, 250_000, 2_500_000)] == ["0.1 ms", "1.5 ms", "250 ms", "2.5 s"]  # fmt: skip
    assert [rate_text(x) for x in (0, 0.01, 0.1, 9.94, 12345.6)] == ["0", "< 0.1", "0.1", "9.9", "12346"]  # fmt: skip


ADDRESSES: list[tuple[dict[str, str], tuple[str, str, str, str, int]]] = [
    ({}, ("a", "sessions", "", "newest", 1)),
    ({"realm": "b", "show": "topics", "q": " x ", "page": "3"}, ("b", "topics", "x", "rate", 3)),
    ({"realm": "c", "show": "users", "sort": "rate"}, ("a", "sessions", "", "newest", 1)),
    ({"show": "procedures", "sort": "callees"}, ("a", "procedures", "", "callees", 1)),
    ({"page": "-1"}, ("a", "sessions", "", "newest", 1)),
    ({"page": "٣"}, ("a", "sessions", "", "newest", 1)),
    ({"page": "9" * 30}, ("a", "sessions", "", "newest", 1)),
    ({"page": "0"}, ("a", "sessions", "", "newest", 1)),
]


@pytest.mark.parametrize(("terms", "wanted"), ADDRESSES)
def test_nonsense_in_an_address_is_taken_for_the_usual(
    terms: dict[str, str], wanted: tuple[str, str, str, str, int]
) -> None:
    asked = asked_of(terms, ["a", "b"])
    realm, show, words, sort, page = wanted
    assert (asked.realm, asked.show) == (realm, show)
    assert asked.query == ListQuery(words, sort, page)


def test_rows_for_scripts_have_no_numbers_that_they_would_round() -> None:
    topic = TopicFacts(2**53, "a", "exact", False, 1, 2, 0.5, None, 1_234_567)
    (row,) = live_rows(ListPage([topic], 1, False))
    assert row["key"] == row["subscription_id"] == str(2**53)
    assert (row["created_ms"], row["last_ms"]) == (1234, None)
    assert "created_us" not in row
