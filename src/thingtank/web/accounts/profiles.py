"""Accounts and profiles on Django's user, for the tank's actions."""

import asyncio
from collections.abc import Callable

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from thingtank.tank.accounts import TAKEN, Profile, ProfilePage
from thingtank.tank.errors import NoSuchAccount, ValidationFailed
from thingtank.tank.things import Account
from thingtank.web.accounts.models import Account as AccountRow
from thingtank.web.catalog.directory import DjangoDirectory

# Columns, and what wire documents and problems call them.
_FIELDS = {"username": "login"}


class DjangoAccounts:
    """Implements `tank.accounts.Accounts`."""

    def __init__(self, directory: DjangoDirectory) -> None:
        self._directory = directory

    async def list_profiles(self, page: int, per_page: int) -> ProfilePage:
        """One page of accounts."""

        def read() -> ProfilePage:
            rows = AccountRow.objects.order_by("id")
            found = rows[(page - 1) * per_page : page * per_page]
            return ProfilePage([_profile(row) for row in found], rows.count())

        return await self._directory.transact(read, _show_nothing)

    async def get_profile(self, login: str) -> Profile:
        """Raise NoSuchAccount if there is none."""
        return await self._directory.transact(lambda: _profile(self._row(login)), _show_nothing)

    def _row(self, login: str) -> AccountRow:
        # The directory is asked first, because a database may refuse what is no login at all.
        account = self._directory.find_account(login)
        rows = AccountRow.objects.filter(pk=account.account_id if account else 0)
        row = rows.first()
        if row is None:
            raise NoSuchAccount(f"there is no account {login[:64]}")
        return row

    async def insert_account(self, profile: Profile, password: str | None) -> Profile:
        """Store an account; without a password nobody can sign in to it until it gets one."""
        row = _filled(AccountRow(), profile)
        # Hashing takes its time on purpose, and must not keep the directory's other writes waiting.
        await asyncio.to_thread(_set_password, row, password)
        return await self._directory.transact(lambda: self._store(row), _show_nothing)

    async def update_profile(self, login: str, change: Callable[[Profile], Profile]) -> Profile:
        """Store `change` of an account."""

        def write() -> Profile:
            row = self._row(login)
            return self._store(_filled(row, change(_profile(row))))

        return await self._directory.transact(write, _show_nothing)

    async def delete_account(self, login: str) -> int:
        """Remove an account with its keys and products; return its number."""

        def write() -> int:
            row = self._row(login)
            count = row.devices.count()
            if count:
                raise ValidationFailed([("", f"The account still has feeds: {count}")])
            account_id = row.pk
            row.delete()
            self._show_accounts()
            return account_id

        return await self._directory.transact(write, self._directory.forget_keys_of)

    def _store(self, row: AccountRow) -> Profile:
        profile = _profile(_saved(row))
        self._show_accounts()
        return profile

    def _show_accounts(self) -> None:
        """Let the doors know of what this transaction changes, once it holds."""
        # Robust: what is stored is stored, and keys of a deleted account must go in any case.
        transaction.on_commit(self._directory.refresh_accounts, robust=True)


def _show_nothing(_: object) -> None:
    """What was only read, or shown already, changes no snapshot."""


def _profile(row: AccountRow) -> Profile:
    return Profile(
        Account(row.pk, row.username, row.is_superuser, row.is_active),
        row.email,
        row.first_name,
        row.last_name,
        row.about,
        row.website,
        row.organisation,
        row.time_zone,
    )


def _filled(row: AccountRow, profile: Profile) -> AccountRow:
    row.username = profile.account.login
    row.email = profile.email
    row.first_name = profile.first_name
    row.last_name = profile.last_name
    row.about = profile.about
    row.website = profile.website
    row.organisation = profile.organisation
    row.time_zone = profile.time_zone
    return row


def _set_password(row: AccountRow, password: str | None) -> None:
    if password is None:
        row.set_unusable_password()
        return
    try:
        validate_password(password, row)
    except ValidationError as error:
        raise ValidationFailed([("password:", " ".join(error.messages))]) from None
    row.set_password(password)


def _saved(row: AccountRow) -> AccountRow:
    """Store a row that Django finds right."""
    if AccountRow.objects.filter(username=row.username).exclude(pk=row.pk).exists():
        raise ValidationFailed([TAKEN])
    try:
        row.full_clean(exclude=["password"], validate_unique=False)
        row.save()
    except ValidationError as error:
        problems = [(_FIELDS.get(field, field), "is invalid") for field in error.message_dict]
        raise ValidationFailed(problems) from None
    except IntegrityError:  # another process, or the admin's page, was quicker
        raise ValidationFailed([TAKEN]) from None
    return row
