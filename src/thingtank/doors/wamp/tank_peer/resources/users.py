"""`tank.users`: accounts, for admins; and each person's own."""

from typing import Any

from thingtank.documents.users import profile_change, user_body
from thingtank.doors.wamp.tank_peer.resources.shared import (
    Context,
    Document,
    Number,
    json_of,
    page_body,
)
from thingtank.protocols.xively.user_documents import parse_user
from thingtank.tank.actions.users import (
    create_user,
    delete_user,
    get_user,
    list_users,
    update_user,
)


async def list_all(context: Context, *, page: Number = 1, per_page: Number = 50) -> Any:
    """List accounts, oldest first.

    Args:
        page, per_page: from 1; at most 1000 a page.

    Returns:
        `totalResults`, `startIndex`, `itemsPerPage` and `users`.
    """
    found = await list_users(context.tank, context.caller, page, per_page)
    bodies = [user_body(profile) for profile in found.profiles]
    return page_body("users", bodies, found.total_count, page, per_page)


async def read(context: Context, login: str) -> Any:
    """Read an account.

    Args:
        login: its name.

    Returns:
        The account as Xively has it: `login`, `email`, `full_name`, `roles` and so on.
    """
    return user_body(await get_user(context.tank, context.caller, login))


async def create(context: Context, document: Document) -> Any:
    """Make an account, which is no admin's.

    Args:
        document: as Xively has it, and `password`; without one nobody can sign in to it yet.

    Returns:
        The account.
    """
    read_in = parse_user(json_of({"user": document}))
    profile = await create_user(
        context.tank, context.caller, profile_change(read_in), read_in.password
    )
    return user_body(profile)


async def update(context: Context, login: str, document: Document) -> Any:
    """Change an account's profile.

    Args:
        login: its name.
        document: as Xively has it; members that it lacks stay.

    Returns:
        The account as it is now.
    """
    change = profile_change(parse_user(json_of({"user": document})))
    return user_body(await update_user(context.tank, context.caller, login, change))


async def delete(context: Context, login: str) -> None:
    """Delete an account with its keys, products and deliveries; it must have no feeds any more.

    Args:
        login: its name.

    Returns:
        Nothing.
    """
    await delete_user(context.tank, context.caller, login)
