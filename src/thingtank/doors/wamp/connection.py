"""One client's connection, whatever it runs over: what its session sends through and is fed by.

What a session sends is queued, and written once per turn of the loop with what else was sent to the
same client. Who reads too slowly is dealt with in steps:

| unread | what happens |
| --- | --- |
| half of `unread_bytes_max` | nothing more is read from it, so it can ask for nothing more |
| `unread_bytes_max` | events for it are dropped and counted; answers are not |
| still, after `slow_s_max` | its session ends, with ABORT for it and a line in the log |
| `answers_times_max` as much | the connection is cut: what others send it has no other bound |

Who sends much at once, or much that takes long, is not served without end: when a turn of the loop
has taken TURN_S_MAX, what is left of what was read waits for the next, behind the others.
"""

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

import structlog

from thingtank.protocols.wamp.authentication import TransportFacts
from thingtank.protocols.wamp.batching import Batching
from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.reception import Reception
from thingtank.protocols.wamp.serializer import Serializer
from thingtank.protocols.wamp.session import Session, State

if TYPE_CHECKING:
    from thingtank.doors.wamp.door import WampDoor

log = structlog.get_logger()

TOO_SLOW = "tank.error.too_slow"
ANSWERS_TIMES_MAX = 8
TURN_S_MAX = 0.02
_TOLD_BYTES_MAX = 65_536

_US_PER_S = 1_000_000


