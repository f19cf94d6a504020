"""Killed at random instants, the archive has every acknowledged datapoint exactly once."""

import random
from pathlib import Path

from tests.faults.archive_child import ROUND_US, WRITERS, rows_of_round
from tests.faults.kills import printed_seed, rounds, run_and_kill

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.tank.datapoints import Datapoint
from thingtank.tank.tank import SystemClock

KILLS = rounds(12)


async def test_acknowledged_datapoints_survive_kills_at_random_instants(tmp_path: Path) -> None:
    seed = printed_seed()
    chance = random.Random(seed)
    acknowledged: dict[int, set[int]] = {writer: set() for writer in WRITERS}
    allowed: dict[int, set[int]] = {writer: set() for writer in WRITERS}
    first = 1
    for kill in range(KILLS):
        words = (tmp_path / "tank", first, seed + kill)
        printed = run_and_kill("archive_child", *words, after_s=chance.uniform(0.02, 0.5))
        last = dict.fromkeys(WRITERS, first - 1)
        for line in printed:
            assert line.startswith("acknowledged "), "the archive has logged a failure"
            writer, round_number = map(int, line.split()[1:])
            acknowledged[writer].add(round_number)
            last[writer] = round_number
        for writer in WRITERS:  # what was under way may be there as well
            allowed[writer].add(last[writer] + 1)
        first = max(last.values()) + 2
        await check(tmp_path / "tank", acknowledged, allowed)
    assert sum(map(len, acknowledged.values())) > KILLS * len(WRITERS)


async def check(
    folder: Path, acknowledged: dict[int, set[int]], allowed: dict[int, set[int]]
) -> None:
    archive = await EmbeddedArchive.open(folder, ArchiveSettings(), SystemClock())
    try:
        for writer in WRITERS:
            await check_writer(archive, writer, acknowledged[writer], allowed[writer])
    finally:
        await archive.close()


async def check_writer(
    archive: EmbeddedArchive, writer: int, acknowledged: set[int], allowed: set[int]
) -> None:
    found = (await archive.read([writer], 0, 10**15, 10**7)).get(writer, [])
    by_round: dict[int, list[Datapoint]] = {}
    for datapoint in found:
        by_round.setdefault(datapoint.at_us // ROUND_US, []).append(datapoint)
    assert acknowledged - by_round.keys() == set(), "acknowledged and lost"
    assert by_round.keys() - acknowledged - allowed == set(), "never written"
    for round_number, datapoints in by_round.items():
        expected = [Datapoint(*row) for row in sorted(rows_of_round(round_number).items())]
        if round_number in acknowledged:
            assert datapoints == expected
        else:  # all of its first step or nothing, with or without the second
            assert datapoints[: len(expected)] == expected
            assert len(datapoints) - len(expected) in (0, 3)
    current = archive.current(writer)
    if found:
        assert current is not None
        assert Datapoint(current.at_us or 0, current.value or "") == found[-1]
        buckets = await archive.read_buckets([writer], 0, 10**15, 10**15)
        assert buckets[writer][0].count == len(found)
