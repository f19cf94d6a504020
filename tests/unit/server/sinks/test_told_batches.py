"""A batch goes to the process that sends once, however many rules want it; none is mistaken."""

import random
from collections.abc import Sequence

import pytest
from tests.unit.server.sinks import engine_for_tests
from tests.unit.server.sinks.test_sending import NOTHING_BEGUN, World, item
from tests.unit.server.sinks.test_sending import near as near  # a fixture
from tests.unit.sinks.rules.fake_engine import FakeEngine

from thingtank.server.sinks.message_reader import StoredItem
from thingtank.server.sinks.sending import told_batches
from thingtank.server.sinks.sending.process import Link
from thingtank.server.sinks.sending.remote_rule import RemoteRule
from thingtank.server.sinks.sending.told_batches import ToldBatches
from thingtank.sinks.engine import encode_item

LONG = "x" * 5000


def batch(number: int, value: str = "", *, is_newest: bool = True) -> StoredItem:
    blob = encode_item(item(number, value=value or f"n{number}"))
    return StoredItem(number, blob, 1 if is_newest else None)


async def send(rule: RemoteRule, *batches: StoredItem) -> None:
    rule.fresh.add(batches, NOTHING_BEGUN)
    while rule.fresh.has_fresh:
        await rule.fresh.step()


def count_bytes(monkeypatch: pytest.MonkeyPatch, link: Link) -> list[int]:
    """The size of each write to the process."""
    sizes, write = list[int](), link._writer.write

    def counted(data: bytes) -> None:
        sizes.append(len(data))
        write(data)

    monkeypatch.setattr(link._writer, "write", counted)
    return sizes


def values(engine: FakeEngine) -> list[str]:
    return [each.value for each in engine.delivered]


async def test_what_one_rule_has_told_of_the_others_only_name(
    near: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines, rules = zip(*[near.fake() for _ in range(3)], strict=True)
    for rule in rules:
        await rule.open()
    sizes = count_bytes(monkeypatch, rules[0].link)
    await send(rules[0], batch(1, LONG), batch(2, LONG))
    await send(rules[1], batch(1, LONG), batch(2, LONG), batch(3, LONG))  # one of them is new
    await send(rules[2], batch(2, LONG), batch(3, LONG))
    assert sum(sizes) // len(LONG) == 3  # each once
    assert [values(engine) for engine in engines] == [[LONG] * 2, [LONG] * 3, [LONG] * 2]


ALL = (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("name", "kept_bytes", "blob_bytes", "turns"),
    [
        ("nobody has taken what is between", 10**6, 10**6, [(0, 1), (1, 3, 4), (0, 3, 4)]),
        ("who is late finds them let go", 1, 10**6, [(0, *ALL), (1, *ALL)]),
        ("who is late goes on with what is told", 400, 10**6, [(0, 1, 2, 3), (1, 1, 2), (1, 3, 4)]),
        ("they are large", 10**6, 1, [(0, 1, 2), (1, 1, 2), (0, 3, 4)]),
        ("who was ahead is behind again", 10**6, 10**6, [(0, *ALL), (0, 2, 3), (1, 1, 2, 3)]),
    ],
)
async def test_each_rule_sends_what_it_has_read_and_nothing_else(
    near: World,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    kept_bytes: int,
    blob_bytes: int,
    turns: Sequence[tuple[int, ...]],
) -> None:
    monkeypatch.setattr(told_batches, "KEPT_BYTES_MAX", kept_bytes)
    monkeypatch.setattr("thingtank.server.sinks.sending.process.BLOB_BYTES_MAX", blob_bytes)
    made = [near.fake() for _ in range(2)]
    for _, rule in made:
        await rule.open()
    wanted: list[list[str]] = [[], []]
    for which, *numbers in turns:
        await send(made[which][1], *map(batch, numbers))
        wanted[which] += [f"n{number}" for number in numbers]
    assert [values(engine) for engine, _ in made] == wanted


async def test_what_was_read_back_comes_before_what_is_told(near: World) -> None:
    engine, rule = near.fake()
    other_engine, other = near.fake()
    await rule.open()
    await other.open()
    await send(rule, batch(1, is_newest=False), batch(2, is_newest=False), batch(3), batch(4))
    await send(other, batch(3), batch(4))
    assert values(engine) == ["n1", "n2", "n3", "n4"]
    assert values(other_engine) == ["n3", "n4"]


async def test_the_next_process_is_told_all_anew(near: World) -> None:
    engine, rule = near.fake()
    await rule.open()
    await send(rule, batch(1), batch(2))
    await rule.link.end()
    rule.go_on(1, ())
    engine_for_tests.made[f"{near.folder}{len(engine_for_tests.made) - 1}"] = engine
    await rule.open()
    await send(rule, batch(2), batch(3))
    assert values(engine) == ["n1", "n2", "n2", "n3"]


@pytest.mark.parametrize("seed", range(20))
def test_both_sides_keep_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(told_batches, "KEPT_BYTES_MAX", 2000)
    sides, seq = (ToldBatches(), ToldBatches()), 1
    blobs = {number: bytes(chance.randrange(300)) for number in range(2000)}
    for _ in range(100):
        seq += chance.choice([0, 0, 0, chance.randrange(5)])
        count = chance.randrange(1, 12)
        for side in sides:
            side.add(seq, [blobs[number] for number in range(seq, seq + count)])
        seq += count
        assert {side.next_seq for side in sides} == {seq}
        here = [number for number in blobs if number in sides[0]]
        assert here == [number for number in blobs if number in sides[1]]
        wanted = [blobs[number] for number in here]
        assert [side.blobs(seq - len(here), len(here)) for side in sides] == [wanted, wanted]
        assert sum(len(blobs[number]) + 100 for number in here) <= 2000
    with pytest.raises(KeyError):
        sides[0].blobs(seq, 1)


def test_a_batch_that_is_larger_than_all_that_is_kept_is_let_go() -> None:
    told = ToldBatches()
    told.add(5, [bytes(told_batches.KEPT_BYTES_MAX + 1)])
    assert 5 not in told
    told.add(6, [b"a"])
    assert told.blobs(6, 1) == [b"a"]
