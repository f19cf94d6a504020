"""Subscriptions that a device keeps."""

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations import stored_subscriptions
from thingtank.doors.skynet.rest.replies import NO_CONTENT, Reply, answer
from thingtank.doors.skynet.rest.requests import Request


async def get_subscriptions(door: SkynetDoor, request: Request) -> Reply:
    """`GET /v2/devices/:uuid/subscriptions`."""
    return answer(await stored_subscriptions.listing(door, request.party, request.uuid))


async def post_subscription(door: SkynetDoor, request: Request) -> Reply:
    """`POST /v2/devices/:uuid/subscriptions/:emitter/:type`."""
    names = request.path.names
    await stored_subscriptions.add(
        door, request.party, request.uuid, names["emitter"], names["type"]
    )
    return NO_CONTENT


async def delete_subscription(door: SkynetDoor, request: Request) -> Reply:
    """`DELETE /v2/devices/:uuid/subscriptions/:emitter/:type`."""
    names = request.path.names
    await stored_subscriptions.remove(
        door, request.party, request.uuid, names["emitter"], names["type"]
    )
    return NO_CONTENT


async def delete_subscriptions(door: SkynetDoor, request: Request) -> Reply:
    """`DELETE /v2/devices/:uuid/subscriptions`: all, or those of `emitterUuid` and `type`."""
    await stored_subscriptions.remove(
        door, request.party, request.uuid, request.choice("emitterUuid"), request.choice("type")
    )
    return NO_CONTENT
