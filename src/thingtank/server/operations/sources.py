"""Operations on rules of sources and their rejected records; a running server has them."""

from collections.abc import Sequence

import msgspec

from thingtank.server.operations.context import Context
from thingtank.server.operations.rule_shapes import ListOfRule, Numbers, OneRule, page_of
from thingtank.server.operations.shapes import Nothing
from thingtank.tank.errors import NotFound
from thingtank.tank.one_line import on_one_line
from thingtank.tank.sources import (
    DiscardOutcome,
    RejectedReason,
    RejectedRecord,
    RetryOutcome,
    SourceBoard,
    SourceStatus,
    Which,
)

REASONS_MAX = 100
REASONS_NAMED_MAX = 10  # by a refusal
REASON_CHARS_SHOWN = 200  # of one that was asked for


class SourceList(msgspec.Struct, frozen=True):
    """All rules by name."""

    sources: Sequence[SourceStatus]


class SourceDetails(msgspec.Struct, frozen=True):
    """A rule, and why records of it were rejected; the most frequent reasons first."""

    source: SourceStatus
    reasons: Sequence[RejectedReason]


class RejectedList(msgspec.Struct, frozen=True):
    """One page, newest first; `next_before` asks for the one after it, None when it is the last."""

    rejected: Sequence[RejectedRecord]
    next_before: int | None


class SomeRejected(OneRule, frozen=True):
    """Rejected records of a rule: of these numbers, of this reason, or all where both are None."""

    numbers: Numbers | None = None
    reason: str | None = None


async def list_all(context: Context, _: Nothing) -> SourceList:
    """List the rules."""
    context.require_server()
    return SourceList(context.sources.statuses() if context.sources is not None else [])


async def show(context: Context, asked: OneRule) -> SourceDetails:
    """A rule, with the reasons for what was rejected."""
    board, status = _found(context, asked.name)
    return SourceDetails(status, await board.reasons(asked.name, REASONS_MAX))


async def rejected(context: Context, asked: ListOfRule) -> RejectedList:
    """List rejected records."""
    board, _ = _found(context, asked.name)
    found = await board.rejected(asked.name, asked.limit + 1, asked.before)
    return RejectedList(*page_of(found, asked.limit, lambda record: record.number))


async def retry(context: Context, asked: SomeRejected) -> RetryOutcome:
    """Have rejected records written now."""
    board, _ = _found(context, asked.name)
    outcome = await board.retry(asked.name, Which(asked.numbers, asked.reason))
    if outcome.is_empty and asked.reason is not None:
        raise NotFound(await _other_reasons(board, asked.name, asked.reason))
    return outcome


async def discard(context: Context, asked: SomeRejected) -> DiscardOutcome:
    """Discard rejected records."""
    board, _ = _found(context, asked.name)
    outcome = await board.discard(asked.name, Which(asked.numbers, asked.reason))
    if not outcome.discarded_count and asked.reason is not None:
        raise NotFound(await _other_reasons(board, asked.name, asked.reason))
    return outcome


async def _other_reasons(board: SourceBoard, name: str, reason: str) -> str:
    """That no record has a reason, and which there are, a line each."""
    found = await board.reasons(name, REASONS_NAMED_MAX + 1)
    if not found:
        return f"{name} has no rejected records"
    asked = on_one_line(reason[:REASON_CHARS_SHOWN])
    lines = [f'no rejected record of {name} has the reason "{asked}"; there are these:']
    lines += [f"    {each.reason}" for each in found[:REASONS_NAMED_MAX]]
    if len(found) > REASONS_NAMED_MAX:
        lines.append(f"and more, see: thingtank source show {name}")
    return "\n".join(lines)


def _found(context: Context, name: str) -> tuple[SourceBoard, SourceStatus]:
    context.require_server()
    if (board := context.sources) is not None and (status := board.status(name)) is not None:
        return board, status
    raise NotFound(f"there is no rule {name[:40]} of sources; see: thingtank source list")
