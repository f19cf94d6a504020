"""What a rule has taken from the journal and not settled yet: sent, and sent again, call by call.

Blocking, for the rule's thread; knows nothing of journals or disks. Its owner steps it, records
what is refused, and lets the journal go up to `through_seq`.

    fresh ─► send ─► delivered
      ▲        ├───► some of it `retry`    ──► their devices are held, each in a lane of its own
      │        ├───► raised, and REFUSED   ──► back, and fewer in the next call, down to the one
      └────────┴───► raised otherwise      ──► back, and a pause for all
                                                 │
    lane ─► send, after a pause of its own ◄─────┘ fresh items of a device that is held go there

**Order within a device.** While a device has a lane, none of its items goes past it; a lane is a
queue, and ends when it is empty. Fresh and held items never share a call, so that a call which
fails because of what is held holds up nothing else.

**Bounds.** Lanes hold `HELD_ITEMS_MAX` items and `HELD_BYTES_MAX` bytes. When they are full, what
is fresh waits from the first item of a held device on, and no more devices are held: what asks for
another attempt goes back, with a pause for all. One call may go beyond. What is kept is that, and
what was in calls already: in one that went back at most, and one that is under way at the end.
"""

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from thingtank.sinks.engine import Item, SendResult, SinkEngine
from thingtank.sinks.rules import steps
from thingtank.sinks.rules.pauses import pause_s_max
from thingtank.sinks.rules.steps import Entry, EntryMaker, Kept, Refused, Step
from thingtank.tank.failures import Failure, FailureKind

HELD_ITEMS_MAX = 10_000
HELD_BYTES_MAX = 8 * 1024 * 1024


class _Lane:
    """What is held of one device."""

    __slots__ = ("due_s", "entries", "failure_count")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.failure_count = 0
        self.due_s = 0.0


