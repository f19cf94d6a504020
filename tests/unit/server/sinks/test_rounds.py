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
