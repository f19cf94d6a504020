"""Accounts, for admins; and each person's own profile.

Source: Xively API v2, users (known from clients' tests only).
"""

import contextlib

from msgspec import UNSET

from thingtank.tank.access import Caller, check_administer
from thingtank.tank.accounts import (
    PER_PAGE_MAX,
    Profile,
    ProfileChange,
    ProfilePage,
    changed_profile,
    profile_problems,
)
from thingtank.tank.errors import NotAllowed, Unavailable, ValidationFailed
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account

PAGE_MAX = 1_000_000


async def list_users(tank: Tank, caller: Caller, page: int = 1, per_page: int = 50) -> ProfilePage:
    """One page of accounts, oldest first.

    Raises:
        ValidationFailed, NotAllowed, Unauthenticated.
    """
    check_administer(caller)
    if not (1 <= page <= PAGE_MAX and 1 <= per_page <= PER_PAGE_MAX):
        raise ValidationFailed([("page", f"or per_page is not between 1 and {PER_PAGE_MAX}")])
    return await tank.accounts.list_profiles(page, per_page)


async def get_user(tank: Tank, caller: Caller, login: str) -> Profile:
    """An account: for admins, for its own person, and for its own master keys.

    Raises:
        NoSuchAccount, NotAllowed, Unauthenticated.
    """
    if not (_is_own(caller, login) and (caller.key is None or caller.key.is_master)):
        check_administer(caller)
    return await tank.accounts.get_profile(login)


def _is_own(caller: Caller, login: str) -> bool:
    account = caller.account
    return account is not None and account.is_active and account.login == login


async def create_user(
    tank: Tank, caller: Caller, change: ProfileChange, password: str | None = None
) -> Profile:
    """Make an account, which is no admin's; without a password nobody can sign in to it yet.

    Raises:
        ValidationFailed, NotAllowed, Unauthenticated.
    """
    check_administer(caller)
    profile = changed_profile(Profile(Account(0, "")), change)
    return await tank.accounts.insert_account(_checked(profile), password)


def _checked(profile: Profile) -> Profile:
    problems = profile_problems(profile)
    if problems:
        raise ValidationFailed(problems)
    return profile


async def update_user(tank: Tank, caller: Caller, login: str, change: ProfileChange) -> Profile:
    """Change an account's profile: an admin's master key, an admin, or the person itself.

    Only admins change a login.

    Raises:
        NoSuchAccount, ValidationFailed, NotAllowed, Unauthenticated.
    """
    is_rename = change.login is not UNSET and change.login.strip() != login
    if caller.key is not None or not _is_own(caller, login) or is_rename:
        check_administer(caller)
    return await tank.accounts.update_profile(
        login, lambda newest: _checked(changed_profile(newest, change))
    )


async def delete_user(tank: Tank, caller: Caller, login: str) -> None:
    """Delete an account with its keys, products, deliveries; it must have no feeds any more.

    Deliveries that cannot be dropped now go with `forget_gone_accounts`.

    Raises:
        NoSuchAccount, ValidationFailed, NotAllowed, Unauthenticated.
    """
    check_administer(caller)
    if _is_own(caller, login):
        raise NotAllowed("an admin may not delete their own account")
    account_id = await tank.accounts.delete_account(login)
    if tank.deliveries is not None:
        # Who were told 503 would try again, and be told that there is no such account.
        with contextlib.suppress(Unavailable):
            await tank.deliveries.forget_account(account_id)
