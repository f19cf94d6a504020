"""How pages reach the tank: they run in threads, the tank lives in the loop's thread.

One process is one instance, so the tank is attached once, when its folder is opened.
"""

import asyncio
import concurrent.futures
import contextlib
import io
from collections.abc import Callable, Coroutine, Iterator
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any, TypeVar

import msgspec
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from thingtank.tank.access import Caller
from thingtank.tank.errors import NoSuchAccount, Unavailable
from thingtank.tank.tank import Tank

Result = TypeVar("Result")

ACTION_S_MAX = 20.0

# Who is not signed in, and may look at what is public.
VISITOR = Caller(reads_public=True)


class _Attached(msgspec.Struct, frozen=True):
    tank: Tank
    loop: asyncio.AbstractEventLoop
    refresh_accounts: Callable[[], None]


_attached: _Attached | None = None
_session_watches: dict[int, set[asyncio.Event]] = {}  # by account


def attach(tank: Tank, refresh_accounts: Callable[[], None]) -> None:
    """Give the pages their tank; from the loop's thread.

    Args:
        refresh_accounts: has the directory read the accounts anew; blocking.
    """
    global _attached
    _attached = _Attached(tank, asyncio.get_running_loop(), refresh_accounts)


def _now() -> _Attached:
    assert _attached is not None, "no tank is attached"
    return _attached


def tank() -> Tank:
    """The tank. Its directory may be read from any thread; the rest belongs to the loop."""
    return _now().tank


def run(action: Coroutine[Any, Any, Result]) -> Result:
    """Run an action in the tank's loop and wait for it; from a page's thread.

    Raises:
        Unavailable: it took longer than ACTION_S_MAX. It goes on; what comes of it is open.
        TankError: what the action raises.
    """
    future = asyncio.run_coroutine_threadsafe(action, _now().loop)
    try:
        return future.result(ACTION_S_MAX)
    except concurrent.futures.TimeoutError:
        # Not cancelled: between the steps of an action, that would leave half of it.
        raise Unavailable("it takes too long; look whether it has happened") from None


def tell(call: Callable[..., None], *args: object) -> None:
    """Have something quick done in the tank's loop, soon; from a page's thread, and nobody waits.

    It must raise nothing that is not a bug.
    """
    _now().loop.call_soon_threadsafe(call, *args)


def accounts_changed() -> None:
    """Let the doors know that accounts were added, renamed, disabled; after they are stored.

    Nothing needs telling before a tank is attached: its directory reads the accounts when it loads.
    """
    if _attached is not None:
        _attached.refresh_accounts()


@contextlib.contextmanager
def session_watch(account_id: int) -> Iterator[asyncio.Event]:
    """What is set each time when sessions of an account may have ended; for the loop's thread."""
    woken = asyncio.Event()
    watches = _session_watches.setdefault(account_id, set())
    watches.add(woken)
    try:
        yield woken
    finally:
        watches.discard(woken)
        if not watches and _session_watches.get(account_id) is watches:
            del _session_watches[account_id]


def sessions_changed(account_id: int) -> None:
    """Have what goes on for an account look whether its session has ended; from any thread.

    Within a transaction it is told when that holds.
    """
    if _attached is not None:
        transaction.on_commit(lambda: tell(_wake, account_id))


def _wake(account_id: int) -> None:
    for woken in _session_watches.get(account_id, ()):
        woken.set()


def caller(request: HttpRequest) -> Caller:
    """Who looks at a page: the signed-in account as it is now, or VISITOR."""
    user = request.user
    if not user.is_authenticated or not user.is_active:
        return VISITOR
    try:
        account = tank().directory.get_account(user.pk)
    except NoSuchAccount:
        return VISITOR
    return Caller(account, address=request.META.get("REMOTE_ADDR") or "")


async def caller_of_headers(headers: list[tuple[bytes, bytes]]) -> Caller:
    """Who sends an ASGI request's cookies; for what is not served by Django."""
    cookies = b"; ".join(value for name, value in headers if name == b"cookie")
    try:
        morsel = SimpleCookie(cookies.decode("latin-1")).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        morsel = None
    if morsel is None:
        return VISITOR
    # The loop's own bounded threads, not one for each request that would last as long as it does.
    return await sync_to_async(_caller_of_session, thread_sensitive=False)(morsel.value)


async def why_not_from_here(scope: Any) -> str:
    """Why an ASGI request by session that changes something may be another site's; blank if not.

    For what is not served by Django, whose own check this is. A form's token does not count: the
    body is not looked at.
    """
    headers = [(name, text) for name, text in scope["headers"] if name != b"content-type"]
    request = ASGIRequest({**scope, "headers": headers}, io.BytesIO())
    check = _CsrfCheck(lambda _request: HttpResponse())
    check.process_request(request)
    return str(check.process_view(request, _no_view, (), {}) or "")


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, _request: HttpRequest, reason: str) -> Any:
        return reason


def _no_view(_request: HttpRequest) -> HttpResponse:
    raise AssertionError("never called, only looked at")


def _caller_of_session(session_key: str) -> Caller:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    try:
        request.user = get_user(request)
        return caller(request)
    finally:
        connection.close()
