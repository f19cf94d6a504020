"""swampyer, unmodified: it has threads where others have an event loop.

Its calls give one value back and lose an error's URI; it knows no progress and no cancel.
"""

import asyncio
import logging
from typing import Any

import conversation
import swampyer
from conversation import Inbox, Refused


class SwampyerSession:
    """A session of swampyer's, with names as `conversation.Session` has them."""

    def __init__(self, client: swampyer.WAMPClient) -> None:
        self.inbox = Inbox()
        details = client.peer.details
        self.welcome = {name: details.get(name) for name in ("authid", "authmethod", "realm")}
        self._client = client
        self._loop = asyncio.get_running_loop()

    async def subscribe(self, topic: str, match: str) -> None:
        def heard(event: Any, *args: Any, **kwargs: Any) -> None:
            item = {"args": args, "kwargs": kwargs, "topic": event.details.get("topic")}
            self._loop.call_soon_threadsafe(self.inbox.put, topic, item)

        await self._run(self._client.subscribe, topic, heard, {"match": match})

    async def publish(self, topic: str, args: Any, kwargs: Any, options: dict[str, bool]) -> None:
        await self._run(self._client.publish, topic, options, args, kwargs)

    async def register(self, procedure: str, endpoint: str, match: str) -> None:
        def echo(invocation: Any, *args: Any, **kwargs: Any) -> Any:
            return args[0]

        def fail(invocation: Any, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError(*args)

        endpoints = {"echo": echo, "fail": fail}
        await self._run(self._client.register, procedure, endpoints[endpoint], {"match": match})

    async def call(self, procedure: str, args: Any, kwargs: Any, progress: bool) -> Any:
        value = await self._run(self._client.call, procedure, *args, **kwargs)
        return {"args": [value], "kwargs": {}, "progress": []}

    async def leave(self) -> None:
        await self._run(self._client.disconnect)
        await self._run(self._client.shutdown)

    async def _run(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = await asyncio.to_thread(function, *args, **kwargs)
        except swampyer.ExInvocationError as error:
            raise Refused(None, error.args) from None
        if getattr(result, "code_name", "") == "ERROR":
            raise Refused(result.error, result.args, result.kwargs)
        return result


async def join(
    url: str, realm: str, serializer: str | None, auth: dict[str, str]
) -> SwampyerSession:
    named = {
        "url": url.replace("rs://", "tcpip://"), "realm": realm, "serializers": [serializer],
        "auto_reconnect": False, "loop_timeout": 0.2,
    }  # fmt: skip
    if auth.get("method") == "ticket":
        client = swampyer.WAMPClientTicket(
            username=auth["authid"], password=auth["secret"], **named
        )
    else:
        client = swampyer.WAMPClient(**named)
    try:
        await asyncio.to_thread(client.start)
    except swampyer.ExAbort as error:
        raise Refused(None, error.args) from None
    return SwampyerSession(client)


if __name__ == "__main__":
    logging.disable()
    asyncio.run(conversation.converse(join))
