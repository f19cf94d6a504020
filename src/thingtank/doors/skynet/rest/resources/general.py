"""About the server, and who somebody is: status, addresses, keys, authenticate."""

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.errors import TooManyWrongTokens
from thingtank.doors.skynet.rest.replies import NO_CONTENT, Reply, answer
from thingtank.doors.skynet.rest.requests import Request
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.messaging.event_codes import EventCode


async def status(door: SkynetDoor, request: Request) -> Reply:
    """`GET /status`: one object for the programs of both names."""
    return answer(
        {
            "skynet": "online",
            "meshblu": "online",
            "timestamp": door.tank.clock.now_us() // 1000,
            "eventCode": int(EventCode.STATUS),
        }
    )


async def ip_address(_door: SkynetDoor, request: Request) -> Reply:
    """`GET /ipaddress`: the caller's own."""
    return answer({"ipAddress": request.head.address})


async def health(_door: SkynetDoor, request: Request) -> Reply:
    """`GET /healthcheck`."""
    return answer({"online": True})


async def public_key(door: SkynetDoor, request: Request) -> Reply:
    """`GET /publickey`: what signatures of hooks are verified with."""
    return answer({"publicKey": await door.tank.messaging.public_key()})


async def authenticate(door: SkynetDoor, request: Request) -> Reply:
    """`GET /authenticate/:uuid?token=…`: whether that is the device's token."""
    try:
        door.parties.device(request.uuid, request.text("token"), request.head.address)
    except TooManyWrongTokens:
        raise  # the right one would be no more welcome
    except Unauthenticated:
        return answer({"uuid": request.uuid, "authentication": False}, 404)
    return answer({"uuid": request.uuid, "authentication": True})


async def authenticate_by_headers(_door: SkynetDoor, request: Request) -> Reply:
    """`POST /authenticate`: 204 to who has shown who it is."""
    if request.is_legacy:
        raise Unauthenticated("unauthorized")
    return NO_CONTENT
