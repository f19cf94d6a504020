"""A WAMP session of the command line, by Autobahn's asyncio client, and words for its errors.

Everything of Autobahn is imported where it is used: it takes a third of a second.
"""

import asyncio
import base64
import json
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from thingtank.cli.json_text import escaped, json_text
from thingtank.cli.session import Refusal
from thingtank.cli.wamp_address import Address, Endpoint, endpoint_of, why_not_connected

JOIN_S_MAX = 10.0
LEAVE_S_MAX = 2.0
PING_S = 10.0
_WORDS = {
    "wamp.error.not_authorized": "this session may not do that (not authorized)",
    "wamp.error.authorization_failed": "the router cannot decide whether this session may do that",
    "wamp.error.no_such_procedure": "nobody has registered this procedure",
    "wamp.error.procedure_already_exists": "this procedure is registered already",
    "wamp.error.invalid_uri": "the router takes no such URI",
    "wamp.error.timeout": "the call took too long",
    "wamp.error.canceled": "the call was canceled; the callee may have gone",
    "wamp.error.no_available_callee": "no callee is free",
}
_NOT_LET_IN = (
    "the router did not let this session in; --authid with a ticket or secret says who it is"
)
JOIN_WORDS = {
    "wamp.error.no_such_realm": "there is no such realm",
    "wamp.error.not_authorized": _NOT_LET_IN,
    "wamp.error.authentication_denied": _NOT_LET_IN,
    "wamp.error.authentication_failed": _NOT_LET_IN,
    "wamp.error.no_matching_auth_method": _NOT_LET_IN,
    "wamp.error.no_auth_method": _NOT_LET_IN,
    "wamp.error.no_such_principal": _NOT_LET_IN,
}
CLOSE_WORDS = {
    "wamp.close.system_shutdown": "the server stops",
    "wamp.close.transport_lost": "the connection was lost",
}
LASTING = frozenset(JOIN_WORDS)  # trying again would not help


class ConnectionLost(Refusal):
    """The session ended before the command did."""


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run a command's coroutine; Ctrl-C and SIGTERM end it as its own end would."""
    import txaio

    txaio.use_asyncio()
    logging.getLogger().addHandler(logging.NullHandler())  # what Autobahn notes is said in words
    with asyncio.Runner() as runner:
        runner.run(_until_interrupted(main))


