"""Operations on accounts. The doors know of each change when it returns."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec
from django.db import connection

from thingtank.server.operations.context import Context
from thingtank.server.operations.shapes import Paged
from thingtank.tank.errors import NoSuchAccount
from thingtank.web.accounts.changes import change_password, create_account, switch_account
from thingtank.web.accounts.lockouts import clear_lockout
from thingtank.web.accounts.models import Account
from thingtank.web.accounts.sign_in_links import make_sign_in_link

Result = TypeVar("Result")


class CreateUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account to make; without a password it gets a one-time link."""

    name: str
    admin: bool = False
    password: str | None = None
    email: str = ""


class OneUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account by its login."""

    name: str


class SetPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new password for an account."""

    name: str
    password: str


class UserRow(msgspec.Struct, frozen=True):
    """An account.

    Attributes:
        sign_in_link: a path or address that signs in once, within an hour; blank when none was
            made.
    """

    login: str
    is_admin: bool
    is_active: bool
    has_password: bool
    device_count: int
    sign_in_link: str = ""


class UserList(msgspec.Struct, frozen=True):
    """One page of accounts, oldest first, and how many there are."""

    total_count: int
    users: list[UserRow]


async def create(context: Context, asked: CreateUser) -> UserRow:
    """Make an account."""

    def write() -> UserRow:
        account = create_account(
            asked.name, email=asked.email, is_admin=asked.admin, password=asked.password
        )
        link = make_sign_in_link(account.pk) if asked.password is None else ""
        return _row(account, context.url + link if link else "")

    return await _in_thread(write)


async def list_all(context: Context, asked: Paged) -> UserList:
    """List accounts, oldest first."""

    def read() -> UserList:
        accounts = Account.objects.order_by("id")
        return UserList(accounts.count(), [_row(account) for account in accounts[asked.rows]])

    return await _in_thread(read)


async def set_password(context: Context, asked: SetPassword) -> UserRow:
    """Set an account's password; its sessions end, and so does its lock-out."""

    def write() -> UserRow:
        account = _get(asked.name)
        change_password(account, asked.password)
        return _row(account)

    row = await _in_thread(write)
    await _in_thread(lambda: clear_lockout(row.login))
    return row


async def make_link(context: Context, asked: OneUser) -> UserRow:
    """Make a one-time link that signs the account in."""

    def write() -> UserRow:
        account = _get(asked.name)
        return _row(account, context.url + make_sign_in_link(account.pk))

    return await _in_thread(write)


async def disable(context: Context, asked: OneUser) -> UserRow:
    """Switch an account off: its sessions and keys are dead until it is switched on."""
    return await _in_thread(lambda: _switch(asked.name, False))


async def enable(context: Context, asked: OneUser) -> UserRow:
    """Switch an account on again."""
    return await _in_thread(lambda: _switch(asked.name, True))


def _switch(name: str, is_active: bool) -> UserRow:
    account = _get(name)
    switch_account(account, is_active)
    return _row(account)


def _get(name: str) -> Account:
    account = Account.objects.filter(username=name).first()
    if account is None:
        raise NoSuchAccount(f"there is no account {name}")
    return account


def _row(account: Account, link: str = "") -> UserRow:
    return UserRow(
        account.username,
        account.is_superuser,
        account.is_active,
        account.has_usable_password(),
        account.devices.count(),
        link,
    )


async def _in_thread(work: Callable[[], Result]) -> Result:
    def run() -> Result:
        try:
            return work()
        finally:
            connection.close()

    return await asyncio.to_thread(run)
