"""Make, list, show and delete API keys. Nothing can grant more than it has."""

from collections.abc import Sequence

import msgspec

from thingtank.tank.access import Caller, check_manage
from thingtank.tank.actions.devices import new_secret
from thingtank.tank.errors import LimitReached, NotAllowed, NotFound, ValidationFailed
from thingtank.tank.keys import ApiKey, key_problems
from thingtank.tank.tank import Tank


async def create_key(tank: Tank, caller: Caller, draft: ApiKey) -> tuple[ApiKey, str]:
    """Make a key for `draft.account_id`; return it with its secret.

    Raises:
        ValidationFailed, LimitReached, NotAllowed, Unauthenticated.
    """
    check_manage(caller, draft.account_id)
    tank.directory.get_account(draft.account_id)
    problems = key_problems(draft)
    if problems:
        raise ValidationFailed(problems)
    _check_resources(tank, draft)
    if len(tank.directory.keys_of(draft.account_id)) >= tank.limits.keys_per_account_max:
        raise LimitReached(f"an account may have {tank.limits.keys_per_account_max} keys")
    secret = new_secret()
    dated = msgspec.structs.replace(draft, created_us=tank.clock.now_us())
    return await tank.directory.insert_key(dated, secret), secret


def _check_resources(tank: Tank, draft: ApiKey) -> None:
    """A key reaches only its own account's feeds and public ones."""
    for permission in draft.permissions:
        for resource in permission.resources:
            try:
                device = tank.directory.get_device(resource.feed_id)
            except NotFound:
                device = None
            if device is None or (device.private and device.account_id != draft.account_id):
                raise ValidationFailed(
                    [("resources_feed_id", f"{resource.feed_id} is not a feed of this account")]
                )


def list_keys(
    tank: Tank, caller: Caller, account_id: int, feed_id: int | None = None
) -> Sequence[ApiKey]:
    """The keys of an account, oldest first; with `feed_id` only those that name that feed.

    Raises:
        NotAllowed, Unauthenticated.
    """
    check_manage(caller, account_id)
    keys = tank.directory.keys_of(account_id)
    if feed_id is None:
        return keys
    return [
        key
        for key in keys
        if any(
            resource.feed_id == feed_id
            for permission in key.permissions
            for resource in permission.resources
        )
    ]


def reveal_key(tank: Tank, caller: Caller, key_id: int) -> str:
    """The secret of a key, for its own account; an admin may delete another's, not use it.

    Raises:
        NoSuchKey, NotAllowed, Unauthenticated.
    """
    key = tank.directory.get_key(key_id)
    check_manage(caller, key.account_id)
    account = caller.account
    if not caller.is_operator and (account is None or account.account_id != key.account_id):
        raise NotAllowed("only a key's own account may see its secret")
    return tank.directory.reveal_key(key_id)


async def delete_key(tank: Tank, caller: Caller, key_id: int) -> None:
    """Delete a key; it is dead at once.

    Raises:
        NoSuchKey, NotAllowed, Unauthenticated.
    """
    key = tank.directory.get_key(key_id)
    check_manage(caller, key.account_id)
    await tank.directory.delete_key(key_id)
