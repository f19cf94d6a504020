"""Send messages."""

from typing import Any

import msgspec

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations import devices as device_operations
from thingtank.doors.skynet.operations.messages import send
from thingtank.doors.skynet.rest.error_table import RestRefusal, legacy_error
from thingtank.doors.skynet.rest.replies import NO_CONTENT, Reply, answer
from thingtank.doors.skynet.rest.requests import Request, Words
from thingtank.protocols.skynet.parameters import decoded
from thingtank.tank.errors import Unauthenticated, ValidationFailed
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.messages import targets_of

WORDS = Words("Message not sent", int(EventCode.MESSAGE))

# Asked for by this, in the query or beside the payload; it is not delivered.
RECEIPTS = "receipts"
# What the sender shows, and is no part of the message.
_NOT_SENT = ("token", "uuid")


async def post_message(door: SkynetDoor, request: Request) -> Reply:
    """`POST /messages`."""
    if request.is_legacy:
        return await _post_legacy(door, request)
    asked = request.parameters
    _check_devices(asked)
    if RECEIPTS in asked:
        return await _post_for_receipts(door, request)
    await send(door, request.party, asked)
    body = request.sent
    # What was sent is the answer; but `error` in an answer says that it failed, and a secret is
    # not sent back.
    if request.body.is_form or request.head.query or b'"error"' in body or b'"token"' in body:
        return answer(_echo(asked))
    return Reply(body=body)


async def post_broadcast(door: SkynetDoor, request: Request) -> Reply:
    """`POST /broadcasts`: a message to whoever listens to the sender."""
    await send(door, request.party, {**request.parameters, "devices": ["*"]})
    return NO_CONTENT


def _check_devices(asked: Any) -> None:
    try:
        targets_of(asked.get("devices"))
    except ValidationFailed as error:
        told = {"error": "Invalid Message Format", "problems": [str(error)]}
        raise RestRefusal(answer(told, 422), str(error)) from None


def _echo(asked: Any) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name not in ("error", "token")}


async def _post_for_receipts(door: SkynetDoor, request: Request) -> Reply:
    """Answered by what became of the message as well, target by target."""
    asked = dict(request.parameters)
    is_wanted = asked.pop(RECEIPTS) not in (False, None, "false", "")
    sent = await send(door, request.party, asked)
    receipts = [msgspec.to_builtins(each) for each in sent.receipts]
    return answer({**_echo(asked), RECEIPTS: receipts} if is_wanted else _echo(asked))


async def _post_legacy(door: SkynetDoor, request: Request) -> Reply:
    """As in early 2014: `message` comes back with what was logged of it.

    The log and the answer name the recipient as the sender of what nobody has signed, as the
    service did; what is delivered does not.
    """
    asked = {name: value for name, value in request.parameters.items() if name not in _NOT_SENT}
    if request.body.is_form:
        asked = {name: _content(value) for name, value in asked.items()}
    now_us = door.tank.clock.now_us()
    name = "message" if "message" in asked else "payload"
    if name not in asked or not asked.get("devices"):
        text = f"{name if asked.get('devices') else 'devices'} is missing"
        raise RestRefusal(legacy_error(500, text, WORDS, "", now_us // 1000), text)
    content = asked[name]
    if name == "payload":
        await send(door, request.party, asked)
        return answer({"devices": asked["devices"], "payload": content})
    noted = {"fromUuid": request.party.uuid or _first_of(asked["devices"])}
    told = {**content, **noted} if isinstance(content, dict) else {"message": content, **noted}
    sent = await send(door, request.party, asked, logged=told)
    shown: Any = content
    if isinstance(content, dict):
        at_ms = sent.message.at_us // 1000
        shown = {**told, "timestamp": at_ms, "eventCode": int(EventCode.MESSAGE)}
    return answer({"devices": asked["devices"], "message": shown})


def _content(value: Any) -> Any:
    """A form's field, an object or a list where it is one in JSON."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        return decoded(value)
    return value


def _first_of(devices: Any) -> Any:
    return devices[0] if isinstance(devices, list) and devices else devices


async def get_inbound_sms(door: SkynetDoor, request: Request) -> Reply:
    """`GET /inboundsms`: a text message to the device that has the number as `phoneNumber`."""
    number, text = request.text("To"), request.text("Text")
    if not any(char.isdigit() for char in number):
        raise ValidationFailed([("To", "must be a number")])  # `null` would be all without one
    if not door.is_open and request.party.caller.account is None:
        raise Unauthenticated("unauthorized")
    found = await device_operations.query(door, request.party, {"phoneNumber": number})
    uuids = [device.uuid for device in found]
    if uuids:
        content = {"devices": uuids, "message": text, "from": request.text("From")}
        await send(door, request.party, content)
    now_ms = door.tank.clock.now_us() // 1000
    return answer({"devices": uuids, "message": text, "timestamp": now_ms, "eventCode": 301})
