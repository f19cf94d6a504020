"""Messages between devices, on their way to rules that send them on.

A message is acknowledged to its sender when it is on disk for each rule that wants it, as its
hooks' deliveries are. One that a rule has no room for is left out for that rule, and counted.
"""

import asyncio
import secrets
from asyncio import Future
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import structlog

from thingtank.server.sinks.message_reader import MessageReader, encode_item
from thingtank.server.sinks.selection import Selection
from thingtank.sinks.engine import Item
from thingtank.stores.sink_file import WaitingItem
from thingtank.stores.sink_store import SinkStore
from thingtank.tank.errors import Overloaded, StorageFailed
from thingtank.tank.events import MessageSent
from thingtank.tank.messaging.hub import Messaging

log = structlog.get_logger()

PENDING_MAX = 10_000  # messages that are not on disk yet
PENDING_BYTES_MAX = 16 * 1024 * 1024  # the same
_AT_ONCE_MAX = 500


class MessageRule(NamedTuple):
    """A rule that wants messages."""

    selection: Selection
    reader: MessageReader


class SinkMessages:
    """From `start` to `stop`; lives in the loop's thread.

    Attributes:
        rules: those that want messages, by name.
    """

    def __init__(self, messaging: Messaging, store: SinkStore, messages_max: int) -> None:
        """Make it.

        Args:
            messages_max: that wait for one rule.
        """
        self._messaging = messaging
        self._store = store
        self._messages_max = messages_max
        self._pending: deque[tuple[list[WaitingItem], Future[None]]] = deque()
        self._pending_bytes = 0
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None
        self.rules: dict[str, MessageRule] = {}

    def start(self) -> None:
        """Begin to record."""
        self._task = asyncio.create_task(self._run(), name="sink-messages")

    async def stop(self) -> None:
        """Record what waits, and end."""
        self._is_stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    def take(self, event: MessageSent) -> None:
        """A message was sent."""
        wanting = [
            (name, rule) for name, rule in self.rules.items() if rule.selection.wants(event.device)
        ]
        if not wanting:
            return
        body = encode_item(_item(event, self._store.origin))
        rows = []
        for name, rule in wanting:
            if rule.reader.waiting_count >= self._messages_max:
                rule.reader.missed_count += 1
                if rule.reader.missed_count == 1:
                    log.error("sink_misses_messages", rule=name, waiting=self._messages_max)
                continue
            rule.reader.given_seq += 1
            rows.append(WaitingItem(name, rule.reader.given_seq, body))
        recorded = self._queue(rows)
        if (to_store := self._messaging.to_store) is not None:
            to_store.append(recorded)

    def _queue(self, rows: list[WaitingItem]) -> Future[None]:
        recorded: Future[None] = asyncio.get_running_loop().create_future()
        recorded.add_done_callback(_look_at)
        is_full = len(self._pending) >= PENDING_MAX or self._pending_bytes >= PENDING_BYTES_MAX
        if self._is_stopping or is_full:
            recorded.set_exception(Overloaded(f"{len(self._pending)} messages wait for the disk"))
            return recorded
        self._pending.append((rows, recorded))
        self._pending_bytes += _size_bytes(rows)
        self._wake.set()
        return recorded

    async def _run(self) -> None:
        while self._pending or not self._is_stopping:
            self._wake.clear()
            if not self._pending:
                await self._wake.wait()
                continue
            together = [
                self._pending.popleft() for _ in range(min(_AT_ONCE_MAX, len(self._pending)))
            ]
            rows = [row for rows, _ in together for row in rows]
            self._pending_bytes -= _size_bytes(rows)
            await self._record([row for row in rows if row.rule in self.rules], together)

    async def _record(
        self, rows: list[WaitingItem], together: list[tuple[list[WaitingItem], Future[None]]]
    ) -> None:
        error: Exception | None = None
        try:
            await self._store.run(lambda file: file.add_waiting(rows))
        except StorageFailed as failure:
            error = failure
            log.error("sink_messages_not_recorded", count=len(rows), reason=str(failure))
        except Exception:
            error = StorageFailed("a fault of this server; its log says more")
            log.exception("sink_messages_not_recorded", count=len(rows))
        # Of those that failed the numbers stay unused.
        for name, seq in _newest(rows).items():
            if (rule := self.rules.get(name)) is not None:
                rule.reader.published(seq)
        for _, recorded in together:
            if recorded.cancelled():
                continue
            if error is None:
                recorded.set_result(None)
            else:
                recorded.set_exception(error)


def _item(event: MessageSent, origin: str) -> Item:
    device, message = event.device, event.message
    item_id = f"{origin}-m-{secrets.token_hex(8)}"
    value = msgspec.json.encode(message.content).decode()
    return Item(
        item_id, "message", device.device_id, device.uuid, "", message.at_us, value, None,
        message.topic,
    )  # fmt: skip


def _size_bytes(rows: list[WaitingItem]) -> int:
    return sum(len(row.item) for row in rows)


def _newest(rows: list[WaitingItem]) -> Mapping[str, int]:
    return {row.rule: row.number for row in rows}


def _look_at(recorded: Future[None]) -> None:
    """Nobody has to wait for it."""
    if not recorded.cancelled():
        recorded.exception()
