"""The server's side of one rule: its windows and its engine are in the process that sends."""

import math
import time
from collections.abc import Sequence

from thingtank.server.sinks.message_reader import Batch
from thingtank.server.sinks.selection import Selection
from thingtank.server.sinks.sending.calls import (
    NOTHING_TOLD,
    BatchContent,
    Begin,
    Close,
    HeldBlob,
    Keep,
    More,
    Open,
    RefusedItem,
    Stepped,
    TakeStep,
    WhatIsKept,
    WindowName,
    WindowState,
)
from thingtank.server.sinks.sending.process import Link, SendingFault, SendingProcess, ended
from thingtank.sinks.engine import EngineFailed, Kind
from thingtank.sinks.rules.settings import SinkRule
from thingtank.sinks.rules.steps import Step
from thingtank.stores.journal_readers import CommittedBatch


class RemoteRule:
    """One rule in the process that sends. Lives in the loop's thread; one call at a time.

    When that process ends, or a call fails by which something was to come there, what its windows
    had is lost: `is_lost` says so, and `go_on` begins again.

    Attributes:
        held: what is to be sent before all else, until the other process is told.
        fresh: the window of what is read.
        letters: that of dead letters that are sent again.
        rule_number: by which the other process knows it.
    """

    def __init__(
        self,
        process: SendingProcess,
        rule: SinkRule,
        kind: Kind,
        origin: str,
        retry_s_max: float,
        selection: Selection,
    ) -> None:
        """Nothing is begun yet.

        Args:
            origin: of the data folder.
        """
        self.selection = selection
        self._process = process
        self._rule = rule
        self._kind: Kind = kind
        self._origin = origin
        self._retry_s_max = retry_s_max
        self._link: Link | None = None
        self._has_failed = False
        self.rule_number = process.next_rule()
        self._from_seq = 0
        self.held: Sequence[HeldBlob] = ()
        self.fresh = RemoteWindow(self, "fresh")
        self.letters = RemoteWindow(self, "letters")

    @property
    def is_lost(self) -> bool:
        """Whether it was begun, and what was there is there no more."""
        return self._has_failed or (self._link is not None and self._link.has_ended)

    @property
    def is_begun(self) -> bool:
        """Whether a process was told of it, which may have ended since."""
        return self._link is not None

    def go_on(self, from_seq: int, held: Sequence[HeldBlob]) -> None:
        """Begin behind a batch, at the next `open`.

        Args:
            held: sent before all else.
        """
        self._link = None
        self._has_failed = False
        self._from_seq, self.held = from_seq, held
        self.selection.say_all_again()
        self.fresh.begin(from_seq, is_held=bool(held))
        self.letters.begin(0, is_held=False)

    async def open(self) -> None:
        """Connect; see `SinkEngine.open`.

        Raises:
            EngineFailed, SendingFault.
        """
        if self._link is None:
            link = await self._process.link()
            rule = self._rule
            await link.call(
                Begin(
                    link.next_number(),
                    self.rule_number,
                    rule.target,
                    self._kind,
                    self._origin,
                    rule.template,
                    repr((rule.send, rule.feeds, rule.tag, rule.datastreams)),
                    self._retry_s_max,
                    self._from_seq,
                    [(seq, item) for seq, _, item in self.held],
                )
            )
            self._link, self.held = link, ()
        link = self.link
        await link.call(Open(link.next_number(), self.rule_number))

    def fail(self) -> None:
        """It is not known what came there of a call."""
        self._has_failed = True

    async def close(self) -> None:
        """Let the engine go, after what is under way. Raise EngineFailed, SendingFault."""
        link = self._link
        if link is not None and not link.has_ended:
            await link.call(Close(link.next_number(), self.rule_number))

    @property
    def link(self) -> Link:
        """The process that it is in. Raise EngineFailed."""
        if self._link is None or self._link.has_ended:
            raise ended()
        return self._link


