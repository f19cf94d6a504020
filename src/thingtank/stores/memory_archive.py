"""An archive in memory: the plainest statement of what an archive does, for tests and trials."""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence

from msgspec import UNSET, UnsetType

from thingtank.tank.datapoints import (
    AT_US_MAX,
    AT_US_MIN,
    Bucket,
    CurrentValue,
    Datapoint,
    DatapointRows,
    number_of,
)
from thingtank.tank.interfaces import Pending

_PART_STREAMS = 1024
_NEVER = CurrentValue(None, None)


class MemoryArchive:
    """Implements `tank.interfaces.Archive`; nothing outlives the process."""

    def __init__(self) -> None:
        self._values: dict[int, dict[int, str]] = {}
        self._current: dict[int, CurrentValue] = {}

    def append(self, rows: DatapointRows) -> Pending:
        """Write datapoints; done at once."""
        for stream_id, at_us, value in zip(rows.stream_ids, rows.at_us, rows.values, strict=True):
            self._values.setdefault(stream_id, {})[at_us] = value
            current = self._current.get(stream_id, _NEVER)
            self._current[stream_id] = advanced(current, Datapoint(at_us, value))
        return _done()

    def delete(self, stream_ids: Sequence[int], start_us: int, end_us: int) -> Awaitable[None]:
        """Delete the datapoints of a range; done at once."""
        is_of_all_time = start_us <= AT_US_MIN and end_us > AT_US_MAX
        for stream_id in stream_ids:
            if is_of_all_time:
                self._values.pop(stream_id, None)
                self._current.pop(stream_id, None)
                continue
            kept = {
                at_us: value
                for at_us, value in self._values.get(stream_id, {}).items()
                if not start_us <= at_us < end_us
            }
            self._values[stream_id] = kept
            current = self._current.get(stream_id)
            if current is not None:
                at_us = max(kept, default=None)
                value = None if at_us is None else kept[at_us]
                self._current[stream_id] = CurrentValue(
                    at_us, value, current.minimum, current.maximum
                )
        return _done()

    def set_extremes(
        self,
        stream_id: int,
        minimum: float | UnsetType | None,
        maximum: float | UnsetType | None,
    ) -> Awaitable[None]:
        """Replace a datastream's minimum and maximum; done at once."""
        current = self._current.get(stream_id, _NEVER)
        self._current[stream_id] = CurrentValue(
            current.at_us,
            current.value,
            current.minimum if minimum is UNSET else minimum,
            current.maximum if maximum is UNSET else maximum,
        )
        return _done()

    def current(self, stream_id: int) -> CurrentValue | None:
        """The current value; None when nothing was ever written."""
        current = self._current.get(stream_id)
        return None if current == _NEVER else current

    def current_at_us(self, stream_id: int) -> int | None:
        """Only the current value's time."""
        current = self._current.get(stream_id)
        return None if current is None else current.at_us

    def stored_streams(self) -> Iterator[Sequence[int]]:
        """The datastreams that something is stored of, a part at a time."""
        stored = [i for i in self._current if self.current(i) is not None]
        for start in range(0, len(stored), _PART_STREAMS):
            yield stored[start : start + _PART_STREAMS]

    async def read(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        limit: int,
        newest_first: bool = False,
    ) -> dict[int, list[Datapoint]]:
        """The oldest (or newest) `limit` datapoints of each datastream in a range, oldest first."""
        found = {}
        for stream_id in stream_ids:
            datapoints = self._range(stream_id, start_us, end_us)
            first = max(0, len(datapoints) - limit) if newest_first else 0
            if wanted := datapoints[first : first + limit]:
                found[stream_id] = wanted
        return found

    async def read_last_before(
        self, stream_ids: Sequence[int], before_us: int
    ) -> dict[int, Datapoint]:
        """Each datastream's newest datapoint before an instant; those with none are left out."""
        return {
            stream_id: datapoints[-1]
            for stream_id in stream_ids
            if (datapoints := self._range(stream_id, None, before_us))
        }

    async def read_buckets(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        interval_us: int,
        origin_us: int = 0,
        limit: int = 10_000,
        *,
        is_as_written: bool = True,
    ) -> dict[int, list[Bucket]]:
        """Summaries of a range in steps of `interval_us` from `origin_us`; no empty ones."""
        found = {}
        for stream_id in stream_ids:
            steps: dict[int, list[Datapoint]] = {}
            for datapoint in self._range(stream_id, start_us, end_us):
                step = (datapoint.at_us - origin_us) // interval_us
                steps.setdefault(origin_us + step * interval_us, []).append(datapoint)
            if buckets := [Bucket.of(*item) for item in sorted(steps.items())[:limit]]:
                found[stream_id] = buckets
        return found

    def _range(self, stream_id: int, start_us: int | None, end_us: int) -> list[Datapoint]:
        values = self._values.get(stream_id, {})
        return [
            Datapoint(at_us, values[at_us])
            for at_us in sorted(values)
            if (start_us is None or start_us <= at_us) and at_us < end_us
        ]


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


def advanced(current: CurrentValue, datapoint: Datapoint) -> CurrentValue:
    """The current value after a write: the newest stays, of equal times the later write."""
    number = number_of(datapoint.value)
    minimum, maximum = current.minimum, current.maximum
    if number is not None:
        minimum = number if minimum is None else min(minimum, number)
        maximum = number if maximum is None else max(maximum, number)
    if current.at_us is not None and datapoint.at_us < current.at_us:
        return CurrentValue(current.at_us, current.value, minimum, maximum)
    return CurrentValue(datapoint.at_us, datapoint.value, minimum, maximum)
