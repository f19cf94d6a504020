"""Batches as objects: what the engines `s3` and `folder` write, and under which key.

A batch is one object, a line for each item. Its key begins with the day and ends with a digest of
what is in it, so that the same batch, sent again, is the same object; and keys of a day sort as the
batches were written.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from thingtank.sinks.engine import Item

ITEMS_MAX = 10_000
OBJECT_BYTES_MAX = 8 * 1024 * 1024

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


def object_of(settings: PrefixSettings, items: Sequence[Item]) -> BatchObject:
    """A batch, n >= 1, as an object."""
    data = b"".join([item.payload + b"\n" for item in items])
    day = datetime.fromtimestamp(items[0].at_us / 1_000_000, UTC).date().isoformat()
    digest = hashlib.sha256(data)
    name = f"{_sorted_id(items[0])}-{digest.hexdigest()[:16]}"
    key = f"{settings.prefix}day={day}/{name}{settings.suffix}"
    return BatchObject(key, data, digest.digest())


def _sorted_id(item: Item) -> str:
    """An item's id, its numbers as wide as they may be, so that ids sort as they were written."""
    found = _ID.match(item.item_id)
    return f"{found[1]}-{int(found[2]):016}-{int(found[3]):06}" if found else item.item_id
