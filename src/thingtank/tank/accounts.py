"""Accounts and what people say of themselves, and where both are kept."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from thingtank.tank.things import DESCRIPTION_CHARS_MAX, Account, text_problems

LOGIN_CHARS_MAX = 150
NAME_CHARS_MAX = 150
EMAIL_CHARS_MAX = 254
PER_PAGE_MAX = 1000
TAKEN = ("username", "has already been taken")


class Profile(msgspec.Struct, frozen=True):
    """An account with what its person says of it.

    Attributes:
        account: its `account_id` is 0 before it is stored.
    """

    account: Account
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    about: str = ""
    website: str = ""
    organisation: str = ""
    time_zone: str = ""

    @property
    def full_name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}".strip()


class ProfileChange(msgspec.Struct, frozen=True):
    """New values for a profile; UNSET ones stay."""

    login: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    about: str | UnsetType = UNSET
    website: str | UnsetType = UNSET
    organisation: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET


class ProfilePage(msgspec.Struct, frozen=True):
    """One page of accounts, oldest first, and how many there are in all."""

    profiles: Sequence[Profile]
    total_count: int


class Accounts(Protocol):
    """Accounts as they are stored; the directory knows of each change when it returns.

    What a login, an address of e-mail or a password must be like, the store decides.
    """

    async def list_profiles(self, page: int, per_page: int) -> ProfilePage:
        """One page of accounts."""
        ...

    async def get_profile(self, login: str) -> Profile:
        """Raise NoSuchAccount if there is none."""
        ...

    async def insert_account(self, profile: Profile, password: str | None) -> Profile:
        """Store an account; without a password nobody can sign in to it until it gets one.

        Raises:
            ValidationFailed: the login is taken or no login, the e-mail or password is none.
        """
        ...

    async def update_profile(self, login: str, change: Callable[[Profile], Profile]) -> Profile:
        """Store `change` of an account.

        Raises:
            NoSuchAccount, ValidationFailed: as `insert_account`.
        """
        ...

    async def delete_account(self, login: str) -> int:
        """Remove an account with its keys and products; return its number.

        Raises:
            NoSuchAccount, ValidationFailed: it still has feeds.
        """
        ...


def changed_profile(profile: Profile, change: ProfileChange) -> Profile:
    """`profile` with `change`; texts without blanks around them."""
    fields = {
        name: value.strip()
        for name in change.__struct_fields__
        if (value := getattr(change, name)) is not UNSET
    }
    login = fields.pop("login", profile.account.login)
    account = msgspec.structs.replace(profile.account, login=login)
    return msgspec.structs.replace(profile, account=account, **fields)


def profile_problems(profile: Profile) -> list[tuple[str, str]]:
    """What is wrong with a profile's own content: (field, message) pairs."""
    problems = [] if profile.account.login else [("login", "can't be blank")]
    problems += text_problems({"login": profile.account.login}, LOGIN_CHARS_MAX)
    problems += text_problems({"email": profile.email}, EMAIL_CHARS_MAX)
    names = {"first_name": profile.first_name, "last_name": profile.last_name}
    problems += text_problems(names, NAME_CHARS_MAX)
    problems += text_problems({"about": profile.about}, DESCRIPTION_CHARS_MAX)
    return problems + text_problems(
        {
            "website": profile.website,
            "organisation": profile.organisation,
            "time_zone": profile.time_zone,
        }
    )
