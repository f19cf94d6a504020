"""A batch goes to the process that sends once, however many rules want it; none is mistaken."""

from collections.abc import Sequence

import pytest
from tests.unit.server.sinks import engine_for_tests
from tests.unit.server.sinks.test_sending import NOTHING_BEGUN, World, item
from tests.unit.server.sinks.test_sending import near as near  # a fixture
from tests.unit.sinks.rules.fake_engine import FakeEngine

from thingtank.server.sinks.message_reader import Batch, StoredItem
from thingtank.server.sinks.sending import told_batches
from thingtank.server.sinks.sending.process import Link
from thingtank.server.sinks.sending.remote_rule import RemoteRule
from thingtank.sinks.engine import encode_item
from thingtank.stores.journal_readers import CommittedBatch

LONG = "x" * 5000


def batch(number: int, value: str = "", *, is_newest: bool = True) -> CommittedBatch:
    """One of the journal, for an engine that takes the journal's blobs as items."""
    blob = encode_item(item(number, value=value or f"n{number}"))
    return CommittedBatch(number, (), blob, 1 if is_newest else None, 1, len(blob), frozenset())


async def send(rule: RemoteRule, *batches: Batch) -> None:
    rule.fresh.add(batches, NOTHING_BEGUN)
    assert (rule.fresh.has_fresh, rule.fresh.is_empty) == (True, False)
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
    monkeypatch.setattr(told_batches, "BLOB_BYTES_MAX", blob_bytes)
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


async def test_numbers_of_messages_are_a_rules_own(near: World) -> None:
    made = [near.fake() for _ in range(2)]
    for place, (_, rule) in enumerate(made):
        await rule.open()
        blob = encode_item(item(1, value=f"of rule {place}"))
        await send(rule, StoredItem(1, blob))
    assert [values(engine) for engine, _ in made] == [["of rule 0"], ["of rule 1"]]


async def test_large_batches_go_with_their_calls_and_nothing_is_kept_of_them(
    near: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told_batches, "BLOB_BYTES_MAX", len(LONG))
    engine, rule = near.fake()
    await rule.open()
    assert not rule.link.tell(1, [b"small", LONG.encode() * 2])
    assert rule.link.tell(1, [b"small"])
    await send(rule, batch(2, LONG * 2))
    assert values(engine) == [LONG * 2]
