"""What the workbench's ASGI apps answer that hold no thread: streams and exports, or why not."""

import asyncio
from http import HTTPStatus
from typing import Any

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.errors import NotFound
from thingtank.tank.tank import Tank
from thingtank.web import tank_access
from thingtank.web.workbench.bounds import TooManyVisits

SESSION_CHECK_S = 30.0

Refusal = tuple[HTTPStatus, str]


def address_of(scope: Any) -> str:
    """The peer's IP address; blank when there is none, as on a local socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def unseen(caller: Caller) -> Refusal:
    """Why a device is not shown; it does not tell a private one from none."""
    if caller.account is None:
        return HTTPStatus.UNAUTHORIZED, "Sign in first."
    return HTTPStatus.NOT_FOUND, "No such device."


def too_many(error: TooManyVisits) -> Refusal:
    """Why there is no place for another."""
    if error.is_own:
        return HTTPStatus.TOO_MANY_REQUESTS, "Too many at once. Close one first."
    return HTTPStatus.SERVICE_UNAVAILABLE, "Too many at once. Try again later."


def may_see(tank: Tank, caller: Caller, device_id: int) -> bool:
    """Whether the account as it is now, or a stranger, may see the device as it is now."""
    directory = tank.directory
    try:
        device = directory.get_device(device_id)
        if caller.account is not None:
            caller = Caller(directory.get_account(caller.account.account_id))
    except NotFound:
        return False
    return may_reach(caller, "get", device)


async def watch_client(caller: Caller, scope: Any, receive: Any, stopping: asyncio.Event) -> None:
    """Set `stopping` once the client has gone, or its session has ended."""
    while not stopping.is_set():
        try:
            async with asyncio.timeout(SESSION_CHECK_S):
                message = await receive()
        except TimeoutError:
            is_over = caller.account is not None and await _has_signed_out(scope)
        else:
            is_over = message["type"] == "http.disconnect"
        if is_over:
            stopping.set()


async def _has_signed_out(scope: Any) -> bool:
    caller = await tank_access.caller_of_headers(scope["headers"])
    return caller.account is None


async def refuse(send: Any, status: HTTPStatus, reason: str) -> None:
    """Answer with a status and a sentence."""
    body = reason.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers.append((b"retry-after", b"10"))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
