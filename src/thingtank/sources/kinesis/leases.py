"""Who reads which shard, so that several readers share a stream and none is left out.

Each shard has a lease: who holds it, a counter that each change raises, and the checkpoint, up to
which all is written. A change holds only if the counter is still the one that its maker has seen;
so who has lost a lease without knowing finds out at the next change, and can never set a checkpoint
back.

A lease is free when nobody holds it, or when its counter has not moved for `ttl_s` by the clock of
who looks: no two clocks are compared. Each reader takes so many that all have about the same
number. When none is free it steals one from a reader that has more than that, one at a time. A
reader whose leases stand still is not counted, or its share would never be taken.

A shard that was split or merged has children; these are read only when all of its parents are, or
are gone with their age. So order holds for each key across the change.

Nothing here waits or asks: `LeaseBook` is told what the table says, and answers what to take.

Source: AWS, the ideas of the Kinesis Client Library.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import msgspec

SHARD_END = "SHARD_END"
OLDEST = "TRIM_HORIZON"
TIME_SIGN = "@"  # in a checkpoint: from this instant on, as milliseconds since the epoch


class Lease(msgspec.Struct, frozen=True):
    """A lease as it stands in the table.

    Attributes:
        owner: a reader; blank for nobody.
        counter: raised by each change.
        checkpoint: the number of the last record that is written, OLDEST, SHARD_END, or an instant.
        parents: shards that this one was made of.
    """

    shard: str
    owner: str = ""
    counter: int = 0
    checkpoint: str = OLDEST
    parents: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether the shard has ended, and all of it is written."""
        return self.checkpoint == SHARD_END


class _Sighting(msgspec.Struct, frozen=True):
    counter: int
    owner: str
    since_s: float


class LeaseBook:
    """What one reader knows of the leases of a stream."""

    def __init__(self, reader: str, ttl_s: float, *, is_alone: bool = False) -> None:
        """Know nothing yet.

        Args:
            reader: its name.
            ttl_s: a lease whose counter stands still for so long is free.
            is_alone: nobody else reads the stream: all leases are free at once.
        """
        self._reader = reader
        self._ttl_s = ttl_s
        self._is_alone = is_alone
        self._leases: Sequence[Lease] = ()
        self._sightings: dict[str, _Sighting] = {}

    def look(self, leases: Sequence[Lease], now_s: float) -> None:
        """Note what the table says.

        Args:
            now_s: any clock that only goes forward.
        """
        sightings = {}
        for lease in leases:
            seen = self._sightings.get(lease.shard)
            if seen is None or (seen.counter, seen.owner) != (lease.counter, lease.owner):
                seen = _Sighting(lease.counter, lease.owner, now_s)
            sightings[lease.shard] = seen
        self._leases = leases
        self._sightings = sightings

    def to_take(self, held: Collection[str], now_s: float) -> list[Lease]:
        """Which leases to take now.

        Args:
            held: shards whose leases this reader holds.
        """
        readable = self._readable()
        free = [each for each in readable if each.shard not in held and self._is_free(each, now_s)]
        others = Counter(
            each.owner
            for each in readable
            if each.shard not in held and not self._is_free(each, now_s)
        )
        share = math.ceil(len(readable) / (len(others) + 1))
        mine = sum(each.shard in held for each in readable)
        wanted = max(0, share - mine)
        if free or not wanted:
            return free[:wanted]
        return self._to_steal(readable, held, others, share)

    def _readable(self) -> list[Lease]:
        """Leases of shards of which something is to be read, in their order."""
        by_shard = {lease.shard: lease for lease in self._leases}
        return [lease for lease in self._leases if is_readable(lease, by_shard)]

    def _is_free(self, lease: Lease, now_s: float) -> bool:
        if not lease.owner or self._is_alone:
            return True
        return now_s - self._sightings[lease.shard].since_s >= self._ttl_s

    def _to_steal(
        self,
        readable: Sequence[Lease],
        held: Collection[str],
        others: Mapping[str, int],
        share: int,
    ) -> list[Lease]:
        most = max(others.values(), default=0)
        if most <= share:
            return []
        richest = min(owner for owner, count in others.items() if count == most)
        return [each for each in readable if each.owner == richest and each.shard not in held][-1:]


def is_readable(lease: Lease, by_shard: Mapping[str, Lease]) -> bool:
    """Whether its turn has come: it has not ended, and all of its parents have."""
    return not lease.is_done and all(
        parent not in by_shard or by_shard[parent].is_done for parent in lease.parents
    )


def checkpoint_of_instant(at_ms: int) -> str:
    """The checkpoint of who begins at an instant."""
    return f"{TIME_SIGN}{at_ms}"
