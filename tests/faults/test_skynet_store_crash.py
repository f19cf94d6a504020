"""Killed at random instants, kept messages are there, once; the log is whole up to its last batch."""

import random
from itertools import pairwise
from pathlib import Path

from tests.faults.kills import printed_seed, rounds, run_and_kill
from tests.faults.skynet_store_child import DEVICES, open_kept, open_log

from thingtank.tank.device_events import StoredEvent
from thingtank.tank.kept_messages import KeptMessage

KILLS = rounds(3)


class Ledger:
    """What the process said of one device."""

    def __init__(self) -> None:
        self.kept: dict[int, int] = {}  # numbers by id
        self.removed: set[int] = set()
        self.removing: set[int] = set()
        self.last = 0

    def note(self, words: list[str]) -> None:
        match words:
            case ["kept", _, number, kept_id]:
                assert int(kept_id) not in self.kept, "its id was used before"
                self.kept[int(kept_id)] = self.last = int(number)
            case ["removing", _, kept_id]:
                self.removing.add(int(kept_id))
            case ["removed", _, kept_id]:
                self.removed.add(int(kept_id))
            case _:
                raise AssertionError(f"something was logged: {words}")

    def check(self, found: list[KeptMessage]) -> None:
        ids = [each.kept_id for each in found]
        assert ids == sorted(set(ids)), "out of order, or twice"
        assert self.kept.keys() - self.removing - set(ids) == set(), "kept and lost"
        assert self.removed & set(ids) == set(), "removed and there again"
        numbers = [int(each.body) for each in found]
        assert numbers == sorted(set(numbers)), "out of order, or twice"
        for message in found:
            if message.kept_id not in self.kept:  # what was under way may be there as well
                assert int(message.body) == self.last + 1, "never kept"
                self.kept[message.kept_id] = self.last + 1
        self.removing.clear()
        self.kept = {each: self.kept[each] for each in ids}


async def test_kept_messages_survive_kills_at_random_instants(tmp_path: Path) -> None:
    chance = random.Random(printed_seed())
    folder = tmp_path / "tank"
    ledgers = {device_id: Ledger() for device_id in DEVICES}
    first, count = 1, 0
    for _ in range(KILLS):
        printed = run_and_kill(
            "skynet_store_child", folder, first, after_s=chance.uniform(0.02, 0.4)
        )
        for line in printed:
            ledgers[int(line.split()[1])].note(line.split())
        count += len(printed)
        await check_kept(folder, ledgers)
        await check_log(folder, ledgers)
        first = max(each.last for each in ledgers.values()) + 2
    print(f"{count} steps were said to be done in {KILLS} rounds")
    assert count > KILLS * len(DEVICES)


async def check_kept(folder: Path, ledgers: dict[int, Ledger]) -> None:
    kept = await open_kept(folder)
    for device_id, ledger in ledgers.items():
        found = await kept.take(device_id, 0, 1000)
        assert kept.count(device_id) == len(found)
        ledger.check(found)
    await kept.close()


async def check_log(folder: Path, ledgers: dict[int, Ledger]) -> None:
    log = await open_log(folder)
    everything = await log.read(100, 1000)
    for device_id, ledger in ledgers.items():
        found = await log.read(device_id, 1000)
        codes = [each.code for each in reversed(found)]
        assert codes == sorted(set(codes)), "out of order, or twice"
        assert max(codes, default=0) <= ledger.last + 1, "never logged"
        shared = [each for each in everything if each.body == b"%d" % device_id]
        assert shared == found[: len(shared)]
        assert is_whole(found)
    await log.close()


def is_whole(found: list[StoredEvent]) -> bool:
    """Whether no event is missing between those of one run; each run leaves out some numbers."""
    codes = [each.code for each in reversed(found)]
    gaps = sum(later - earlier > 1 for earlier, later in pairwise(codes))
    return gaps < KILLS
