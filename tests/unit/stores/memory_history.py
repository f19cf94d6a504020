"""A history store in memory: the seam behind the head, stated plainly, and able to fail."""

import threading
from collections.abc import Sequence

from thingtank.stores.history_interface import Compacted, HistoryStats
from thingtank.stores.rows import Deletion, Overlay, Rows
from thingtank.tank.datapoints import AT_US_MIN, Bucket, Datapoint, text_of
from thingtank.tank.errors import StorageFailed

Values = dict[int, dict[int, str]]


class MemoryHistory:
    """Implements `stores.history_interface.History`; outlives archives, as a disk would.

    Attributes:
        failure: raised by `apply` while it is set.
        read_failure: raised by `read_last_before` while it is set.
        applied: batches of changes by number, to see what came when.
        gate: `apply` waits for it.
        read_gate: `read_last_before` waits for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: Values = {}
        self.through_seq = 0
        self.failure: Exception | None = None
        self.read_failure: Exception | None = None
        self.applied: list[tuple[int, int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.read_gate = threading.Event()
        self.read_gate.set()

    def apply(self, changes: Sequence[Rows | Deletion], through_seq: int) -> None:
        assert self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        with self._lock:
            assert through_seq > self.through_seq, "applied twice"
            row_count = 0
            for change in changes:
                if isinstance(change, Deletion):
                    _hide(self._values, change)
                else:
                    row_count += len(change.stream_ids)
                    _write(self._values, change)
            self.through_seq = through_seq
            self.applied.append((through_seq, row_count))

    def read(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        limit: int,
        newest_first: bool,
        overlay: Overlay | None,
    ) -> dict[int, list[Datapoint]]:
        found = {}
        for stream_id, values in self._laid_over(overlay).items():
            times = sorted(at_us for at_us in values if start_us <= at_us < end_us)
            times = times[-limit:] if newest_first else times[:limit]
            if stream_id in stream_ids and times:
                found[stream_id] = [Datapoint(at_us, values[at_us]) for at_us in times]
        return found

    def read_last_before(
        self, stream_ids: Sequence[int], before_us: int, overlay: Overlay | None
    ) -> dict[int, Datapoint]:
        assert self.read_gate.wait(10)
        if self.read_failure is not None:
            raise self.read_failure
        found = self.read(stream_ids, AT_US_MIN, before_us, 1, True, overlay)
        return {stream_id: datapoints[0] for stream_id, datapoints in found.items()}

    def read_buckets(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        interval_us: int,
        origin_us: int,
        limit: int,
        overlay: Overlay | None,
        *,
        is_as_written: bool = True,
    ) -> dict[int, list[Bucket]]:
        found = {}
        whole = self.read(stream_ids, start_us, end_us, 10**9, False, overlay)
        for stream_id, datapoints in whole.items():
            steps: dict[int, list[Datapoint]] = {}
            for datapoint in datapoints:
                step = (datapoint.at_us - origin_us) // interval_us
                steps.setdefault(origin_us + step * interval_us, []).append(datapoint)
            found[stream_id] = [Bucket.of(*item) for item in list(steps.items())[:limit]]
        return found

    def compact(self, until_us: int, periods_max: int = 1_000_000) -> Compacted:
        return Compacted(0, 0)

    def damage(self) -> list[str]:
        return []

    def adopt(self) -> None:
        raise StorageFailed("there is no bucket")

    def interrupt(self) -> None:
        pass

    def stats(self) -> HistoryStats:
        times = [at_us for values in self._values.values() for at_us in values]
        return HistoryStats(
            len(times), 0, 0, 0, 0, min(times, default=None), max(times, default=None)
        )

    def close(self) -> None:
        """Stay as it is, for the next to open."""

    def _laid_over(self, overlay: Overlay | None) -> Values:
        with self._lock:
            values = {stream_id: dict(own) for stream_id, own in self._values.items()}
        if overlay is not None:
            for deletion in overlay.deletions:
                _hide(values, deletion)
            _write(values, overlay.rows)
        return values


def _hide(values: Values, deletion: Deletion) -> None:
    for stream_id in deletion.stream_ids:
        own = values.get(stream_id, {})
        for at_us in [at for at in own if deletion.start_us <= at < deletion.end_us]:
            del own[at_us]


def _write(values: Values, rows: Rows) -> None:
    columns = zip(rows.stream_ids.tolist(), rows.at_us.tolist(), rows.numbers.tolist(), strict=True)
    for row, (stream_id, at_us, number) in enumerate(columns):
        text = rows.texts.get(row)
        values.setdefault(stream_id, {})[at_us] = text_of(number) if text is None else text
