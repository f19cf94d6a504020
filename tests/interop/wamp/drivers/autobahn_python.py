"""Autobahn-Python, unmodified: `autobahn_python.py asyncio` or `autobahn_python.py twisted`."""

import asyncio
import logging
import ssl
import sys
from collections.abc import Awaitable
from types import ModuleType
from typing import Any

import conversation
import txaio
from conversation import FAILURE_URI, Inbox, Refused

IS_TWISTED = sys.argv[1] == "twisted"
# Autobahn's modules take hold of the framework when they are imported.
txaio.use_twisted() if IS_TWISTED else txaio.use_asyncio()

from autobahn.wamp import auth
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.serializer import create_transport_serializer
from autobahn.wamp.types import (
    CallOptions,
    CallResult,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
)

SECRET_NAMES = {
    "ticket": "ticket", "wampcra": "secret", "cryptosign": "privkey", "scram": "password",
}  # fmt: skip


class Flavour:
    """One of the two event loops that Autobahn knows, and how to wait for what it gives."""

    def __init__(self) -> None:
        if IS_TWISTED:
            from twisted.internet import asyncioreactor

            asyncioreactor.install(asyncio.get_running_loop())
            from autobahn.twisted import wamp
            from twisted.internet import reactor
            from twisted.internet.defer import CancelledError

            reactor.startRunning(installSignalHandlers=False)
            self.canceled: type[BaseException] = CancelledError
        else:
            from autobahn.asyncio import wamp

            self.canceled = asyncio.CancelledError
        self.wamp: ModuleType = wamp

    def wait(self, promise: Any) -> Awaitable[Any]:
        return promise.asFuture(asyncio.get_running_loop()) if IS_TWISTED else promise

    def forever(self, interrupted: Any) -> Any:
        """What an endpoint returns that never ends by itself."""
        if IS_TWISTED:
            from twisted.internet.defer import Deferred

            return Deferred(interrupted)
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(interrupted)
        return future

    def open(self, runner: Any, make: Any) -> Awaitable[Any]:
        if IS_TWISTED:
            return self.wait(runner.run(make, start_reactor=False))
        return runner.run(make, start_loop=False, log_level=None)


class AutobahnSession:
    """A session of Autobahn's, with names as `conversation.Session` has them."""

    def __init__(self, flavour: Flavour, session: Any, details: Any) -> None:
        self.inbox = Inbox()
        self.welcome = {name: getattr(details, name) for name in ("authid", "authmethod", "realm")}
        self._flavour, self._session = flavour, session

    async def subscribe(self, topic: str, match: str) -> None:
        def heard(*args: Any, details: Any, **kwargs: Any) -> None:
            event = {"args": args, "kwargs": kwargs, "topic": details.topic}
            self.inbox.put(topic, event)

        options = SubscribeOptions(match=match, details=True)
        await self._wait(self._session.subscribe(heard, topic, options))

    async def publish(self, topic: str, args: Any, kwargs: Any, options: dict[str, bool]) -> None:
        published = self._session.publish(topic, *args, **kwargs, options=PublishOptions(**options))
        if options.get("acknowledge"):
            await self._wait(published)

    async def register(self, procedure: str, endpoint: str, match: str) -> None:
        options = RegisterOptions(match=match, details=True)
        function = getattr(self, f"on_{endpoint}")
        await self._wait(self._session.register(function, procedure, options))

    async def call(self, procedure: str, args: Any, kwargs: Any, progress: bool) -> Any:
        seen: list[Any] = []
        options = CallOptions(
            on_progress=(lambda *args: seen.append(list(args))) if progress else None
        )
        result = await self._wait(self._session.call(procedure, *args, **kwargs, options=options))
        if not isinstance(result, CallResult):  # what Autobahn makes of one plain argument
            result = CallResult(result)
        return {"args": result.results, "kwargs": result.kwresults, "progress": seen}

    async def cancel(self, procedure: str, mode: str | None) -> Any:
        assert mode is None, "Autobahn-Python's caller names no mode"
        pending = self._session.call(procedure)
        pending.cancel()
        try:
            await self._flavour.wait(pending)
        except self._flavour.canceled:
            raise Refused("wamp.error.canceled") from None

    async def leave(self) -> None:
        await self._wait(self._session.leave())

    async def _wait(self, promise: Any) -> Any:
        try:
            return await self._flavour.wait(promise)
        except ApplicationError as error:
            raise Refused(error.error, error.args, error.kwargs) from None

    def on_echo(self, *args: Any, details: Any, **kwargs: Any) -> CallResult:
        return CallResult(*args, **kwargs)

    def on_fail(self, *args: Any, details: Any, **kwargs: Any) -> None:
        raise ApplicationError(FAILURE_URI, *args, **kwargs)

    def on_count(self, to: int, details: Any) -> int:
        for number in range(to):
            if details.progress is not None:
                details.progress(number)
        return to

    def on_wait(self, *args: Any, details: Any) -> Any:
        return self._flavour.forever(lambda _: self.inbox.put("interrupted", True))


def tls_context(ca: str, version: str) -> ssl.SSLContext:
    """Of asyncio's client: believes one certificate, and speaks one version of TLS."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    return context


async def join(
    flavour: Flavour, url: str, realm: str, serializer: str | None, auth_: dict[str, str]
) -> AutobahnSession:
    joined: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    class Joining(flavour.wamp.Session):  # type: ignore[name-defined,misc] # chosen at run time
        def on_join(self, details: Any) -> None:
            joined.set_result((self, details))

        def on_leave(self, details: Any) -> None:
            if not joined.done():
                joined.set_exception(Refused(details.reason, [details.message]))
            self.disconnect()

    def make(config: Any) -> Any:
        session = Joining(config)
        method = auth_.get("method")
        if method is not None:
            secret = {SECRET_NAMES[method]: auth_["secret"]} if method in SECRET_NAMES else {}
            more: dict[str, Any] = {"authid": auth_["authid"]} if "authid" in auth_ else {}
            if "channel_binding" in auth_:
                more["authextra"] = {"channel_binding": auth_["channel_binding"]}
            session.add_authenticator(auth.create_authenticator(method, **more, **secret))
        return session

    serializers = [create_transport_serializer(serializer)] if serializer else None
    tls = {"ssl": tls_context(auth_["ca"], auth_["tls"])} if "tls" in auth_ else {}
    runner = flavour.wamp.ApplicationRunner(url, realm, serializers=serializers, **tls)
    await flavour.open(runner, make)
    async with asyncio.timeout(10):
        session, details = await joined
    return AutobahnSession(flavour, session, details)


async def main() -> None:
    logging.disable()
    flavour = Flavour()
    await conversation.converse(
        lambda url, realm, serializer, auth: join(flavour, url, realm, serializer, auth)
    )


if __name__ == "__main__":
    asyncio.run(main())
