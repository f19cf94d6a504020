"""A device's key for sending: it may write values to the device's feed, and nothing else.

It is what goes into a program or a board, where others may find it: with it nobody can read what
was recorded, nor delete it.
"""

import contextlib

from thingtank.tank.access import Caller, check_manage, may_see_secret
from thingtank.tank.actions.keys import RevealedKey, create_key, delete_key, list_keys, reveal_key
from thingtank.tank.errors import NoSuchKey, NotAllowed
from thingtank.tank.keys import ApiKey, Permission, Resource
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

LABEL_CHARS_MAX = 200


async def ensure_sending_key(tank: Tank, caller: Caller, device: Device) -> RevealedKey:
    """The oldest key of the device that may only write to it; made if there is none.

    Raises:
        LimitReached: the account may have no more keys.
        NotAllowed, Unauthenticated: its secret is not for the caller.
    """
    check_manage(caller, device.account_id)
    found = find_sending_key(tank, caller, device)
    if found is not None:
        return RevealedKey(found, reveal_key(tank, caller, found.key_id))
    draft = ApiKey(
        key_id=0,
        account_id=device.account_id,
        label=f"{device.title[:LABEL_CHARS_MAX]}: sends values",
        permissions=(_permission(device),),
    )
    if not caller.is_operator and not may_see_secret(caller, draft):
        raise NotAllowed("only a device's owner may have a key for it")
    key, secret = await create_key(tank, caller, draft)
    return RevealedKey(key, secret)


def find_sending_key(tank: Tank, caller: Caller, device: Device) -> ApiKey | None:
    """The oldest key that may write to the device from anywhere, for ever, and do nothing else.

    Raises:
        NotAllowed, Unauthenticated.
    """
    return next(iter(_sending_keys(tank, caller, device)), None)


async def delete_sending_keys(tank: Tank, caller: Caller, device: Device) -> None:
    """Delete every key that may write to the device and do nothing else.

    Raises:
        NotAllowed, Unauthenticated.
    """
    for key in _sending_keys(tank, caller, device):
        with contextlib.suppress(NoSuchKey):  # somebody else was quicker
            await delete_key(tank, caller, key.key_id)


def _sending_keys(tank: Tank, caller: Caller, device: Device) -> list[ApiKey]:
    """Oldest first."""
    keys = list_keys(tank, caller, device.account_id, device.device_id)
    return [key for key in keys if _only_sends(key, device)]


def _only_sends(key: ApiKey, device: Device) -> bool:
    if len(key.permissions) != 1 or key.expires_us is not None or not key.private_access:
        return False
    (held,) = key.permissions
    wanted = _permission(device)
    return (held.access_methods, held.resources, held.source_ip, held.referer) == (
        wanted.access_methods,
        wanted.resources,
        "",
        "",
    )


def _permission(device: Device) -> Permission:
    return Permission(("put",), (Resource(device.device_id),))
