"""`thingtank source` and `thingtank sink`, beside a running server, and what they say without."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.interop.test_command_line import answer, refusal, thingtank
from tests.live_server import furnish, start_server
from tests.waiting import wait_until

from thingtank.sinks.engine import Item, encode_item
from thingtank.sources.records import RECORD_BYTES_MAX, Arrived
from thingtank.sources.rejected_store import RejectedStore
from thingtank.sources.source_file import SourceFile
from thingtank.stores.sink_file import NewLetter, SinkFile

SETTINGS = """
[[sinks.rules]]
name = "kept"
datastreams = ["t"]
to = {engine = "sql", url = "sqlite:///kept.sqlite3"}
[aws]
endpoint_url = "http://127.0.0.1:1"
[[sources.rules]]
name = "weather"
engine = "kinesis"
stream = "temperature"
[[sources.rules]]
name = "work"
engine = "queue"
queue = "work"
"""
AT_US = 1_795_772_400_000_000
FOREIGN = "\x1b]0;owned\x07\x1b[2J\n\u202e"  # a terminal obeys it
AWAY = "temperature: there is no device 2"


def leave_rejected(folder: Path) -> None:
    foreign = f"{FOREIGN}garbage".encode()
    reading = b'{"datastream": "temperature", "value": %d}'
    found = [(Arrived(f"s-0/{n}", "2", AT_US, reading % n), AWAY) for n in range(4)]
    found += [(Arrived(f"s-0/{n}", "2", AT_US, foreign), "it is not JSON") for n in (4, 5)]
    found += [(Arrived("s-0/6", "2", AT_US, b" " * (RECORD_BYTES_MAX + 1)), "it is too long")]
    file = SourceFile(folder)
    RejectedStore(file, "weather", 100, 10**7).add(found, AT_US)
    file.close()


def leave_letters(folder: Path) -> None:
    items = [Item(f"o-{n}-0", "datapoint", 1, "u-1", "t", AT_US + n, f"{n}") for n in range(3)]
    letters = [
        NewLetter(item.item_id, encode_item(item), f"too{FOREIGN}long", AT_US) for item in items
    ]
    with contextlib.closing(SinkFile.open(folder)) as file:
        file.add_letters("kept", letters)
        file.add_letters("old", letters[:1])  # of a rule that left the settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    (folder / "thingtank.toml").write_text(SETTINGS)
    leave_rejected(folder)
    leave_letters(folder)
    with start_server(folder):
        yield folder


def test_rejected_records_are_listed_retried_and_discarded(folder: Path) -> None:
    rules = answer(folder, "source", "list")["sources"]
    assert [(rule["name"], rule["kept_count"]) for rule in rules] == [("weather", 7), ("work", 0)]
    shown = answer(folder, "source", "show", "weather")
    assert shown["reasons"] == [
        {"reason": AWAY, "count": 4}, {"reason": "it is not JSON", "count": 2},
        {"reason": "it is too long", "count": 1},
    ]  # fmt: skip
    told = thingtank(folder, "source", "show", "weather").stdout
    assert "thingtank source retry weather --all" in told
    page = answer(folder, "source", "rejected", "weather", "--limit", "2")
    assert [row["record_id"] for row in page["rejected"]] == ["s-0/6", "s-0/5"]
    assert [row["is_whole"] for row in page["rejected"]] == [False, True]
    assert page["rejected"][0]["at"] == "2026-11-27T09:40:00.000000Z"
    before = str(page["next_before"])
    rest = answer(folder, "source", "rejected", "weather", "--before", before)
    assert len(rest["rejected"]) == 5
    lines = thingtank(folder, "source", "rejected", "weather").stdout.splitlines()
    assert len(lines) == 1 + 7
    assert " ]0;owned  [2J  garbage" in lines[2]
    assert all(line.isprintable() for line in lines)

    refused = thingtank(folder, "source", "retry", "weather", "--reason", AWAY).stdout
    assert "Wrote 0 records.\n4 records refused once more" in refused
    made = answer(folder, "device", "create", "Roof")
    assert made["feed_id"] == 2
    (one, *_) = [row["number"] for row in rest["rejected"] if row["record_id"] == "s-0/0"]
    done = answer(folder, "source", "retry", "weather", str(one))
    assert (done["written_count"], done["refused_count"]) == (1, 0)
    every = thingtank(folder, "source", "retry", "weather", "--all").stdout
    assert every.splitlines() == [
        "Wrote 3 records.",
        "2 records refused once more; why: thingtank source show weather",
        "1 record too long to be kept whole: these can only be discarded.",
    ]
    history = answer(
        folder,
        "feed",
        "history",
        "2",
        "temperature",
        "--start",
        "2026-11-27T09:00:00Z",
        "--duration",
        "1hour",  # a longer one has no single values
    )
    assert sorted(point["value"] for point in history["datapoints"]) == ["0", "1", "2", "3"]
    assert {point["at"][:23] for point in history["datapoints"]} == {"2026-11-27T09:40:00.000"}

    none = (
        "there are no rejected records 98 and 99 of weather; see: thingtank source rejected weather"
    )
    for word in ("retry", "discard"):
        done = thingtank(folder, "source", word, "weather", "98", "99", "98")
        assert (done.returncode, none in done.stderr, done.stdout) == (1, True, "")
    discard = ("source", "discard", "weather")
    for command in (("source", "retry", "weather"), (*discard, "--yes")):
        told = refusal(folder, *command, "--reason", f"mistyped{FOREIGN}").splitlines()
        assert told == [
            'Error: no rejected record of weather has the reason "mistyped ]0;owned [2J"; there'
            " are these:",
            "    line 1 is not JSON: JSON is malformed: invalid character (byte 0)",
            "    it is too long",
        ]
        assert "x" * 201 not in refusal(folder, *command, "--reason", "x" * 999)
    asked = thingtank(folder, *discard, "--all", stdin="n\n")
    assert (asked.returncode, "Discard all rejected" in asked.stdout) == (1, True)
    said = thingtank(folder, *discard, "--reason", "it is too long", "--yes").stdout
    assert said == "Discarded 1 record.\n"
    (kept, _) = answer(folder, "source", "rejected", "weather")["rejected"]
    some = thingtank(folder, *discard, str(kept["number"]), "99", "--json")
    assert (some.returncode, "no rejected record 99 of weather" in some.stderr) == (1, True)
    assert json.loads(some.stdout) == {"discarded_count": 1, "missing_numbers": [99]}
    assert answer(folder, *discard, "--all", "--yes") == {
        "discarded_count": 1, "missing_numbers": [],
    }  # fmt: skip
    assert thingtank(folder, *discard, "--all", "--yes").stdout == (
        "weather has no rejected records.\n"
    )
    told = refusal(folder, "source", "retry", "weather", "--reason", AWAY)
    assert "weather has no rejected records" in told
    assert "stream temperature of Kinesis" in thingtank(folder, "source", "list").stdout
    assert "None. What a queue holds" in thingtank(folder, "source", "rejected", "work").stdout


def wait_for_letters(folder: Path, count: int) -> dict[str, Any]:
    def rule() -> dict[str, Any]:
        return dict(answer(folder, "sink", "show", "kept"))

    wait_until(lambda: rule()["letter_count"] == count, rule)
    return rule()


def test_dead_letters_are_listed_retried_and_discarded_and_rules_paused(folder: Path) -> None:
    rules = answer(folder, "sink", "list")["sinks"]
    assert [(rule["name"], rule["letter_count"]) for rule in rules] == [("kept", 3), ("old", 1)]
    page = answer(folder, "sink", "letters", "kept", "--limit", "2")
    assert [row["value"] for row in page["letters"]] == ["2", "1"]
    assert page["letters"][0]["refused_at"] == "2026-11-27T09:40:00.000000Z"
    rest = answer(folder, "sink", "letters", "kept", "--before", str(page["next_before"]))
    assert [row["value"] for row in rest["letters"]] == ["0"]
    lines = thingtank(folder, "sink", "letters", "kept").stdout.splitlines()
    assert len(lines) == 1 + 3
    assert "too ]0;owned  [2J  long" in lines[1]
    assert all(line.isprintable() for line in lines)
    assert answer(folder, "sink", "pause", "kept")["state"] == "paused"
    assert "paused" in thingtank(folder, "sink", "list").stdout
    number = str(page["letters"][0]["letter_id"])
    none = "there is no dead letter 99 of kept; see: thingtank sink letters kept"
    for word in ("retry", "discard"):
        done = thingtank(folder, "sink", word, "kept", "99")
        assert (done.returncode, none in done.stderr, done.stdout) == (1, True, "")
    some = thingtank(folder, "sink", "discard", "kept", "99", number, "--json")
    assert (some.returncode, none in some.stderr) == (1, True)
    left = json.loads(some.stdout)
    assert (left["letter_count"], left["chosen_count"], left["missing_numbers"]) == (2, 1, [99])
    assert "kept goes on." in thingtank(folder, "sink", "resume", "kept").stdout
    asked = thingtank(folder, "sink", "retry", "kept", "--all").stdout
    assert asked == "2 dead letters of kept are sent again; what is refused once more stays one.\n"
    assert wait_for_letters(folder, 0)["delivered_count"] == 2
    for word in ("retry", "discard"):
        done = thingtank(folder, "sink", word, "kept", "--all", *(["--yes"] * (word == "discard")))
        assert (done.returncode, done.stdout) == (0, "kept has no dead letters.\n")
    for word in ("retry", "pause"):
        words = ("--all",) if word == "retry" else ()
        assert "thingtank sink discard old --all" in refusal(folder, "sink", word, "old", *words)
    assert answer(folder, "sink", "discard", "old", "--all", "--yes")["letter_count"] == 0


def test_what_is_refused_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    for noun, words in (("source", "rejected"), ("sink", "letters")):
        said = refusal(folder, noun, words, "none")
        assert f"there is no rule none of {noun}s; see: thingtank {noun} list" in said
        for choice in ((), ("1", "--all")):
            done = thingtank(folder, noun, "retry", "any", *choice)
            assert (done.returncode, "give either NUMBERS, or" in done.stderr) == (2, True)
    furnish(tmp_path)
    for noun in ("source", "sink"):
        assert "no server runs for this data folder" in refusal(tmp_path, noun, "list")