async def _until_interrupted(main: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.ensure_future(main())
    loop = asyncio.get_running_loop()
    interrupted = []

    def interrupt() -> None:
        interrupted.append(True)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        await task
    except (asyncio.CancelledError, Refusal):  # what fails while it ends is of no interest
        if not interrupted:
            raise


@asynccontextmanager
async def joined(address: Address) -> AsyncIterator[Any]:
    """A session, from its join until it has said goodbye.

    Raises:
        Refusal: with what is in the way.
    """
    session, lost = await _join(address)
    body = asyncio.current_task()
    assert body is not None, "a coroutine runs in a task"

    def stop_waiting(_: Any) -> None:
        body.cancel("lost")

    lost.add_done_callback(stop_waiting)
    try:
        yield session
    except asyncio.CancelledError:
        if lost.done():
            raise ConnectionLost(f"the connection to {address.url} was lost") from None
        raise
    finally:
        lost.remove_done_callback(stop_waiting)
        if not lost.done():
            await _leave(session, lost)


async def _join(address: Address) -> tuple[Any, asyncio.Future[None]]:
    from autobahn.asyncio.wamp import Session
    from autobahn.wamp.auth import create_authenticator
    from autobahn.wamp.types import ComponentConfig

    endpoint = endpoint_of(address)
    loop = asyncio.get_running_loop()
    welcome: asyncio.Future[Any] = loop.create_future()
    lost: asyncio.Future[None] = loop.create_future()

    class CommandSession(Session):
        def on_join(self, details: Any) -> None:
            welcome.set_result(self)

        def on_leave(self, details: Any) -> None:
            if not welcome.done():
                welcome.set_exception(Refusal(_why_not_joined(address, details)))
            self.disconnect()

    def make() -> Any:
        session = CommandSession(ComponentConfig(address.realm))
        for method, parameters in address.authentication.items():
            authenticator = create_authenticator(method, **parameters)
            session.add_authenticator(authenticator)  # type: ignore[no-untyped-call] # Autobahn's
        return session

    try:
        async with asyncio.timeout(JOIN_S_MAX):
            protocol = await _connect(address.url, endpoint, make)
            _tell_when_lost(protocol, address, welcome, lost)
            return await welcome, lost
    except TimeoutError:
        raise Refusal(f"what listens at {address.url} does not answer as WAMP does") from None
    except OSError as error:
        raise Refusal(why_not_connected(address.url, error)) from None
    except ValueError as error:  # Autobahn's parser of URLs
        raise Refusal(f"{address.url} is no address of a WAMP router: {error}") from None


async def _connect(url: str, endpoint: Endpoint, make: Callable[[], Any]) -> Any:
    from autobahn.asyncio.rawsocket import WampRawSocketClientFactory
    from autobahn.asyncio.websocket import WampWebSocketClientFactory

    factory: Any
    if endpoint.is_websocket:
        factory = WampWebSocketClientFactory(make, url=url)
        factory.setProtocolOptions(
            autoPingInterval=PING_S, autoPingTimeout=PING_S / 2, closeHandshakeTimeout=1.0
        )
    else:
        factory = WampRawSocketClientFactory(make)
    loop = asyncio.get_running_loop()
    if endpoint.path:
        _, protocol = await loop.create_unix_connection(factory, endpoint.path)
    else:
        _, protocol = await loop.create_connection(
            factory, endpoint.host, endpoint.port, ssl=endpoint.tls
        )
    return protocol


def _tell_when_lost(
    protocol: Any, address: Address, welcome: asyncio.Future[Any], lost: asyncio.Future[None]
) -> None:
    own = protocol.connection_lost

    def connection_lost(error: Exception | None) -> None:
        own(error)
        if not welcome.done():
            reason = getattr(protocol, "wasNotCleanReason", None) or "it closed the connection"
            welcome.set_exception(Refusal(f"no WAMP at {address.url}: {reason}"))
        if not lost.done():
            lost.set_result(None)

    protocol.connection_lost = connection_lost


async def _leave(session: Any, lost: asyncio.Future[None]) -> None:
    from autobahn.wamp.exception import SessionNotReady, TransportLost

    try:
        async with asyncio.timeout(LEAVE_S_MAX):
            await session.leave()
            await lost
    except (TimeoutError, SessionNotReady, TransportLost):
        pass  # the router is gone, or was first


def _why_not_joined(address: Address, details: Any) -> str:
    words = JOIN_WORDS.get(details.reason)
    said = f" ({details.message})" if details.message else ""
    return f"{address.url}, realm {address.realm}: {words or details.reason}{said}"


def why_refused(error: Any, uri: str) -> str:
    """Words for an error that answered a request, an Autobahn ApplicationError.

    Args:
        uri: the topic or procedure that it was about.
    """
    words = _WORDS.get(error.error)
    said = ", ".join(
        [
            *(json_text(plain(value)) for value in error.args),
            *(f"{escaped(key)}={json_text(plain(value))}" for key, value in error.kwargs.items()),
        ]
    )
    if words:
        why = f": {said}" if said and error.error == "wamp.error.not_authorized" else ""
        return f"{uri}: {words}{why}"
    return f"{uri}: {error.error}{': ' if said else ''}{said}"


def plain(value: Any) -> Any:
    """A value as JSON can have it; octets as WAMP writes them there."""
    if isinstance(value, bytes):
        return "\0" + base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def value_of(word: str) -> Any:
    """An argument of the command line: as JSON where it is some, else the text itself."""
    try:
        return json.loads(word)
    except ValueError:
        return word
