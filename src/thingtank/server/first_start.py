"""What a new instance begins with: its owner, and a device to write a first value to."""

import asyncio

import msgspec
from django.db import connection

from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.keys import list_keys, reveal_key
from thingtank.tank.changes import DeviceChange
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.tank import Tank

OWNER_LOGIN = "owner"
DEVICE_TITLE = "My first device"


class Owner(msgspec.Struct, frozen=True):
    """The instance's owner and the first feed; feed 0 and a blank key when they have none."""

    feed_id: int = 0
    api_key: str = ""


def ensure_owner_account() -> None:
    """Make the owner's account when there is no account at all; it has no password. Blocking."""
    from thingtank.web.accounts.models import Account

    try:
        if not Account.objects.exists():
            Account.objects.create_superuser(OWNER_LOGIN)
    finally:
        connection.close()


async def ensure_owner(tank: Tank) -> Owner:
    """Give the owner a first device on a new instance; find its feed and key on an old one."""
    account = tank.directory.find_account(OWNER_LOGIN)
    if account is None:
        return Owner()
    query = DeviceQuery(account_id=account.account_id, per_page=1000)
    devices = tank.directory.list_devices(query).devices
    if not devices:
        made = await create_device(tank, Caller(account), DeviceChange(title=DEVICE_TITLE))
        return Owner(made.device.device_id, made.api_key)
    oldest = devices[-1]
    keys = list_keys(tank, OPERATOR, account.account_id, oldest.device_id)
    if not keys:
        return Owner(oldest.device_id)
    secret = await asyncio.to_thread(reveal_key, tank, OPERATOR, keys[0].key_id)
    return Owner(oldest.device_id, secret)
