"""Requests that come the long way, by ASGI, for doors that answer by calling `Respond`."""

import asyncio
from collections.abc import Callable
from typing import Any

from thingtank.net.http_request import Headers

_DIGITS_MAX = 12  # of a length that is looked at


class PeerLeft(Exception):
    """The connection ended before the request did; nobody is there to answer."""


class BodyTooLong(Exception):
    """A body is longer than it may be."""


class LateRespond:
    """An answer through ASGI; a `LongRespond`."""

    def __init__(self, send: Any) -> None:
        """Nothing is said until `finish`."""
        self._send = send
        self._answered: asyncio.Future[tuple[int, Headers, bytes]]
        self._answered = asyncio.get_running_loop().create_future()
        self._on_gone: Callable[[], None] | None = None
        self._is_gone = False

    def __call__(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer; the first answer counts."""
        if not self._answered.done():
            self._answered.set_result((status, headers, body))

    def hold(self, on_gone: Callable[[], None]) -> None:
        """Be told if the client goes away before the answer."""
        self._on_gone = on_gone

    def is_gone(self) -> bool:
        """Whether it has gone away."""
        return self._is_gone

    async def finish(self, receive: Any) -> None:
        """Send the answer when it is there; the client may go away before."""
        leaving = asyncio.ensure_future(_wait_for_end(receive))
        try:
            await asyncio.wait((leaving, self._answered), return_when=asyncio.FIRST_COMPLETED)
            if not self._answered.done():
                self._is_gone = True
                if self._on_gone is not None:
                    self._on_gone()
                return
        finally:
            leaving.cancel()
        status, headers, body = self._answered.result()
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


async def _wait_for_end(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(receive: Any, bytes_max: int, declared: bytes = b"") -> bytes:
    """A whole body; of one that is too long no more than tells that.

    Args:
        declared: its Content-Length; blank for none.

    Raises:
        BodyTooLong, PeerLeft.
    """
    if declared.isdigit():
        if len(declared) > _DIGITS_MAX:
            raise BodyTooLong(f"the body has more than {bytes_max} bytes")
        if int(declared) > bytes_max:
            raise BodyTooLong(f"the body has {int(declared)} bytes; {bytes_max} are allowed")
    parts: list[bytes] = []
    size_bytes = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise PeerLeft
        part = message.get("body", b"")
        size_bytes += len(part)
        if size_bytes > bytes_max:
            raise BodyTooLong(f"the body has more than {bytes_max} bytes")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
