"""Passwords of accounts, for doors where people sign in without a page."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.contrib.auth.hashers import check_password, get_hasher, make_password
from django.db import connection

from thingtank.web.accounts.models import Account
from thingtank.web.catalog.directory import DjangoDirectory
from thingtank.web.catalog.directory_work import run_in

Result = TypeVar("Result")

_THREADS = 3  # who asks has two passwords checked at once; the third thread only looks hashes up


class DjangoPasswords:
    """Implements the WAMP door's `PasswordStore`.

    Attributes:
        iterations: of PBKDF2, in the hashes that are made now.
    """

    def __init__(self, directory: DjangoDirectory) -> None:
        self._directory = directory
        self._threads = ThreadPoolExecutor(_THREADS, "passwords")
        self.iterations: int = get_hasher("pbkdf2_sha256").iterations  # type: ignore[attr-defined] # this hasher's

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    async def find_password_hash(self, login: str) -> str | None:
        """The hash as Django writes it; None if there is none, or the account is inactive.

        Raises:
            StorageFailed.
        """
        return await self._run(lambda: self._hash_of(login))

    async def check_password(self, login: str, password: str) -> bool:
        """Whether an active account has this password; as slow where there is none.

        Raises:
            StorageFailed.
        """

        def check() -> bool:
            if not _is_text(password):
                return False
            password_hash = self._hash_of(login)
            if password_hash is None:
                make_password(password)  # takes as long
                return False
            return check_password(password, password_hash)

        return await self._run(check)

    def _hash_of(self, login: str) -> str | None:
        # A database may refuse what is no login at all, so it is asked for logins that there are,
        # and for none at all where there is not, which takes as long.
        known = self._directory.find_account(login)
        rows = Account.objects.filter(pk=known.account_id if known else 0, is_active=True)
        password_hash = rows.values_list("password", flat=True).first()
        return password_hash or None

    async def _run(self, work: Callable[[], Result]) -> Result:
        def closing() -> Result:
            try:
                return work()
            finally:
                connection.close()

        return await run_in(self._threads, closing, "read")


def _is_text(password: str) -> bool:
    try:
        password.encode()
    except UnicodeEncodeError:  # halves of surrogate pairs, which JSON can have
        return False
    return True
