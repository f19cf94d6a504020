"""Runs a component of a program's own: a class, or an object, that a module has.

It joins, and joins again after the connection was lost or it failed, later and later while that
goes on.
"""

import asyncio
import contextlib
import importlib
import inspect
import ssl
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from thingtank.cli.session import Refusal
from thingtank.cli.wamp_address import Address, endpoint_of
from thingtank.cli.wamp_client import CLOSE_WORDS, JOIN_WORDS, LASTING, LEAVE_S_MAX

RETRY = {
    "max_retries": -1,
    "initial_retry_delay": 0.5,
    "retry_delay_growth": 1.5,
    "retry_delay_jitter": 0.1,
    "max_retry_delay": 30,
}


def show_errors() -> None:
    """Have errors in the component's own functions printed, with their tracebacks."""
    import txaio

    txaio.start_logging(out=sys.stderr, level="error")  # type: ignore[attr-defined] # of asyncio's half


def load(name: str) -> Any:
    """What `module:Component` names; modules of the working folder are found as well.

    Raises:
        Refusal: there is no such thing, or it is no component.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon or not attribute:
        raise click.UsageError(f"{name!r} is not of the form module:Component")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise Refusal(f"there is no module {module_name} here or installed") from None
        raise
    except RuntimeError as error:
        if "twisted" in str(error).lower() or "asyncio" in str(error).lower():
            raise Refusal(_for_twisted(module_name)) from None
        raise
    found = getattr(module, attribute, None)
    if found is None:
        raise Refusal(f"{module_name} has no {attribute}")
    _check(found, name)
    return found


def _check(found: Any, name: str) -> None:
    from autobahn.wamp.component import Component
    from autobahn.wamp.protocol import ApplicationSession

    classes = found.__mro__ if isinstance(found, type) else type(found).__mro__
    if any(each.__module__.startswith("autobahn.twisted") for each in classes):
        raise Refusal(_for_twisted(name))
    is_class = isinstance(found, type) and issubclass(found, ApplicationSession)
    if not is_class and not isinstance(found, Component):
        raise Refusal(f"{name} is no ApplicationSession class, and no Component of Autobahn's")


def _for_twisted(name: str) -> str:
    return (
        f"{name} is written for Twisted; take autobahn.asyncio in it, or run it by its own program"
    )


def component_of(found: Any, address: Address) -> Any:
    """A component that keeps a session of a class joined; a component is one already."""
    from autobahn.asyncio.component import Component

    if not isinstance(found, type):
        return found
    endpoint = endpoint_of(address)
    where: dict[str, Any] = {"type": "unix", "path": endpoint.path}
    if not endpoint.path:
        where = {"type": "tcp", "host": endpoint.host, "port": endpoint.port}
        if endpoint.tls:
            where["tls"] = endpoint.tls
    kind = "websocket" if endpoint.is_websocket else "rawsocket"
    return Component(
        transports=[{"type": kind, "url": address.url, "endpoint": where, **RETRY}],
        realm=address.realm,
        session_factory=_prepared(found),
        authentication=address.authentication,
        is_fatal=_is_lasting,
    )


def _is_lasting(error: Any) -> bool:
    if isinstance(error, ssl.SSLCertVerificationError):
        return True
    return getattr(error, "error", None) in LASTING


def _prepared(session_class: Any) -> Any:
    """The class, which also does what its decorators say, and can say who it is."""
    from autobahn.wamp.protocol import ApplicationSession

    class Prepared(session_class):  # type: ignore[misc] # known only now
        if session_class.onConnect is ApplicationSession.onConnect:
            # Sessions of Autobahn's older kind, which the book's programs are.
            _authenticators: tuple[Any, ...] = ()

            def add_authenticator(self, authenticator: Any) -> None:
                self._authenticators += (authenticator,)

            def onConnect(self) -> None:
                methods = [each.name for each in self._authenticators] or None
                authids = {each._args.get("authid") for each in self._authenticators}
                self.join(self.config.realm, methods, *authids)

            def onChallenge(self, challenge: Any) -> Any:
                (found,) = (e for e in self._authenticators if e.name == challenge.method)
                return found.on_challenge(self, challenge)

        if not _has_own_on_join(session_class):
            _serving: frozenset[str] = frozenset()

            def register(self, endpoint: Any, *args: Any, **kwargs: Any) -> Any:
                if endpoint is self and self._does_already("register"):
                    return _nothing()
                return super().register(endpoint, *args, **kwargs)

            def subscribe(self, handler: Any, *args: Any, **kwargs: Any) -> Any:
                if handler is self and self._does_already("subscribe"):
                    return _nothing()
                return super().subscribe(handler, *args, **kwargs)

            def _does_already(self, what: str) -> bool:
                """For an on_join that has itself registered, as it must in other programs."""
                done = what in self._serving
                self._serving |= {what}
                return done

            async def onJoin(self, details: Any) -> None:
                for refused in [*await self.register(self), *await self.subscribe(self)]:
                    if isinstance(refused, Exception):
                        raise refused
                on_join = getattr(self, "on_join", None)
                if on_join is not None:
                    await _finished(on_join(details))

    return _named_as(session_class, Prepared)


def _nothing() -> asyncio.Future[list[Any]]:
    found: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    found.set_result([])
    return found


async def _finished(result: Any) -> None:
    if inspect.isawaitable(result):
        await result


def _has_own_on_join(session_class: Any) -> bool:
    """Whether the class has Autobahn's older `onJoin`, and so does all itself after the join."""
    own = (each for each in session_class.__mro__ if not each.__module__.startswith("autobahn."))
    return any("onJoin" in vars(each) for each in own)


