"""Items of the journal's batches: the same whoever makes them, and made once for all who want the same."""

from collections.abc import Callable, Sequence

import pytest

from thingtank.server.sinks.selection import Stream
from thingtank.server.sinks.sending.calls import NOTHING_TOLD, BatchContent, More
from thingtank.server.sinks.sending.item_maker import KEPT_BYTES_MAX, ItemMaker, ItemMakers
from thingtank.server.sinks.sending.items import ROWS_AT_ONCE, ItemSource
from thingtank.sinks.engine import Item
from thingtank.stores.changes import decode_changes, encode_changes
from thingtank.tank.datapoints import DatapointColumns

NOW_US = 1_700_000_000_000_000
STREAMS = {1: Stream(1001, "u-1", "t"), 2: Stream(1002, "u-2", "t")}


def batch(seq: int, *writes: Sequence[tuple[int, str]], is_newest: bool = True) -> BatchContent:
    """One commit of some writes, each of values of streams."""
    changes = []
    for write in writes:
        columns = DatapointColumns()
        for stream_id, value in write:
            columns.add(stream_id, NOW_US, value)
        changes.append(columns)
    return BatchContent(seq, encode_changes(changes), is_newest)


def source(
    batches: Sequence[BatchContent], maker: ItemMaker, begun: tuple[int, int] = (0, 0)
) -> ItemSource:
    more = More(batches, NOTHING_TOLD, (), begun, batches[-1].seq)
    return ItemSource(more, "datapoint", STREAMS, maker)


def counted() -> tuple[Callable[[Item], bytes], list[str]]:
    """A template that notes which items it was asked for."""
    asked: list[str] = []

    def render(item: Item) -> bytes:
        asked.append(item.item_id)
        return item.value.encode()

    return render, asked


def all_of(made: ItemSource) -> list[Item]:
    found: list[Item] = []
    while entries := made():
        found += [item for _, item in entries]
    return found


SMALL = [
    batch(1, [(1, "21.5"), (2, "on"), (3, "of no rule")]),
    batch(2),
    batch(3, [(3, "0")]),
    batch(4, [(1, "1e400")], [(2, "007"), (1, "22")]),
]
LARGE = [batch(5, [(1 + row % 3, str(row)) for row in range(3 * ROWS_AT_ONCE + 7)], [(1, "x")])]


@pytest.mark.parametrize("batches", [SMALL, LARGE, [*SMALL, *LARGE, *SMALL]])
@pytest.mark.parametrize("is_newest", [True, False])
def test_what_is_kept_for_others_is_what_each_would_make(
    batches: list[BatchContent], is_newest: bool
) -> None:
    batches = [each._replace(is_newest=is_newest) for each in batches]
    plain = [
        (f"a-{each.seq}-{place}", stream_id, value)
        for each in batches
        for place, (stream_id, value) in enumerate(
            (stream_id, columns.texts.get(row, f"{columns.numbers[row]:.15g}"))
            for columns in decode_changes(each.content)
            if isinstance(columns, DatapointColumns)
            for row, stream_id in enumerate(columns.stream_ids)
        )
        if stream_id in STREAMS
    ]
    maker = ItemMaker("a", lambda item: item.value.encode())
    for _ in range(2):  # by the first rule, and by the second
        items = all_of(source(batches, maker))
        assert [(x.item_id, x.device_id - 1000, x.value) for x in items] == plain
        assert all(item.payload == item.value.encode() for item in items)


@pytest.mark.parametrize(("is_newest", "times"), [(True, 1), (False, 2)])
def test_a_batch_that_comes_from_its_commit_is_made_once_for_all(
    is_newest: bool, times: int
) -> None:
    render, asked = counted()
    maker = ItemMaker("a", render)
    batches = [batch(1, [(1, "1"), (2, "2")], is_newest=is_newest)]
    for _ in range(2):
        assert len(all_of(source(batches, maker))) == 2
    assert asked == ["a-1-0", "a-1-1"] * times


@pytest.mark.parametrize("begun_rows", [0, 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 1, 10_000])
def test_what_was_settled_of_a_batch_is_made_no_more(begun_rows: int) -> None:
    maker = ItemMaker("a", None)
    items = all_of(source([*LARGE, *SMALL], maker, (5, begun_rows)))
    rows = [int(item.item_id.split("-")[2]) for item in items if item.item_id.startswith("a-5-")]
    count = 3 * ROWS_AT_ONCE + 8
    wanted = [row for row in range(count) if row % 3 != 2 or row == count - 1]
    assert rows == [row for row in wanted if row >= begun_rows]
    assert len(items) - len(rows) == 5  # of the others all


@pytest.mark.parametrize("bad", ["22", "x"])
def test_a_fault_leaves_it_where_it_was(bad: str) -> None:
    faults = [ZeroDivisionError, ZeroDivisionError]

    def render(item: Item) -> bytes:
        if item.value == bad and faults:
            raise faults.pop()
        return b"y"

    made = source([*SMALL, *LARGE], ItemMaker("a", render))
    found: list[Item] = []
    for _ in range(100):
        try:
            found += [item for _, item in made()]
        except ZeroDivisionError:
            continue
    assert faults == []
    assert found == all_of(source([*SMALL, *LARGE], ItemMaker("a", render)))


def test_what_is_kept_is_bounded() -> None:
    render, asked = counted()
    maker = ItemMaker("a", render)
    texts = ["x" * 100_000, *["y"] * 20_000]
    for seq, text in enumerate(texts, 1):
        all_of(source([batch(seq, [(1, text)])], maker))
    kept_bytes = sum(size_bytes for _, size_bytes in maker._kept.values())
    assert kept_bytes == maker._kept_bytes <= KEPT_BYTES_MAX
    assert 1 not in maker._kept
    asked.clear()
    all_of(source([batch(len(texts), [(1, "y")])], maker))
    assert asked == []  # the newest are there


def test_rules_share_only_what_is_the_same() -> None:
    makers = ItemMakers()
    first = makers.maker("a", "all", "")
    assert makers.maker("a", "all", "") is first
    others = [
        makers.maker("b", "all", ""),
        makers.maker("a", "some", ""),
        makers.maker("a", "all", None),
        makers.maker("a", "all", "{{value}}"),
    ]
    assert len({id(each) for each in [first, *others]}) == 5
