"""The buffered writer for asyncio programs: no call waits for a disk on the event loop."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

from thingtank.client.async_client import AsyncClient
from thingtank.client.buffered_writer import VALUES_MAX, BufferedWriter, BufferState
from thingtank.client.client import Client
from thingtank.client.models import Value
from thingtank.client.retries import RetryPolicy
from thingtank.client.spool import RejectedValue, WhenFull


class AsyncBufferedWriter:
    """As BufferedWriter, to be awaited. Open it with `async with`.

    Writes that are awaited one after the other keep their order. The thread that sends has its own
    connection, by the settings of the client.
    """

    def __init__(
        self,
        client: AsyncClient,
        path: str | Path,
        *,
        values_max: int = VALUES_MAX,
        when_full: WhenFull = "refuse",
        on_rejected: Callable[[Sequence[RejectedValue]], None] | None = None,
        retries: RetryPolicy | None = None,
    ) -> None:
        """Nothing happens until it is entered; the arguments are those of BufferedWriter."""
        self._sync_client = Client.of_settings(client.settings)
        self._make = lambda: BufferedWriter(
            self._sync_client,
            path,
            values_max=values_max,
            when_full=when_full,
            on_rejected=on_rejected,
            retries=retries,
        )
        self._writer: BufferedWriter | None = None

    async def __aenter__(self) -> Self:
        try:
            self._writer = await asyncio.to_thread(self._make)
        except BaseException:
            self._sync_client.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def _open(self) -> BufferedWriter:
        if self._writer is None:
            raise RuntimeError("open the writer with `async with` first")
        return self._writer

    async def write(
        self, feed_id: int, datastream: str, value: Value, at: datetime | None = None
    ) -> datetime:
        """Write a value; returns its instant when it is on disk."""
        return await asyncio.to_thread(self._open.write, feed_id, datastream, value, at)

    async def write_values(
        self, feed_id: int, values: Mapping[str, Value], at: datetime | None = None
    ) -> datetime:
        """Write a value to each of several datastreams, all of them or none."""
        return await asyncio.to_thread(self._open.write_values, feed_id, values, at)

    async def write_many(
        self, feed_id: int, datastream: str, values: Iterable[tuple[datetime, Value]]
    ) -> int:
        """Write many values with their instants, all of them or none; how many."""
        return await asyncio.to_thread(self._open.write_many, feed_id, datastream, list(values))

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing waits any more; False when that took longer than `timeout_s`."""
        return await asyncio.to_thread(self._open.flush, timeout_s)

    def state(self) -> BufferState:
        """How it is doing."""
        return self._open.state()

    async def rejected(self) -> list[RejectedValue]:
        """What the server would not take, with its reasons, oldest first."""
        return await asyncio.to_thread(self._open.rejected)

    async def retry_rejected(self) -> int:
        """Send again what was set aside, once its cause is mended; how many values."""
        return await asyncio.to_thread(self._open.retry_rejected)

    async def discard_rejected(self) -> int:
        """Forget what was set aside; how many values."""
        return await asyncio.to_thread(self._open.discard_rejected)

    async def close(self, flush_s: float = 0.0) -> None:
        """Stop sending and close the file; what waits stays in it for the next time."""
        if self._writer is not None:
            await asyncio.to_thread(self._writer.close, flush_s)
        self._sync_client.close()
