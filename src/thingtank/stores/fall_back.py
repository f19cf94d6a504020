"""Takes committed batches over into the current values, which fall back when a deletion takes one.

What is newest then only the history store can say. Where it cannot, the deletion holds all the
same: it is in the journal, and later writes must not wait for a store that may fail for hours. The
datastream's newest is *unknown* from then on:

- No current value is shown. The columns keep the old one, whose time nothing that is left can be
  after; reads go by it, and the next start, when it is in the deleted range, looks again.
- `through_seq` stays before the deletion, so that the journal keeps it for the next start.
- The store is asked again, with growing pauses. A write newer than all before is an answer as well.

Batches and answers take turns, so that an answer never undoes what was changed after the question.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, TypeAlias

import structlog

from thingtank.stores.changes import Change
from thingtank.stores.current_values import CurrentValues
from thingtank.stores.recovery import apply_to_currents, covered_streams
from thingtank.tank.datapoints import Datapoint

log = structlog.get_logger()

PAUSE_S_MIN = 0.5
PAUSE_S_MAX = 30.0
_ASKED_MAX = 100  # datastreams at a time: batches that come meanwhile wait for the answer

# Finds the newest datapoint of datastreams; those with none are left out.
LookUp: TypeAlias = Callable[[Collection[int]], Awaitable[Mapping[int, Datapoint]]]


class FallBack:
    """Lives in the loop's thread; nobody else changes the current values.

    Attributes:
        unknown: datastreams whose newest datapoint is to be found, with the time it is not after.
    """

    def __init__(self, currents: CurrentValues, look_up: LookUp) -> None:
        self._currents = currents
        self._look_up = look_up
        self._turn = asyncio.Lock()
        self._last_seq = currents.through_seq
        self._asking: asyncio.Task[None] | None = None
        self.unknown: dict[int, int | None] = {}

    def take_over(self, changes: Sequence[Change], seq: int) -> Coroutine[Any, Any, None] | None:
        """Take a batch over; what is returned has to be awaited before the next one.

        The head must have the batch already.
        """
        if self.unknown or covered_streams(changes, self._currents):
            return self._take_over_in_turn(changes, seq)
        apply_to_currents(changes, self._currents)
        self._last_seq = self._currents.through_seq = seq
        return None

    async def stop(self) -> None:
        """Ask no more; the journal keeps what was not answered."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _take_over_in_turn(self, changes: Sequence[Change], seq: int) -> None:
        """Find what is newest now, then show the batch; until then readers see what was before."""
        async with self._turn:
            covered = covered_streams(changes, self._currents)
            newest = await self._asked(covered) if covered else {}
            apply_to_currents(changes, self._currents)
            self._last_seq = seq
            for stream_id in self.unknown.keys() - covered:
                if self._currents.at_us(stream_id) != self.unknown[stream_id]:
                    del self.unknown[stream_id]  # a newer write, or nothing is left
            if newest is None:
                self.unknown |= {i: self._currents.at_us(i) for i in covered}
            else:
                self._take_answer(covered, newest)
            self._advance()

    def _take_answer(self, stream_ids: Collection[int], newest: Mapping[int, Datapoint]) -> None:
        for stream_id in stream_ids:
            self._currents.replace(stream_id, newest.get(stream_id))
            self.unknown.pop(stream_id, None)

    def _advance(self) -> None:
        if not self.unknown:
            self._currents.through_seq = self._last_seq
        elif self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._keep_asking(), name="archive-fall-back")

    async def _keep_asking(self) -> None:
        pause_s = PAUSE_S_MIN
        while self.unknown:
            await asyncio.sleep(pause_s)
            async with self._turn:
                stream_ids = list(self.unknown)[:_ASKED_MAX]
                newest = await self._asked(stream_ids)
                if newest is None:
                    pause_s = min(2 * pause_s, PAUSE_S_MAX)
                    continue
                self._take_answer(stream_ids, newest)
                self._advance()
                pause_s = 0
        log.warning("archive_fall_back_recovered")

    async def _asked(self, stream_ids: Collection[int]) -> Mapping[int, Datapoint] | None:
        """The store's answer; None when it has none."""
        try:
            return await self._look_up(stream_ids)
        except Exception as error:
            if not self.unknown:  # else it was said
                log.error("archive_fall_back_fails", exc_info=error)
            return None
