"""Accounts and profiles held wholly in memory: the twin of those on a database."""

import re
from collections.abc import Callable

import msgspec

from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.accounts import TAKEN, Profile, ProfilePage
from thingtank.tank.errors import NoSuchAccount, ValidationFailed
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.things import Account

_LOGIN = re.compile(r"[\w.@+-]+\Z")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")
_PASSWORD_CHARS_MIN = 8


class MemoryAccounts:
    """Implements `Accounts` beside a `MemoryDirectory`, whose accounts it has as they are."""

    def __init__(self, directory: MemoryDirectory) -> None:
        self._directory = directory
        self._profiles: dict[int, Profile] = {}

    async def list_profiles(self, page: int, per_page: int) -> ProfilePage:
        """One page of accounts."""
        accounts = self._directory.accounts()
        start = (page - 1) * per_page
        found = accounts[start : start + per_page]
        return ProfilePage([self._profile(account) for account in found], len(accounts))

    def _profile(self, account: Account) -> Profile:
        stored = self._profiles.get(account.account_id, Profile(account))
        return msgspec.structs.replace(stored, account=account)

    async def get_profile(self, login: str) -> Profile:
        """Raise NoSuchAccount if there is none."""
        account = self._directory.find_account(login)
        if account is None:
            raise NoSuchAccount(f"there is no account {login[:64]}")
        return self._profile(account)

    async def insert_account(self, profile: Profile, password: str | None) -> Profile:
        """Store an account. Passwords are checked and forgotten: nobody signs in here."""
        if password is not None and len(password) < _PASSWORD_CHARS_MIN:
            raise ValidationFailed([("password:", "This password is too short.")])
        self._check(profile)
        account = self._directory.add_account(profile.account.login)
        self._profiles[account.account_id] = msgspec.structs.replace(profile, account=account)
        return self._profiles[account.account_id]

    def _check(self, profile: Profile) -> None:
        login = profile.account.login
        known = self._directory.find_account(login)
        if known is not None and known.account_id != profile.account.account_id:
            raise ValidationFailed([TAKEN])
        problems = []
        if not _LOGIN.match(login):
            problems.append(("login", "is invalid"))
        if profile.email and not _EMAIL.match(profile.email):
            problems.append(("email", "is invalid"))
        if problems:
            raise ValidationFailed(problems)

    async def update_profile(self, login: str, change: Callable[[Profile], Profile]) -> Profile:
        """Store `change` of an account."""
        profile = change(await self.get_profile(login))
        self._check(profile)
        self._directory.put_account(profile.account)
        self._profiles[profile.account.account_id] = profile
        return profile

    async def delete_account(self, login: str) -> int:
        """Remove an account with its keys; return its number."""
        account_id = (await self.get_profile(login)).account.account_id
        query = DeviceQuery(account_id=account_id, per_page=1)
        count = self._directory.list_devices(query).total_count
        if count:
            raise ValidationFailed([("", f"The account still has feeds: {count}")])
        self._profiles.pop(account_id, None)
        await self._directory.drop_account(account_id)
        return account_id
