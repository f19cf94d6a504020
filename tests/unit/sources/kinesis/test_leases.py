"""Shards are shared by readers that know of each other only what the table says."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.sources.kinesis.leases import SHARD_END, Lease, LeaseBook

TTL_S = 30.0


class Table:
    """The table's rule: a change holds if the counter is the one that was seen."""

    def __init__(self, *leases: Lease) -> None:
        self.leases = {lease.shard: lease for lease in leases}

    def change(self, seen: Lease, owner: str, checkpoint: str | None = None) -> Lease | None:
        now = self.leases[seen.shard]
        if (now.counter, now.owner) != (seen.counter, seen.owner):
            return None
        changed = msgspec.structs.replace(
            now, owner=owner, counter=now.counter + 1, checkpoint=checkpoint or now.checkpoint
        )
        self.leases[seen.shard] = changed
        return changed


class Reader:
    """A reader in simulated time: renews what it holds, then takes what it may."""

    def __init__(self, name: str, table: Table) -> None:
        self.name = name
        self.table = table
        self.book = LeaseBook(name, TTL_S)
        self.held: dict[str, Lease] = {}

    def beat(self, now_s: float) -> None:
        for shard, lease in list(self.held.items()):
            self._keep(shard, self.table.change(lease, self.name))
        self.book.look(list(self.table.leases.values()), now_s)
        for lease in self.book.to_take(self.held, now_s):
            self._keep(lease.shard, self.table.change(lease, self.name))

    def finish(self, shard: str) -> None:
        assert self.table.change(self.held.pop(shard), self.name, SHARD_END)

    def _keep(self, shard: str, lease: Lease | None) -> None:
        self.held.pop(shard, None)
        if lease is not None:
            self.held[shard] = lease


def shards(count: int) -> list[Lease]:
    return [Lease(f"s{n}") for n in range(count)]


def beats(readers: Sequence[Reader], from_s: float, count: int) -> float:
    """All readers beat at a third of the time; the time afterwards."""
    for n in range(count):
        for reader in readers:
            reader.beat(from_s + n * TTL_S / 3)
    return from_s + count * TTL_S / 3


def held(readers: Sequence[Reader]) -> list[str]:
    return sorted(shard for reader in readers for shard in reader.held)


def test_one_reader_takes_all_shards_at_once() -> None:
    reader = Reader("a", Table(*shards(5)))
    reader.beat(0)
    assert held([reader]) == ["s0", "s1", "s2", "s3", "s4"]


@pytest.mark.parametrize(("count", "shares"), [(4, [2, 2]), (5, [2, 3]), (1, [0, 1]), (0, [0, 0])])
def test_a_second_reader_gets_its_share_one_by_one(count: int, shares: list[int]) -> None:
    table = Table(*shards(count))
    a, b = readers = [Reader(name, table) for name in "ab"]
    now_s = beats([a], 0, 2)
    b.beat(now_s)
    assert len(b.held) <= 1
    beats(readers, now_s, 12)
    assert sorted(len(reader.held) for reader in readers) == shares
    assert held(readers) == [lease.shard for lease in shards(count)]


def test_nothing_moves_between_readers_with_even_shares() -> None:
    table = Table(*shards(7))
    readers = [Reader(name, table) for name in "abc"]
    now_s = beats(readers, 0, 15)
    shares = [set(reader.held) for reader in readers]
    beats(readers, now_s, 10)
    assert [set(reader.held) for reader in readers] == shares


def test_a_dead_readers_shards_are_taken_after_a_while_and_not_before() -> None:
    table = Table(*shards(4))
    a, b = Reader("a", table), Reader("b", table)
    now_s = beats([a, b], 0, 10)
    assert (len(a.held), len(b.held)) == (2, 2)
    last_s = now_s - TTL_S / 3  # when b has seen a last
    b.beat(last_s + TTL_S - 1)
    assert len(b.held) == 2
    b.beat(last_s + TTL_S + 1)
    assert len(b.held) == 4