class Window:
    """Entries between the journal and the engine, n >= 0, of ascending numbers.

    One thread steps it, and the others ask between two steps; only `recorded`, `keep`, `kept` and
    `waiting_ids` may be called meanwhile.

    Attributes:
        unrecorded: what is refused, until `recorded` is told that it is on disk.
        through_seq: the journal's batch up to which nothing waits, but for what is kept.
    """

    def __init__(
        self,
        engine: SinkEngine,
        retry_s_max: float,
        from_seq: int = 0,
        held: Sequence[Entry] = (),
        *,
        now_s: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Make one.

        Args:
            retry_s_max: the longest pause before a device is tried again.
            from_seq: what was passed before.
            held: what `keep` told of it: sent before all else.
        """
        self._engine = engine
        self._retry_s_max = retry_s_max
        self._now_s = now_s
        self._chance = chance
        self._lock = threading.Lock()  # not held while a call is under way
        self._more: EntryMaker | None = None
        self._fresh: deque[Entry] = deque()
        self._fresh_bytes = 0
        self._back_count = 0  # the first of them, which were in a call that failed
        self._lanes: dict[str, _Lane] = {}
        self._held_count = self._held_bytes = 0
        self._flying: Sequence[Entry] = ()
        self._is_held_flying = False
        self._fresh_max = self._held_max = engine.bounds.items_max  # in the next call of such
        self._is_closed = self._is_forgiven = False
        self._last_seq = self._made_seq = from_seq
        self._kept_seq = self.through_seq = from_seq
        self._kept_ids = {item.item_id for _, item in held}
        self._due_s = math.inf  # of the lane that is due first
        self.unrecorded: list[Refused] = []
        self._hold(held)
        self._sum_up()

    # --- what there is; between two steps ---

    @property
    def has_fresh(self) -> bool:
        """Whether something is there that was not tried yet. If not, `add` may be called."""
        return bool(self._fresh) or self._more is not None

    @property
    def is_empty(self) -> bool:
        """Whether all is settled."""
        return not (self._lanes or self.has_fresh or self._flying)

    @property
    def can_send(self) -> bool:
        """Whether `step` has something to do now."""
        return self.wait_s() <= 0 or self.can_send_fresh

    @property
    def can_send_fresh(self) -> bool:
        """Whether what is fresh is reason enough for `step`."""
        if not self._fresh:
            return self._more is not None
        return not (self._is_full and self._fresh[0][1].order_key in self._lanes)

    @property
    def due_s(self) -> float:
        """When the next device that is held is to be tried; infinite if none is held."""
        return -math.inf if self._is_forgiven and self._lanes else self._due_s

    def wait_s(self) -> float:
        """Until the next device that is held is due; 0 if one is, infinite if none is held."""
        return max(0.0, self.due_s - self._now_s())

    def kept(self) -> list[Entry]:
        """What is left of what `keep` told, in order; what is settled of it is forgotten."""
        with self._lock:
            kept_ids = self._kept_ids
            left = [each for each in self._unsettled() if each[1].item_id in kept_ids]
            self._kept_ids = {item.item_id for _, item in left}
            return left

    def waiting_ids(self) -> set[str]:
        """The ids of all items that are not settled, of those that are made."""
        with self._lock:
            return {item.item_id for _, item in self._unsettled()}

    # --- what is done with it ---

    def add(self, more: EntryMaker, last_seq: int) -> None:
        """Have it send more; only when nothing is fresh.

        Args:
            more: makes them, in the thread that steps.
            last_seq: what is passed when all of them are settled; they may end before.
        """
        assert not self.has_fresh, "one source at a time"
        self._more = more
        self._last_seq = last_seq

    def hold(self, entries: Iterable[Entry]) -> None:
        """Have more sent as what is held: each after what is held of its device already."""
        self._hold(entries)
        self._sum_up()

    def recorded(self, count: int) -> None:
        """So many of `unrecorded`, from the first on, are on disk."""
        with self._lock:
            del self.unrecorded[:count]

    def forgive(self) -> None:
        """Try all devices that are held now, and begin with short pauses again."""
        self._is_forgiven = True

    def keep(self, *, is_last: bool = False) -> Kept:
        """Have all passed that was in a call, but for what is to be written down.

        Args:
            is_last: nothing is sent any more. What is under way counts as not sent.
        """
        with self._lock:
            self._is_closed = self._is_closed or is_last
            if self._more is not None and len(self._fresh) <= self._back_count:
                self._fill()
            fresh, count = self._fresh, self._back_count
            rest = fresh[count] if len(fresh) > count else None
            self._kept_seq = max(self._kept_seq, self._last_seq if rest is None else rest[0] - 1)
            entries = [*self._in_calls(), *islice(fresh, count)]
            self._kept_ids = {item.item_id for _, item in entries}
            self._sum_up()
            return Kept(self._kept_seq, entries, None if rest is None else rest[1])

    def step(self) -> Step:
        """Send once; raises only by a fault of ours or of the engine, and loses nothing by it."""
        with self._lock:
            batch: Sequence[Entry] = () if self._is_closed else self._take()
            self._flying = batch
            if not batch:
                self._sum_up()
                return Step(held_count=self._held_count, is_sent=False)
        try:
            result = self._engine.send([item for _, item in batch])
        except Exception as error:
            failure = steps.failure_of(error)
            with self._lock:
                if failure is None:
                    self._put_back(batch)
                    raise
                step = self._failed(batch, failure)
                self._sum_up()
                return step
        with self._lock:
            step = self._settled(batch, result)
            self._sum_up()
            return step

    # --- taking ---

    def _take(self) -> list[Entry]:
        if self._is_forgiven:
            self._is_forgiven = False
            for lane in self._lanes.values():
                lane.failure_count, lane.due_s = 0, 0.0
            self._due_s = 0.0
        # In turn, so that many that are held leave room for what is fresh.
        was_held, self._is_held_flying = self._is_held_flying, False
        if was_held and (batch := self._take_fresh()):
            return batch
        batch = self._take_held()
        self._is_held_flying = bool(batch)
        return batch or self._take_fresh()

    def _take_held(self) -> list[Entry]:
        batch: list[Entry] = []
        now_s = self._now_s()
        if self._due_s > now_s:
            return batch
        room_bytes = self._engine.bounds.bytes_max
        for lane in self._lanes.values():
            while lane.due_s <= now_s and lane.entries and len(batch) < self._held_max:
                room_bytes -= _call_bytes(lane.entries[0][1])
                if batch and room_bytes < 0:
                    return batch
                entry = lane.entries.popleft()
                self._count_held(entry, -1)
                batch.append(entry)
        return batch

    def _take_fresh(self) -> list[Entry]:
        if self._more is not None and len(self._fresh) <= self._fresh_max:
            self._fill_up()
        batch: list[Entry] = []
        fresh, lanes, items_max = self._fresh, self._lanes, self._fresh_max
        room_bytes = self._engine.bounds.bytes_max
        fresh_count = len(fresh)
        while fresh and len(batch) < items_max:
            entry = fresh[0]
            item = entry[1]
            size_bytes = _call_bytes(item)
            if lanes and (lane := lanes.get(item.order_key)) is not None:
                if self._is_full:
                    break
                lane.entries.append(entry)
                self._count_held(entry, 1)
            else:
                room_bytes -= size_bytes
                if batch and room_bytes < 0:
                    break
                batch.append(entry)
            self._fresh_bytes -= size_bytes
            fresh.popleft()
        self._back_count = max(0, self._back_count - (fresh_count - len(fresh)))
        return batch

    def _fill_up(self) -> None:
        """Make what one call takes and one entry more, which tells what is passed."""
        bytes_max = self._engine.bounds.bytes_max
        while (
            self._more is not None
            and len(self._fresh) <= self._fresh_max
            and self._fresh_bytes <= bytes_max
        ):
            self._fill()

    def _fill(self) -> None:
        assert self._more is not None, "asked before"
        entries = self._more()
        if not entries:
            self._more = None
            return
        self._fresh.extend(entries)
        self._fresh_bytes += sum([_call_bytes(item) for _, item in entries])
        self._made_seq = entries[-1][0]

    # --- settling ---

    def _failed(self, batch: Sequence[Entry], failure: Failure) -> Step:
        """A whole call failed."""
        if self._is_closed:
            return Step(is_sent=False)
        if failure.kind is FailureKind.REFUSED:
            if len(batch) == 1:
                return self._settled(batch, SendResult(refused={0: str(failure)}))
            self._put_back(batch)
            self._bound(len(batch) // 2)
            return Step(held_count=self._held_count)
        if self._is_held_flying:  # their affair: others may go on
            retry = dict.fromkeys(range(len(batch)), str(failure))
            return self._settled(batch, SendResult(retry, failure=failure))._replace(
                failure=failure
            )
        self._put_back(batch)
        return Step(0, 0, len(batch), failure, failure, self._held_count, is_stuck=True)

    def _settled(self, batch: Sequence[Entry], result: SendResult) -> Step:
        if self._is_closed:  # it counts as not sent
            return Step(is_sent=False)
        self._flying = ()
        self._bound(2 * (self._held_max if self._is_held_flying else self._fresh_max))
        refused: list[Refused] = []
        retry: dict[str, list[Entry]] = {}  # devices that an earlier item of must arrive first
        again: list[Entry] = []  # all of these
        arrived = batch
        if result.retry or result.refused:  # hardly ever
            arrived = []
            for place, entry in enumerate(batch):
                key = entry[1].order_key
                if key in retry or place in result.retry:
                    retry.setdefault(key, []).append(entry)
                    again.append(entry)
                    continue
                arrived.append(entry)
                if place in result.refused:
                    refused.append(Refused(entry[1], result.refused[place]))
        if arrived and self._is_held_flying:
            self._free(arrived)
        self.unrecorded += refused
        failure, is_stuck = None, False
        if again:
            failure = result.failure or steps.retried(result.retry)
            if self._is_held_flying or not self._is_full:
                self._hold_again(retry, failure)
                is_stuck = not arrived and not self._is_held_flying
            else:
                self._put_back(again)
                is_stuck = True
        return Step(
            len(arrived) - len(refused),
            len(refused),
            len(again),
            failure,
            None,
            self._held_count,
            is_stuck=is_stuck,
        )

    def _bound(self, items_max: int) -> None:
        """Have the next call of this kind so large at most: a refused item is searched by it."""
        items_max = min(items_max, self._engine.bounds.items_max)
        if self._is_held_flying:
            self._held_max = items_max
        else:
            self._fresh_max = items_max

    def _free(self, arrived: Iterable[Entry]) -> None:
        """Let devices go on that had to wait; at once, if there is more of them."""
        for key in {item.order_key for _, item in arrived}:
            lane = self._lanes[key]
            lane.failure_count, lane.due_s = 0, 0.0
            if not lane.entries:
                del self._lanes[key]

    def _hold_again(self, retry: Mapping[str, list[Entry]], failure: Failure) -> None:
        """Have devices wait; those that fail together are tried together again."""
        now_s, chance = self._now_s(), self._chance()
        for key, entries in retry.items():
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = _Lane()
            lane.entries.extendleft(reversed(entries))
            for entry in entries:
                self._count_held(entry, 1)
            lane.failure_count += 1
            longest_s = pause_s_max(
                lane.failure_count, self._retry_s_max, is_passing=failure.is_passing
            )
            lane.due_s = now_s + chance * longest_s

    def _hold(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._lanes.setdefault(entry[1].order_key, _Lane()).entries.append(entry)
            self._count_held(entry, 1)

    def _sum_up(self) -> None:
        """Look at what waits: here, as it is much, and not in the thread that asks for it."""
        lanes, kept_ids = self._lanes.values(), self._kept_ids
        self._due_s = min((lane.due_s for lane in lanes), default=math.inf)
        # Where the source may have more, it may be of the batch that it gave last.
        next_seq = self._last_seq + 1 if self._more is None else self._made_seq
        for entries in (self._fresh, *(lane.entries for lane in lanes)):
            for seq, item in entries:
                if item.item_id not in kept_ids:
                    next_seq = min(next_seq, seq)
                    break
        self.through_seq = max(self.through_seq, self._kept_seq, next_seq - 1)

    def _put_back(self, batch: Sequence[Entry]) -> None:
        if self._is_closed:
            return
        self._flying = ()
        if not self._is_held_flying:
            self._fresh.extendleft(reversed(batch))
            self._back_count += len(batch)
            self._fresh_bytes += sum(_call_bytes(item) for _, item in batch)
            return
        for entry in reversed(batch):
            self._lanes[entry[1].order_key].entries.appendleft(entry)
            self._count_held(entry, 1)

    def _count_held(self, entry: Entry, count: int) -> None:
        self._held_count += count
        self._held_bytes += count * entry[1].size_bytes

    @property
    def _is_full(self) -> bool:
        return self._held_count >= HELD_ITEMS_MAX or self._held_bytes >= HELD_BYTES_MAX

    def _unsettled(self) -> Iterator[Entry]:
        """Of each device in order."""
        yield from self._in_calls()
        yield from self._fresh

    def _in_calls(self) -> Iterator[Entry]:
        """What is in a call, or held."""
        yield from self._flying
        for lane in self._lanes.values():
            yield from lane.entries


def _call_bytes(item: Item) -> int:
    return len(item.payload) or item.size_bytes
