"""Say who one is: `identity`, `authenticate`; and whether the server is there: `status`."""

from typing import TYPE_CHECKING, Any

from thingtank.doors.skynet.operations import devices
from thingtank.doors.skynet.sockets.events.asking import (
    Answer,
    Asking,
    EventSpec,
    check_is_known,
    refuse_plainly,
    stamped,
    text_of,
)
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.permissions import Party

if TYPE_CHECKING:
    from thingtank.doors.skynet.refusals import Refusal
    from thingtank.doors.skynet.sockets.client import Client

# What says who one is and how, and is no property of the device.
_NO_PROPERTIES = frozenset(
    {"uuid", "token", "protocol", "socketid", "socketId", "auto_set_online", "options", "server",
     "port"}
)  # fmt: skip


async def _identity(asking: Asking) -> Answer:
    client, body = asking.client, asking.body
    party, token = await identified(client, body)
    log_identity(client, party, EventCode.IDENTIFIED)

    def ready() -> None:
        client.emit("ready", _ready(client, party.uuid, token))

    await client.become(party, ready, shows_presence=not stays_unseen(body))
    return ()


async def identified(client: "Client", body: dict[str, Any]) -> tuple[Party, str]:
    """Who a client says it is, and its token; a new device, where it says neither uuid nor token.

    Raises:
        TankError, SkynetError.
    """
    uuid, token = text_of(body, "uuid"), text_of(body, "token")
    asked = {name: value for name, value in body.items() if name not in _NO_PROPERTIES}
    if uuid or token:
        party = client.door.parties.device(uuid, token, client.address)
        await client.door.rates.count("connections", party)
        await _store(client, party, asked)
        return party, token
    check_is_known(client)
    stranger = client.door.parties.stranger(client.address)
    made = await devices.register(
        client.door, stranger, {**asked, "autoRegister": True}, is_legacy=client.is_legacy
    )
    return client.door.parties.device(made.device.uuid, made.token, client.address), made.token


async def _store(client: "Client", party: Party, asked: dict[str, Any]) -> None:
    """Keep what a device says of itself beside who it is; as Meshblu, SkyNet did not.

    It is in either way: a property that cannot be is no reason to keep it out.
    """
    device = party.device
    assert device is not None, "its token was right"
    known = {**device.properties, "name": device.title, "tags": list(device.tags)}
    news = {name: value for name, value in asked.items() if known.get(name) != value}
    if news and not client.is_legacy:
        try:
            await devices.update(client.door, party, device.uuid, news)
        except ValidationFailed:
            return


def _ready(client: "Client", uuid: str, token: str = "") -> dict[str, Any]:
    told = {"api": "connect", "status": 201, "socketid": client.socket_id, "uuid": uuid}
    return {**told, "token": token} if token else told


def _refuse_identity(asking: Asking, refusal: "Refusal") -> Answer:
    told = asking.client.not_ready(asking.text("uuid"))
    if refusal.code != 401:
        told |= {"status": refusal.code, "error": refusal.error()}
    asking.client.emit("notReady", told)
    return ({"error": refusal.error()},)


async def _authenticate(asking: Asking) -> Answer:
    """As `identity` for who has not said who it is; else one device more that it hears as."""
    client, body = asking.client, asking.body
    uuid, token = text_of(body, "uuid"), text_of(body, "token")
    party = client.door.parties.device(uuid, token, client.address)
    await client.door.rates.count("connections", party)
    log_identity(client, party, EventCode.AUTHENTICATED)

    def ready() -> None:
        client.emit("ready", _ready(client, party.uuid))

    if not client.has_identified:
        await client.become(party, ready)
    elif client.party.uuid == party.uuid:
        ready()
    else:
        await client.hear_as(party, ready)
    return (_authentication(asking, party.uuid, is_right=True),)


def _authentication(asking: Asking, uuid: str, *, is_right: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"uuid": uuid, "authentication": is_right}
    return told if asking.client.is_legacy else {**told, "toUuid": uuid}


def _refuse_authenticate(asking: Asking, refusal: "Refusal") -> Answer:
    told = _authentication(asking, asking.text("uuid"), is_right=False)
    return (told if refusal.code == 401 else {**told, "error": refusal.error()},)


def stays_unseen(body: dict[str, Any]) -> bool:
    """Whether a device wants not to count as being there."""
    return body.get("auto_set_online") in (False, "false")


def log_identity(client: "Client", party: Party, code: EventCode) -> None:
    """Note that a device has come."""
    body = {
        "uuid": party.uuid,
        "socketid": client.socket_id,
        "ipAddress": client.address,
        "protocol": "websocket",
    }
    client.door.tank.messaging.log(code, (party.device_id,), body)


async def _status(asking: Asking) -> Answer:
    told: dict[str, Any] = {"skynet": "online", "meshblu": "online"}
    if not asking.client.is_legacy and asking.client.has_identified:
        told["fromUuid"] = asking.client.party.uuid
    return (stamped(asking, told, EventCode.STATUS),)


SPECS = {
    "identity": EventSpec(_identity, _refuse_identity),
    "authenticate": EventSpec(_authenticate, _refuse_authenticate),
    "status": EventSpec(_status, refuse_plainly),
}