def told_bytes(unread_bytes_max: int) -> int:
    """How much a transport may hold before it says that it has been emptied.

    A connection that waits for its client to catch up must be told so.
    """
    return min(_TOLD_BYTES_MAX, unread_bytes_max // 2)


class Link(Protocol):
    """What carries the bytes of one connection."""

    def write(self, messages: list[bytes]) -> None:
        """Write messages, at least one."""

    def unread_bytes(self) -> int:
        """How much was written and not taken yet."""

    def pause(self) -> None:
        """Read no more for now."""

    def resume(self) -> None:
        """Read on."""

    def close(self) -> None:
        """End the connection, what was written first."""

    def abort(self) -> None:
        """End the connection at once."""


class Connection:
    """A transport, as sessions know it.

    Attributes:
        bytes_max: the longest message that the client takes.
        session: of this transport.
        dropped_count: events that were not sent, because the client read too slowly.
        is_paused: nothing is read from the client for now.
    """

    def __init__(
        self,
        door: "WampDoor",
        link: Link,
        serializer: Serializer,
        batching: Batching | None,
        bytes_max: int,
        facts: TransportFacts,
        reception: Reception | None = None,
    ) -> None:
        """Wait for HELLO.

        Args:
            reception: where its sessions come in, if that is not the door's.
        """
        self._door = door
        self._link = link
        self._batching = batching
        self._out: list[bytes] = []
        self._unread_bytes = 0  # of the link when it was last asked, and all that was queued since
        self._unread_bytes_max = door.settings.unread_bytes_max
        self.is_paused = self._is_over = self._is_lost = False
        self._is_dirty = False  # something is to be done at the end of the turn
        self._loop = asyncio.get_running_loop()
        self._turn_until_s = 0.0  # 0 before a turn's first message
        self._held: deque[bytes] | None = None  # what was read, while it waits for the next turn
        self._slow_timer: asyncio.TimerHandle | None = None
        self._due_timer: asyncio.TimerHandle | None = None
        self._due_us: int | None = None
        self.serializer = serializer
        self.bytes_max = bytes_max
        self.facts = facts
        self.dropped_count = 0
        self.session = Session(self, reception or door.reception)
        self._look_at_clock()

    @property
    def is_batched(self) -> bool:
        """Whether its subprotocol has batches."""
        return self._batching is not None

    @property
    def unread_bytes(self) -> int:
        """How much the client has not taken yet."""
        return self._link.unread_bytes()

    # --- from the client ---

    def receive(self, data: bytes) -> None:
        """Take what one message of the transport holds."""
        if self._is_over:
            return
        if self._batching is None:
            self._take(data)
        else:
            try:
                messages = self._batching.split(data)
            except ProtocolViolation as violation:
                self.fail(violation)
                return
            for message in messages:
                self._take(message)
        self._look_at_clock()

    def _take(self, message: bytes) -> None:
        if self._held is not None:
            self._held.append(message)
            return
        session = self.session
        try:
            session.receive_data(message)
        except Exception:
            # A bug of ours. The session has answered the client, or said ABORT and ended.
            log.exception("wamp_message_failed", address=self.facts.peer)
        if session.is_waiting:
            self._pause()
        now_s = time.monotonic()
        if now_s > self._turn_until_s:
            self._end_turn(now_s)

    def _end_turn(self, now_s: float) -> None:
        if not self._turn_until_s:  # it has just begun
            self._turn_until_s = now_s + TURN_S_MAX
        elif self._held is None:
            # Or it began in an earlier turn, in which nothing was written; then this costs a hop.
            self._held = deque()
            self._pause()
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Take what was held, or as much of it as this turn allows."""
        held, self._held = self._held, None
        self._turn_until_s = 0.0
        while held and self._held is None and not self._is_over:
            self._take(held.popleft())
        if self._held is not None and held:
            self._held.extend(held)
        self._flush_soon()

    def fail(self, violation: ProtocolViolation) -> None:
        """End it for what the client did to the transport."""
        self.session.fail(violation)
        self._look_at_clock()

    def lose(self) -> None:
        """The connection is gone."""
        self._is_over = self._is_lost = True
        self._held = None
        self._out.clear()
        for timer in (self._slow_timer, self._due_timer):
            if timer is not None:
                timer.cancel()
        try:
            self.session.lose()
        finally:
            self._door.forget(self)

    # --- pacing ---

    def _pause(self) -> None:
        if not self.is_paused:
            self.is_paused = True
            self._link.pause()

    def read_on(self) -> None:
        """Read from the client again, soon, if nothing is in the way then."""
        if self.is_paused:
            self._flush_soon()

    def _resume_if_free(self) -> None:
        if self.is_paused and not self._must_pause():
            self.is_paused = False
            self._link.resume()

    def _must_pause(self) -> bool:
        return (
            self.session.is_waiting
            or self._held is not None
            or self._unread_bytes > self._unread_bytes_max // 2
        )

    def catch_up(self) -> None:
        """The client has read what was written to it, or most of it."""
        self._unread_bytes = self._link.unread_bytes()
        if self._unread_bytes <= self._unread_bytes_max // 2 and self._slow_timer is not None:
            self._slow_timer.cancel()
            self._slow_timer = None
        self.read_on()

    # --- to the client ---

    def send_bytes(self, data: bytes) -> None:
        """Queue an encoded message."""
        self._unread_bytes += len(data)
        if not self._is_dirty:
            self._is_dirty = True
            self._door.flush_soon(self)
        self._out.append(data)

    def send_event(self, data: bytes) -> None:
        """Queue an encoded EVENT, or drop it if too much waits to be read already."""
        unread_bytes = self._unread_bytes + len(data)
        if unread_bytes > self._unread_bytes_max:
            self._write()  # one turn may bring much for a client who reads as fast as can be
            unread_bytes = self._unread_bytes + len(data)
            if unread_bytes > self._unread_bytes_max:
                self.dropped_count += 1
                self._door.dropped_count += 1
                return
        self._unread_bytes = unread_bytes
        if not self._is_dirty:
            self._is_dirty = True
            self._door.flush_soon(self)
        self._out.append(data)

    def close(self) -> None:
        """Write what is queued, then close."""
        self._is_over = True
        self._flush_soon()

    def abort(self) -> None:
        """End the connection at once."""
        self._is_over = True
        self._link.abort()

    def _flush_soon(self) -> None:
        if not self._is_dirty:
            self._is_dirty = True
            self._door.flush_soon(self)

    def flush(self) -> None:
        """Write what has been queued in this turn."""
        self._is_dirty = False
        self._turn_until_s = 0.0
        self._write()
        if self._is_over:
            self._link.close()
        else:
            self._resume_if_free()
            self._look_at_clock()

    def _write(self) -> None:
        out, self._out = self._out, []
        if out and not self._is_lost:
            realm = self.session.realm
            if realm is not None:
                realm.sent_count += len(out)
            if self._batching is not None:
                out = self._batched(out, self._batching)
            self._link.write(out)
            self._unread_bytes = 0
            self.look_at_unread()

    def look_at_unread(self) -> None:
        """Something has been written."""
        self._unread_bytes = max(self._unread_bytes, self._link.unread_bytes())
        if self._unread_bytes > self._unread_bytes_max // 2:
            self._slow_down()

    def _batched(self, messages: list[bytes], batching: Batching) -> list[bytes]:
        """As few batches as there can be of at most what a client takes."""
        batches: list[bytes] = []
        batch: list[bytes] = []
        size_bytes = 0
        for message in messages:
            if batch and size_bytes + len(message) > self._door.settings.batch_bytes_max:
                batches.append(batching.join(batch))
                batch, size_bytes = [], 0
            batch.append(message)
            size_bytes += len(message)
        batches.append(batching.join(batch))
        return batches

    def _slow_down(self) -> None:
        self._pause()
        if self._unread_bytes > ANSWERS_TIMES_MAX * self._unread_bytes_max:
            log.warning(
                "wamp_client_cut_off", address=self.facts.peer, unread_bytes=self._unread_bytes
            )
            self._link.abort()
        elif self._slow_timer is None:
            self._slow_timer = self._loop.call_later(self._door.settings.slow_s_max, self._end_slow)

    def _end_slow(self) -> None:
        log.warning(
            "wamp_client_too_slow",
            address=self.facts.peer,
            unread_bytes=self._link.unread_bytes(),
            dropped_count=self.dropped_count,
        )
        text = f"left too much unread for {self._door.settings.slow_s_max} s"
        self.session.abort(TOO_SLOW, text)

    # --- time ---

    def _look_at_clock(self) -> None:
        """Have a timer for what is due next, if anything is."""
        due_us = self.session.next_due_us()
        if due_us == self._due_us:
            return
        self._due_us = due_us
        if self._due_timer is not None:
            self._due_timer.cancel()
            self._due_timer = None
        if due_us is not None:
            delay_s = max(0, due_us - self._door.reception.now_us()) / _US_PER_S
            self._due_timer = self._loop.call_later(delay_s, self._take_due)

    def _take_due(self) -> None:
        self._due_us = self._due_timer = None
        try:
            self.session.take_due(self._door.reception.now_us())
        except Exception:
            log.exception("wamp_message_failed", address=self.facts.peer)
        if self.session.state is not State.OVER:
            self._look_at_clock()
