"""Making schedules, removing and pausing them, and having one run at once."""

import asyncio
import contextlib
import os

import msgspec

from thingtank.server.batch.schedule import (
    EVERY_S_MAX,
    EVERY_S_MIN,
    NAME,
    Schedule,
    newest_span,
)
from thingtank.server.batch.schedules import Schedules
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.triggers import create_trigger, delete_trigger
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.errors import NoSuchTrigger, ValidationFailed
from thingtank.tank.tank import Tank
from thingtank.tank.triggers import Trigger, TriggerChange


class Alert(msgspec.Struct, frozen=True):
    """Whom to tell when a run counts more than `above`; None for no alert."""

    above: int | None = None
    url: str = ""
    email: str = ""


async def add_schedule(tank: Tank, schedules: Schedules, draft: Schedule, alert: Alert) -> Schedule:
    """Make a schedule, with a trigger on its channel if it is to alert.

    Args:
        draft: without a trigger, and with any `done_us`: it runs from the next span on.

    Raises:
        ValidationFailed, LimitReached, StorageFailed.
    """
    async with schedules.adding:
        _check(schedules, draft, alert)
        return await _add(tank, schedules, draft, alert)


async def _add(tank: Tank, schedules: Schedules, draft: Schedule, alert: Alert) -> Schedule:
    now_us = tank.clock.now_us()
    span = newest_span(draft.every_s, now_us)
    schedule = msgspec.structs.replace(draft, done_us=span.end_us, made_us=now_us)
    if schedule.feed_id is not None:
        # Where a run of that span writes it as well: its count must be newer than all there is.
        begin = DatastreamWrite(schedule.channel, (span.start_us + 1,), ("0",))
        await record_datapoints(tank, OPERATOR, schedule.feed_id, [begin], creates_missing=True)
    if alert.above is not None:
        made = await _make_trigger(tank, schedule, alert)
        schedule = msgspec.structs.replace(schedule, trigger_id=made.trigger_id)
    try:
        schedules.put(schedule)
    except BaseException:
        await _delete_trigger(tank, schedule.trigger_id)
        raise
    return schedule


async def _make_trigger(tank: Tank, schedule: Schedule, alert: Alert) -> Trigger:
    """A trigger that alerts; there is none if this is cancelled, as by a stop of the server."""
    change = TriggerChange("gt", str(alert.above), alert.url, alert.email)
    making = asyncio.ensure_future(
        create_trigger(tank, OPERATOR, schedule.feed_id, schedule.channel, change)
    )
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        await _delete_trigger(tank, (await making).trigger_id)
        raise


async def _delete_trigger(tank: Tank, trigger_id: int | None) -> None:
    if trigger_id is not None:
        with contextlib.suppress(NoSuchTrigger):  # somebody was quicker
            await delete_trigger(tank, OPERATOR, trigger_id)


def _check(schedules: Schedules, draft: Schedule, alert: Alert) -> None:
    """Raise ValidationFailed, or StorageFailed where schedules cannot be read."""
    problems = []
    if not NAME.fullmatch(draft.name):
        problems.append(("name", "must be 1 to 40 letters, digits, - and _"))
    elif any(each.name == draft.name for each in schedules.all()):
        problems.append(("name", f"{draft.name} is taken; remove that schedule first"))
    for each in schedules.all():
        if each.name != draft.name and _place(each) == _place(draft):
            said = f"is that of schedule {each.name}, which would remove what this one writes"
            problems.append(("output", said))
            break
    if not EVERY_S_MIN <= draft.every_s <= EVERY_S_MAX:
        problems.append(("every", "must be within a minute and a year"))
    if draft.keep_count < 1 or draft.run_s_max < 1:
        problems.append(("keep", "and the longest time must be 1 at least"))
    if alert != Alert() and draft.feed_id is None:
        problems.append(("feed", "is needed for alerts: it is where the counts are written to"))
    if (alert.above is None) != (not alert.url and not alert.email):
        problems.append(("above", "a limit needs whom to tell, and the other way round"))
    if problems:
        raise ValidationFailed(problems)


def _place(schedule: Schedule) -> str:
    """Where its runs make their folders."""
    if "://" in schedule.output:
        return schedule.output.rstrip("/")
    return os.path.normpath(os.path.join(schedule.folder, schedule.output))


async def remove_schedule(tank: Tank, schedules: Schedules, name: str) -> Schedule:
    """Remove a schedule and its trigger; what it has written stays.

    Raises:
        NoSuchSchedule, StorageFailed.
    """
    removed = schedules.remove(name)
    await _delete_trigger(tank, removed.trigger_id)
    return removed


def run_again(tank: Tank, schedules: Schedules, name: str) -> Schedule:
    """Have a schedule run now, for the newest span that is over.

    Raises:
        NoSuchSchedule, StorageFailed.
    """
    schedule = schedules.get(name)
    span = newest_span(schedule.every_s, tank.clock.now_us())
    # Also while it is paused; what is asked for while it runs is answered by that run.
    again = msgspec.structs.replace(schedule, done_us=span.start_us, is_asked=True)
    schedules.put(again)
    return again


def pause_schedule(schedules: Schedules, name: str, is_paused: bool) -> Schedule:
    """Have a schedule not run any more, or run again; a run under way goes on to its end.

    One that runs again makes up for the newest span that is over.

    Raises:
        NoSuchSchedule, StorageFailed.
    """
    schedule = schedules.get(name)
    if schedule.is_paused != is_paused:
        schedule = msgspec.structs.replace(schedule, is_paused=is_paused, is_asked=False)
        schedules.put(schedule)
    return schedule
