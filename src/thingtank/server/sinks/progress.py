"""How far a rule has come, in memory and on disk.

A rule's place is the oldest batch of the journal that is not settled. While some devices are held
others go on, and after a crash all that was sent from the place on is sent again. So what is held
is written down while something is, every few seconds and at a stop: then the place passes it. Each
item is written once, and deleted once it is settled.
"""

import math
from collections.abc import Callable, Mapping
from typing import Protocol

from thingtank.server.sinks.message_reader import Reader
from thingtank.server.sinks.sending.calls import WhatIsKept
from thingtank.stores.sink_file import HeldChange, HeldItem, RulePlace, SinkFile
from thingtank.stores.sink_store import SinkStore

SAVE_INTERVAL_S = 1.0  # a place is written down so often at most
KEEP_AFTER_S = 10.0  # while something is held, the place passes it so often
_NOTHING = WhatIsKept(-1)


class Keeper(Protocol):
    """What `RemoteWindow` is to it."""

    async def keep(
        self, *, is_asked_only: bool = False, is_last: bool = False, is_whole: bool = False
    ) -> WhatIsKept:
        """Say what is to be written down; see `calls.Keep`."""
        ...


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
        self._keeps_from_s = now_s()  # what is held since then is not written down
        self._saved_at_s = 0.0
        self._saved: RulePlace | None = None
        self._numbers: Mapping[str, int] = {}  # of the items that are kept on disk, by id
        self._kept_us: dict[str, int] = {}  # when these were committed, about
        self._oldest_kept_us = 0
        self._is_uncertain = False  # what the disk has of it: it is being written, or was refused
        self.place = RulePlace(0, 0)
        self.is_held = False

    def start(
        self, reader: Reader, place: RulePlace | None, numbers: Mapping[str, int], now_us: int
    ) -> None:
        """Go on from a reader's place.

        Args:
            place: as it was written down last; None for a new rule.
            numbers: of the items that were written down with it, by id.
        """
        self._reader = reader
        self._saved = place
        self._numbers = numbers
        self._oldest_kept_us = now_us if place is None else place.reached_us
        self._kept_us = dict.fromkeys(numbers, self._oldest_kept_us)
        self._is_uncertain = False
        self.is_held = bool(numbers)
        if place is None:
            self.place = RulePlace(reader.passed_seq, now_us)
        elif place.seq == reader.passed_seq:
            self.place = place
        else:
            self.place = RulePlace(reader.passed_seq, place.reached_us)

    @property
    def begun(self) -> tuple[int, int]:
        """The batch behind the place, and how many of its rows are settled or kept."""
        return self.place.seq + 1, self.place.row

    @property
    def behind_count(self) -> int:
        """What is not settled; all that is kept counts as one."""
        if self._reader is None:
            return 0
        return max(0, self._reader.published_seq - self.place.seq) + self._is_kept

    @property
    def _is_kept(self) -> bool:
        return self.is_held and (self._is_uncertain or bool(self._numbers))

    @property
    def is_saved(self) -> bool:
        """Whether the disk has it as it is."""
        if self._is_uncertain or self._saved is None or (self._numbers and not self.is_held):
            return False
        return (self.place.seq, self.place.row) == (self._saved.seq, self._saved.row)

    @property
    def save_in_s(self) -> float:
        """How long until it may be written down again."""
        return max(0.0, self._saved_at_s + SAVE_INTERVAL_S - self._now_s())

    @property
    def keep_in_s(self) -> float:
        """How long until what is held is to be written down; infinite if nothing is."""
        if not self.is_held:
            return math.inf
        return max(self.save_in_s, self._keeps_from_s + KEEP_AFTER_S - self._now_s())

    def holds(self, is_held: bool) -> None:
        """Say whether something waits for another attempt."""
        # Not anew when the place moves: it does at each item that gets through of many.
        if not (is_held and self.is_held):
            self._keeps_from_s = self._now_s()
        self.is_held = is_held

    def behind_us(self, now_us: int) -> int:
        """For how long the oldest that is not settled has been waiting; 0 if nothing is."""
        if not self.behind_count:
            return 0
        return max(0, now_us - self._reached_us(self.place.seq, now_us))

    def _reached_us(self, seq: int, now_us: int) -> int:
        """Until when all that was committed is settled, where all is up to a batch."""
        before_us = reached_us = self.place.reached_us
        if self._reader is not None:
            is_all = seq >= self._reader.published_seq
            next_us = now_us if is_all else self._reader.committed_us(seq + 1)
            reached_us = max(before_us, next_us or 0)
        if self._is_kept:  # the oldest of it is not settled
            oldest_us = before_us if self._is_uncertain else self._oldest_kept_us
            reached_us = max(before_us, min(reached_us, oldest_us))
        return reached_us

    def passed(self, seq: int, now_us: int) -> None:
        """Let go of what is settled up to a batch."""
        seq = max(seq, self.place.seq)
        row = self.place.row if seq == self.place.seq else 0
        self.place = RulePlace(seq, self._reached_us(seq, now_us), row)
        if self._reader is not None and not self._is_uncertain:
            self._reader.passed(self.place.seq)

    async def save_sometimes(self, window: Keeper) -> None:
        """Write down where it is, if that is due.

        Raises:
            StorageFailed, EngineFailed, SendingFault.
        """
        if self.save_in_s:
            return
        is_whole = self._is_uncertain
        if self.keep_in_s <= 0:
            self._is_uncertain = True  # what changed is said once
            await self._keep(await window.keep(is_whole=is_whole), is_whole=is_whole)
        elif self._numbers or is_whole:
            self._is_uncertain = True
            kept = await window.keep(is_asked_only=True, is_whole=is_whole)
            await self._write(kept, is_whole=is_whole)
        elif not self.is_saved:
            await self._write(_NOTHING, is_whole=False)

    async def stop(self, window: Keeper) -> None:
        """Write down where it is and what is held; nothing is sent any more.

        Not where a dead letter is not on disk.

        Raises:
            StorageFailed, EngineFailed, SendingFault.
        """
        is_whole, self._is_uncertain = self._is_uncertain, True
        kept = await window.keep(is_last=True, is_whole=is_whole)
        if not kept.unrecorded_count:
            await self._keep(kept, is_whole=is_whole)

    async def _keep(self, kept: WhatIsKept, *, is_whole: bool) -> None:
        self._keeps_from_s = self._now_s()
        place = self.place
        if kept.seq >= place.seq:
            row = max(kept.row, place.row) if kept.seq == place.seq else kept.row
            self.place = place._replace(seq=kept.seq, row=row)
        await self._write(kept, is_whole=is_whole)

    def _committed_us(self, seq: int) -> int:
        """When a batch was committed, or before."""
        known_us = None if self._reader is None else self._reader.committed_us(seq)
        return self.place.reached_us if known_us is None else known_us

    async def _write(self, kept: WhatIsKept, *, is_whole: bool) -> None:
        """Write down the place, and which of what it has passed is not settled.

        Args:
            is_whole: whether `kept` is all of it, and not what has changed only.
        """
        name, place, is_saved = self._rule_name, self.place, self.is_saved
        numbers = None if is_whole else self._numbers
        kept_us = {each.item_id: self._committed_us(each.seq) for each in kept.added}
        self._is_uncertain = True

        def write(file: SinkFile) -> Mapping[str, int]:
            after, change = _change_of(numbers, kept)
            if change is not None or not is_saved:
                file.save_place(name, place, change)
            return after

        self._numbers = await self._store.run(write)
        known_us = kept_us | self._kept_us
        self._kept_us = {item_id: known_us[item_id] for item_id in self._numbers}
        self._oldest_kept_us = min(self._kept_us.values(), default=0)
        self._is_uncertain = False
        self._saved, self._saved_at_s = place, self._now_s()
        if self._reader is not None:
            self._reader.passed(place.seq)


def _change_of(
    numbers: Mapping[str, int] | None, kept: WhatIsKept
) -> tuple[Mapping[str, int], HeldChange | None]:
    """What is to be changed on disk.

    Args:
        numbers: of what is there, by id; None if that is not known, and `kept` is all of it.
        kept: what is to be there besides, and no more.

    Returns:
        The numbers of what is there then; and the change, None if there is none.
    """
    after = dict(numbers or {})
    gone = [after.pop(item_id) for item_id in kept.gone_ids if item_id in after]
    number = 1 + max([*after.values(), *gone], default=-1)
    new = list[HeldItem]()
    for seq, item_id, blob in kept.added:
        after[item_id] = number
        new.append(HeldItem(number, seq, blob))
        number += 1
    if numbers is None:
        return after, HeldChange(None, new)
    return after, HeldChange(gone, new) if gone or new else None
