"""Write values whether the server is there or not: to disk first, then to the server."""

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

import msgspec

from thingtank.client import calls
from thingtank.client.calls import Row
from thingtank.client.client import Client
from thingtank.client.delivery import Again, Delivery, Part, Reject, Sent
from thingtank.client.errors import BufferFailed, ClientError, NotFound
from thingtank.client.models import VALUES_PER_REQUEST_MAX, Value
from thingtank.client.retries import NEVER_AGAIN, RetryPolicy
from thingtank.client.spool import RejectedValue, Spool, WhenFull
from thingtank.client.times import Stamps, datetime_of, us_of

VALUES_MAX = 1_000_000  # some 60 bytes each on disk
log = logging.getLogger("thingtank.client")


class BufferState(msgspec.Struct, frozen=True):
    """How a buffer is doing.

    Attributes:
        waiting_count: values on disk that the server has not acknowledged yet.
        sent_count: acknowledged since the file was made.
        rejected_count: set aside, because the server will not take them.
        dropped_count: lost to the bounds since the file was made: the oldest of a full buffer.
        problem: why nothing is sent at present; blank when all is well.
    """

    waiting_count: int
    sent_count: int
    rejected_count: int
    dropped_count: int
    problem: str


class BufferedWriter:
    """Values go to a file and from there to the server, in order, by a thread of its own.

    `write` returns when the value is on disk. What waits survives restarts and crashes of the
    program and of the server; each value arrives once, in the order written to its feed. Safe to
    use from several threads; one process at a time per file.
    """

    def __init__(
        self,
        client: Client,
        path: str | Path,
        *,
        values_max: int = VALUES_MAX,
        when_full: WhenFull = "refuse",
        on_rejected: Callable[[Sequence[RejectedValue]], None] | None = None,
        retries: RetryPolicy | None = None,
    ) -> None:
        """Open the file, or make it, and begin to send what waits in it.

        Args:
            client: stays the caller's: close it after the writer.
            values_max: how many values may wait.
            when_full: `refuse` raises BufferFull, `drop_oldest` gives up the oldest, counted.
            on_rejected: told in the writer's thread what the server will not take.
            retries: the waits while the server is away; it never gives up.

        Raises:
            BufferFailed: the file cannot be used.
        """
        if values_max < 1:
            raise ValueError("values_max must be at least 1")
        if when_full not in ("refuse", "drop_oldest"):
            raise ValueError("when_full must be refuse or drop_oldest")
        self._client = client
        self._spool = Spool(Path(path), values_max, when_full)
        self._stamps = Stamps(self._spool.last_at_us)
        self._delivery = Delivery(retries or RetryPolicy(wait_s_first=0.5, wait_s_max=30.0))
        self._on_rejected = on_rejected
        self._problem = ""
        self._changed = threading.Condition()  # something came, went, or it is over
        self._is_closed = False
        self._thread = threading.Thread(
            target=self._run, name="thingtank-buffered-writer", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(
        self, feed_id: int, datastream: str, value: Value, at: datetime | None = None
    ) -> datetime:
        """Write a value; returns its instant when it is on disk.

        Raises:
            BufferFull, BufferFailed; ValueError, TypeError for what no datastream can hold.
        """
        return self.write_values(feed_id, {datastream: value}, at)

    def write_values(
        self, feed_id: int, values: Mapping[str, Value], at: datetime | None = None
    ) -> datetime:
        """Write a value to each of several datastreams, all of them or none; as `write`."""
        with self._changed:  # so that stamps and the order in the file agree
            at_us = self._stamps.next_us() if at is None else us_of(at)
            self._append(feed_id, [calls.row(n, value, at_us) for n, value in values.items()])
        return datetime_of(at_us)

    def write_many(
        self, feed_id: int, datastream: str, values: Iterable[tuple[datetime, Value]]
    ) -> int:
        """Write many values with their instants, all of them or none; how many. As `write`."""
        rows = [calls.row(datastream, value, us_of(at)) for at, value in values]
        with self._changed:
            self._append(feed_id, rows)
        return len(rows)

    def _append(self, feed_id: int, rows: Sequence[Row]) -> None:
        calls.feed_path(feed_id)
        if self._is_closed:
            raise BufferFailed("the buffer is closed")
        if rows:
            self._spool.append([(feed_id, row) for row in rows])
            self._changed.notify_all()

    def state(self) -> BufferState:
        """How it is doing."""
        spool = self._spool
        return BufferState(
            spool.waiting_count,
            spool.sent_count,
            spool.rejected_count,
            spool.dropped_count,
            self._problem,
        )

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing waits any more; False when that took longer than `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._is_closed or self._spool.waiting_count == 0, timeout_s
            ) and (self._spool.waiting_count == 0)

    def rejected(self) -> list[RejectedValue]:
        """What the server would not take, with its reasons, oldest first."""
        return self._spool.rejected()

    def retry_rejected(self) -> int:
        """Send again what was set aside, once its cause is mended; how many values."""
        with self._changed:
            count = self._spool.requeue_rejected()
            self._changed.notify_all()
        return count

    def discard_rejected(self) -> int:
        """Forget what was set aside; how many values."""
        return self._spool.discard_rejected()

    def close(self, flush_s: float = 0.0) -> None:
        """Stop sending and close the file; what waits stays in it for the next time.

        Args:
            flush_s: how long to wait before for what is still to be sent.
        """
        if flush_s > 0:
            self.flush(flush_s)
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()
        self._spool.close()

    # --- the thread ---

    def _run(self) -> None:
        while not self._is_closed:
            try:
                self._send_next()
            except BufferFailed as error:
                log.error("buffered values cannot be read or removed: %s", error)
                self._rest(str(error), 5.0)
            except Exception as error:
                # The edge of the thread: it must live, or values would wait for ever.
                log.exception("the buffered writer failed")
                self._rest(type(error).__name__, 5.0)

    def _send_next(self) -> None:
        part = self._delivery.next_part()
        if part is None:
            rows = self._spool.oldest(VALUES_PER_REQUEST_MAX)
            if rows:
                self._delivery.load(rows)
            else:
                self._wait_for_work()
            return
        error = self._sent(part)
        outcome = self._delivery.after(error, random.random())  # noqa: S311 - spreads waits
        match outcome:
            case Sent():
                self._spool.remove_sent(outcome.rows)
                self._problem = ""
            case Reject():
                self._report(self._spool.set_aside(outcome.rows, outcome.reason))
            case Again():
                if outcome.wait_s:
                    self._rest(str(error), outcome.wait_s)
        with self._changed:
            self._changed.notify_all()

    def _sent(self, part: Part) -> ClientError | None:
        """Send a part; what went wrong, if anything."""
        feed_id, rows = part[0].feed_id, [found.row for found in part]
        names = {row.name for row in rows}
        try:
            if len(names) == 1:  # by its own address, for keys that open only this datastream
                with contextlib.suppress(NotFound):
                    call = calls.write_datastream(feed_id, names.pop(), rows)
                    self._client.send(call, NEVER_AGAIN)
                    return None
            self._client.send(calls.write_feed(feed_id, rows), NEVER_AGAIN)
        except ClientError as error:
            return error
        return None

    def _report(self, rejected: Sequence[RejectedValue]) -> None:
        log.warning(
            "the server refuses %d values of feed %d: %s",
            len(rejected),
            rejected[0].feed_id,
            rejected[0].reason,
        )
        if self._on_rejected is not None:
            self._on_rejected(rejected)

    def _wait_for_work(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._spool.waiting_count > 0)

    def _rest(self, problem: str, wait_s: float) -> None:
        if problem != self._problem:
            log.warning("buffered values wait: %s", problem)
        self._problem = problem
        until_s = time.monotonic() + wait_s
        with self._changed:
            while not self._is_closed and (left_s := until_s - time.monotonic()) > 0:
                self._changed.wait(left_s)
