"""What a new instance begins with: its owner, and a device to write a first value to."""

import asyncio

import msgspec
from django.db import connection

from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions.keys import list_keys, reveal_key
from thingtank.tank.actions.products import develop_device
from thingtank.tank.changes import DeviceChange
from thingtank.tank.interfaces import PAGE_MAX, DeviceQuery
from thingtank.tank.keys import ApiKey, Resource
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account, Device

FIRST_LOGIN = "owner"  # until it is renamed
DEVICE_TITLE = "My first device"


class Owner(msgspec.Struct, frozen=True):
    """The instance's owner and the first feed; feed 0 and a blank key when they have none."""

    feed_id: int = 0
    api_key: str = ""


def ensure_owner_account() -> None:
    """Make the owner's account when there is no account at all; it has no password. Blocking."""
    from thingtank.web.accounts.changes import create_account
    from thingtank.web.accounts.models import Account

    try:
        if not Account.objects.exists():
            create_account(FIRST_LOGIN, is_admin=True)
    finally:
        connection.close()


async def ensure_owner(tank: Tank, account: Account | None) -> Owner:
    """Give the owner of a new instance a first device; find feed and key on an old one."""
    if account is None:
        return Owner()
    first = _oldest_device(tank, account)
    if first is None:
        if await asyncio.to_thread(_has_signed_in, account):
            return Owner()  # who has no device any more wants none
        # As the workbench adds one, so that it shows what such a device has.
        made = await develop_device(tank, Caller(account), DeviceChange(title=DEVICE_TITLE))
        return Owner(made.created.device.device_id, made.created.api_key)
    keys = list_keys(tank, OPERATOR, account.account_id, first.device_id)
    now_us = tank.clock.now_us()
    writing = next((key for key in keys if _may_write(key, first.device_id, now_us)), None)
    if writing is None:
        return Owner(first.device_id)
    secret = await asyncio.to_thread(reveal_key, tank, OPERATOR, writing.key_id)
    return Owner(first.device_id, secret)


def _oldest_device(tank: Tank, account: Account) -> Device | None:
    query = DeviceQuery(account_id=account.account_id, per_page=1)
    count = tank.directory.count_devices(query)
    last = msgspec.structs.replace(query, page=min(max(1, count), PAGE_MAX))
    return next(iter(tank.directory.list_devices(last).devices), None)


def _may_write(key: ApiKey, feed_id: int, now_us: int) -> bool:
    """Whether the key writes any channel of the feed, from anywhere, now."""
    is_alive = key.expires_us is None or key.expires_us > now_us
    return (
        is_alive
        and key.private_access
        and any(
            "put" in permission.access_methods
            and Resource(feed_id) in permission.resources
            and not permission.source_ip
            and not permission.referer
            for permission in key.permissions
        )
    )


def _has_signed_in(account: Account) -> bool:
    from thingtank.web.accounts.models import Account as AccountRow

    try:
        rows = AccountRow.objects.filter(id=account.account_id, last_login__isnull=False)
        return rows.exists()
    finally:
        connection.close()
