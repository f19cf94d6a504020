"""Devices below `/v2` and `/v3`: bare records, and changes by update documents."""

from typing import Any

import msgspec

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations import devices
from thingtank.doors.skynet.operations.search import search
from thingtank.doors.skynet.records import modern_record
from thingtank.doors.skynet.rest.replies import NO_CONTENT, Reply, answer
from thingtank.doors.skynet.rest.requests import Request, Words
from thingtank.doors.skynet.rest.resources.devices import alone, records_of
from thingtank.protocols.skynet.parameters import BadParameters
from thingtank.protocols.skynet.queries import compile_query
from thingtank.tank.errors import NoSuchDevice

WORDS = Words(missing="error")
_PROJECTION_BYTES_MAX = 4096


async def whoami(door: SkynetDoor, request: Request) -> Reply:
    """`GET /v2/whoami`: the caller's own record."""
    if request.party.device is None:
        raise NoSuchDevice("Device not found")
    device = await devices.read(door, request.party, request.party.uuid, is_legacy=False)
    return answer(alone(modern_record(device, door.tank.messaging.presence, request.party)))


async def get_devices(door: SkynetDoor, request: Request) -> Reply:
    """`GET /v2/devices?…`: a list, which may be empty."""
    found = await devices.query(door, request.party, request.parameters)
    return answer(_projected(request, records_of(door, request.party, found)))


async def get_device(door: SkynetDoor, request: Request) -> Reply:
    """`GET /v2/devices/:uuid`, and `/v3`."""
    device = await devices.read(door, request.party, request.uuid, is_legacy=False)
    record = alone(modern_record(device, door.tank.messaging.presence, request.party))
    return answer(_projected(request, [record])[0])


async def patch_device(door: SkynetDoor, request: Request) -> Reply:
    """`PATCH /v2/devices/:uuid`: set properties."""
    await devices.update_by_document(
        door, request.party, request.uuid, {"$set": request.parameters}
    )
    return NO_CONTENT


async def put_device(door: SkynetDoor, request: Request) -> Reply:
    """`PUT /v2/devices/:uuid`: change it by an update document."""
    await devices.update_by_document(door, request.party, request.uuid, request.parameters)
    return NO_CONTENT


async def find_and_update(door: SkynetDoor, request: Request) -> Reply:
    """`PUT /v2/devices/:uuid/find-and-update`: the same, answered by the record that it makes."""
    changed = await devices.update_by_document(
        door, request.party, request.uuid, request.parameters
    )
    record = alone(modern_record(changed, door.tank.messaging.presence, request.party))
    return answer(_projected(request, [record])[0])


async def search_devices(door: SkynetDoor, request: Request) -> Reply:
    """`POST /search/devices`: by a question in MongoDB's words."""
    found = await search(door, request.party, compile_query(request.body.values))
    return answer(_projected(request, records_of(door, request.party, found)))


def _projected(request: Request, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records with the members that the header `x-meshblu-projection` names, or without them."""
    header = request.head.headers.get(b"x-meshblu-projection")
    if not header:
        return records
    try:
        wanted = msgspec.json.decode(header[:_PROJECTION_BYTES_MAX], type=dict[str, bool | int])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadParameters("x-meshblu-projection is a JSON object of names and truths") from None
    shown = {name for name, is_shown in wanted.items() if is_shown}
    if shown:
        return [{n: v for n, v in record.items() if n in shown} for record in records]
    return [{n: v for n, v in record.items() if n not in wanted} for record in records]
