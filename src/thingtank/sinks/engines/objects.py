"""Batches as objects: what the engines `s3` and `folder` write, and under which key.

What a batch has of a day is one object, a line for each item. Its key begins with the day and ends
with a digest of what is in it, so that the same batch, sent again, is the same object; and keys of
a day sort as the batches were written.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import msgspec

from thingtank.sinks.engine import Item
from thingtank.tank.history import DAY_S

ITEMS_MAX = 10_000
OBJECT_BYTES_MAX = 8 * 1024 * 1024

GATHER_S = 60.0  # an object costs as much however small it is

_DAY_US = DAY_S * 1_000_000
_EPOCH = date(1970, 1, 1)
_ID = re.compile(r"(.*)-(\d{1,18})-(\d{1,9})\Z")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()=/-]{0,200}\Z")


class PrefixSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How objects are called.

    Attributes:
        prefix: what keys begin with, such as `readings/`; blank for nothing.
        suffix: what they end with.
    """

    prefix: str = ""
    suffix: str = ".jsonl"

    def __post_init__(self) -> None:
        """Check what is here to be checked."""
        for name, part in (("prefix", self.prefix), ("suffix", self.suffix)):
            if not _PREFIX.match(part) or "//" in part or ".." in part or part.startswith("/"):
                raise ValueError(f"`{name}` may have letters, digits and -_.=/, not {part!r}")


class BatchObject(NamedTuple):
    """A batch as an object; `sha256` is of its data."""

    key: str
    data: bytes
    sha256: bytes


def objects_of(settings: PrefixSettings, items: Sequence[Item]) -> list[BatchObject]:
    """A batch, n >= 1, as objects: one for each day of its items, as their keys name the day."""
    instants = [item.at_us for item in items]
    first, last = min(instants) // _DAY_US, max(instants) // _DAY_US
    if first == last:  # nearly always: what is measured now is sent now
        return [_object_of(settings, first, items)]
    days: dict[int, list[Item]] = {}
    for item in items:
        days.setdefault(item.at_us // _DAY_US, []).append(item)
    return [_object_of(settings, day, of_day) for day, of_day in days.items()]


def _object_of(settings: PrefixSettings, day: int, items: Sequence[Item]) -> BatchObject:
    data = b"\n".join([*[item.payload for item in items], b""])
    name_of_day = (_EPOCH + timedelta(days=day)).isoformat()
    digest = hashlib.sha256(data)
    name = f"{_sorted_id(items[0])}-{digest.hexdigest()[:16]}"
    return BatchObject(
        f"{settings.prefix}day={name_of_day}/{name}{settings.suffix}", data, digest.digest()
    )


def _sorted_id(item: Item) -> str:
    """An item's id, its numbers as wide as they may be, so that ids sort as they were written."""
    found = _ID.match(item.item_id)
    return f"{found[1]}-{int(found[2]):016}-{int(found[3]):06}" if found else item.item_id
