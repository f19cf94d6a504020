"""Send messages, and give those that were kept."""

from typing import Any

import structlog

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.tank.actions.messages import Sent, send_message
from thingtank.tank.errors import Unauthenticated, Unavailable, reason_of
from thingtank.tank.messaging.messages import EventName
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.messaging.switchboard import Replied
from thingtank.tank.things import Device

log = structlog.get_logger()


async def send(
    door: SkynetDoor,
    party: Party,
    asked: Any,
    *,
    reply: Replied | None = None,
    logged: dict[str, Any] | None = None,
    event: EventName = "message",
) -> Sent:
    """Send a message; see `send_message`.

    Raises:
        Unauthenticated: strangers may not send here.
        ValidationFailed, Overloaded, StorageFailed, RateLimited.
    """
    await door.rates.count("messages", party)
    if party.device is None and party.caller.account is None and not door.is_open:
        raise Unauthenticated("to send needs a device's uuid and token, or an API key")
    return await send_message(door.tank, party, asked, reply=reply, logged=logged, event=event)


def log_not_given(device: Device, error: Unavailable) -> None:
    """Say why a device does not get what was kept for it; it stays for the next time."""
    log.warning(
        "skynet_kept_messages_not_given", device_id=device.device_id, reason=reason_of(error)
    )
