"""Values that this tank would read in again and send again, for ever."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.server.sinks.sink_bench import Bench

from thingtank.server.config import BadSettings, load_config
from thingtank.server.sinks.rounds import round_problem
from thingtank.sinks.rules.settings import SinkRule
from thingtank.sources.settings import SourceRule

SOURCES = [
    SourceRule("readings", "kinesis", stream="s"),
    SourceRule("orders", "sqs", queue="q"),
    SourceRule("work", "queue", queue="w", feed=7),
]
STREAM = {"engine": "kinesis", "stream": "s"}
GOES_ROUND = [
    {"to": STREAM},
    {"to": {"engine": "sqs", "queue": "q"}},
    {"to": {"engine": "queue", "queue": "w"}},
    {"to": STREAM, "feeds": [7], "datastreams": ["t"]},  # its JSON names feed 7 and `t`
    {"to": STREAM, "template": '{"t": {{value}}}'},
    {"to": STREAM, "feeds": [7], "template": '{"feed": 7, "datastream": "y", "value": {{number}}}'},
    {"to": STREAM, "feeds": [7], "template": '{"feed": {{feed}}, "y": {{number}}}'},
    {"to": STREAM, "feeds": [7], "template": '{"device": "{{device}}", "y": {{value|json}}}'},
    {"to": {"engine": "queue", "queue": "w"}, "feeds": [7], "template": '{"t": {{number}}}'},
    {"to": STREAM, "datastreams": ["t*"], "template": '{"feed": 8, "temperature": {{number}}}'},
    {
        "to": STREAM,
        "datastreams": ["t"],
        "template": '{"feed": 8, "datastream": "{{datastream}}", "value": {{value|json}}}',
    },
]
ENDS = [
    {"to": {"engine": "kinesis", "stream": "other"}},
    {"to": {"engine": "queue", "queue": "q"}},  # not that of AWS
    {"to": STREAM, "send": "messages"},
    {"to": STREAM, "feeds": [7], "template": '{"feed": 8, "t": {{value}}}'},
    {"to": STREAM, "feeds": [7], "template": '{"feed": 8, "datastream": "{{datastream}}"}'},
    {"to": STREAM, "feeds": [7], "datastreams": ["x"], "template": '{"feed": 7, "y": {{number}}}'},
    {"to": STREAM, "feeds": [7], "template": "{{value}}"},
    {"to": STREAM, "feeds": [7], "template": "y={{value}}"},
    {"to": STREAM, "feeds": [7], "template": "[" * 4000},
    {"to": {"engine": "folder", "folder": "s"}},
]


def rule(members: dict[str, Any]) -> SinkRule:
    return msgspec.convert({"name": "out", **members}, SinkRule)


@pytest.mark.parametrize("members", GOES_ROUND, ids=str)
def test_what_goes_round_is_refused_and_both_rules_are_named(members: dict[str, Any]) -> None:
    problem = round_problem(rule(members), SOURCES)
    assert "for ever: name another" in problem


@pytest.mark.parametrize("members", ENDS, ids=str)
def test_what_ends_is_not(members: dict[str, Any]) -> None:
    assert round_problem(rule(members), SOURCES) == ""


# Rules by what they send to the sources `readings` (stream s) and `work` (queue w, feed 7).
QUEUE = {"engine": "queue", "queue": "w"}
TO_FEED_7 = '{"feed": 7, "x": {{number}}}'
TO_FEED_8 = '{"feed": 8, "y": {{number}}}'
CIRCLES = [
    ("what one sends the other wants",
     {"to": QUEUE, "feeds": [8], "template": TO_FEED_7}, {"to": STREAM, "feeds": [7], "template": TO_FEED_8}),
    ("by the source's feed",
     {"to": QUEUE, "feeds": [8], "template": '{"x": {{number}}}'},
     {"to": STREAM, "feeds": [7], "datastreams": ["x"], "template": TO_FEED_8}),
    ("of all feeds, by their datastreams",
     {"to": QUEUE, "datastreams": ["y"], "template": TO_FEED_7},
     {"to": STREAM, "datastreams": ["x"], "template": TO_FEED_8}),
    ("patterns", {"to": QUEUE, "datastreams": ["y*"], "template": TO_FEED_7},
     {"to": STREAM, "datastreams": ["x", "z"], "template": '{"feed": 8, "yes": {{number}}}'}),
]  # fmt: skip
NO_CIRCLES = [
    ("another feed", {"to": QUEUE, "feeds": [8], "template": TO_FEED_7},
     {"to": STREAM, "feeds": [9], "template": TO_FEED_8}),
    ("another datastream", {"to": QUEUE, "feeds": [8], "template": TO_FEED_7},
     {"to": STREAM, "feeds": [7], "datastreams": ["y"], "template": TO_FEED_8}),
    ("back to another datastream", {"to": QUEUE, "feeds": [8], "datastreams": ["z"], "template": TO_FEED_7},
     {"to": STREAM, "feeds": [7], "template": TO_FEED_8}),
    ("a tag of which nothing is known", {"to": QUEUE, "feeds": [8], "template": TO_FEED_7},
     {"to": STREAM, "tag": "a", "template": TO_FEED_8}),
    ("messages", {"to": QUEUE, "feeds": [8], "template": TO_FEED_7}, {"to": STREAM, "send": "messages"}),
    ("to where nobody reads", {"to": QUEUE, "feeds": [8], "template": TO_FEED_7},
     {"to": {"engine": "kinesis", "stream": "other"}, "feeds": [7], "template": TO_FEED_8}),
]  # fmt: skip


def two(*members: dict[str, Any]) -> list[SinkRule]:
    return [
        msgspec.convert({"name": name, **each}, SinkRule)
        for name, each in zip("ab", members, strict=True)
    ]


@pytest.mark.parametrize(("first", "second"), [row[1:] for row in CIRCLES], ids=[row[0] for row in CIRCLES])  # fmt: skip
def test_a_circle_of_rules_is_told_with_all_its_parts(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    rules = two(first, second)
    assert [round_problem(each, SOURCES) for each in rules] == ["", ""]
    assert round_problem(rules[0], SOURCES, rules) == (
        "it sends to the queue w, which the rule work of sources reads into this tank; from there"
        " the rule b sends to the stream s, which the rule readings of sources reads into this"
        " tank, so that values would go round for ever: name another queue in one of the 4"
    )
    assert "the rule a sends to the queue w" in round_problem(rules[1], SOURCES, rules)


@pytest.mark.parametrize(("first", "second"), [row[1:] for row in NO_CIRCLES], ids=[row[0] for row in NO_CIRCLES])  # fmt: skip
def test_what_is_no_circle_is_not(first: dict[str, Any], second: dict[str, Any]) -> None:
    rules = two(first, second)
    assert [round_problem(each, SOURCES, rules) for each in rules] == ["", ""]


def test_who_is_beside_a_circle_is_let_be() -> None:
    rules = [
        *two(*CIRCLES[0][1:]),
        msgspec.convert({"name": "c", "to": {"engine": "folder", "folder": "f"}}, SinkRule),
    ]  # type: ignore[arg-type] # a row
    assert round_problem(rules[2], SOURCES, rules) == ""


def test_many_rules_and_sources_are_looked_at_in_a_moment() -> None:
    sources = [SourceRule(f"s{n}", "queue", queue=f"q{n}") for n in range(100)]
    rules = [
        rule({"name": f"r{n}", "to": {"engine": "queue", "queue": f"q{n}"}, "datastreams": [f"t{n}"],
              "template": f'{{"feed": 1, "t{n + 1}": {{{{number}}}}}}'})
        for n in range(100)
    ]  # fmt: skip
    assert {round_problem(each, sources, rules) for each in rules} == {""}
    last = rule({"name": "last", "to": {"engine": "queue", "queue": "q99"}, "datastreams": ["t100"], "template": '{"feed": 1, "t0": {{number}}}'})  # fmt: skip
    assert "for ever" in round_problem(last, sources, [*rules, last])


def test_settings_with_such_a_round_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "thingtank.toml"
    file.write_text(
        '[[sinks.rules]]\nname = "out"\nto = {engine = "queue", queue = "w"}\n'
        '[[sources.rules]]\nname = "in"\nengine = "queue"\nqueue = "w"\n'
    )
    with pytest.raises(
        BadSettings, match=r"sinks\.rules: out: it sends to the queue w, .* rule in "
    ):
        load_config(file, {})


async def test_the_workbench_makes_no_such_rule_and_none_into_the_tanks_own_files(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.sources = SOURCES
    await bench.start()
    try:
        (problem,) = await bench.sinks.add({"name": "a", "to": STREAM})
        assert "for ever" in problem
        to = {"engine": "folder", "folder": str(tmp_path / "cold")}
        (problem,) = await bench.sinks.add({"name": "b", "to": to})
        assert "the tank's own data folder" in problem
        assert bench.sinks.statuses() == []
    finally:
        await bench.stop()


async def test_a_kept_rule_that_goes_round_since_a_source_was_added_is_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(tmp_path)
    await bench.start()
    try:
        assert await bench.sinks.add({"name": "a", "to": {"engine": "queue", "queue": "w"}}) == []
        bench.sources = SOURCES
        await bench.restart()
        assert capsys.readouterr().out.count("sink_rule_goes_round") == 1
        (status,) = bench.sinks.statuses()
        assert status.state == "stuck"
        assert status.trouble is not None
        assert "for ever" in status.trouble.what
        await bench.write("1")
        await asyncio.sleep(0.2)
        assert bench.sinks.statuses()[0].delivered_count == 0
    finally:
        await bench.stop()


async def test_a_circle_is_refused_when_it_is_closed_and_ends_when_a_rule_of_it_goes(
    tmp_path: Path,
) -> None:
    first, second = CIRCLES[0][1:]
    bench = Bench(tmp_path)
    await bench.start()
    try:
        for name, members in ("a", first), ("b", second):
            assert await bench.sinks.add({"name": name, **members}) == []  # type: ignore[dict-item] # a row
        bench.sources = SOURCES
        await bench.restart()
        assert {status.state for status in bench.sinks.statuses()} == {"stuck"}
        (problem,) = await bench.sinks.add({"name": "c", **first})  # type: ignore[dict-item] # a row
        assert "from there the rule b sends" in problem
        await bench.sinks.delete("b")
        (status,) = bench.sinks.statuses()
        assert (status.state, status.trouble) == ("waiting", None)
        assert await bench.sinks.add({"name": "c", **first}) == []  # type: ignore[dict-item] # a row
    finally:
        await bench.stop()