def test_who_comes_back_from_the_dead_finds_its_leases_lost() -> None:
    table = Table(*shards(2))
    a, b = Reader("a", table), Reader("b", table)
    a.beat(0)
    old = a.held["s0"]
    beats([b], 0, 5)
    assert held([b]) == ["s0", "s1"]
    assert table.change(old, "a", "9") is None
    a.beat(200)
    assert "9" not in {lease.checkpoint for lease in table.leases.values()}
    b.beat(201)
    assert (len(a.held), held([a, b])) == (1, ["s0", "s1"])


def test_children_wait_until_all_their_parents_have_ended() -> None:
    table = Table(
        Lease("s0"), Lease("s1"), Lease("s2", parents=("s0",)), Lease("s3", parents=("s0", "s1"))
    )
    reader = Reader("a", table)
    reader.beat(0)
    assert held([reader]) == ["s0", "s1"]
    reader.finish("s0")
    reader.beat(1)
    assert held([reader]) == ["s1", "s2"]
    reader.finish("s1")
    reader.beat(2)
    assert held([reader]) == ["s2", "s3"]


def test_children_of_parents_that_are_gone_with_their_age_are_read() -> None:
    reader = Reader("a", Table(Lease("s7", parents=("s1",))))
    reader.beat(0)
    assert held([reader]) == ["s7"]


def test_who_is_alone_has_its_leases_of_before_at_once() -> None:
    leases = [Lease("s0", owner="before", counter=9), Lease("s1", owner="before", counter=4)]
    book = LeaseBook("now", TTL_S, is_alone=True)
    book.look(leases, 0)
    assert book.to_take(set(), 0) == leases


class Stream:
    """A stream that was split, s0 into s1 and s2, and merged, s2 and s3 into s4; ten records each.

    Attributes:
        read: all that was read, in order, by shard and number.
    """

    LENGTH = 10
    LEASES = (
        Lease("s0"), Lease("s1", parents=("s0",)), Lease("s2", parents=("s0",)), Lease("s3"),
        Lease("s4", parents=("s2", "s3")),
    )  # fmt: skip

    def __init__(self) -> None:
        self.table = Table(*self.LEASES)
        self.read: list[tuple[str, int]] = []

    def turn(self, reader: Reader) -> None:
        """Have a reader read some of each of its shards, and write down how far it has come."""
        for shard, lease in list(reader.held.items()):
            done = int(lease.checkpoint) if lease.checkpoint.isdigit() else 0
            until = min(done + 4, self.LENGTH)
            self.read += [(shard, number) for number in range(done, until)]
            is_end = until == self.LENGTH
            before = self.table.leases[shard].checkpoint
            kept = self.table.change(lease, reader.name, SHARD_END if is_end else str(until))
            del reader.held[shard]
            if kept is None:
                continue
            assert not before.isdigit() or until > int(before), "a checkpoint went back"
            if not is_end:
                reader.held[shard] = kept


@given(
    st.lists(
        st.tuples(st.sampled_from(["beat", "read", "die", "sleep"]), st.integers(0, 2)),
        max_size=60,
    )
)
def test_all_is_read_and_children_after_parents_whoever_dies_when(
    events: list[tuple[str, int]],
) -> None:
    stream, now_s, born = Stream(), 0.0, 3
    readers = [Reader(f"r{n}", stream.table) for n in range(3)]
    for what, who in events:
        now_s += TTL_S / 4
        if what == "beat":
            readers[who].beat(now_s)
        elif what == "read":
            stream.turn(readers[who])
        elif what == "die":
            readers[who], born = Reader(f"r{born}", stream.table), born + 1
        else:
            now_s += TTL_S  # for all of them; who was slow may have lost its leases
    for _ in range(40):
        now_s += TTL_S / 3
        for reader in readers:
            reader.beat(now_s)
            stream.turn(reader)
    assert all(lease.is_done for lease in stream.table.leases.values())
    assert set(stream.read) == {
        (lease.shard, n) for lease in stream.LEASES for n in range(stream.LENGTH)
    }
    for lease in stream.LEASES:
        begun = next(n for n, (shard, _) in enumerate(stream.read) if shard == lease.shard)
        for parent in lease.parents:
            assert set(stream.read[:begun]) >= {(parent, n) for n in range(stream.LENGTH)}
