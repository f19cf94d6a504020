"""MQTT's sessions and retained messages on disk; implements `protocols.mqtt.keeping.SessionKeeper`.

```
sessions = await MqttSessions.open(folder)
found = await sessions.found()
broker = Broker(..., keeper=sessions, found)
... serve; then, when no client is left:
await sessions.close()
```

Group commit: while a batch is being synced, all that comes gathers in the next. A batch that
somebody waits for is committed once a turn of the loop brings nothing more; one that nobody waits
for gathers a little longer, as most of what it holds goes away by itself.

If the disk does not take a batch, nothing of it is forgotten: it is tried again, with what has come
since, until it succeeds. Whoever waits is told the error at once, and so is whoever asks before it
has succeeded: nothing that was said in the meantime is on disk.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import structlog

from thingtank.protocols.mqtt.keeping import DeliveryState, Found, KeptDelivery, KeptSession
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.stores.committer import GATHER_S_MAX
from thingtank.stores.mqtt_changes import MqttChanges
from thingtank.stores.mqtt_session_file import MqttSessionFile
from thingtank.stores.worker import Worker
from thingtank.tank.errors import StorageFailed, reason_of

log = structlog.get_logger()

Call: TypeAlias = Callable[[Exception | None], None]

PENDING_BYTES_MAX = 32 * 2**20
LINGER_S = 0.02
RETRY_S = 0.1
RETRY_S_MAX = 2.0

_CLOSED = "MQTT's sessions are kept no more: the broker stops"


class MqttSessions:
    """Owns the file and its thread; used from the loop's thread.

    Attributes:
        failure: why the disk took nothing lately; None while all is well.
        pending_bytes_max: of what may wait for the disk, before whoever reads from clients is to
            stop until `when_caught_up` calls.
    """

    def __init__(
        self,
        file: MqttSessionFile,
        pending_bytes_max: int = PENDING_BYTES_MAX,
        retry_s: float = RETRY_S,
    ) -> None:
        """Begin to write.

        Args:
            retry_s: after the first failure; twice as long after each other, RETRY_S_MAX at most.
        """
        self._loop = asyncio.get_running_loop()
        self._file = file
        self._worker = Worker("mqtt-sessions", is_awaited=True)
        self._changes = MqttChanges()
        self._calls: list[Call] = []  # for when these changes are on disk
        self._committing: list[Call] | None = None  # for when those under way are
        self._committing_bytes = 0  # of these, and of what failed
        self._failed: MqttChanges | None = None
        self._first_retry_s = self._retry_s = retry_s
        self._is_gathering = False  # a commit of these changes is under way or planned
        self._timer: asyncio.TimerHandle | None = None
        self._caught_up: list[Callable[[], None]] = []
        self._settled: list[asyncio.Future[None]] = []
        self._is_closed = False
        self.failure: StorageFailed | None = None
        self.pending_bytes_max = pending_bytes_max

    @classmethod
    async def open(
        cls, folder: Path, *, pending_bytes_max: int = PENDING_BYTES_MAX
    ) -> "MqttSessions":
        """Open the file of a data folder, made when missing.

        Raises:
            sqlite3.Error, OSError: the folder cannot be used.
            FileMismatch: the file is something else, or damaged.
        """
        return cls(await asyncio.to_thread(MqttSessionFile.open, folder), pending_bytes_max)

    async def found(self) -> Found:
        """All that is on disk, in the order in which it came.

        Raises:
            sqlite3.Error: it cannot be read.
            FileMismatch: the file is damaged.
        """
        return await self._worker.run(self._file.found)

    async def copy_to(self, folder: Path) -> None:
        """Write what is on disk to a file of the same name in another folder.

        Raises:
            sqlite3.Error, OSError: it could not be written.
        """
        await self._worker.run(partial(self._file.copy_to, folder))

    @property
    def waiting_bytes(self) -> int:
        """About what waits for the disk."""
        return self._changes.size_bytes + self._committing_bytes

    @property
    def is_behind(self) -> bool:
        """Whether too much waits for the disk: what clients send must not be read now."""
        return self.waiting_bytes > self.pending_bytes_max

    def keep_session(self, session: KeptSession) -> None:
        """As `SessionKeeper` says; so are the others."""
        self._changes.keep_session(session)
        if not self._is_gathering:
            self._gather()

    def drop_session(self, client_id: str) -> None:
        self._changes.drop_session(client_id)
        if not self._is_gathering:
            self._gather()

    def keep_subscription(self, client_id: str, subscription: Subscription) -> None:
        self._changes.keep_subscription(client_id, subscription)
        if not self._is_gathering:
            self._gather()

    def drop_subscription(self, client_id: str, topic_filter: str) -> None:
        self._changes.drop_subscription(client_id, topic_filter)
        if not self._is_gathering:
            self._gather()

    def keep_delivery(self, client_id: str, delivery: KeptDelivery) -> None:
        self._changes.keep_delivery(client_id, delivery)
        if not self._is_gathering:
            self._gather()

    def set_delivery(
        self, client_id: str, number: int, packet_id: int, state: DeliveryState
    ) -> None:
        self._changes.set_delivery(client_id, number, packet_id, state)
        if not self._is_gathering:
            self._gather()

    def drop_delivery(self, client_id: str, number: int) -> None:
        self._changes.drop_delivery(client_id, number)
        if not self._is_gathering:
            self._gather()

    def keep_received(self, client_id: str, packet_id: int) -> None:
        self._changes.keep_received(client_id, packet_id)
        if not self._is_gathering:
            self._gather()

    def drop_received(self, client_id: str, packet_id: int) -> None:
        self._changes.drop_received(client_id, packet_id)
        if not self._is_gathering:
            self._gather()

    def retain(self, message: Message) -> None:
        self._changes.retain(message)
        if not self._is_gathering:
            self._gather()

    def drop_retained(self, topic: str) -> None:
        self._changes.drop_retained(topic)
        if not self._is_gathering:
            self._gather()

    def when_kept(self, call: Call) -> None:
        if self._is_closed:
            self._loop.call_soon(call, StorageFailed(_CLOSED))
        elif self.failure is not None:
            self._loop.call_soon(call, self.failure)
        elif self._changes or self._calls:
            self._calls.append(call)
            if len(self._calls) == 1 and self._committing is None:
                self._hurry()
        elif self._committing is not None:
            self._committing.append(call)
        else:
            self._loop.call_soon(call, None)

    def when_caught_up(self, call: Callable[[], None]) -> None:
        """Call from the loop once half of what may wait for the disk is free; soon, if it is."""
        if self.waiting_bytes <= self.pending_bytes_max // 2 or self._is_closed:
            self._loop.call_soon(call)
        else:
            self._caught_up.append(call)

    async def close(self) -> None:
        """Write what there is, once more if it failed; close the file."""
        if self._is_closed:
            return
        self._is_closed = True
        while self._committing is not None:
            await self._next_settled()
        if self._changes or self._failed is not None:
            self._commit()
            await self._next_settled()
        self._stop_timer()
        if self._failed is not None:
            log.error("mqtt_sessions_lost", session_count=len(self._failed.sessions))
        self._tell_caught_up()
        await self._worker.stop()
        self._file.close()

    def _gather(self) -> None:
        """See to it that what is there is committed, when nobody waits for it."""
        self._is_gathering = True
        if self._committing is None and self._failed is None and not self._is_closed:
            self._timer = self._loop.call_later(LINGER_S, self._commit)

    def _hurry(self) -> None:
        """Commit once a turn of the loop brings nobody more who waits, or it is time."""
        self._is_gathering = True
        self._stop_timer()
        self._loop.call_soon(self._commit_when_idle, 0, self._loop.time() + GATHER_S_MAX)

    def _commit_when_idle(self, seen_count: int, until_s: float) -> None:
        if self._committing is not None or not self._calls:
            return  # `close` was faster
        count = len(self._calls)
        if count > seen_count and self._loop.time() < until_s:
            self._loop.call_soon(self._commit_when_idle, count, until_s)
        else:
            self._commit()

    def _commit(self) -> None:
        self._stop_timer()
        changes, self._changes = self._changes, MqttChanges()
        self._committing, self._calls = self._calls, []
        self._committing_bytes += changes.size_bytes
        self._is_gathering = False
        failed = self._failed
        batch = changes if failed is None else failed
        self._worker.submit(
            partial(_write, self._file, failed, changes), partial(self._committed, batch)
        )

    def _committed(self, batch: MqttChanges, result: Exception | None) -> None:
        calls, self._committing = self._committing, None
        assert calls is not None
        if result is None:
            self._succeed()
        else:
            calls += self._calls
            self._calls = []
            self._fail(batch, result)
        self._tell(calls)
        self._tell_caught_up()
        settled, self._settled = self._settled, []
        for each in settled:
            if not each.done():
                each.set_result(None)

    def _succeed(self) -> None:
        if self.failure is not None:
            self.failure = None
            log.warning("mqtt_session_writes_recovered")
        self._failed = None
        self._retry_s = self._first_retry_s
        self._committing_bytes = 0
        if self._calls:
            self._hurry()
        elif self._is_gathering:
            self._gather()

    def _fail(self, batch: MqttChanges, error: Exception) -> None:
        if not isinstance(error, StorageFailed):
            log.error("mqtt_session_writer_broken", exc_info=error)
            error = StorageFailed(f"MQTT's sessions could not be written: {error}")
        elif self.failure is None:
            log.error("mqtt_session_writes_fail", reason=reason_of(error))
        self.failure = error
        self._failed = batch
        self._committing_bytes = batch.size_bytes
        self._timer = self._loop.call_later(self._retry_s, self._commit)
        self._retry_s = min(2 * self._retry_s, RETRY_S_MAX)

    def _tell(self, calls: list[Call]) -> None:
        for call in calls:
            try:
                call(self.failure)
            except Exception:
                log.exception("mqtt_session_call_failed")

    def _tell_caught_up(self) -> None:
        if self._caught_up and (
            self._is_closed or self.waiting_bytes <= self.pending_bytes_max // 2
        ):
            calls, self._caught_up = self._caught_up, []
            for call in calls:
                self._loop.call_soon(call)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _next_settled(self) -> None:
        settled: asyncio.Future[None] = self._loop.create_future()
        self._settled.append(settled)
        await settled


def _write(file: MqttSessionFile, failed: MqttChanges | None, changes: MqttChanges) -> None:
    """Write changes, after those that failed; what is to be tried again is in `failed`, if any."""
    if failed is None:
        file.commit(changes)
    else:
        failed.merge(changes)
        file.commit(failed)
