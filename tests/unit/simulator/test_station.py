"""The station at work, before a server that answers as it is told."""

import asyncio
import contextlib
import datetime
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from tests.unit.client.scripted_server import Said, scripted_server

from thingtank.simulator import station
from thingtank.simulator.feed_writer import REASON_CHARS_MAX, FeedWriter, WriteFailed
from thingtank.simulator.station import FAILURES_MAX, Progress, Station
from thingtank.simulator.weather import CHANNELS, Weather
from thingtank.tank.history import DAY_S

NOW_S = 1_790_000_123.456
DATAPOINTS_PER_WRITE_MAX = 500  # as `limits.datapoints_per_write_max` is without settings
TAKEN = Said(200)


class Told(Exception):
    """The station has told so much that the test has seen enough."""


async def run(
    answers: Sequence[Said], told_max: int, *, history_s: float = 0.0
) -> tuple[list[Progress], list[Any]]:
    """What a station tells, and the bodies that it sends, until it has told so often."""
    progress: list[Progress] = []

    def note(each: Progress) -> None:
        progress.append(each)
        if len(progress) == told_max:
            raise Told

    with scripted_server(answers) as server:
        async with FeedWriter(server.url, 7, "sesame") as writer:
            at_work = Station(writer, Weather(7), lambda: NOW_S + len(progress), note)
            with contextlib.suppress(Told):
                await at_work.run(history_s)
        assert {(asked.method, asked.path) for asked in server.asked} == {
            ("PUT", "/v2/feeds/7.json")
        }
        assert {asked.headers["X-ApiKey"] for asked in server.asked} == {"sesame"}
        return progress, [msgspec.json.decode(asked.body) for asked in server.asked]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it has paused, in place of pausing."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(station.asyncio, "sleep", pause)
    return pauses


async def test_a_day_of_history_comes_first_one_channel_a_request() -> None:
    _, bodies = await run([TAKEN], 1, history_s=3 * DAY_S)
    history = [body["datastreams"][0] for body in bodies[: len(CHANNELS)]]
    assert [row["id"] for row in history] == [channel.name for channel in CHANNELS]
    assert [row["unit"]["symbol"] for row in history] == [channel.symbol for channel in CHANNELS]
    for row in history:
        times = [datetime.datetime.fromisoformat(point["at"]).timestamp() for point in row["datapoints"]]  # fmt: skip
        assert 288 < len(times) < DATAPOINTS_PER_WRITE_MAX
        assert times == sorted(set(times))
        assert NOW_S - DAY_S < times[0] < NOW_S - DAY_S + 300
        assert NOW_S - 30 <= times[-1] <= NOW_S


async def test_then_it_reports_all_channels_at_once_again_and_again(no_pauses: list[float]) -> None:
    progress, bodies = await run([TAKEN], 3)
    reports = bodies[len(CHANNELS) :]
    assert [len(report["datastreams"]) for report in reports] == [len(CHANNELS)] * 3
    assert [each.report_count for each in progress] == [1, 2, 3]
    assert progress[-1].values == {row["id"]: row["current_value"] for row in reports[-1]["datastreams"]}  # fmt: skip
    assert no_pauses == [5.0, 5.0]


@pytest.mark.parametrize("gone", [Said(0), Said(503), Said(429)])
async def test_a_server_that_cannot_take_it_is_asked_again_after_longer_and_longer(
    gone: Said, no_pauses: list[float]
) -> None:
    answers = [TAKEN] * len(CHANNELS) + [gone] * 5 + [TAKEN]
    progress, _ = await run(answers, 6)
    assert [bool(each.problem) for each in progress] == [True] * 5 + [False]
    assert no_pauses == [5.0, 10.0, 20.0, 40.0, 60.0]


async def test_it_gives_up_when_the_server_has_been_gone_for_long(no_pauses: list[float]) -> None:
    with pytest.raises(WriteFailed, match="503"):
        await run([Said(503)], 1000)
    assert len(no_pauses) == FAILURES_MAX - 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Said(403, b'{"title":"Forbidden","errors":"no access to this"}'), "no access to this"),
        (Said(404, b'{"title":"Not found","errors":["gone","for good"]}'), "gone for good"),
        (Said(401, b'{"title":"Unauthorized"}'), "Unauthorized"),
        (Said(400, b"x" * 5000), "x" * REASON_CHARS_MAX),
        (Said(422, b"\xff"), "\ufffd"),
    ],
)
async def test_a_refusal_ends_it_with_the_servers_reason(answer: Said, words: str) -> None:
    with pytest.raises(WriteFailed) as refused:
        await run([answer], 1)
    assert str(refused.value) == f"the server answered {answer.status}: {words}"
    assert refused.value.is_final
    assert "sesame" not in str(refused.value)


async def test_it_ends_in_the_middle_of_a_pause_when_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    with scripted_server([TAKEN]) as server:
        async with FeedWriter(server.url, 7, "sesame") as writer:
            begun = asyncio.Event()
            at_work = Station(writer, Weather(7), lambda: NOW_S, lambda _: begun.set())
            task = asyncio.create_task(at_work.run(0))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
