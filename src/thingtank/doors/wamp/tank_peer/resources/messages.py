"""`tank.messages`: send to devices, as SkyNet's clients do."""

from typing import Any

import msgspec

from thingtank.doors.wamp.tank_peer.resources.shared import Context, plain
from thingtank.tank.access import check_reach
from thingtank.tank.actions.messages import send_message
from thingtank.tank.errors import Unauthenticated, ValidationFailed
from thingtank.tank.messaging.messages import MESSAGE_BYTES_MAX
from thingtank.tank.messaging.permissions import Party


async def send(
    context: Context,
    devices: str | list[str],
    payload: Any = None,
    *,
    topic: str = "",
    sender: str = "",
) -> Any:
    """Send a message to devices; those that are away have it kept, if they keep messages.

    Args:
        devices: a uuid, several, `*` for who listens to the sender, or `tag:NAME` for a group.
        payload: what it says.
        topic: what it is about; blank for nothing.
        sender: the uuid of the device that it is from, one that the caller may change; blank for
            none.

    Returns:
        `receipts`, for each target: `devices`, `outcome` (`delivered`, `kept`, `away` or
        `undeliverable`) and `count`.

    Raises:
        ValidationFailed, NoSuchDevice, NotAllowed, Unauthenticated.
    """
    caller = context.caller
    if not caller.is_operator and caller.account is None:
        raise Unauthenticated("an API key or a sign-in is needed")
    device = None
    if sender:
        device = context.find_device(sender)
        check_reach(caller, "put", device)
    asked = {"devices": devices, "payload": payload}
    if topic:
        asked["topic"] = topic
    _check_size(asked)
    sent = await send_message(context.tank, Party(caller, device), asked)
    return {"receipts": plain(sent.receipts)}


def _check_size(asked: dict[str, Any]) -> None:
    """Refuse what the recipients' wires could not carry."""
    try:
        size_bytes = len(msgspec.json.encode(asked))
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise ValidationFailed([("payload", "has no form in JSON")]) from None
    if size_bytes > MESSAGE_BYTES_MAX:
        words = f"is too long ({size_bytes} bytes; maximum is {MESSAGE_BYTES_MAX})"
        raise ValidationFailed([("payload", words)])
