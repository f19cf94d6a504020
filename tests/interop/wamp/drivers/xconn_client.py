"""xconn, the Python client of the WAMP libraries for many languages, unmodified.

Its asyncio session knows no progress and no cancel.
"""

import asyncio
from typing import Any

import conversation
from conversation import FAILURE_URI, Inbox, Refused
from wampproto import auth as authenticators
from wampproto import serializers
from wampproto.exception import ApplicationError as JoinError
from xconn.async_client import connect
from xconn.exception import ApplicationError
from xconn.types import Event, Invocation, Result

SERIALIZERS = {
    "json": serializers.JSONSerializer,
    "msgpack": serializers.MsgPackSerializer,
    "cbor": serializers.CBORSerializer,
}
AUTHENTICATORS = {
    "ticket": authenticators.TicketAuthenticator,
    "wampcra": authenticators.WAMPCRAAuthenticator,
    "cryptosign": authenticators.CryptoSignAuthenticator,
}


class XconnSession:
    """A session of xconn's, with names as `conversation.Session` has them."""

    def __init__(self, session: Any) -> None:
        self.inbox = Inbox()
        details = session._base_session.session_details
        self.welcome = {name: getattr(details, name, None) for name in ("authid", "realm")}
        self._session = session

    async def subscribe(self, topic: str, match: str) -> None:
        async def heard(event: Event) -> None:
            item = {"args": event.args, "kwargs": event.kwargs}
            self.inbox.put(topic, {**item, "topic": event.details.get("topic")})

        await self._wait(self._session.subscribe(topic, heard, {"match": match}))

    async def publish(self, topic: str, args: Any, kwargs: Any, options: dict[str, bool]) -> None:
        await self._wait(self._session.publish(topic, args, kwargs, options))

    async def register(self, procedure: str, endpoint: str, match: str) -> None:
        async def echo(invocation: Invocation) -> Result:
            return Result(invocation.args, invocation.kwargs)

        async def fail(invocation: Invocation) -> Result:
            raise ApplicationError(FAILURE_URI, *invocation.args)

        endpoints = {"echo": echo, "fail": fail}
        await self._wait(self._session.register(procedure, endpoints[endpoint], {"match": match}))

    async def call(self, procedure: str, args: Any, kwargs: Any, progress: bool) -> Any:
        result = await self._wait(self._session.call(procedure, args, kwargs))
        return {"args": result.args or [], "kwargs": result.kwargs or {}, "progress": []}

    async def leave(self) -> None:
        await self._session.leave()

    async def _wait(self, promise: Any) -> Any:
        try:
            return await promise
        except ApplicationError as error:
            raise Refused(error.message, error.args, error.kwargs) from None


async def join(url: str, realm: str, serializer: str | None, auth: dict[str, str]) -> XconnSession:
    authenticator = authenticators.AnonymousAuthenticator("")
    if auth:
        authenticator = AUTHENTICATORS[auth["method"]](auth["authid"], auth["secret"])
    assert serializer is not None, "xconn offers what it is told to"
    try:
        session = await connect(url, realm, authenticator, SERIALIZERS[serializer]())
    except JoinError as error:
        raise Refused(error.message, error.args, error.kwargs) from None
    return XconnSession(session)


if __name__ == "__main__":
    asyncio.run(conversation.converse(join))
