"""Xively's trigger documents ↔ the tank's triggers."""

from thingtank.protocols.xively.times import format_time
from thingtank.protocols.xively.trigger_documents import TriggerBody, TriggerDocument
from thingtank.tank.tank import Tank
from thingtank.tank.triggers import Trigger, TriggerChange


def trigger_change(document: TriggerDocument) -> TriggerChange:
    """What it changes; to which datastream a trigger belongs cannot be changed."""
    threshold = document.threshold_value
    return TriggerChange(
        kind=document.trigger_type,
        threshold="" if threshold is None else threshold,
        url=document.url,
    )


def trigger_body(tank: Tank, trigger: Trigger) -> TriggerBody:
    """A trigger."""
    account = tank.directory.get_account(trigger.account_id)
    return TriggerBody(
        id=trigger.trigger_id,
        url=trigger.url,
        trigger_type=trigger.kind,
        user=account.login,
        environment_id=trigger.device_id,
        stream_id=trigger.name,
        threshold_value=trigger.threshold,
        notified_at="" if trigger.notified_us is None else format_time(trigger.notified_us),
    )
