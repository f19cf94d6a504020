"""WAMP events that outlive the process: history and retained events of all realms, in one file.

```
events = await WampEvents.open(folder, now_us)
for each realm:
    history = await events.history(name, rules)
    retained = await events.retained(name)
    realm = Realm(name, ..., history=history, retained=retained)
    if history is not None:
        history.stand(realm.broker)
... serve; then, when no session is left:
await events.close()
```
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from thingtank.protocols.wamp.history import HistoryRule
from thingtank.protocols.wamp.retained import RetainedEvents
from thingtank.stores.wamp_event_file import WampEventFile
from thingtank.stores.wamp_event_reader import WampEventReader
from thingtank.stores.wamp_event_writer import (
    PENDING_BYTES_MAX,
    TRIM_INTERVAL_S,
    WampEventWriter,
)
from thingtank.stores.wamp_history import Questions, WampHistory
from thingtank.stores.wamp_retained import WampRetained
from thingtank.stores.worker import Worker


class WampEvents:
    """Owns the file and its two threads; used from the loop's thread."""

    def __init__(
        self,
        file: WampEventFile,
        now_us: Callable[[], int],
        pending_bytes_max: int,
        trim_interval_s: float,
    ) -> None:
        self._file = file
        self._now_us = now_us
        self._worker = Worker("wamp-events", is_awaited=True)
        self._writer = WampEventWriter(
            file, self._worker, now_us, pending_bytes_max, trim_interval_s
        )
        self._reader = WampEventReader(file.path)
        self._reading = Worker("wamp-event-reader")
        self._questions = Questions(self._reader, self._reading)

    @classmethod
    async def open(
        cls,
        folder: Path,
        now_us: Callable[[], int],
        *,
        pending_bytes_max: int = PENDING_BYTES_MAX,
        trim_interval_s: float = TRIM_INTERVAL_S,
    ) -> "WampEvents":
        """Open the file of a data folder, made when missing.

        Args:
            now_us: since the epoch, UTC; the realms' clock.
            pending_bytes_max: of events that wait for the disk; what is more is not kept.

        Raises:
            sqlite3.Error, OSError: the folder cannot be used.
            FileMismatch: the file is something else.
        """
        file = await asyncio.to_thread(WampEventFile.open, folder)
        return cls(file, now_us, pending_bytes_max, trim_interval_s)

    @property
    def lost_count(self) -> int:
        """Events that were to be kept and were not, since the start."""
        return self._writer.lost_count

    async def history(self, realm: str, rules: Sequence[HistoryRule]) -> WampHistory | None:
        """What keeps a realm's events; None if it has no rules.

        Raises:
            StorageFailed.
        """
        streams = [
            (rule, await self._worker.run(partial(self._file.stream_id, realm, rule)))
            for rule in rules
        ]
        return (
            WampHistory(streams, self._writer, self._questions, self._now_us) if streams else None
        )

    async def retained(self, realm: str) -> RetainedEvents:
        """A realm's retained events as they were, and kept from now on.

        Raises:
            sqlite3.Error: they cannot be read.
        """
        restored = await self._worker.run(partial(self._file.retained, realm))
        events = RetainedEvents(WampRetained(realm, self._writer))
        events.restore(restored)
        return events

    async def copy_to(self, folder: Path) -> None:
        """Write what is on disk to a file of the same name in another folder.

        Raises:
            sqlite3.Error, OSError: it could not be written.
        """
        await self._worker.run(partial(self._file.copy_to, folder))

    async def settled(self) -> None:
        """Wait until all events that came so far are on disk, or refused."""
        settled = asyncio.Event()
        self._writer.after_pending(settled.set)
        await settled.wait()

    async def close(self) -> None:
        """Write what there is, answer what was asked, close the file."""
        await self._writer.close()
        await self._reading.stop()
        self._reader.close()
        await self._worker.stop()
        self._file.close()
