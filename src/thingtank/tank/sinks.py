"""Sinks as pages and metrics know them: rules at work, dead letters, kinds of places to send to."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

SinkState = Literal["working", "waiting", "failing", "stuck", "full", "paused", "gone"]


class SinkTrouble(msgspec.Struct, frozen=True):
    """The last failure.

    Attributes:
        kind: of `thingtank.tank.failures.FailureKind`, in small letters.
        what: a sentence for people; no secrets.
        at_us: when it was met last.
    """

    kind: str
    what: str
    at_us: int


class SinkStatus(msgspec.Struct, frozen=True):
    """One rule, now.

    Attributes:
        engine: what kind of place it sends to.
        where: that place, for people.
        what: what it sends, for people.
        state: `working` when it has something to send, `waiting` when it has not, `failing` while
            it tries again by itself, `stuck` while somebody has to mend something, `full` when
            there is no room for more dead letters, `paused` when somebody has paused it, `gone`
            when it is no rule any more and dead letters of it are kept.
        is_fixed: whether it is in the settings file, where alone it can be changed.
        behind_count: the journal's batches, or messages, that it has not settled; what is written
            down of them, to be tried again, counts as one.
        behind_s: for how long the oldest of them has been waiting, about; 0 if there is none.
        per_minute: items that were delivered within the last minute.
        delivered_count, retried_count, dead_count: items since the start.
        failures: failed calls since the start, by kind.
        missed_count: batches that the journal could not keep for it, or messages that were left
            out, since the start.
        letter_count: dead letters that are kept.
        is_retrying_letters: whether dead letters are being sent again.
        trouble: the last failure; None when all went well since.
        send: `values`, `messages` or `topics`.
    """

    name: str
    engine: str
    where: str
    what: str
    state: SinkState
    is_fixed: bool
    behind_count: int
    behind_s: float
    per_minute: int
    delivered_count: int
    retried_count: int
    dead_count: int
    failures: Mapping[str, int]
    missed_count: int
    letter_count: int
    is_retrying_letters: bool
    trouble: SinkTrouble | None
    send: str = "values"


class DeadLetter(msgspec.Struct, frozen=True):
    """An item that was refused.

    Attributes:
        device_id, datastream, topic, at_us, value: of the item; the topic of what is no device's,
            and the beginning of the value.
        reason: why it was refused.
        refused_us: when.
        is_asked: whether it is to be sent again.
    """

    letter_id: int
    device_id: int
    datastream: str
    topic: str
    at_us: int
    value: str
    reason: str
    refused_us: int
    is_asked: bool


class ChosenLetters(msgspec.Struct, frozen=True):
    """Which dead letters of those that somebody chose there were.

    Attributes:
        chosen_count: how many.
        missing_numbers: numbers that were asked for, and are no letter's of the rule.
    """

    chosen_count: int = 0
    missing_numbers: Sequence[int] = ()


class EngineField(msgspec.Struct, frozen=True):
    """Something that an engine has to be told.

    Attributes:
        default: as it is written; None if it must be given.
        is_secret: whether it may hold a password.
        is_flag: whether it is yes or no.
        is_number: whether it is one, which cannot be blank.
    """

    name: str
    meaning: str
    default: str | None
    is_secret: bool = False
    is_flag: bool = False
    is_number: bool = False


class EngineFacts(msgspec.Struct, frozen=True):
    """A kind of place to send to."""

    name: str
    meaning: str
    fields: Sequence[EngineField]


class SinkBoard(Protocol):
    """The rules of a running instance; for operators. Lives in the loop's thread."""

    @property
    def may_be_changed(self) -> bool:
        """Whether rules can be made and deleted here; else in the settings file only."""
        ...

    def statuses(self) -> Sequence[SinkStatus]:
        """All rules by name."""
        ...

    def status(self, name: str) -> SinkStatus | None:
        """One rule."""
        ...

    def engines(self) -> Sequence[EngineFacts]:
        """What a rule can send to."""
        ...

    async def add(self, rule: Mapping[str, Any]) -> list[str]:
        """Make a rule and set it to work.

        Args:
            rule: its members as the settings file has them.

        Returns:
            What is wrong with it, in sentences; empty when it is at work.

        Raises:
            StorageFailed: it could not be kept.
        """
        ...

    async def delete(self, name: str) -> None:
        """End a rule, and drop its dead letters.

        Raises:
            NotAllowed: it is fixed, or rules may not be changed.
            StorageFailed: it goes on after the next start.
        """
        ...

    async def pause(self, name: str, is_paused: bool) -> None:
        """Pause a rule or let it go on. Raise StorageFailed."""
        ...

    def hurry(self, name: str) -> None:
        """Have a rule that waits after a failure try now."""
        ...

    async def letters(
        self, name: str, limit: int, before_id: int | None = None
    ) -> Sequence[DeadLetter]:
        """A rule's dead letters, newest first; those that are older than one of them."""
        ...

    async def retry(self, name: str, letter_ids: Sequence[int] | None) -> ChosenLetters:
        """Have dead letters sent again; None for all. Raise StorageFailed."""
        ...

    async def discard(self, name: str, letter_ids: Sequence[int] | None) -> ChosenLetters:
        """Discard dead letters; None for all. Raise StorageFailed."""
        ...
