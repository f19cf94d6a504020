"""Register, look at, change, claim and unregister devices."""

from typing import Any

from thingtank.doors.skynet.operations import devices
from thingtank.doors.skynet.records import legacy_record, modern_record
from thingtank.doors.skynet.refusals import Refusal
from thingtank.doors.skynet.sockets.events.asking import (
    Answer,
    Asking,
    EventSpec,
    acting,
    check_is_known,
    refuse_as,
    refuse_plainly,
    stamped,
    text_of,
)
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.things import Device

_NOT_VALID = "Device not found or token not valid"
_NO_DEVICES = "Devices not found"
_NO_FILTERS = frozenset({"token"})


def record_of(asking: Asking, device: Device, party: Party) -> dict[str, Any]:
    """A device as the client's generation knows it."""
    presence = asking.client.door.tank.messaging.presence
    if asking.client.is_legacy:
        return legacy_record(device, presence, party)
    return modern_record(device, presence, party)


async def _register(asking: Asking) -> Answer:
    client = asking.client
    check_is_known(client)
    registered = await devices.register(
        client.door, client.party, asking.body, is_legacy=client.is_legacy
    )
    device = registered.device
    record = record_of(asking, device, Party(client.party.caller, device))
    record["token"] = registered.token
    if client.is_legacy:
        record["eventCode"] = int(EventCode.REGISTERED)
    return (record,)


async def _whoami(asking: Asking) -> Answer:
    """Early: the device that is named. Later: the client's own, whatever is named."""
    client = asking.client
    party = acting(asking)
    uuid = asking.uuid
    if client.has_identified and not client.is_legacy:
        party, uuid = client.party, client.party.uuid
    device = await devices.read(client.door, party, uuid, is_legacy=client.is_legacy)
    record = record_of(asking, device, party)
    if client.is_legacy:
        record["eventCode"] = int(EventCode.READ)
    return (record,)


async def _device(asking: Asking) -> Answer:
    client = asking.client
    party = acting(asking)
    device = await devices.read(client.door, party, asking.uuid, is_legacy=False)
    return ({"fromUuid": client.party.uuid, "device": record_of(asking, device, party)},)


async def _devices(asking: Asking) -> Answer:
    found, party = await _found(asking)
    if asking.client.is_legacy:
        return ({"devices": [device.uuid for device in found]},)
    return (_listed(asking, found, party),)


async def _mydevices(asking: Asking) -> Answer:
    found, party = await _found(asking, is_own=True)
    return (_listed(asking, found, party),)


async def _found(asking: Asking, *, is_own: bool = False) -> tuple[list[Device], Party]:
    party = acting(asking)
    body = asking.body
    # A uuid that comes with its token says who asks; of own devices it is never a filter.
    is_proof = is_own or bool(text_of(body, "token"))
    owner = (text_of(body, "uuid") or party.uuid) if is_own else ""
    filters = {
        name: value
        for name, value in body.items()
        if name not in _NO_FILTERS and not (name == "uuid" and is_proof)
    }
    found = []
    if owner or not is_own:
        found = await devices.query(asking.client.door, party, filters, owner=owner)
    if not found:
        raise NoSuchDevice(_NO_DEVICES)
    return found, party


def _listed(asking: Asking, found: list[Device], party: Party) -> dict[str, Any]:
    records = [record_of(asking, device, party) for device in found]
    listed = {"devices": records, "fromUuid": asking.client.party.uuid}
    return stamped(asking, listed, EventCode.QUERIED)


async def _localdevices(asking: Asking) -> Answer:
    return await _local(asking, is_unclaimed=False)


async def _unclaimeddevices(asking: Asking) -> Answer:
    return await _local(asking, is_unclaimed=True)


async def _local(asking: Asking, *, is_unclaimed: bool) -> Answer:
    party = acting(asking)
    found = await devices.local(asking.client.door, party, is_unclaimed=is_unclaimed)
    if not found:
        raise NoSuchDevice(_NO_DEVICES)
    return (_listed(asking, found, party),)


async def _update(asking: Asking) -> Answer:
    client, body = asking.client, asking.body
    party = acting(asking)
    device = await devices.update(client.door, party, asking.uuid, body)
    if not client.is_legacy:
        return ({**record_of(asking, device, party), "fromUuid": client.party.uuid},)
    changed = {name: value for name, value in body.items() if name not in ("uuid", "token")}
    return (stamped(asking, {"uuid": device.uuid, **changed}, EventCode.UPDATED),)


async def _unregister(asking: Asking) -> Answer:
    client = asking.client
    device = await devices.unregister(client.door, acting(asking), asking.uuid)
    if device.device_id == client.party.device_id:
        client.become_stranger()
    if client.is_legacy:
        return (stamped(asking, {"uuid": device.uuid}, EventCode.UNREGISTERED),)
    return ({"uuid": device.uuid},)


async def _claimdevice(asking: Asking) -> Answer:
    client, body = asking.client, asking.body
    party = acting(asking)
    device = await devices.claim(client.door, party, asking.uuid, body.get("name"))
    return ({"error": None, "results": record_of(asking, device, client.party)},)


def _refuse_claim(asking: Asking, refusal: Refusal) -> Answer:
    error = refusal.error()
    words = "not authorized to claim this device" if refusal.code in (401, 404) else error
    return ({"error": words, "results": None},)


SPECS = {
    "register": EventSpec(_register, refuse_as(EventCode.REGISTERED, "Device not registered")),
    "whoami": EventSpec(_whoami, refuse_as(EventCode.READ, "Device not found", shows_uuid=True)),
    "device": EventSpec(_device, refuse_plainly),
    "devices": EventSpec(_devices, refuse_as(EventCode.QUERIED, _NO_DEVICES)),
    "mydevices": EventSpec(_mydevices, refuse_as(EventCode.QUERIED, _NO_DEVICES)),
    "localdevices": EventSpec(_localdevices, refuse_as(EventCode.QUERIED, _NO_DEVICES)),
    "unclaimeddevices": EventSpec(_unclaimeddevices, refuse_as(EventCode.QUERIED, _NO_DEVICES)),
    "update": EventSpec(_update, refuse_as(EventCode.UPDATED, _NOT_VALID)),
    "unregister": EventSpec(_unregister, refuse_as(EventCode.UNREGISTERED, _NOT_VALID)),
    "claimdevice": EventSpec(_claimdevice, _refuse_claim),
}
