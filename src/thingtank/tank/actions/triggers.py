"""Make, change, list, test and delete triggers.

A trigger belongs to the feed's owner and tells values to whoever it names. So a key needs, besides
`get` on the datastream, the right that Xively's method for the request has (`post` to make, `put`
to change), and `put` even to look: where a trigger sends to is often a secret.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import msgspec

from thingtank.tank.access import Caller, check_reach, may_reach
from thingtank.tank.changes import changed
from thingtank.tank.deliveries import Delivery, DeliveryQuery
from thingtank.tank.errors import (
    LimitReached,
    NoSuchDatastream,
    NoSuchDevice,
    Unauthenticated,
    ValidationFailed,
)
from thingtank.tank.events import TriggerChanged
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.tank.triggers import (
    THRESHOLD_KINDS,
    Armed,
    Kind,
    Trigger,
    TriggerChange,
    starts_afresh,
    trigger_problems,
)

CheckTrigger: TypeAlias = Callable[[Trigger], None]

TRIGGERS_PER_PAGE_MAX = 1000
_TESTED_AMONG = 20  # a test's deliveries are among the newest; others may come in between


async def create_trigger(
    tank: Tank, caller: Caller, device_id: int | None, name: str, draft: TriggerChange
) -> Trigger:
    """Make a trigger on a datastream; it watches from now on.

    Raises:
        ValidationFailed: the content breaks a rule, or there is no such feed or datastream.
        LimitReached, NotAllowed, Unauthenticated, StorageFailed.

    Source: Xively API v2, triggers, create; an unknown feed or datastream is refused as content.
    """
    device = _watched_device(tank, device_id)
    _check(caller, ("get", "post"), device, name)
    now_us = tank.clock.now_us()
    trigger = drafted(tank, device, name, draft, now_us)
    _check_email(tank, trigger)
    _check_limits(tank, trigger)
    try:
        stored = await tank.triggers.insert(trigger)
    except NoSuchDatastream:  # deleted meanwhile
        raise ValidationFailed([("stream_id", "is not a datastream of this feed")]) from None
    tank.bus.publish(TriggerChanged(stored))
    return stored


def _watched_device(tank: Tank, device_id: int | None) -> Device:
    if device_id is None:
        raise ValidationFailed([("environment_id", "can't be blank")])
    try:
        return tank.directory.get_device(device_id)
    except NoSuchDevice:
        raise ValidationFailed([("environment_id", "is not a feed")]) from None


def drafted(tank: Tank, device: Device, name: str, draft: TriggerChange, now_us: int) -> Trigger:
    """A trigger that is not stored yet, checked; no rights are.

    Raises:
        ValidationFailed.
    """
    blank = Trigger(0, device.account_id, device.device_id, name, cast("Kind", ""))
    trigger = _checked(changed(blank, draft))
    if name not in tank.directory.datastreams(device.device_id):
        raise ValidationFailed([("stream_id", "is not a datastream of this feed")])
    armed = _armed(tank, trigger, now_us, Armed(number=0))
    return msgspec.structs.replace(trigger, created_us=now_us, armed=armed)


def _armed(tank: Tank, trigger: Trigger, now_us: int, before: Armed) -> Armed:
    datastream = tank.directory.datastreams(trigger.device_id).get(trigger.name)
    current = None if datastream is None else tank.archive.current(datastream.stream_id)
    return before.again(now_us, current)


def _checked(trigger: Trigger) -> Trigger:
    """The trigger as it is kept; raises ValidationFailed if it breaks a rule."""
    if trigger.kind not in THRESHOLD_KINDS and trigger.threshold:
        trigger = msgspec.structs.replace(trigger, threshold="")
    problems = trigger_problems(trigger)
    if problems:
        raise ValidationFailed(problems)
    return trigger


def _check_email(tank: Tank, trigger: Trigger, before: Trigger | None = None) -> None:
    """Refuse an e-mail address where no e-mail is sent; one that was taken before may stay."""
    if tank.sends_email or not trigger.email:
        return
    if before is None or trigger.email != before.email:
        why = "is not sent by this server: its setting email.host is not set"
        raise ValidationFailed([("email", why)])


def _check_limits(tank: Tank, trigger: Trigger) -> None:
    limits = tank.limits
    if len(tank.triggers.of_device(trigger.device_id)) >= limits.triggers_per_device_max:
        raise LimitReached(f"a feed may have {limits.triggers_per_device_max} triggers")
    if len(tank.triggers.of_account(trigger.account_id)) >= limits.triggers_per_account_max:
        raise LimitReached(f"an account may have {limits.triggers_per_account_max} triggers")


def _check(caller: Caller, methods: Sequence[str], device: Device, name: str) -> None:
    for method in methods:
        check_reach(caller, method, device, name)


def get_trigger(tank: Tank, caller: Caller, trigger_id: int) -> Trigger:
    """Read a trigger.

    Raises:
        NoSuchTrigger, NotAllowed, Unauthenticated.
    """
    return _reached(tank, caller, trigger_id, ("get", "put"))


def _reached(tank: Tank, caller: Caller, trigger_id: int, methods: Sequence[str]) -> Trigger:
    trigger = tank.triggers.get(trigger_id)
    _check(caller, methods, tank.directory.get_device(trigger.device_id), trigger.name)
    return trigger


def list_triggers(
    tank: Tank,
    caller: Caller,
    device_id: int | None = None,
    page: int = 1,
    per_page: int = TRIGGERS_PER_PAGE_MAX,
) -> Sequence[Trigger]:
    """The triggers that the caller may see, oldest first: of one feed, or of the account's all.

    Args:
        page: from 1. per_page: 1 to TRIGGERS_PER_PAGE_MAX.

    Raises:
        NoSuchDevice, NotAllowed (a feed that the caller may not read), Unauthenticated.
    """
    if device_id is not None:
        check_reach(caller, "get", tank.directory.get_device(device_id))
        found = tank.triggers.of_device(device_id)
    elif caller.is_operator:
        found = tank.triggers.all()
    elif caller.account is None or not caller.account.is_active:
        raise Unauthenticated("an API key or a sign-in is needed")
    else:
        found = tank.triggers.of_account(caller.account.account_id)
    per_page = max(1, min(per_page, TRIGGERS_PER_PAGE_MAX))
    first = (max(page, 1) - 1) * per_page
    seen = [trigger for trigger in found if _may_see(tank, caller, trigger)]
    return seen[first : first + per_page]


def _may_see(tank: Tank, caller: Caller, trigger: Trigger) -> bool:
    try:
        device = tank.directory.get_device(trigger.device_id)
    except NoSuchDevice:  # going away at this moment
        return False
    return all(may_reach(caller, method, device, trigger.name) for method in ("get", "put"))


async def update_trigger(
    tank: Tank,
    caller: Caller,
    trigger_id: int,
    change: TriggerChange,
    check: CheckTrigger | None = None,
) -> Trigger:
    """Change a trigger; fields that are UNSET stay. Another condition starts it afresh.

    Args:
        check: is given the newest state within the turn of all writes; nothing is changed when it
            raises.

    Raises:
        NoSuchTrigger, ValidationFailed, NotAllowed, Unauthenticated, StorageFailed, and what
        `check` raises.
    """
    before = _reached(tank, caller, trigger_id, ("get", "put"))
    if check is not None:
        check(before)
    if _checked(changed(before, change)) == before:
        return before
    now_us = tank.clock.now_us()

    def apply(newest: Trigger) -> Trigger:
        if check is not None:
            check(newest)
        after = _checked(changed(newest, change))
        _check_email(tank, after, newest)
        if not starts_afresh(newest, after):
            return after
        armed = _armed(tank, after, now_us, newest.armed)
        return msgspec.structs.replace(after, armed=armed)

    trigger = await tank.triggers.update(trigger_id, apply)
    tank.bus.publish(TriggerChanged(trigger))
    return trigger


async def enable_trigger(
    tank: Tank, caller: Caller, trigger_id: int, is_enabled: bool = True
) -> Trigger:
    """Let a trigger watch, or let it rest; raises as `update_trigger`."""
    return await update_trigger(tank, caller, trigger_id, TriggerChange(is_enabled=is_enabled))


async def delete_trigger(
    tank: Tank, caller: Caller, trigger_id: int, check: CheckTrigger | None = None
) -> None:
    """Delete a trigger.

    Args:
        check: as of `update_trigger`.

    Raises:
        NoSuchTrigger, NotAllowed, Unauthenticated, StorageFailed, and what `check` raises.
    """
    _reached(tank, caller, trigger_id, ("delete",))
    trigger = await tank.triggers.delete(trigger_id, check)
    tank.bus.publish(TriggerChanged(trigger, is_deleted=True))


async def test_trigger(tank: Tank, caller: Caller, trigger_id: int) -> Sequence[Delivery]:
    """Send a trial notification with the value there is now, marked `debug`; also when disabled.

    Returns:
        What is being delivered, one for each channel; the delivery log tells what becomes of them.

    Raises:
        NoSuchTrigger, NotAllowed, Unauthenticated, StorageFailed, Unavailable (triggers are not at
        work).
    """
    trigger = _reached(tank, caller, trigger_id, ("get", "put"))
    newest_id = max((found.delivery_id for found in await _newest(tank, trigger, 1)), default=0)
    await tank.trigger_service.fire_test(trigger)
    return [
        found
        for found in reversed(await _newest(tank, trigger, _TESTED_AMONG))
        if found.is_test and found.delivery_id > newest_id
    ]


async def _newest(tank: Tank, trigger: Trigger, limit: int) -> Sequence[Delivery]:
    if tank.deliveries is None:
        return ()
    query = DeliveryQuery(trigger_id=trigger.trigger_id, limit=limit)
    return (await tank.deliveries.list(query)).deliveries
