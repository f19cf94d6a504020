"""Operations on rules of sinks and their dead letters; a running server has them."""

from collections.abc import Sequence

import msgspec

from thingtank.server.operations.context import Context
from thingtank.server.operations.rule_shapes import ListOfRule, Numbers, OneRule, page_of
from thingtank.server.operations.shapes import Nothing, Refused
from thingtank.tank.errors import NotFound
from thingtank.tank.sinks import ChosenLetters, DeadLetter, SinkBoard, SinkStatus


class SinkList(msgspec.Struct, frozen=True):
    """All rules by name."""

    sinks: Sequence[SinkStatus]


class PauseSink(OneRule, frozen=True):
    """A rule that is to be paused, or let go on."""

    is_paused: bool


class LetterList(msgspec.Struct, frozen=True):
    """One page, newest first; `next_before` asks for the one after it, None when it is the last."""

    letters: Sequence[DeadLetter]
    next_before: int | None


class ChangedLetters(ChosenLetters, frozen=True, kw_only=True):
    """Which dead letters were retried or discarded, and how the rule is doing since."""

    sink: SinkStatus


class SomeLetters(OneRule, frozen=True):
    """Dead letters of a rule; None for all."""

    numbers: Numbers | None = None


async def list_all(context: Context, _: Nothing) -> SinkList:
    """List the rules."""
    return SinkList(_board(context).statuses())


async def show(context: Context, asked: OneRule) -> SinkStatus:
    """A rule."""
    return _status(context, asked.name)


async def letters(context: Context, asked: ListOfRule) -> LetterList:
    """List dead letters."""
    _status(context, asked.name)
    found = await _board(context).letters(asked.name, asked.limit + 1, asked.before)
    return LetterList(*page_of(found, asked.limit, lambda letter: letter.letter_id))


async def retry(context: Context, asked: SomeLetters) -> ChangedLetters:
    """Have dead letters sent again, soon."""
    _require_at_work(context, asked.name)
    return _changed(context, asked, await _board(context).retry(asked.name, asked.numbers))


async def discard(context: Context, asked: SomeLetters) -> ChangedLetters:
    """Discard dead letters."""
    _status(context, asked.name)
    return _changed(context, asked, await _board(context).discard(asked.name, asked.numbers))


async def pause(context: Context, asked: PauseSink) -> SinkStatus:
    """Pause a rule, or let it go on."""
    _require_at_work(context, asked.name)
    await _board(context).pause(asked.name, asked.is_paused)
    return _status(context, asked.name)


def _changed(context: Context, asked: SomeLetters, chosen: ChosenLetters) -> ChangedLetters:
    sink = _status(context, asked.name)
    return ChangedLetters(chosen.chosen_count, chosen.missing_numbers, sink=sink)


def _board(context: Context) -> SinkBoard:
    context.require_server()
    assert context.sinks is not None, "a server has some"
    return context.sinks


def _status(context: Context, name: str) -> SinkStatus:
    status = _board(context).status(name)
    if status is None:
        raise NotFound(f"there is no rule {name[:40]} of sinks; see: thingtank sink list")
    return status


def _require_at_work(context: Context, name: str) -> None:
    if _status(context, name).state == "gone":
        raise Refused(
            f"{name} is no rule any more, only its dead letters are kept: make a rule of this name,"
            f" or discard them with: thingtank sink discard {name} --all"
        )