class RemoteWindow:
    """What stands for a `Window` of the other process; says what that has said last.

    Attributes:
        unrecorded: what is refused, until `recorded` is told that it is on disk.
        waiting_ids: of the window of letters, the ids of all that is not settled.
        is_unanswered: whether it is not known what came of the last step.
    """

    def __init__(self, rule: RemoteRule, name: WindowName) -> None:
        self._rule = rule
        self._name: WindowName = name
        self._state = _state(0, is_held=False)
        self._fresh: Sequence[Batch] = ()  # until the next step, as the others
        self._begun = (0, 0)
        self._held: list[tuple[str, bytes]] = []
        self._is_anew = self._is_forgiven = False
        self._recorded_count = 0
        self.unrecorded: list[RefusedItem] = []
        self.waiting_ids: set[str] = set()
        self.is_unanswered = False

    def begin(self, from_seq: int, *, is_held: bool) -> None:
        """Be as a new one."""
        self._state = _state(from_seq, is_held=is_held)
        self._fresh = ()
        self._held = []
        self._is_anew = self._is_forgiven = False
        self._recorded_count = 0
        self.waiting_ids = set()
        self.is_unanswered = False

    # --- what there is ---

    @property
    def has_fresh(self) -> bool:
        """See Window; so are the others."""
        return bool(self._fresh) or self._state.has_fresh

    @property
    def is_empty(self) -> bool:
        return not self._fresh and not self._held and self._state.is_empty

    @property
    def can_send(self) -> bool:
        is_fresh = bool(self._fresh) or self._state.can_send_fresh
        return is_fresh or self.wait_s() <= 0

    @property
    def through_seq(self) -> int:
        return self._state.through_seq

    def wait_s(self) -> float:
        due_s = self._state.due_s
        if self._held or (self._is_forgiven and due_s < math.inf):
            return 0.0
        return max(0.0, due_s - time.monotonic())

    # --- what is done with it ---

    def add(self, batches: Sequence[Batch], begun: tuple[int, int]) -> None:
        """Have it send more, at the next step; only when nothing is fresh.

        Args:
            batches: at least one.
            begun: the number of a batch, and how many of its rows were sent or held before.
        """
        assert not self.has_fresh, "one thing at a time"
        self._fresh, self._begun = batches, begun

    def hold(self, items: Sequence[tuple[str, bytes]], *, is_anew: bool) -> None:
        """Have more sent as what is held, at the next step.

        Args:
            items: with their ids.
            is_anew: let go of all that is there.
        """
        if is_anew:
            self.begin(0, is_held=False)
            self._is_anew = True
        self._held += items
        self.waiting_ids.update(item_id for item_id, _ in items)

    def recorded(self, count: int) -> None:
        """So many of `unrecorded`, from the first on, are on disk."""
        del self.unrecorded[:count]
        self._recorded_count += count

    def forgive(self) -> None:
        self._is_forgiven = True

    async def step(self) -> Step:
        """Send once.

        Raises:
            EngineFailed, SendingFault: look whether the rule is lost.
        """
        link = self._rule.link
        call = TakeStep(
            link.next_number(),
            self._rule.rule_number,
            self._name,
            self._recorded_count,
            self._is_forgiven,
            self._is_anew,
            [blob for _, blob in self._held],
            _more(link, self._rule.selection, self._fresh, self._begun) if self._fresh else None,
        )
        self._recorded_count, self._held, self._fresh = 0, [], ()
        self._is_forgiven = self._is_anew = False
        self.is_unanswered = True
        try:
            stepped = (await link.call(call)).result
        except (EngineFailed, SendingFault):  # all of the call may be there, some of it, or none
            self._rule.fail()
            raise
        assert isinstance(stepped, Stepped), "the reply to a step"
        self.is_unanswered = False
        self._state = stepped.state
        self.unrecorded = list(stepped.refused)
        self.waiting_ids = set(stepped.waiting_ids)
        if stepped.fault:
            raise SendingFault(stepped.fault)
        return stepped.step

    async def keep(
        self, *, is_asked_only: bool = False, is_last: bool = False, is_whole: bool = False
    ) -> WhatIsKept:
        """Say what is to be written down; see Keep.

        Raises:
            EngineFailed: the process has ended.
            SendingFault.
        """
        if not self._rule.is_begun:
            seq = -1 if is_asked_only else self.through_seq
            return WhatIsKept(seq, added=self._rule.held if is_whole else ())
        link = self._rule.link
        call = Keep(
            link.next_number(),
            self._rule.rule_number,
            self._name,
            is_asked_only,
            is_last,
            is_whole,
            self._recorded_count,
        )
        self._recorded_count = 0
        kept = (await link.call(call)).result
        assert isinstance(kept, WhatIsKept), "the reply to a keep"
        self.waiting_ids = {*kept.waiting_ids, *(item_id for item_id, _ in self._held)}
        return kept


def _more(
    link: Link, selection: Selection, batches: Sequence[Batch], begun: tuple[int, int]
) -> More:
    """What a process is to be told of batches, and has not been told for another rule."""
    told, untold = NOTHING_TOLD, batches
    # Numbers of the journal are the same for all rules, those of messages are not. What was read
    # back is before what was not.
    newest = [batch for batch in batches if _is_newest(batch)]
    if newest:
        first_seq, count = newest[0].seq, len(newest)
        assert batches[-1].seq == first_seq + count - 1, "they follow each other"
        if link.tell(first_seq, [batch.blob for batch in newest]):
            told, untold = (first_seq, count), batches[:-count]
    contents = [BatchContent(each.seq, each.blob, _is_newest(each)) for each in untold]
    ids = set[int]().union(*(batch.stream_ids for batch in batches))
    return More(contents, told, selection.news_of(ids), begun, batches[-1].seq)


def _is_newest(batch: Batch) -> bool:
    """Whether it comes straight from its commit to the journal."""
    return isinstance(batch, CommittedBatch) and batch.committed_us is not None


def _state(from_seq: int, *, is_held: bool) -> WindowState:
    """As a window is at first."""
    due_s = -math.inf if is_held else math.inf
    return WindowState(False, not is_held, False, due_s, from_seq)
