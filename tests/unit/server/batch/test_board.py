"""Schedules as pages and metrics see them."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.server.batch.test_changes import FEED_ID, draft, tank

from thingtank.server.batch.alerts import Alerts
from thingtank.server.batch.board import Board
from thingtank.server.batch.changes import Alert, add_schedule
from thingtank.server.batch.job_words import job_words
from thingtank.server.batch.scheduler import Scheduler
from thingtank.server.batch.schedules import Schedules
from thingtank.server.monitoring.batch_samples import of_batch
from thingtank.server.monitoring.families import FAMILIES
from thingtank.server.rule_troubles import rule_troubles
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.batch import BatchRun, SequenceCount, Span
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.errors import NoSuchDevice, ValidationFailed
from thingtank.tank.tank import Tank

__all__ = ["tank"]  # a fixture

COUNT = SequenceCount("often", "12 3", FEED_ID, "state", 3600, above=3, url="https://example.com/")


@pytest.fixture
def schedules(tmp_path: Path) -> Schedules:
    return Schedules(tmp_path)


@pytest.fixture
async def board(tank: Tank, schedules: Schedules, tmp_path: Path) -> Board:
    write = DatastreamWrite("state", (1,), ("x",))
    await record_datapoints(tank, OPERATOR, FEED_ID, [write], creates_missing=True)
    scheduler = Scheduler(tank, schedules, tmp_path)
    return Board(tank, schedules, scheduler, Alerts(tank.bus, schedules), tmp_path)


async def test_a_count_is_made_due_at_once_and_told_with_its_limit(
    board: Board, schedules: Schedules, tmp_path: Path
) -> None:
    await board.add(COUNT)
    made = schedules.get("often")
    assert made.inputs == [f"archive:feed/{FEED_ID}/state?start={{start}}&end={{end}}"]
    assert (made.output, made.folder) == ("batch/often", str(tmp_path))
    [status] = board.statuses()
    assert (status.state, status.what, status.above) == ("due", "sequence-count of 12 3", "3")
    board.pause("often", True)
    [status] = board.statuses()
    assert (status.state, status.due_us) == ("paused", None)
    await board.delete("often")
    assert board.status("often") is None


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"feed_id": 77}, NoSuchDevice, "77"),
        ({"channel": "nosuch"}, ValidationFailed, "must be one of feed"),
        ({"sequence": " "}, ValidationFailed, "can't be blank"),
        ({"name": "state"}, ValidationFailed, "must differ from the channel"),
        ({"url": ""}, ValidationFailed, "needs whom to tell"),
    ],
)
async def test_a_count_that_cannot_be_is_refused(
    more: dict[str, Any], error: type[Exception], said: str, board: Board, schedules: Schedules
) -> None:
    asked = SequenceCount(**{**{f: getattr(COUNT, f) for f in COUNT.__struct_fields__}, **more})
    with pytest.raises(error, match=said):
        await board.add(asked)
    assert schedules.all() == []


async def test_a_failing_schedule_is_in_metrics_and_told_to_the_doctor(
    board: Board,
    tank: Tank,
    schedules: Schedules,
) -> None:
    last = BatchRun(5, Span(0, 1), 2.5, "out/x", "it broke\nlast words")
    await add_schedule(tank, schedules, draft(last=last), Alert())
    [status] = board.statuses()
    assert status.state == "failing"
    samples = {each.family: each.value for each in of_batch(board.statuses())}
    assert samples["thingtank_batch_last_run_seconds"] == 2.5
    assert samples["thingtank_batch_last_run_failed"] == 1
    assert samples.keys() <= FAMILIES.keys()
    [trouble] = rule_troubles([], [], board.statuses())
    assert (trouble.of, trouble.name, trouble.what) == ("batch", "hourly", "it broke")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--job", "sequence-count"], "sequence-count"),
        (["--job", "sequence-count", "--env", "SEQ=1=2"], "sequence-count of 1=2"),
        (
            ["--mapper", "m.py", "--reducer", "uniq -c", "--env", "TOKEN=secret"],
            "m.py | uniq -c, with TOKEN",
        ),
        (["--sql", "/home/me/per-device.sql"], "query per-device.sql"),
        (["--job", "sequence-count", "--on", "emr"], "sequence-count, on emr"),
    ],
)
def test_a_job_in_words_has_no_values_of_variables_but_the_sequence(
    options: list[str], words: str
) -> None:
    assert job_words(options) == words
