"""Devices, as the routes of 2014 and those without a version show them."""

from typing import Any

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations import devices
from thingtank.doors.skynet.records import legacy_record, modern_record
from thingtank.doors.skynet.rest.error_table import RestRefusal, legacy_error
from thingtank.doors.skynet.rest.replies import TEXT_TYPE, Reply, answer
from thingtank.doors.skynet.rest.requests import Request, Words
from thingtank.protocols.skynet.parameters import decoded, texts
from thingtank.tank.errors import NoSuchDevice, NotAllowed
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.things import Device

READ_WORDS = Words("Device not found", int(EventCode.READ), shows_uuid=True)
QUERY_WORDS = Words("Devices not found", int(EventCode.QUERIED))
REGISTER_WORDS = Words("Device not registered", int(EventCode.REGISTERED))
UPDATE_WORDS = Words(event_code=int(EventCode.UPDATED), missing="device")
UNREGISTER_WORDS = Words(event_code=int(EventCode.UNREGISTERED), missing="unregister")

LOGGED_QUERY_MAX = 100  # devices that a stranger's query is noted with


async def get_devices(door: SkynetDoor, request: Request) -> Reply:
    """`GET /devices?color=red`: uuids in 2014, records later."""
    found = await devices.query(door, request.party, request.parameters)
    if not found:
        raise _none(door, request, QUERY_WORDS)
    if not request.is_legacy:
        return answer({"devices": records_of(door, request.party, found)})
    uuids = [device.uuid for device in found]
    if request.party.device is None:
        # SkyNet showed such a query in the log of each device that it found.
        ids = tuple(device.device_id for device in found[:LOGGED_QUERY_MAX])
        body = {"devices": uuids[:LOGGED_QUERY_MAX]}
        door.tank.messaging.log(EventCode.QUERIED, ids, body)
    return answer({"devices": uuids})


async def get_device(door: SkynetDoor, request: Request) -> Reply:
    """`GET /devices/:uuid`."""
    party = request.party
    device = await devices.read(door, party, request.uuid, is_legacy=request.is_legacy)
    if not request.is_legacy:
        return answer({"devices": records_of(door, party, [device])})
    record = legacy_record(device, door.tank.messaging.presence, party)
    record["eventCode"] = int(EventCode.READ)
    return answer(record)


async def post_device(door: SkynetDoor, request: Request) -> Reply:
    """`POST /devices`: register one. What came as a form stays text."""
    asked = texts(request.parameters) if request.body.is_form else request.parameters
    made = await devices.register(door, request.party, asked, is_legacy=request.is_legacy)
    own = Party(request.party.caller, made.device)
    presence = door.tank.messaging.presence
    if not request.is_legacy:
        record = alone(modern_record(made.device, presence, own))
        return answer({**record, "token": made.token}, 201, touched_id=made.device.device_id)
    record = legacy_record(made.device, presence, own)
    record |= {"token": made.token, "eventCode": int(EventCode.REGISTERED)}
    return answer(record, touched_id=made.device.device_id)


async def post_micro(door: SkynetDoor, request: Request) -> Reply:
    """`POST /devices/micro`: register one, and be told its uuid and token in two lines."""
    asked = texts(request.parameters) if request.body.is_form else request.parameters
    made = await devices.register(door, request.party, asked, is_legacy=request.is_legacy)
    body = f"{made.device.uuid}\n{made.token}".encode()
    return Reply(body=body, content_type=TEXT_TYPE, touched_id=made.device.device_id)


async def put_device(door: SkynetDoor, request: Request) -> Reply:
    """`PUT /devices/:uuid`: set properties. What came as a form is read as JSON where it is any."""
    asked = {
        name: value
        for name, value in request.parameters.items()
        if name not in ("token", "uuid", "timestamp", "eventCode", "error")
    }
    if request.body.is_form or not request.body.values:
        asked = {name: _value(value) for name, value in asked.items()}
    if "online" in asked:
        asked["online"] = asked["online"] is True or asked["online"] == "true"
    changed = await devices.update(door, request.party, request.uuid, asked)
    if not request.is_legacy:
        return answer(alone(modern_record(changed, door.tank.messaging.presence, request.party)))
    return answer(
        {
            "uuid": changed.uuid,
            **asked,
            "timestamp": changed.updated_us // 1000,
            "eventCode": int(EventCode.UPDATED),
        }
    )


