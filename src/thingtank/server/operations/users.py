"""Operations on accounts. The doors know of each change when it returns."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection

from thingtank.server.operations.context import Context
from thingtank.server.operations.shapes import Nothing
from thingtank.tank.errors import NoSuchAccount, ValidationFailed
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
    """Accounts, oldest first."""

    users: list[UserRow]


async def create(context: Context, asked: CreateUser) -> UserRow:
    """Make an account."""

    def write() -> UserRow:
        account = Account(
            username=asked.name, email=asked.email, is_superuser=asked.admin, is_staff=asked.admin
        )
        _set_password(account, asked.password)
        _check(lambda: account.full_clean(exclude=["password"]))
        account.save()
        link = make_sign_in_link(account) if asked.password is None else ""
        return _row(account, context.url + link if link else "")

    return await _changing(context, write)


async def list_all(context: Context, asked: Nothing) -> UserList:
    """List all accounts."""

    def read() -> UserList:
        return UserList([_row(account) for account in Account.objects.order_by("id")])

    return await _in_thread(read)


async def set_password(context: Context, asked: SetPassword) -> UserRow:
    """Set an account's password; its sessions end, and so does its lock-out."""

    def write() -> UserRow:
        account = _get(asked.name)
        _set_password(account, asked.password)
        account.save(update_fields=["password"])
        return _row(account)

    row = await _in_thread(write)
    await _in_thread(lambda: clear_lockout(row.login))
    return row


async def make_link(context: Context, asked: OneUser) -> UserRow:
    """Make a one-time link that signs the account in."""

    def write() -> UserRow:
        account = _get(asked.name)
        return _row(account, context.url + make_sign_in_link(account))

    return await _in_thread(write)


async def disable(context: Context, asked: OneUser) -> UserRow:
    """Switch an account off: its sessions and keys are dead until it is switched on."""
    return await _changing(context, lambda: _set_active(asked.name, False))


async def enable(context: Context, asked: OneUser) -> UserRow:
    """Switch an account on again."""
    return await _changing(context, lambda: _set_active(asked.name, True))


def _set_active(name: str, is_active: bool) -> UserRow:
    account = _get(name)
    account.is_active = is_active
    account.save(update_fields=["is_active"])
    return _row(account)


def _get(name: str) -> Account:
    account = Account.objects.filter(username=name).first()
    if account is None:
        raise NoSuchAccount(f"there is no account {name}")
    return account


def _set_password(account: Account, password: str | None) -> None:
    if password is None:
        account.set_unusable_password()
    else:
        _check(lambda: validate_password(password, account), "password")
        account.set_password(password)


def _check(validate: Callable[[], None], field: str = "name") -> None:
    try:
        validate()
    except ValidationError as error:
        raise ValidationFailed([(f"{field}:", " ".join(error.messages))]) from None


def _row(account: Account, link: str = "") -> UserRow:
    return UserRow(
        account.username,
        account.is_superuser,
        account.is_active,
        account.has_usable_password(),
        account.devices.count(),
        link,
    )


async def _changing(context: Context, write: Callable[[], Result]) -> Result:
    def change() -> Result:
        result = write()
        context.directory.refresh_accounts()
        return result

    return await _in_thread(change)


async def _in_thread(work: Callable[[], Result]) -> Result:
    def run() -> Result:
        try:
            return work()
        finally:
            connection.close()

    return await asyncio.to_thread(run)
