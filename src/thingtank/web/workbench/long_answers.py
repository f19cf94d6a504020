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
    account_id = 0 if caller.account is None else caller.account.account_id
    receiving = asyncio.ensure_future(receive())
    try:
        with tank_access.session_watch(account_id) as woken:
            while not stopping.is_set():
                is_over = await _is_over(receiving, woken)
                if is_over or (account_id and await _has_signed_out(scope)):
                    stopping.set()
                elif receiving.done():
                    receiving = asyncio.ensure_future(receive())
    finally:
        receiving.cancel()


async def _is_over(receiving: "asyncio.Future[Any]", woken: asyncio.Event) -> bool:
    """Whether the client has gone; no when it is time to look after its session."""
    waking = asyncio.create_task(woken.wait())
    try:
        await asyncio.wait(
            {receiving, waking}, timeout=SESSION_CHECK_S, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        waking.cancel()
    woken.clear()  # before the look: what ends meanwhile is looked at once more
    return receiving.done() and receiving.result()["type"] == "http.disconnect"


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
