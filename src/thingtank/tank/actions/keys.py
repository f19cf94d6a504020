"""Make, list, show, change and delete API keys. Nothing can grant more than it has.

A person, an admin or a master key manages an account's keys; any other key reads itself only. What
a key makes, changes, renews or is shown must lie within its own reach (`tank.keys.covers`).

Source: Xively API v2, keys.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from thingtank.tank.access import Caller, check_manage, may_see_secret
from thingtank.tank.actions.devices import new_secret
from thingtank.tank.changes import changed
from thingtank.tank.errors import LimitReached, NoSuchKey, NotAllowed, NotFound, ValidationFailed
from thingtank.tank.keys import (
    ApiKey,
    KeyChange,
    Resource,
    covers,
    kept_key,
    key_problems,
    named_feeds,
)
from thingtank.tank.tank import Tank

CheckKey: TypeAlias = Callable[[ApiKey], None]

BEYOND = "must not reach further than the key that asks: in time, interval or feeds"


class RevealedKey(msgspec.Struct, frozen=True):
    """A key with its secret."""

    key: ApiKey
    secret: str


def key_of_secret(tank: Tank, secret: str) -> ApiKey:
    """The key that a path such as `/v2/keys/K` names; expired ones too.

    Raises:
        NoSuchKey. The message does not repeat the secret.
    """
    key = tank.directory.find_key(secret)
    if key is None:
        raise NoSuchKey("couldn't find Key with that api_key")
    return key


async def create_key(tank: Tank, caller: Caller, draft: ApiKey) -> tuple[ApiKey, str]:
    """Make a key for `draft.account_id`; return it with its secret.

    Raises:
        ValidationFailed, LimitReached, NotAllowed, Unauthenticated.
    """
    check_manage(caller, draft.account_id)
    tank.directory.get_account(draft.account_id)
    checked = _checked(tank, caller, kept_key(draft))
    if len(tank.directory.keys_of(draft.account_id)) >= tank.limits.keys_per_account_max:
        raise LimitReached(f"an account may have {tank.limits.keys_per_account_max} keys")
    secret = new_secret()
    dated = msgspec.structs.replace(checked, created_us=tank.clock.now_us())
    return await tank.directory.insert_key(dated, secret), secret


def _checked(
    tank: Tank, caller: Caller, key: ApiKey, known: frozenset[Resource] = frozenset()
) -> ApiKey:
    """`key` if it may be stored for `caller`; resources that are `known` are not looked at anew."""
    problems = key_problems(key)
    if problems:
        raise ValidationFailed(problems)
    _check_resources(tank, key, known)
    if caller.key is not None and not covers(caller.key, key):
        raise ValidationFailed([("permissions", BEYOND)])
    return key


def _check_resources(tank: Tank, draft: ApiKey, known: frozenset[Resource]) -> None:
    """A key reaches only its own account's feeds and public ones."""
    for resource in _resources(draft) - known:
        try:
            device = tank.directory.get_device(resource.feed_id)
        except NotFound:
            device = None
        if device is None or (device.private and device.account_id != draft.account_id):
            raise ValidationFailed(
                [("resources_feed_id", f"{resource.feed_id} is not a feed of this account")]
            )


def _resources(key: ApiKey) -> frozenset[Resource]:
    return frozenset(
        resource for permission in key.permissions for resource in permission.resources
    )


def list_keys(
    tank: Tank, caller: Caller, account_id: int, feed_id: int | None = None
) -> Sequence[ApiKey]:
    """The keys of an account, oldest first; with `feed_id` only those that name that feed.

    Raises:
        NotAllowed, Unauthenticated.
    """
    check_manage(caller, account_id)
    return tank.directory.keys_of(account_id, feed_id)


def _naming(keys: Sequence[ApiKey], feed_id: int | None) -> Sequence[ApiKey]:
    if feed_id is None:
        return keys
    return [key for key in keys if feed_id in named_feeds(key)]


async def list_revealed_keys(
    tank: Tank, caller: Caller, feed_id: int | None = None
) -> list[RevealedKey]:
    """The keys that the caller may see with their secrets, oldest first; not in pages.

    A person or a master key: those of its account, as far as the key covers them. Another key: only
    itself. With `feed_id` only keys that name that feed.

    Raises:
        Unauthenticated.

    Source: Xively API v2, "List all keys".
    """
    if caller.key is not None and not caller.key.is_master:
        keys: Sequence[ApiKey] = _naming([caller.key], feed_id)
    else:
        # The operator owns nothing, and is not asked for here.
        account_id = caller.account.account_id if caller.account else 0
        check_manage(caller, account_id)
        keys = tank.directory.keys_of(account_id, feed_id)
    shown = [key for key in keys if may_see_secret(caller, key)]
    secrets = await tank.directory.reveal_keys([key.key_id for key in shown])
    return [RevealedKey(key, secrets[key.key_id]) for key in shown if key.key_id in secrets]


def get_key(tank: Tank, caller: Caller, key_id: int) -> ApiKey:
    """A key: for who manages its account, and for itself.

    Raises:
        NoSuchKey, NotAllowed, Unauthenticated.
    """
    key = tank.directory.get_key(key_id)
    if caller.key is None or caller.key.key_id != key_id:
        check_manage(caller, key.account_id)
    return key


def reveal_key(tank: Tank, caller: Caller, key_id: int) -> str:
    """The secret of a key, for its own account; an admin may delete another's, not use it.

    Raises:
        NoSuchKey, NotAllowed, Unauthenticated.
    """
    _check_seen(caller, get_key(tank, caller, key_id))
    return tank.directory.reveal_key(key_id)


def _check_seen(caller: Caller, key: ApiKey) -> None:
    if not may_see_secret(caller, key):
        raise NotAllowed("only a key's own account, or a key that covers it, may see its secret")


async def update_key(
    tank: Tank, caller: Caller, key_id: int, change: KeyChange, check: CheckKey | None = None
) -> ApiKey:
    """Change a key's label and rights; fields that are UNSET stay, and so does the secret.

    Args:
        check: is given the newest state within the turn of all writes; nothing is changed when it
            raises.

    Raises:
        NoSuchKey, ValidationFailed, NotAllowed, Unauthenticated, and what `check` raises.

    Source: Xively API v2, "Update an API key".
    """
    check_manage(caller, tank.directory.get_key(key_id).account_id)

    def checked_change(newest: ApiKey) -> ApiKey:
        if check is not None:
            check(newest)
        return _checked(tank, caller, kept_key(changed(newest, change)), _resources(newest))

    return await tank.directory.update_key(key_id, checked_change)


async def regenerate_key(
    tank: Tank, caller: Caller, key_id: int, check: CheckKey | None = None
) -> RevealedKey:
    """Give a key another secret; its rights stay, and the old secret is dead when this returns.

    Args:
        check: as of `update_key`.

    Raises:
        NoSuchKey, NotAllowed, Unauthenticated, and what `check` raises.

    Source: Xively API v2, "Regenerate an API key".
    """
    key = tank.directory.get_key(key_id)
    check_manage(caller, key.account_id)
    _check_seen(caller, key)
    secret = new_secret()
    return RevealedKey(await tank.directory.replace_secret(key_id, secret, check), secret)


async def delete_key(
    tank: Tank, caller: Caller, key_id: int, check: CheckKey | None = None
) -> None:
    """Delete a key; it is dead at once.

    Args:
        check: as of `update_key`.

    Raises:
        NoSuchKey, NotAllowed, Unauthenticated, and what `check` raises.
    """
    key = tank.directory.get_key(key_id)
    check_manage(caller, key.account_id)
    await tank.directory.delete_key(key_id, check)
