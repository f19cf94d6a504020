"""Users: list, create, read, change, delete.

Source: Xively API v2, users: known only from one client's tests.
"""

from thingtank.documents.users import profile_change, user_body
from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.resources.shared import Context
from thingtank.doors.xively.responses import DONE, Reply
from thingtank.protocols.xively import query
from thingtank.protocols.xively import user_documents as documents
from thingtank.protocols.xively.paths import UserPath
from thingtank.tank.actions.users import (
    create_user,
    delete_user,
    get_user,
    list_users,
    update_user,
)


async def list_all(context: Context, request: Request) -> Reply:
    """`GET /users`."""
    page, per_page = query.page_of(request.parameters)
    found = await list_users(context.tank, request.caller, page, per_page)
    return Reply(body=documents.serialize_users([user_body(profile) for profile in found.profiles]))


async def create(context: Context, request: Request) -> Reply:
    """`POST /users`: 201 and `Location`."""
    document = documents.parse_user(request.body)
    profile = await create_user(
        context.tank, request.caller, profile_change(document), document.password
    )
    return Reply(201, location=f"{request.base_url}/v2/users/{profile.account.login}")


async def read(context: Context, request: Request) -> Reply:
    """`GET /users/LOGIN`."""
    profile = await get_user(context.tank, request.caller, _login(request))
    return Reply(body=documents.serialize_user(user_body(profile)))


async def update(context: Context, request: Request) -> Reply:
    """`PUT /users/LOGIN`."""
    change = profile_change(documents.parse_user(request.body))
    await update_user(context.tank, request.caller, _login(request), change)
    return DONE


async def delete(context: Context, request: Request) -> Reply:
    """`DELETE /users/LOGIN`."""
    await delete_user(context.tank, request.caller, _login(request))
    return DONE


def _login(request: Request) -> str:
    path = request.target.path
    assert isinstance(path, UserPath)
    return path.login
