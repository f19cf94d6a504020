"""Give devices further tokens, replace their root token, and take tokens away.

Whoever may update a device may do this with it. A token that is taken away opens nothing from that
moment; secrets are shown once, when they are made.

Source: SkyNet, tokens: root token and session tokens.
"""

import contextlib
import secrets
from collections.abc import Collection, Sequence

import msgspec

from thingtank.tank.access import Caller, check_reach
from thingtank.tank.errors import NoSuchDevice, ValidationFailed
from thingtank.tank.events import DeviceUpdated
from thingtank.tank.tank import Tank
from thingtank.tank.tokens import DeviceToken, tag_problems

_TOKEN_BYTES = 20  # SkyNet's tokens have 40 hexadecimal characters


class CreatedToken(msgspec.Struct, frozen=True):
    """A new token and its secret, which is shown now and never again by this value.

    Attributes:
        token: the secret, 40 hexadecimal characters.
    """

    token: str
    device_token: DeviceToken

    def __repr__(self) -> str:
        return f"CreatedToken(device_token={self.device_token!r})"


def new_token() -> str:
    """A fresh token: 40 hexadecimal characters."""
    return secrets.token_hex(_TOKEN_BYTES)


async def create_token(tank: Tank, caller: Caller, device_id: int, tag: str = "") -> CreatedToken:
    """Give a device one more token.

    Args:
        tag: to find it by again; several may have the same.

    Raises:
        NoSuchDevice, ValidationFailed, NotAllowed, Unauthenticated, StorageFailed.
        LimitReached: the device has `limits.tokens_per_device_max` already.
    """
    _check_update(tank, caller, device_id)
    problems = tag_problems(tag)
    if problems:
        raise ValidationFailed(problems)
    token = new_token()
    made = await tank.directory.insert_token(
        device_id,
        token,
        tag,
        tank.clock.now_us(),
        tokens_max=tank.limits.tokens_per_device_max,
    )
    _announce(tank, device_id)
    return CreatedToken(token, made)


async def list_tokens(tank: Tank, caller: Caller, device_id: int) -> Sequence[DeviceToken]:
    """A device's tokens besides its root token, oldest first; without their secrets.

    Raises:
        NoSuchDevice, NotAllowed, Unauthenticated, StorageFailed.
    """
    _check_update(tank, caller, device_id)
    return await tank.directory.tokens_of(device_id)


async def reset_token(tank: Tank, caller: Caller, device_id: int) -> str:
    """Replace a device's root token; the old one is dead when this returns, the others stay.

    Raises:
        NoSuchDevice, NotAllowed, Unauthenticated, StorageFailed.
    """
    _check_update(tank, caller, device_id)
    token = new_token()
    await tank.directory.replace_root_token(device_id, token)
    _announce(tank, device_id)
    return token


async def revoke_token(tank: Tank, caller: Caller, device_id: int, token: str) -> bool:
    """Take a token away by its secret; the root token can only be replaced.

    Returns:
        Whether the device had such a token.

    Raises:
        NoSuchDevice, NotAllowed, Unauthenticated, StorageFailed.
    """
    _check_update(tank, caller, device_id)
    was_there = await tank.directory.delete_token(device_id, token)
    if was_there:
        _announce(tank, device_id)
    return was_there


async def revoke_tokens(
    tank: Tank,
    caller: Caller,
    device_id: int,
    *,
    token_ids: Collection[int] | None = None,
    tag: str | None = None,
) -> int:
    """Take away the tokens of some numbers and of a tag, None for any; the root token stays.

    Returns:
        How many there were.

    Raises:
        NoSuchDevice, NotAllowed, Unauthenticated, StorageFailed.
    """
    _check_update(tank, caller, device_id)
    count = await tank.directory.delete_tokens(device_id, token_ids=token_ids, tag=tag)
    if count:
        _announce(tank, device_id)
    return count


async def lend_token(tank: Tank, device_id: int, tag: str) -> str:
    """Give a device a token for one request that is made in its name; it is not announced.

    Tokens of the same tag, which a crash has left, are taken away before.

    Raises:
        NoSuchDevice, LimitReached, StorageFailed.
    """
    directory = tank.directory
    if directory.count_tokens(device_id):
        await directory.delete_tokens(device_id, tag=tag)
    token = new_token()
    tokens_max = tank.limits.tokens_per_device_max
    now_us = tank.clock.now_us()
    await directory.insert_token(device_id, token, tag, now_us, tokens_max=tokens_max)
    return token


async def take_back_token(tank: Tank, device_id: int, token: str) -> None:
    """Take a lent token away; a device that is gone has none.

    Raises:
        StorageFailed.
    """
    with contextlib.suppress(NoSuchDevice):
        await tank.directory.delete_token(device_id, token)


def _check_update(tank: Tank, caller: Caller, device_id: int) -> None:
    check_reach(caller, "put", tank.directory.get_device(device_id))


def _announce(tank: Tank, device_id: int) -> None:
    """Publish that a device has changed, as it is now; one that is gone was announced already."""
    with contextlib.suppress(NoSuchDevice):
        device = tank.directory.get_device(device_id)
        tank.bus.publish(DeviceUpdated(device, is_record=False))
