"""Connections of the HTTP client to addresses that were checked before, whatever the name says.

A receiver may also send as much as it likes as fast as it can: parsing it is work for the loop that
serves devices. So an attempt reads little at a time and little in all.
"""

import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore

from thingtank.sinks.addresses import Address

ADDRESSES_TRIED_MAX = 3
READ_BYTES_MAX = 2048
ANSWER_BYTES_READ_MAX = 32_768


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects only to the given addresses. TLS still asks for the URL's host name."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = addresses[:ADDRESSES_TRIED_MAX]
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the client's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers; `host` is not looked up."""
        failure: Exception = httpcore.ConnectError("no address to connect to")
        for address in self._addresses:
            try:
                stream = await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _BoundedStream(stream)
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)


class _BoundedStream(httpcore.AsyncNetworkStream):
    """Gives up on a peer that sends too much."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._left_bytes = ANSWER_BYTES_READ_MAX

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's interface
        if self._left_bytes <= 0:
            raise httpcore.RemoteProtocolError(f"more than {ANSWER_BYTES_READ_MAX} bytes")
        data = await self._inner.read(min(max_bytes, READ_BYTES_MAX), timeout)
        self._left_bytes -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's interface
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
    ) -> httpcore.AsyncNetworkStream:
        return _BoundedStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
