"""Where leases are kept."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from thingtank.sources.kinesis.leases import Lease


class LeaseTable(Protocol):
    """The leases of one stream, as one rule reads it. Blocking; for several threads."""

    def ensure(self, parents: Mapping[str, Sequence[str]], start: str) -> None:
        """Make what is missing: the leases of shards, and the table.

        Args:
            parents: of each shard that there is, those it was made of.
            start: the checkpoint of new leases; the one that was given first of all counts, for
                all readers and for ever. So shards that come later, by a split, are read from
                their beginning, which is later than any such instant.
        """
        ...

    def all(self) -> list[Lease]:
        """All of them, in the order of their shards."""
        ...

    def change(self, lease: Lease, *, owner: str, checkpoint: str | None = None) -> Lease | None:
        """Change a lease if it still is as it was seen; None if it is not.

        Args:
            owner: who holds it from now on; blank for nobody.
            checkpoint: None leaves the one that there is.
        """
        ...

    def forget(self, shards: Collection[str]) -> None:
        """Drop leases of shards that are gone."""
        ...
