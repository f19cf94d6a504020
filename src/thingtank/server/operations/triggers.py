"""Operations on triggers."""

from collections.abc import Sequence

import msgspec

from thingtank.documents.deliveries import DeliveryRow, delivery_row
from thingtank.server.operations.context import Context
from thingtank.server.operations.devices import find_device
from thingtank.server.operations.shapes import Paged
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.triggers import (
    create_trigger,
    delete_trigger,
    enable_trigger,
    get_trigger,
    test_trigger,
)
from thingtank.tank.errors import NoSuchDevice, Unavailable, ValidationFailed
from thingtank.tank.triggers import KINDS, QUIET_S, THRESHOLD_KINDS, Trigger, TriggerChange


class TriggerRow(msgspec.Struct, frozen=True):
    """A trigger.

    Attributes:
        owner, device: blank when it is going away at this moment.
        is_active: whether its condition holds now; None where triggers are not at work.
        notified_us: when it fired last; None for never.
    """

    trigger_id: int
    feed_id: int
    device: str
    owner: str
    channel: str
    kind: str
    threshold: str
    url: str
    email: str
    clear_value: str
    hold_s: int
    quiet_s: int
    is_enabled: bool
    is_active: bool | None
    notified_us: int | None


class CreateTrigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trigger to make; see `tank.triggers.Trigger`."""

    feed: str
    channel: str
    kind: str
    threshold: str = ""
    url: str = ""
    email: str = ""
    clear_value: str = ""
    hold_s: int = 0
    quiet_s: int = QUIET_S


class ListTriggers(Paged, frozen=True):
    """Whose triggers to list, blank for everybody's; and of which feed, blank for all."""

    owner: str = ""
    feed: str = ""


class OneTrigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trigger by its number."""

    trigger_id: int


class TriggerList(msgspec.Struct, frozen=True):
    """One page of triggers, oldest first, and how many there are."""

    total_count: int
    triggers: list[TriggerRow]


class Tested(msgspec.Struct, frozen=True):
    """What a test sends."""

    deliveries: list[DeliveryRow]


async def create(context: Context, asked: CreateTrigger) -> TriggerRow:
    """Make a trigger."""
    device = find_device(context, asked.feed)
    if asked.threshold and asked.kind in KINDS and asked.kind not in THRESHOLD_KINDS:
        # Clients of Xively send a blank or an old one along; a person means it.
        why = f"is only for {', '.join(THRESHOLD_KINDS)}, not for {asked.kind}"
        raise ValidationFailed([("threshold_value", why)])
    draft = TriggerChange(
        asked.kind,
        asked.threshold,
        asked.url,
        asked.email,
        asked.clear_value,
        asked.hold_s,
        asked.quiet_s,
    )
    made = await create_trigger(context.tank, OPERATOR, device.device_id, asked.channel, draft)
    return _row(context, made)


async def list_all(context: Context, asked: ListTriggers) -> TriggerList:
    """List triggers, oldest first."""
    found = _asked_for(context, asked)
    return TriggerList(len(found), [_row(context, trigger) for trigger in found[asked.rows]])


def _asked_for(context: Context, asked: ListTriggers) -> Sequence[Trigger]:
    triggers = context.tank.triggers
    if asked.feed:
        return triggers.of_device(find_device(context, asked.feed).device_id)
    if asked.owner:
        return triggers.of_account(context.account(asked.owner).account_id)
    return triggers.all()


async def show(context: Context, asked: OneTrigger) -> TriggerRow:
    """All that is known of a trigger."""
    return _row(context, get_trigger(context.tank, OPERATOR, asked.trigger_id))


async def enable(context: Context, asked: OneTrigger) -> TriggerRow:
    """Let a trigger watch."""
    return _row(context, await enable_trigger(context.tank, OPERATOR, asked.trigger_id))


async def disable(context: Context, asked: OneTrigger) -> TriggerRow:
    """Let a trigger rest."""
    return _row(context, await enable_trigger(context.tank, OPERATOR, asked.trigger_id, False))


async def delete(context: Context, asked: OneTrigger) -> TriggerRow:
    """Delete a trigger; return what it was."""
    row = _row(context, get_trigger(context.tank, OPERATOR, asked.trigger_id))
    await delete_trigger(context.tank, OPERATOR, asked.trigger_id)
    return row


async def test(context: Context, asked: OneTrigger) -> Tested:
    """Send a test; `delivery.show` tells what became of it."""
    if not context.url:
        get_trigger(context.tank, OPERATOR, asked.trigger_id)
        raise Unavailable("only a running server delivers; start it with: thingtank serve")
    sent = await test_trigger(context.tank, OPERATOR, asked.trigger_id)
    return Tested([delivery_row(context.tank, delivery) for delivery in sent])


def _row(context: Context, trigger: Trigger) -> TriggerRow:
    tank = context.tank
    state = tank.trigger_service.state_of(trigger.trigger_id)
    try:
        device = tank.directory.get_device(trigger.device_id).title
        owner = tank.directory.get_account(trigger.account_id).login
    except NoSuchDevice:
        device = owner = ""
    return TriggerRow(
        trigger.trigger_id,
        trigger.device_id,
        device,
        owner,
        trigger.name,
        trigger.kind,
        trigger.threshold,
        trigger.url,
        trigger.email,
        trigger.clear_value,
        trigger.hold_s,
        trigger.quiet_s,
        trigger.is_enabled,
        None if state is None else state.is_active,
        trigger.notified_us,
    )
