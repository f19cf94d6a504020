"""Operations on schedules of batch jobs."""

from collections.abc import Sequence

import msgspec

from thingtank.server.batch.changes import (
    Alert,
    add_schedule,
    pause_schedule,
    remove_schedule,
    run_again,
)
from thingtank.server.batch.schedule import KEEP_COUNT, RUN_S_MAX, Schedule, due_us
from thingtank.server.operations.context import Context
from thingtank.server.operations.devices import find_device
from thingtank.server.operations.shapes import Nothing


class AddSchedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A schedule to make; see `server.batch.schedule.Schedule`.

    Attributes:
        feed: which feed the counts are written to; blank for none.
        channel: blank for the schedule's name.
        above: the limit beyond which to tell `url` and `email`; None for no alert.
    """

    name: str
    options: list[str]
    inputs: list[str]
    output: str
    folder: str
    every_s: int
    keep_count: int = KEEP_COUNT
    run_s_max: int = RUN_S_MAX
    feed: str = ""
    channel: str = ""
    above: int | None = None
    url: str = ""
    email: str = ""


class OneSchedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A schedule by its name."""

    name: str


class PauseSchedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A schedule that is to be paused, or to go on."""

    name: str
    is_paused: bool


class ScheduleRow(msgspec.Struct, frozen=True):
    """A schedule, when it runs next, and when the run under way began; None when none is.

    Microseconds since the epoch, UTC.
    """

    schedule: Schedule
    due_us: int
    begun_us: int | None


class ScheduleList(msgspec.Struct, frozen=True):
    """All schedules, by name."""

    schedules: Sequence[ScheduleRow]


async def add(context: Context, asked: AddSchedule) -> ScheduleRow:
    """Make a schedule, with a trigger if it is to alert."""
    draft = Schedule(
        name=asked.name,
        options=asked.options,
        inputs=asked.inputs,
        output=asked.output,
        folder=asked.folder,
        every_s=asked.every_s,
        done_us=0,
        keep_count=asked.keep_count,
        run_s_max=asked.run_s_max,
        feed_id=find_device(context, asked.feed).device_id if asked.feed else None,
        channel=asked.channel or asked.name,
    )
    alert = Alert(asked.above, asked.url, asked.email)
    return _row(context, await add_schedule(context.tank, context.schedules, draft, alert))


async def list_all(context: Context, asked: Nothing) -> ScheduleList:
    """List schedules."""
    return ScheduleList([_row(context, schedule) for schedule in context.schedules.all()])


async def remove(context: Context, asked: OneSchedule) -> ScheduleRow:
    """Remove a schedule and its trigger; what it has written stays."""
    return _row(context, await remove_schedule(context.tank, context.schedules, asked.name))


async def run(context: Context, asked: OneSchedule) -> ScheduleRow:
    """Have a schedule run now, for the newest span that is over."""
    return _row(context, run_again(context.tank, context.schedules, asked.name))


async def show(context: Context, asked: OneSchedule) -> ScheduleRow:
    """One schedule, with what came of its runs."""
    return _row(context, context.schedules.get(asked.name))


async def pause(context: Context, asked: PauseSchedule) -> ScheduleRow:
    """Pause a schedule, or let it go on."""
    return _row(context, pause_schedule(context.schedules, asked.name, asked.is_paused))


def _row(context: Context, schedule: Schedule) -> ScheduleRow:
    return ScheduleRow(schedule, due_us(schedule), context.begun_us(schedule))
