"""Whose datastreams were that are gone: on disk, as what they wrote may still be to send."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Mapping

import structlog

from thingtank.server.sinks.selection import Selection
from thingtank.stores.sink_store import SinkStore
from thingtank.tank.errors import StorageFailed, reason_of

log = structlog.get_logger()

_TOGETHER_S = 0.2  # what is deleted meanwhile is written down at once
_AGAIN_S = 5.0
_FAULTS = (StorageFailed, sqlite3.Error)


class GoneStreams:
    """Writes down what selections have let go of. Lives in the loop's thread."""

    def __init__(self, selections: Callable[[], Mapping[str, Selection]]) -> None:
        """Write nothing yet.

        Args:
            selections: of all rules there are, by name.
        """
        self._selections = selections
        self._has_other = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Some devices were changed or are gone."""
        if any(selection.has_other_gone for selection in self._selections().values()):
            self._has_other.set()

    def start(self, store: Callable[[], SinkStore | None]) -> None:
        """Write down what changes from now on; None while there is no file, and so no rule."""
        self._keeping = asyncio.create_task(self._keep(store), name="sink-gone-streams")

    async def stop(self, store: SinkStore | None) -> None:
        """Write down what there is, and no more."""
        await self.end()
        if store is not None:
            with contextlib.suppress(*_FAULTS):  # logged
                await self._save(store)

    async def end(self) -> None:
        """Write down no more."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])

    async def _keep(self, store: Callable[[], SinkStore | None]) -> None:
        while True:
            await self._has_other.wait()
            await asyncio.sleep(_TOGETHER_S)
            self._has_other.clear()
            if (found := store()) is None:
                continue
            try:
                await self._save(found)
            except _FAULTS:
                await asyncio.sleep(_AGAIN_S)
                self._has_other.set()

    async def _save(self, store: SinkStore) -> None:
        """Raise StorageFailed, sqlite3.Error: it is to be tried again then."""
        others = {name: each for name, each in self._selections().items() if each.has_other_gone}
        if not others:
            return
        gone = {name: selection.gone() for name, selection in others.items()}
        for selection in others.values():
            selection.has_other_gone = False
        is_saved = False
        try:
            await store.run(lambda file: file.save_gone_streams(gone))
            is_saved = True
        except _FAULTS as error:
            log.error("sink_gone_streams_not_saved", reason=reason_of(error))
            raise
        finally:
            for selection in others.values():
                selection.has_other_gone |= not is_saved