def alone(record: dict[str, Any]) -> dict[str, Any]:
    """A record that is a whole answer: meshblu-http takes each with a member `error` for one."""
    record.pop("error", None)
    return record


def _value(value: Any) -> Any:
    return list(map(decoded, value)) if isinstance(value, list) else decoded(value)


async def delete_device(door: SkynetDoor, request: Request) -> Reply:
    """`DELETE /devices/:uuid`."""
    device = await devices.unregister(door, request.party, request.uuid)
    if not request.is_legacy:
        return answer({"uuid": device.uuid})
    now_ms = door.tank.clock.now_us() // 1000
    code = int(EventCode.UNREGISTERED)
    return answer({"uuid": device.uuid, "timestamp": now_ms, "eventCode": code})


async def get_my_devices(door: SkynetDoor, request: Request) -> Reply:
    """`GET /mydevices`, and `/mydevices/:uuid` in 2014: those that a device owns."""
    party = request.party
    owner = request.uuid or party.uuid
    if request.is_legacy or not owner:
        # Whose they are is shown by the owner's token alone.
        if party.device is None or (request.uuid and party.uuid.lower() != owner.lower()):
            raise NotAllowed("a device's own token is needed to see what it owns")
        owner = party.uuid
    filters = {name: value for name, value in request.parameters.items() if name != "token"}
    found = await devices.query(door, party, filters, owner=owner)
    if not request.is_legacy:
        return answer({"devices": records_of(door, party, found)})
    found = [device for device in found if device.device_id != party.device_id]
    if not found:
        raise _none(door, request, Words())
    presence = door.tank.messaging.presence
    return answer({"devices": [legacy_record(device, presence, party) for device in found]})


async def get_local_devices(door: SkynetDoor, request: Request) -> Reply:
    """`GET /localdevices`: those at the caller's address."""
    return await _local(door, request, is_unclaimed=False)


async def get_unclaimed_devices(door: SkynetDoor, request: Request) -> Reply:
    """`GET /unclaimeddevices`: those at the caller's address that nobody owns."""
    return await _local(door, request, is_unclaimed=True)


async def _local(door: SkynetDoor, request: Request, *, is_unclaimed: bool) -> Reply:
    found = await devices.local(door, request.party, is_unclaimed=is_unclaimed)
    return answer({"devices": records_of(door, request.party, found)})


async def claim_device(door: SkynetDoor, request: Request) -> Reply:
    """`PUT /claimdevice/:uuid`, and POST: become its owner."""
    try:
        device = await devices.claim(
            door, request.party, request.uuid, request.parameters.get("name")
        )
    except (NotAllowed, NoSuchDevice) as error:
        # One that may not be seen is refused like one that may not be claimed.
        text = "not authorized to claim this device"
        raise RestRefusal(answer({"error": text}, 400), str(error)) from None
    return answer(alone(modern_record(device, door.tank.messaging.presence, request.party)))


async def get_public_key(door: SkynetDoor, request: Request) -> Reply:
    """`GET /devices/:uuid/publickey`: what the device has as `publicKey`."""
    device = await devices.read(door, request.party, request.uuid, is_legacy=False)
    return answer({"publicKey": device.properties.get("publicKey")})


def records_of(door: SkynetDoor, party: Party, found: list[Device]) -> list[dict[str, Any]]:
    """Records as Meshblu shows them."""
    presence = door.tank.messaging.presence
    return [modern_record(device, presence, party) for device in found]


def _none(door: SkynetDoor, request: Request, words: Words) -> RestRefusal:
    text = "Devices not found"
    if not request.is_legacy:
        return RestRefusal(answer({"message": text, "code": 404}, 404), text)
    now_ms = door.tank.clock.now_us() // 1000
    return RestRefusal(legacy_error(404, text, words, "", now_ms), text)
