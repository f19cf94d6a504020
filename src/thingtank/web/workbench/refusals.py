"""Why a device that has said nothing yet was refused, as far as the request log knows."""

from collections.abc import Iterable
from typing import Protocol

import msgspec


class Row(Protocol):
    """What is needed of a row of the request log."""

    @property
    def at_ms(self) -> int: ...

    @property
    def method(self) -> str: ...

    @property
    def door(self) -> str: ...

    @property
    def status(self) -> int: ...

    @property
    def reason(self) -> str: ...


class Refused(msgspec.Struct, frozen=True):
    """A request that was refused.

    Attributes:
        at_us: microseconds since the epoch, UTC, to the millisecond.
        facts: how it came and what it was answered, in a few words.
    """

    at_us: int
    reason: str
    facts: str


def newest_refused(rows: Iterable[Row]) -> Refused | None:
    """The newest one.

    Args:
        rows: newest first.
    """
    row = next((row for row in rows if row.reason), None)
    if row is None:
        return None
    return Refused(row.at_ms * 1000, row.reason, f"({row.method} by {row.door}, {row.status})")
