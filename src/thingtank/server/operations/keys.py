"""Operations on API keys."""

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from thingtank.server.operations.context import Context
from thingtank.server.operations.shapes import KeyRow, Paged, RevealedKey
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.keys import (
    create_key,
    delete_key,
    list_keys,
    regenerate_key,
    reveal_key,
    update_key,
)
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, KeyChange, Permission, Resource


class CreateKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to make: a master key unless something narrows it. See `tank.keys.Permission`.

    Attributes:
        channels: of the one feed named; empty for all.
        expires_in_s: None for never.
    """

    label: str
    owner: str = ""
    feeds: tuple[int, ...] = ()
    channels: tuple[str, ...] = ()
    methods: tuple[str, ...] = ACCESS_METHODS
    private_access: bool = True
    source_ip: str = ""
    referer: str = ""
    minimum_interval_s: int = 0
    expires_in_s: int | None = None


class UpdateKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to change: what is UNSET stays.

    Attributes:
        feeds: empty for all its owner can reach.
        channels: of the one feed named, or of the one the key has.
        expires_in_s: None for never.
    """

    key_id: int
    label: str | UnsetType = UNSET
    feeds: tuple[int, ...] | UnsetType = UNSET
    channels: tuple[str, ...] | UnsetType = UNSET
    methods: tuple[str, ...] | UnsetType = UNSET
    private_access: bool | UnsetType = UNSET
    source_ip: str | UnsetType = UNSET
    referer: str | UnsetType = UNSET
    minimum_interval_s: int | UnsetType = UNSET
    expires_in_s: int | UnsetType | None = UNSET


class ListKeys(Paged, frozen=True):
    """Whose keys to list, and for which feed; None for any."""

    owner: str = ""
    feed: int | None = None


class OneKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key by its number."""

    key_id: int


class KeyList(msgspec.Struct, frozen=True):
    """One page of keys, oldest first, and how many there are."""

    total_count: int
    keys: list[KeyRow]


async def create(context: Context, asked: CreateKey) -> RevealedKey:
    """Make a key."""
    now_us = context.tank.clock.now_us()
    expires_us = None if asked.expires_in_s is None else now_us + asked.expires_in_s * 1_000_000
    draft = ApiKey(
        key_id=0,
        account_id=context.account(asked.owner).account_id,
        label=asked.label,
        permissions=(
            Permission(
                asked.methods,
                _resources(asked.feeds, asked.channels),
                asked.source_ip,
                asked.referer,
                asked.minimum_interval_s,
            ),
        ),
        private_access=asked.private_access,
        expires_us=expires_us,
    )
    key, secret = await create_key(context.tank, OPERATOR, draft)
    return _revealed(context, key, secret)


def _resources(feeds: Sequence[int], channels: Sequence[str]) -> tuple[Resource, ...]:
    if not channels:
        return tuple(Resource(feed_id) for feed_id in feeds)
    if len(feeds) != 1:
        raise ValidationFailed([("channel", "needs exactly one feed")])
    return tuple(Resource(feeds[0], name) for name in channels)


async def update(context: Context, asked: UpdateKey) -> KeyRow:
    """Change a key's label and rights; its secret stays."""
    key = context.tank.directory.get_key(asked.key_id)
    now_us = context.tank.clock.now_us()
    expires_us: int | UnsetType | None = UNSET
    if asked.expires_in_s is not UNSET:
        in_s = asked.expires_in_s
        expires_us = None if in_s is None else now_us + in_s * 1_000_000
    change = KeyChange(
        asked.label, _changed_permissions(key, asked), asked.private_access, expires_us
    )
    return _row(context, await update_key(context.tank, OPERATOR, asked.key_id, change))


def _changed_permissions(key: ApiKey, asked: UpdateKey) -> tuple[Permission, ...] | UnsetType:
    wanted = {
        "access_methods": asked.methods,
        "source_ip": asked.source_ip,
        "referer": asked.referer,
        "minimum_interval_s": asked.minimum_interval_s,
        "resources": _changed_resources(key, asked),
    }
    given = {name: value for name, value in wanted.items() if value is not UNSET}
    if not given:
        return UNSET
    if len(key.permissions) != 1:
        raise ValidationFailed(
            [("permissions", f"are {len(key.permissions)}; only the API can change those")]
        )
    return (msgspec.structs.replace(key.permissions[0], **given),)


def _changed_resources(key: ApiKey, asked: UpdateKey) -> tuple[Resource, ...] | UnsetType:
    if asked.feeds is UNSET and asked.channels is UNSET:
        return UNSET
    feeds = asked.feeds
    if feeds is UNSET:
        feeds = tuple(dict.fromkeys(r.feed_id for p in key.permissions for r in p.resources))
    return _resources(feeds, () if asked.channels is UNSET else asked.channels)


async def regenerate(context: Context, asked: OneKey) -> RevealedKey:
    """Give a key another secret; the old one is dead."""
    made = await regenerate_key(context.tank, OPERATOR, asked.key_id)
    return _revealed(context, made.key, made.secret)


async def list_all(context: Context, asked: ListKeys) -> KeyList:
    """List an account's keys, oldest first."""
    account = context.account(asked.owner)
    found = list_keys(context.tank, OPERATOR, account.account_id, asked.feed)
    return KeyList(len(found), [_row(context, key) for key in found[asked.rows]])


async def show(context: Context, asked: OneKey) -> RevealedKey:
    """Show a key's secret."""
    secret = await asyncio.to_thread(reveal_key, context.tank, OPERATOR, asked.key_id)
    return _revealed(context, context.tank.directory.get_key(asked.key_id), secret)


async def delete(context: Context, asked: OneKey) -> KeyRow:
    """Delete a key; return what it was."""
    row = _row(context, context.tank.directory.get_key(asked.key_id))
    await delete_key(context.tank, OPERATOR, asked.key_id)
    return row


def _revealed(context: Context, key: ApiKey, secret: str) -> RevealedKey:
    return RevealedKey(**msgspec.structs.asdict(_row(context, key)), api_key=secret)


def _row(context: Context, key: ApiKey) -> KeyRow:
    methods = {method for permission in key.permissions for method in permission.access_methods}
    resources = [resource for permission in key.permissions for resource in permission.resources]
    return KeyRow(
        key.key_id,
        key.label,
        context.tank.directory.get_account(key.account_id).login,
        tuple(method for method in ACCESS_METHODS if method in methods),
        tuple(
            str(resource.feed_id) + (f"/{resource.datastream_id}" if resource.datastream_id else "")
            for resource in resources
        ),
        key.is_master,
        key.private_access,
        key.expires_us,
    )
