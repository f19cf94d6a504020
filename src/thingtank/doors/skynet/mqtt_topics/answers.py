"""Do what devices ask for; what there is to say to it."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.mqtt_topics.requests import Request
from thingtank.doors.skynet.operations import data, devices, messages, tokens
from thingtank.doors.skynet.records import iso_time, modern_record
from thingtank.tank.actions.messages import Sent
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.messages import EventName
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.tokens import uuid_key

_ADDRESS = frozenset({"uuid", "token"})
_OF_ANSWERS = frozenset({"devices", "ack", "payload", "qos"})


class Answer(NamedTuple):
    """What there is to say.

    Attributes:
        topic: of the event.
        acked: what skynet-mqtt gets, where that is not the same as `data`.
        is_told_always: also who has not asked for an answer by a number.
        own_token: of who asks, where it is another one now.
    """

    topic: str
    data: Any
    acked: Any = None
    is_told_always: bool = False
    own_token: str = ""


Answering = Callable[[SkynetDoor, Party, Request], Awaitable[Answer | None]]


async def _message(door: SkynetDoor, party: Party, request: Request) -> None:
    await messages.send(door, party, request.fields)


async def _message_ack(door: SkynetDoor, party: Party, request: Request) -> None:
    asked = {name: value for name, value in request.fields.items() if name in _OF_ANSWERS}
    await _relay(door, party, asked, "messageAck")


async def _text_broadcast(door: SkynetDoor, party: Party, request: Request) -> None:
    await _relay(door, party, {"devices": "*", **request.fields}, "tb")


async def _direct_text(door: SkynetDoor, party: Party, request: Request) -> None:
    await _relay(door, party, request.fields, "tb")


async def _relay(door: SkynetDoor, party: Party, asked: dict[str, Any], event: EventName) -> Sent:
    return await messages.send(door, party, asked, event=event)


async def _gateway_config(door: SkynetDoor, party: Party, request: Request) -> None:
    """Ask a gateway to configure what it stands for; it answers by `messageAck` itself."""
    asked = {name: value for name, value in request.fields.items() if name not in _ADDRESS}
    asked["devices"] = _uuid(party, request)
    sent = await _relay(door, party, asked, "config")
    if sent.receipts[0].outcome != "delivered":
        raise NoSuchDevice("Gateway not found")


async def _data(door: SkynetDoor, party: Party, request: Request) -> Answer:
    uuid = _uuid(party, request)
    record = await data.write(door, _opening(door, party, request), uuid, request.fields)
    shown = data.shown_record(uuid, record)
    return Answer("data", shown, {**shown, "eventCode": int(EventCode.DATA_WRITTEN)})


async def _update(door: SkynetDoor, party: Party, request: Request) -> Answer:
    uuid = _uuid(party, request)
    changed = await devices.update(door, _opening(door, party, request), uuid, request.fields)
    fields = {name: value for name, value in request.fields.items() if name != "token"}
    acked = {
        **fields,
        "uuid": changed.uuid,
        "timestamp": iso_time(changed.updated_us),
        "eventCode": int(EventCode.UPDATED),
    }
    return Answer("update", {}, acked)


async def _whoami(door: SkynetDoor, party: Party, request: Request) -> Answer:
    device = await devices.read(door, party, party.uuid, is_legacy=False)
    record = modern_record(device, door.tank.messaging.presence, party)
    return Answer("whoami", record, is_told_always=True)


async def _reset_token(door: SkynetDoor, party: Party, request: Request) -> Answer:
    uuid = _uuid(party, request)
    token = await tokens.reset(door, _opening(door, party, request), uuid)
    shown = {"uuid": uuid, "token": token}
    is_own = uuid_key(uuid) == uuid_key(party.uuid)
    return Answer("token", shown, is_told_always=True, own_token=token if is_own else "")


async def _create_token(door: SkynetDoor, party: Party, request: Request) -> Answer:
    uuid, tag = _uuid(party, request), request.text("tag")
    token = await tokens.create(door, _opening(door, party, request), uuid, tag)
    shown = {"uuid": uuid, "token": token}
    if tag:
        shown["tag"] = tag
    return Answer("generateAndStoreToken", shown, is_told_always=True)


async def _public_key(door: SkynetDoor, party: Party, request: Request) -> Answer:
    device = await devices.read(door, party, _uuid(party, request), is_legacy=False)
    public_key = device.properties.get("publicKey")
    return Answer("publicKey", {"publicKey": public_key}, is_told_always=True)


ANSWERING: dict[str, Answering] = {
    "message": _message,
    "messageAck": _message_ack,
    "tb": _text_broadcast,
    "directText": _direct_text,
    "config": _gateway_config,
    "gatewayConfig": _gateway_config,
    "data": _data,
    "update": _update,
    "whoami": _whoami,
    "resetToken": _reset_token,
    "generateAndStoreToken": _create_token,
    "getPublicKey": _public_key,
}


def _uuid(party: Party, request: Request) -> str:
    """Of the device that a request is about: the client's own, unless it names another."""
    return request.text("uuid") or party.uuid


def _opening(door: SkynetDoor, party: Party, request: Request) -> Party:
    """Who asks, with the token of another device that came with the request, if it is right.

    Raises:
        Unauthenticated: it is wrong, or there is no such device.
    """
    uuid, token = _uuid(party, request), request.text("token")
    if not token or uuid_key(uuid) == uuid_key(party.uuid):
        return party
    return door.parties.opening(party, uuid, token)
