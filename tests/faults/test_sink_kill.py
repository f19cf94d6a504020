"""Sinks under kills and a bad network: each acknowledged value arrives, in order, and once a life."""

import contextlib
import random
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.database_servers import shared_server
from tests.faults.cut_off import cut_off
from tests.faults.kills import ROOT, printed_seed, rounds, run_and_kill
from tests.faults.sink_child import (
    CLIENTS,
    LINES,
    SQLITE_FILE,
    TOPICS_FILE,
    VALUES_A_WRITE,
    WRITERS,
)
from tests.needed import run_folder

ROUNDS = rounds(3)

Row = tuple[int, int]  # device, number


@pytest.mark.timeout(90 + 10 * ROUNDS)
def test_killed_and_cut_off_at_random_sinks_deliver_all_that_was_acknowledged_in_order(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    seed = printed_seed()
    chance = random.Random(seed)
    folder = tmp_path / "data"
    folder.mkdir()
    with (
        shared_server("mariadb", run_folder(tmp_path_factory)) as server,
        cut_off(server.port, seed) as relay,
    ):
        name = server.new_database()
        url = server._replace(port=relay.port).url(name)
        acknowledged: dict[int, set[int]] = {writer: set() for writer in WRITERS}
        published: dict[int, set[int]] = {client: set() for client in CLIENTS}
        first = 1
        for kill in range(ROUNDS):
            words = (folder, first, seed + kill, url)
            for line in run_and_kill("sink_child", *words, after_s=chance.uniform(0.1, 0.6)):
                what, who, number = line.split()[0], *map(int, line.split()[1:])
                if what == "published":
                    published[who].add(number)
                    continue
                assert what == "acknowledged", line
                acknowledged[who].update(range(number + 1 - VALUES_A_WRITE, number + 1))
            # What was cut off may be there, whole; so the next begins behind that.
            told = [*acknowledged.values(), *published.values()]
            first = 1 + VALUES_A_WRITE + max(max(each, default=first) for each in told)
        relay.is_calm = True
        assert settle(folder, seed, url) == "settled 0"
        query = "SELECT device_id, `value` FROM readings ORDER BY row_id"
        rows = server.run(query, name=name)
        server.drop(name)
    print(f"{sum(map(len, acknowledged.values()))} values; {relay.cut_count} connections cut off")
    assert relay.cut_count, "the network was never bad"
    with contextlib.closing(sqlite3.connect(folder / "sinks" / SQLITE_FILE)) as file:
        of_sqlite = file.execute(query.replace("`", "")).fetchall()
    lives = lives_of(folder / LINES)
    told = [row for life in lives for row in life]
    assert len(lives) == ROUNDS + 1
    for arrived in (numbers(rows), numbers(of_sqlite), told):
        check_all_there(arrived, acknowledged)
    for arrived in (numbers(rows), numbers(of_sqlite), *lives):
        check_order(arrived)
    check_topics(folder, published)
    # The same three times: what one rule has, all have.
    assert set(numbers(rows)) == set(numbers(of_sqlite)) == set(told)


def settle(folder: Path, seed: int, url: str) -> str:
    """Start once more, until all is delivered."""
    command = [sys.executable, "-m", "tests.faults.sink_child", str(folder), "0", str(seed), url]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=90, check=True)
    return done.stdout.strip()


def numbers(rows: Sequence[tuple[object, ...]]) -> list[Row]:
    return [(int(str(device)), int(str(number))) for device, number in rows]


def lives_of(path: Path) -> list[list[Row]]:
    """What arrived line by line, in each life of the tank; the last line may be cut off."""
    lives: list[list[Row]] = []
    for line in path.read_text().splitlines(keepends=True):
        if line == "start\n":
            lives.append([])
        elif line.endswith("\n"):
            lives[-1] += numbers([tuple(line.split())])
    return lives


def check_topics(folder: Path, published: dict[int, set[int]]) -> None:
    """All that had its PUBACK or PUBREC, in the order of its client, and what was cut off."""
    with contextlib.closing(sqlite3.connect(folder / "sinks" / TOPICS_FILE)) as file:
        rows = file.execute("SELECT topic, payload FROM topics ORDER BY row_id").fetchall()
    assert any(published.values())
    for client, told in published.items():
        arrived = [int(payload) for topic, payload in rows if topic == f"plant/{client}"]
        assert arrived == sorted(set(arrived))
        assert told <= set(arrived)
        assert len(set(arrived) - told) <= ROUNDS


def check_all_there(arrived: Sequence[Row], acknowledged: dict[int, set[int]]) -> None:
    """All that was acknowledged, and besides that only what was cut off: one write a life."""
    for writer, told in acknowledged.items():
        found = {number for device, number in arrived if device == 1000 + writer}
        assert told <= found
        assert len(found - told) <= ROUNDS * VALUES_A_WRITE


def check_order(arrived: Sequence[Row]) -> None:
    """Ascending for each device; so none comes twice."""
    for writer in WRITERS:
        of_writer = [number for device, number in arrived if device == 1000 + writer]
        assert of_writer == sorted(set(of_writer))