def _watched(session_class: Any, component: Any, faults: list[BaseException]) -> Any:
    """The class, whose session ends when what follows the join fails; why is put in `faults`.

    Autobahn alone would note it and stay joined. Nor does it join when the component is to stop.
    """

    class Watched(session_class):  # type: ignore[misc] # known only now
        def onOpen(self, transport: Any) -> None:
            if component._stopping:
                transport.abort()
            else:
                super().onOpen(transport)

        async def onJoin(self, details: Any) -> None:
            try:
                await _finished(super().onJoin(details))
            except Exception as error:  # noqa: BLE001 # whatever a stranger's code raises
                self._end_for(error)

        def disconnect(self) -> None:
            # One turn later: over RawSocket the component would otherwise hear of the connection's
            # end before it hears that the session has left, and join again.
            asyncio.get_running_loop().call_soon(super().disconnect)

        def fire(self, event: str, *args: Any, **kwargs: Any) -> Any:
            fired = super().fire(event, *args, **kwargs)
            if event == "join":
                fired.add_done_callback(self._heard)
            return fired

        def _heard(self, fired: asyncio.Future[Any]) -> None:
            error = None if fired.cancelled() else fired.exception()
            if error is not None:
                self._end_for(error)

        def _end_for(self, error: BaseException) -> None:
            if not self.is_attached():  # what fails then fails for that, or is of no use any more
                return
            faults.append(error)
            self._transport.abort()

    return _named_as(session_class, Watched)


def _named_as(session_class: Any, made: Any) -> Any:
    for name in ("__name__", "__qualname__", "__module__"):
        setattr(made, name, getattr(session_class, name))
    return made


class _Nobody:
    """In place of the future of a stopped component, which may go on telling of its end."""

    def done(self) -> bool:
        return False

    def set_result(self, _: Any) -> None:
        """Hear nothing."""

    def set_exception(self, _: Any) -> None:
        """Hear nothing."""


class _Silent:
    """In place of a component's log: what it would say is said here, once and in words."""

    def __getattr__(self, level: str) -> Any:
        return lambda *_, **__: None


async def keep_running(component: Any) -> None:
    """Run a component until it is done, or this is cancelled.

    Raises:
        Refusal: it cannot ever join.
    """
    failures: list[Any] = []
    faults: list[BaseException] = []
    is_fatal = component._is_fatal or (lambda _: False)

    def failed(_: Any, error: Any) -> None:
        failures[:] = [error]
        if component._stopping:
            return
        if faults:
            _print_fault(faults.pop())
        elif not is_fatal(error):
            click.echo(f"Not connected: {_words_of(error)}", err=True)

    def succeeded(_: Any, details: Any) -> None:
        click.echo(f"Joined {details.realm} as {details.authid}.", err=True)

    component.log = _Silent()
    if isinstance(component.session_factory, type):
        component.session_factory = _watched(component.session_factory, component, faults)
    component.on("connectfailure", failed)
    component.on("join", succeeded)
    done = component.start(loop=asyncio.get_running_loop())
    try:
        await asyncio.shield(done)
    except asyncio.CancelledError:
        await _stop(component, done)
        raise
    except RuntimeError:
        raise Refusal(_words_of(failures[0]) if failures else "it could not connect") from None


async def _stop(component: Any, done: asyncio.Future[None]) -> None:
    """End a component wherever it is: connecting, joined, losing its session, waiting, or done.

    Autobahn's own `stop` fails where the connection is being closed, or the component is done.
    """
    from autobahn.exception import Disconnected
    from autobahn.wamp.exception import TransportLost

    component._stopping = True
    component._can_reconnect = lambda: False
    session = component._session
    if not done.done() and session is not None and session.is_attached():
        with contextlib.suppress(Disconnected, TransportLost):
            session.leave()
            await asyncio.wait([done], timeout=LEAVE_S_MAX)
    elif session is not None and session._transport is not None:
        session._transport.abort()  # or it would join yet, while all else ends
    component._done_f = _Nobody()
    if component._delay_f is not None:
        component._delay_f.cancel()


def _print_fault(error: BaseException) -> None:
    traceback.print_exception(error)
    click.echo(
        f"The component failed after its join ({_words_of(error)}), so its session was ended; it"
        " joins again.",
        err=True,
    )


def _words_of(error: Any) -> str:
    uri = getattr(error, "error", None)
    if uri in CLOSE_WORDS:
        return CLOSE_WORDS[uri]
    if uri is not None:
        said = ", ".join(str(value) for value in error.args if value)
        return f"{JOIN_WORDS.get(uri, uri)}{f' ({said})' if said else ''}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not believed: {error.verify_message}; --ca FILE names one"
    return str(error) or type(error).__name__
