"""Messages for devices that are away are kept alike in memory and on disk."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thingtank.stores.kept_message_settings import KeptMessageSettings
from thingtank.stores.kept_messages import SqliteKeptMessages
from thingtank.stores.memory_kept_messages import MemoryKeptMessages
from thingtank.tank.errors import LimitReached
from thingtank.tank.kept_messages import KeptMessage, NoKeptMessages

NOW_US = 1_795_447_035_330_000
LATER_US = NOW_US + 60_000_000
SETTINGS = KeptMessageSettings(messages_per_device_max=4, bytes_per_device_max=100)

Kept = SqliteKeptMessages | MemoryKeptMessages


class Clock:
    """Stands still."""

    def now_us(self) -> int:
        return NOW_US


@pytest.fixture(params=["memory", "disk"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    kept = (
        MemoryKeptMessages(SETTINGS)
        if request.param == "memory"
        else await SqliteKeptMessages.open(tmp_path, SETTINGS, Clock())
    )
    yield kept
    await kept.close()


async def bodies(kept: Kept, device_id: int, limit: int = 100, now_us: int = NOW_US) -> list[bytes]:
    return [each.body for each in await kept.take(device_id, now_us, limit)]


async def test_nothing_is_kept_at_first(kept: Kept) -> None:
    assert await kept.take(1, NOW_US, 10) == []
    assert kept.count(1) == 0
    assert list(kept.device_ids()) == []


async def test_message_is_taken_as_it_was_kept_and_stays(kept: Kept) -> None:
    kept_id = await kept.keep(1, b'{"a":1}', NOW_US - 5, LATER_US)
    for _ in range(2):
        assert await kept.take(1, NOW_US, 10) == [KeptMessage(kept_id, NOW_US - 5, b'{"a":1}')]
    assert kept.count(1) == 1
    assert list(kept.device_ids()) == [1]


async def test_oldest_come_first_whatever_their_time(kept: Kept) -> None:
    ids = [await kept.keep(1, b"%d" % each, NOW_US - each, LATER_US + each) for each in range(4)]
    assert ids == sorted(set(ids))
    assert await bodies(kept, 1) == [b"0", b"1", b"2", b"3"]
    assert await bodies(kept, 1, limit=2) == [b"0", b"1"]
    assert await bodies(kept, 1, limit=0) == []


async def test_what_is_kept_is_read_in_pages_there_and_back(kept: Kept) -> None:
    ids = [await kept.keep(1, b"%d" % each, NOW_US, LATER_US) for each in range(4)]
    after = await kept.take(1, NOW_US, 2, after_id=ids[0])
    assert [each.kept_id for each in after] == ids[1:3]
    before = await kept.take(1, NOW_US, 2, before_id=ids[3])
    assert [each.kept_id for each in before] == [ids[2], ids[1]]
    assert await kept.take(1, NOW_US, 2, after_id=ids[3]) == []
    assert await kept.take(1, LATER_US, 2, before_id=ids[3]) == []


async def test_what_nobody_waited_for_is_taken_as_well(kept: Kept) -> None:
    future = kept.keep(1, b"a", NOW_US, LATER_US)
    assert kept.count(1) == 1
    assert await bodies(kept, 1) == [b"a"]
    assert future.done()


async def test_each_device_has_its_own(kept: Kept) -> None:
    await kept.keep(1, b"a", NOW_US, LATER_US)
    await kept.keep(2, b"b", NOW_US, LATER_US)
    assert await bodies(kept, 1) == [b"a"]
    assert await bodies(kept, 2) == [b"b"]
    assert sorted(kept.device_ids()) == [1, 2]


async def test_removed_message_is_gone(kept: Kept) -> None:
    ids = [await kept.keep(1, b"%d" % each, NOW_US, LATER_US) for each in range(3)]
    await kept.remove(1, ids[:2])
    assert await bodies(kept, 1) == [b"2"]
    assert kept.count(1) == 1
    await kept.remove(1, ids)
    assert await bodies(kept, 1) == []
    assert (kept.count(1), list(kept.device_ids())) == (0, [])


async def test_what_is_being_removed_is_not_taken(kept: Kept) -> None:
    kept_id = await kept.keep(1, b"a", NOW_US, LATER_US)
    removed = kept.remove(1, [kept_id])
    assert await bodies(kept, 1) == []
    await removed


async def test_removing_what_is_not_there_does_nothing(kept: Kept) -> None:
    kept_id = await kept.keep(1, b"a", NOW_US, LATER_US)
    await kept.remove(2, [kept_id])
    await kept.remove(1, [kept_id + 1])
    await kept.remove(1, [])
    assert await bodies(kept, 1) == [b"a"]


async def test_number_is_used_once(kept: Kept) -> None:
    first = await kept.keep(1, b"a", NOW_US, LATER_US)
    await kept.remove(1, [first])
    assert await kept.keep(1, b"b", NOW_US, LATER_US) > first


async def test_expired_message_is_not_taken(kept: Kept) -> None:
    await kept.keep(1, b"a", NOW_US, NOW_US + 10)
    await kept.keep(1, b"b", NOW_US, NOW_US + 11)
    assert await bodies(kept, 1, now_us=NOW_US + 9) == [b"a", b"b"]
    assert await bodies(kept, 1, now_us=NOW_US + 10) == [b"b"]
    assert await bodies(kept, 1, limit=1, now_us=NOW_US + 10) == [b"b"]


@pytest.mark.parametrize("is_waited_for", [False, True])
async def test_so_many_messages_may_wait(kept: Kept, is_waited_for: bool) -> None:
    for _ in range(4):
        future = kept.keep(1, b"a", NOW_US, LATER_US)
        if is_waited_for:
            await future
    with pytest.raises(LimitReached, match="4 messages wait for device 1; at most 4 may"):
        kept.keep(1, b"a", NOW_US, LATER_US)
    assert kept.count(1) == 4
    await kept.keep(2, b"a", NOW_US, LATER_US)
    await kept.remove(1, [(await kept.take(1, NOW_US, 1))[0].kept_id])
    await kept.keep(1, b"a", NOW_US, LATER_US)


async def test_so_many_bytes_may_wait(kept: Kept) -> None:
    kept_id = await kept.keep(1, b"x" * 60, NOW_US, LATER_US)
    with pytest.raises(LimitReached, match="101 bytes would wait for device 1; at most 100 may"):
        kept.keep(1, b"x" * 41, NOW_US, LATER_US)
    await kept.keep(1, b"x" * 40, NOW_US, LATER_US)
    await kept.remove(1, [kept_id])
    await kept.keep(1, b"x" * 60, NOW_US, LATER_US)


async def test_forgotten_device_has_nothing(kept: Kept) -> None:
    await kept.keep(1, b"a", NOW_US, LATER_US)
    kept.keep(1, b"b", NOW_US, LATER_US)
    await kept.keep(2, b"c", NOW_US, LATER_US)
    kept.forget(1)
    kept.forget(3)
    assert await bodies(kept, 1) == []
    assert kept.count(1) == 0
    assert await bodies(kept, 2) == [b"c"]
    await kept.keep(1, b"d", NOW_US, LATER_US)
    assert await bodies(kept, 1) == [b"d"]


async def test_null_keeps_nothing_and_says_so() -> None:
    kept = NoKeptMessages()
    with pytest.raises(LimitReached):
        kept.keep(1, b"a", NOW_US, LATER_US)
    await kept.remove(1, [1])
    assert (await kept.take(1, NOW_US, 1), kept.count(1), kept.device_ids()) == ([], 0, ())


devices = st.integers(1, 2)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), devices, st.integers(0, 60)),
        st.tuples(st.just("remove"), devices, st.integers(1, 8)),
        st.tuples(st.just("forget"), devices, st.just(0)),
        st.tuples(st.just("take"), devices, st.integers(0, 4)),
    ),
    max_size=30,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps)
async def test_disk_and_memory_agree_also_after_a_restart(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("kept")
    disk = await SqliteKeptMessages.open(folder, SETTINGS, Clock())
    memory = MemoryKeptMessages(SETTINGS)
    for step in steps:
        assert await done(disk, *step) == await done(memory, *step)
    await disk.close()
    disk = await SqliteKeptMessages.open(folder, SETTINGS, Clock())
    for device_id in (1, 2):
        assert disk.count(device_id) == memory.count(device_id)
        assert await bodies(disk, device_id) == await bodies(memory, device_id)
        assert await done(disk, "keep", device_id, 50) == await done(memory, "keep", device_id, 50)
    await disk.close()


async def done(kept: Kept, word: str, device_id: int, number: int) -> object:
    match word:
        case "keep":
            try:
                await kept.keep(device_id, b"x" * number, NOW_US, LATER_US)
            except LimitReached as error:
                return str(error)
        case "remove":
            found = await kept.take(device_id, NOW_US, number)
            await kept.remove(device_id, [each.kept_id for each in found[number // 2 :]])
        case "forget":
            kept.forget(device_id)
            return await bodies(kept, device_id)  # when that is done
        case "take":
            return await bodies(kept, device_id, number)
    return None
