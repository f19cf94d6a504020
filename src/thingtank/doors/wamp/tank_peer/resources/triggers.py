"""`tank.triggers`: list, make, read, change, delete, test, and try on history."""

from typing import Any

import msgspec
from msgspec import UNSET

from thingtank.documents.deliveries import delivery_row
from thingtank.documents.triggers import trigger_body, trigger_change
from thingtank.doors.wamp.tank_peer.resources.shared import (
    Context,
    Document,
    FeedName,
    Number,
    instant_of,
    json_of,
    plain,
)
from thingtank.protocols.xively.times import format_time
from thingtank.protocols.xively.trigger_documents import TriggerDocument, parse_json
from thingtank.tank.actions import backtest as backtests
from thingtank.tank.actions import triggers as actions
from thingtank.tank.actions.backtest import Backtest
from thingtank.tank.tank import Tank
from thingtank.tank.triggers import Trigger, TriggerChange


async def list_all(
    context: Context, feed: FeedName | None = None, *, page: Number = 1, per_page: Number = 1000
) -> Any:
    """List triggers, oldest first: of a feed, or of all of the account.

    Args:
        feed: its number, or its device's uuid.
        page, per_page: from 1; at most 1000 a page.

    Returns:
        A list of triggers.
    """
    device_id = None if feed is None else context.find_device(feed).device_id
    found = actions.list_triggers(context.tank, context.caller, device_id, page, per_page)
    return [trigger_document(context.tank, trigger) for trigger in found]


async def read(context: Context, trigger_id: Number) -> Any:
    """Read a trigger.

    Args:
        trigger_id: its number.

    Returns:
        The trigger as Xively has it, and `email`, `clear_value`, `hold_s`, `quiet_s`, `is_enabled`.
    """
    found = actions.get_trigger(context.tank, context.caller, trigger_id)
    return trigger_document(context.tank, found)


async def create(
    context: Context,
    document: Document,
    *,
    email: str | None = None,
    clear_value: str | None = None,
    hold_s: Number | None = None,
    quiet_s: Number | None = None,
) -> Any:
    """Make a trigger on a datastream; it watches from now on.

    Args:
        document: as Xively has it: `environment_id` (the feed), `stream_id`, `trigger_type`,
            `threshold_value`, `url`.
        email: an address in place of or beside `url`.
        clear_value: the condition ends only beyond it.
        hold_s: for how long the condition must hold.
        quiet_s: the least time between two firings.

    Returns:
        The trigger.
    """
    read_in = parse_json(json_of(document))
    draft = _change(read_in, email, clear_value, hold_s, quiet_s)
    feed_id = None if read_in.environment_id is UNSET else read_in.environment_id
    made = await actions.create_trigger(
        context.tank, context.caller, feed_id, read_in.stream_id or "", draft
    )
    return trigger_document(context.tank, made)


async def update(
    context: Context,
    trigger_id: Number,
    document: Document | None = None,
    *,
    email: str | None = None,
    clear_value: str | None = None,
    hold_s: Number | None = None,
    quiet_s: Number | None = None,
) -> Any:
    """Change a trigger; what is not given stays. Another condition starts it afresh.

    Args:
        trigger_id: its number.
        document: as Xively has it; on which datastream it is cannot be changed.
        email, clear_value, hold_s, quiet_s: as to make it; a blank text takes it away.

    Returns:
        The trigger as it is now.
    """
    read_in = parse_json(json_of(document or {}))
    change = _change(read_in, email, clear_value, hold_s, quiet_s)
    changed = await actions.update_trigger(context.tank, context.caller, trigger_id, change)
    return trigger_document(context.tank, changed)


def _change(
    document: TriggerDocument,
    email: str | None,
    clear_value: str | None,
    hold_s: int | None,
    quiet_s: int | None,
) -> TriggerChange:
    ours = {"email": email, "clear_value": clear_value, "hold_s": hold_s, "quiet_s": quiet_s}
    given = {name: value for name, value in ours.items() if value is not None}
    return msgspec.structs.replace(trigger_change(document), **given)


