"""What the archive's write side needs of the history store behind it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from thingtank.stores.rows import Deletion, Overlay, Rows
from thingtank.tank.datapoints import Bucket, Datapoint


class Compacted(msgspec.Struct, frozen=True):
    """How many periods were compacted, and how many still wait."""

    done_count: int
    left_count: int


class BucketStats(msgspec.Struct, frozen=True):
    """How much of the cold tier is in a bucket.

    Attributes:
        address: such as `s3://bucket/prefix`.
        bytes: in the bucket, with what is kept there for backups.
        cached_bytes: of that, on this disk as well.
        waiting_count: files that only this disk has.
        is_anothers: whether it belongs to another data folder, so that nothing is put there.
        failure: why what waits could not be put there; None when it could.
    """

    address: str
    bytes: int
    cached_bytes: int
    waiting_count: int
    is_anothers: bool
    failure: str | None


class HistoryStats(msgspec.Struct, frozen=True):
    """How much is stored; times are None when nothing is, `bucket` when none is in use."""

    hot_rows: int
    hot_bytes: int
    cold_rows: int
    cold_bytes: int
    segment_count: int
    oldest_us: int | None
    newest_us: int | None
    bucket: BucketStats | None = None


class History(Protocol):
    """Where datapoints stay. Blocking; may be called from several threads at once."""

    @property
    def through_seq(self) -> int:
        """The journal's batch up to which all changes are durable here."""
        ...

    def apply(self, changes: Sequence[Rows | Deletion], through_seq: int) -> None:
        """Make changes durable, in order, all or nothing, together with `through_seq`."""
        ...

    def read(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        limit: int,
        newest_first: bool,
        overlay: Overlay | None,
    ) -> dict[int, list[Datapoint]]:
        """As `tank.interfaces.Archive.read`, with the overlay laid over what is stored."""
        ...

    def read_last_before(
        self, stream_ids: Sequence[int], before_us: int, overlay: Overlay | None
    ) -> dict[int, Datapoint]:
        """As `tank.interfaces.Archive.read_last_before`, with the overlay laid over."""
        ...

    def read_buckets(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        interval_us: int,
        origin_us: int,
        limit: int,
        overlay: Overlay | None,
        *,
        is_as_written: bool = True,
    ) -> dict[int, list[Bucket]]:
        """As `tank.interfaces.Archive.read_buckets`, with the overlay laid over."""
        ...

    def compact(self, until_us: int, periods_max: int = 1_000_000) -> Compacted:
        """Tidy periods that end by `until_us` for the long run, oldest first.

        Raises:
            StorageFailed: what was done before stays.
        """
        ...

    def copy_to(self, folder: Path) -> None:
        """Write a copy of all to another folder, as of one instant; others go on meanwhile.

        Raises:
            StorageFailed, OSError: it could not be written.
        """
        ...

    def interrupt_copy(self) -> None:
        """Break off a copy under way, from another thread."""
        ...

    def damage(self) -> list[str]:
        """What is wrong with its files at a quick look, a sentence each. Raise StorageFailed."""
        ...

    def adopt(self) -> None:
        """Have what is in a bucket belong to this folder from now on.

        Raises:
            StorageFailed: there is no bucket, or it cannot be reached.
        """
        ...

    def interrupt(self) -> None:
        """Break off a compaction under way, from another thread, and begin no more."""
        ...

    def stats(self) -> HistoryStats:
        """How much is stored."""
        ...

    def close(self) -> None:
        """Let go of files and threads."""
        ...
