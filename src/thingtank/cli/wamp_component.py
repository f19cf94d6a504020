"""Runs a component of a program's own: a class, or an object, that a module has.

It joins, and joins again after the connection was lost, later and later while that fails.
"""

import asyncio
import importlib
import sys
from pathlib import Path
from typing import Any

import click

from thingtank.cli.session import Refusal
from thingtank.cli.wamp_client import JOIN_WORDS, LASTING, LEAVE_S_MAX, Address

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


def is_class(found: Any) -> bool:
    """Whether it is a class of sessions, which needs to be told where to go."""
    return isinstance(found, type)


def component_of(session_class: Any, address: Address) -> Any:
    """A component that keeps a session of that class joined."""
    from autobahn.asyncio.component import Component

    kind = "rawsocket" if address.url.startswith("rs") else "websocket"
    return Component(
        transports=[{"type": kind, "url": address.url, **RETRY}],
        realm=address.realm,
        session_factory=_prepared(session_class),
        authentication=address.authentication,
        is_fatal=lambda error: getattr(error, "error", None) in LASTING,
    )


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

        if not _handles_join(session_class):

            async def onJoin(self, details: Any) -> None:
                await self.register(self)
                await self.subscribe(self)

    Prepared.__name__ = session_class.__name__
    Prepared.__qualname__ = session_class.__qualname__
    Prepared.__module__ = session_class.__module__
    return Prepared


def _handles_join(session_class: Any) -> bool:
    """Whether the class says itself what happens after the join."""
    for each in session_class.__mro__:
        if each.__module__.startswith("autobahn."):
            return False
        if "onJoin" in vars(each) or "on_join" in vars(each):
            return True
    return False


async def keep_running(component: Any) -> None:
    """Run a component until it is done, or this is cancelled.

    Raises:
        Refusal: it cannot ever join.
    """
    failures: list[Any] = []

    def failed(_: Any, error: Any) -> None:
        failures[:] = [error]
        click.echo(f"Not connected: {_words_of(error)}", err=True)

    def succeeded(_: Any, details: Any) -> None:
        click.echo(f"Joined {details.realm} as {details.authid}.", err=True)

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
    component.stop()
    await asyncio.wait([done], timeout=LEAVE_S_MAX)
    done.cancel()


def _words_of(error: Any) -> str:
    uri = getattr(error, "error", None)
    if uri is not None:
        said = ", ".join(str(value) for value in error.args if value)
        return f"{JOIN_WORDS.get(uri, uri)}{f' ({said})' if said else ''}"
    return str(error) or type(error).__name__
