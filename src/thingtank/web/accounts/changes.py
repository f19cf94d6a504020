"""What may be done to accounts: the one place that stores them, for pages, admin and command line.

Each function returns once the change is stored and the doors know of it; within a transaction they
are told when that holds. Blocking, like all of Django's models.
"""

from collections.abc import Callable, Sequence

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from thingtank.tank.errors import ValidationFailed
from thingtank.web import tank_access
from thingtank.web.accounts.models import Account


def create_account(
    login: str, *, email: str = "", is_admin: bool = False, password: str | None = None
) -> Account:
    """Make an account; without a password it can only be entered by a one-time link.

    Raises:
        ValidationFailed.
    """
    account = Account(username=login, email=email, is_superuser=is_admin)
    if password is None:
        account.set_unusable_password()
    else:
        _take_password(account, password)
    _check("name", lambda: account.full_clean(exclude=["password"]))
    store_account(account)
    return account


def change_password(account: Account, password: str) -> None:
    """Give an account a new password; its sessions end.

    Raises:
        ValidationFailed.
    """
    _take_password(account, password)
    store_account(account, ["password"])


def switch_account(account: Account, is_active: bool) -> None:
    """Switch an account on or off: while it is off, its sessions and keys are dead.

    Raises:
        ValidationFailed: it is the last admin.
    """
    account.is_active = is_active
    _check("name", account.clean)
    store_account(account, ["is_active"])


def store_account(account: Account, fields: Sequence[str] | None = None) -> None:
    """Store an account whose content has been checked.

    Args:
        fields: only these; None for all.
    """
    account.is_staff = account.is_superuser  # who may do everything may also open the admin
    account.save(update_fields=fields)
    transaction.on_commit(tank_access.accounts_changed)
    tank_access.sessions_changed(account.pk)


def _take_password(account: Account, password: str) -> None:
    _check("password", lambda: validate_password(password, account))
    account.set_password(password)


def _check(field: str, validate: Callable[[], None]) -> None:
    try:
        validate()
    except ValidationError as error:
        raise ValidationFailed([(f"{field}:", " ".join(error.messages))]) from None
