"""Give devices tokens, and take them away."""

from typing import Any

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations.devices import visible
from thingtank.doors.skynet.records import iso_time
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions import tokens as actions
from thingtank.tank.messaging.permissions import Party, check_configure
from thingtank.tank.things import Device


async def reset(door: SkynetDoor, party: Party, uuid: str) -> str:
    """Replace a device's root token; the old one is dead when this returns.

    Raises:
        NoSuchDevice, NotAllowed, RateLimited.
    """
    device = await _configurable(door, party, uuid)
    return await actions.reset_token(door.tank, OPERATOR, device.device_id)


async def create(door: SkynetDoor, party: Party, uuid: str, tag: str = "") -> str:
    """Give a device one more token.

    Raises:
        NoSuchDevice, NotAllowed, LimitReached, RateLimited.
    """
    device = await _configurable(door, party, uuid)
    created = await actions.create_token(door.tank, OPERATOR, device.device_id, tag)
    return created.token


async def revoke(door: SkynetDoor, party: Party, uuid: str, token: str) -> bool:
    """Take a token from a device; whether it had it.

    Raises:
        NoSuchDevice, NotAllowed, RateLimited.
    """
    device = await _configurable(door, party, uuid)
    return await actions.revoke_token(door.tank, OPERATOR, device.device_id, token)


async def revoke_by_tag(door: SkynetDoor, party: Party, uuid: str, tag: str) -> int:
    """Take all tokens of a tag from a device; how many there were.

    Raises:
        NoSuchDevice, NotAllowed, RateLimited.
    """
    device = await _configurable(door, party, uuid)
    return await actions.revoke_tokens(door.tank, OPERATOR, device.device_id, tag=tag)


async def listing(door: SkynetDoor, party: Party, uuid: str) -> list[dict[str, Any]]:
    """What is known of a device's tokens besides its root token, oldest first; no secrets.

    Raises:
        NoSuchDevice, NotAllowed, RateLimited.
    """
    device = await _configurable(door, party, uuid)
    found = await actions.list_tokens(door.tank, OPERATOR, device.device_id)
    return [
        {"uuid": device.uuid, "tag": token.tag, "createdAt": iso_time(token.created_us)}
        for token in found
    ]


async def _configurable(door: SkynetDoor, party: Party, uuid: str) -> Device:
    await door.rates.count("queries", party)
    device = visible(door, party, uuid)
    check_configure(party, device, door.tank.messaging.policy)
    return device