async def enable(context: Context, trigger_id: Number) -> Any:
    """Let a trigger watch again.

    Args:
        trigger_id: its number.

    Returns:
        The trigger as it is now.

    Raises:
        NoSuchTrigger, NotAllowed, Unauthenticated, StorageFailed.
    """
    return await _switched(context, trigger_id, True)


async def disable(context: Context, trigger_id: Number) -> Any:
    """Let a trigger rest.

    Args:
        trigger_id: its number.

    Returns:
        The trigger as it is now.

    Raises:
        NoSuchTrigger, NotAllowed, Unauthenticated, StorageFailed.
    """
    return await _switched(context, trigger_id, False)


async def _switched(context: Context, trigger_id: int, is_enabled: bool) -> Any:
    changed = await actions.enable_trigger(context.tank, context.caller, trigger_id, is_enabled)
    return trigger_document(context.tank, changed)


async def delete(context: Context, trigger_id: Number) -> None:
    """Delete a trigger.

    Args:
        trigger_id: its number.

    Returns:
        Nothing.
    """
    await actions.delete_trigger(context.tank, context.caller, trigger_id)


async def test(context: Context, trigger_id: Number) -> Any:
    """Send a trial notification with the value there is now; also of a trigger that rests.

    Args:
        trigger_id: its number.

    Returns:
        A list of deliveries, one for each receiver; `tank.deliveries.get` tells what becomes of
        them.
    """
    sent = await actions.test_trigger(context.tank, context.caller, trigger_id)
    return [plain(delivery_row(context.tank, delivery)) for delivery in sent]


async def backtest(
    context: Context,
    feed: FeedName,
    datastream: str,
    document: Document,
    *,
    start: str | None = None,
    end: str | None = None,
    clear_value: str | None = None,
    hold_s: Number | None = None,
    quiet_s: Number | None = None,
) -> Any:
    """Show when a trigger would have fired, before it is made.

    Args:
        feed: its number, or its device's uuid.
        datastream: its name.
        document: as Xively has it; a receiver is not needed.
        start, end: ISO 8601, both included; all that there is until now if they are left out.
        clear_value, hold_s, quiet_s: as to make it.

    Returns:
        `firings`, a list of `at`, `value` and `value_at`, at most 1000; `through`, up to when all
        was looked at; `is_complete`; `datapoint_count`.
    """
    device = context.find_device(feed)
    found = await backtests.backtest_trigger(
        context.tank,
        context.caller,
        device.device_id,
        datastream,
        _change(parse_json(json_of(document)), None, clear_value, hold_s, quiet_s),
        instant_of(start, "start"),
        instant_of(end, "end"),
    )
    return _backtest_body(found)


async def backtest_stored(
    context: Context, trigger_id: Number, *, start: str | None = None, end: str | None = None
) -> Any:
    """Show when a trigger that there is would have fired.

    Args:
        trigger_id: its number.
        start, end: ISO 8601, both included; all that there is until now if they are left out.

    Returns:
        As `tank.triggers.backtest`.
    """
    found = await backtests.backtest_stored_trigger(
        context.tank,
        context.caller,
        trigger_id,
        instant_of(start, "start"),
        instant_of(end, "end"),
    )
    return _backtest_body(found)


def _backtest_body(found: Backtest) -> dict[str, Any]:
    return {
        "firings": [
            {
                "at": format_time(firing.at_us),
                "value": firing.value,
                "value_at": None if firing.value_at_us is None else format_time(firing.value_at_us),
            }
            for firing in found.firings
        ],
        "through": format_time(found.through_us),
        "is_complete": found.is_complete,
        "datapoint_count": found.datapoint_count,
    }


def trigger_document(tank: Tank, trigger: Trigger) -> dict[str, Any]:
    """A trigger as Xively has it, and what it did not have."""
    return {
        **plain(trigger_body(tank, trigger)),
        "email": trigger.email,
        "clear_value": trigger.clear_value,
        "hold_s": trigger.hold_s,
        "quiet_s": trigger.quiet_s,
        "is_enabled": trigger.is_enabled,
    }
