"""Connections of the HTTP client to addresses that were checked before, whatever the name says."""

from collections.abc import Iterable, Sequence

import httpcore

from thingtank.sinks.addresses import Address

ADDRESSES_TRIED_MAX = 3


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
                return await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)
