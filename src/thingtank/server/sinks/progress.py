"""How far a rule has come, in memory and on disk.

A rule's place is the oldest batch of the journal that is not settled. While some devices are held
others go on, and after a crash all that was sent from the place on is sent again. So what has been
held for long is written down, and at a stop whatever is held: then the place passes it.
"""

from collections import deque
from collections.abc import Callable, Sequence

from thingtank.server.sinks.message_reader import Batch, Reader, encode_item
from thingtank.sinks.rules.steps import Entry
from thingtank.sinks.rules.window import Window
from thingtank.stores.sink_file import RulePlace
from thingtank.stores.sink_store import SinkStore

SAVE_INTERVAL_S = 1.0  # a place is written down so often at most
KEEP_AFTER_S = 10.0  # a place that stands still for so long passes what is held
_INSTANTS_MAX = 1000
_INSTANT_STEP_US = 100_000


class Progress:
    """Lives in the loop's thread.

    Attributes:
        place: where the rule is, in memory.
        is_held: whether something waits for another attempt.
    """

    def __init__(self, rule_name: str, store: SinkStore, now_s: Callable[[], float]) -> None:
        self._rule_name = rule_name
        self._store = store
        self._now_s = now_s
        self._reader: Reader | None = None
        self._instants: deque[tuple[int, int]] = deque(maxlen=_INSTANTS_MAX)  # batch → committed
        self._moved_at_s = now_s()
        self._saved_at_s = 0.0
        self._saved: RulePlace | None = None
        self._kept_count = 0  # on disk
        self._is_refused = False  # by the disk: what is kept is not there as it is
        self.place = RulePlace(0, 0)
        self.is_held = False

    def start(self, reader: Reader, place: RulePlace | None, kept_count: int, now_us: int) -> None:
        """Go on from a reader's place.

        Args:
            place: as it was written down last; None for a new rule.
            kept_count: items that were written down with it.
        """
        self._reader = reader
        self._saved = place
        self._kept_count = kept_count
        self.is_held = kept_count > 0
        self.place = RulePlace(reader.passed_seq, now_us if place is None else place.reached_us)

    @property
    def behind_batches(self) -> int:
        """What is not settled; all that is kept counts as one."""
        if self._reader is None:
            return 0
        return max(0, self._reader.published_seq - self.place.seq) + self._is_kept

    @property
    def _is_kept(self) -> bool:
        return self.is_held and self._kept_count > 0

    @property
    def is_saved(self) -> bool:
        """Whether the disk has it as it is."""
        if self._is_refused or (self._kept_count and not self.is_held):
            return False
        return self.place.seq == (-1 if self._saved is None else self._saved.seq)

    @property
    def save_in_s(self) -> float:
        """How long until it may be written down again."""
        return max(0.0, self._saved_at_s + SAVE_INTERVAL_S - self._now_s())

    def took(self, batches: Sequence[Batch]) -> None:
        """Remember when batches were committed."""
        instants = self._instants
        for batch in batches:
            at_us = batch.committed_us
            if at_us and (not instants or at_us >= instants[-1][1] + _INSTANT_STEP_US):
                instants.append((batch.seq, at_us))

    def passed(self, seq: int, reached_us: int | None = None) -> None:
        """Let go of what is settled up to a batch.

        Args:
            reached_us: all that was committed until then is settled; None if it is not known.
        """
        if seq > self.place.seq:
            self._moved_at_s = self._now_s()
        instants = self._instants
        while instants and instants[0][0] <= seq:
            at_us = instants.popleft()[1]
            reached_us = max(at_us, reached_us or 0)
        if reached_us is None or self._is_kept:
            reached_us = self.place.reached_us
        self.place = RulePlace(max(seq, self.place.seq), reached_us)
        if self._reader is not None and not self._is_refused:
            self._reader.passed(self.place.seq)

    async def save_sometimes(self, window: Window) -> None:
        """Write down where it is, if that is due.

        Raises:
            StorageFailed.
        """
        if self.save_in_s:
            return
        if self.is_held and self._now_s() - self._moved_at_s >= KEEP_AFTER_S:
            await self._keep(*window.keep())
        else:
            await self.save(window)

    async def save(self, window: Window) -> None:
        """Write down where it is. Raise StorageFailed."""
        kept = window.kept() if self._kept_count or self._is_refused else []
        if len(kept) != self._kept_count or self._is_refused:
            await self._write(kept)
        elif not self.is_saved:
            await self._write(None)

    async def stop(self, window: Window) -> None:
        """Write down where it is and what is held; nothing is sent any more.

        Not where a dead letter is not on disk.

        Raises:
            StorageFailed.
        """
        seq, kept = window.keep(is_last=True)
        if not window.unrecorded:
            await self._keep(seq, kept)

    async def _keep(self, seq: int, kept: Sequence[Entry]) -> None:
        self._moved_at_s = self._now_s()
        if kept or self._kept_count or not self.is_saved:
            self._is_refused = True
            self.place = RulePlace(max(seq, self.place.seq), self.place.reached_us)
            await self._write(kept)

    async def _write(self, kept: Sequence[Entry] | None) -> None:
        name, place = self._rule_name, self.place
        held = None if kept is None else [(seq, encode_item(item)) for seq, item in kept]
        await self._store.run(lambda file: file.save_place(name, place, held))
        self._saved, self._saved_at_s = place, self._now_s()
        if kept is not None:
            self._kept_count, self._is_refused = len(kept), False
        if self._reader is not None:
            self._reader.passed(place.seq)
