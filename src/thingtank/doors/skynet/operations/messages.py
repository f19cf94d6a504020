"""Send messages."""

from typing import Any

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.tank.actions.messages import Sent, send_message
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.messaging.messages import EventName
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.messaging.switchboard import Replied


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
