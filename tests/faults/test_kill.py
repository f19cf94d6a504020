"""SIGKILL at random instants loses nothing that was acknowledged, and invents nothing."""

import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from tests.faults.feed_api import Feed, FeedApi
from tests.faults.kills import printed_seed, rounds
from tests.faults.ledger import Place
from tests.faults.writers import WINDOW_US, Writer
from tests.live_server import LiveServer, start_server

ROUNDS = rounds(30)
WRITERS = 4
DAY_US = 86_400_000_000
# Rounds take turns on five past days, so that days which are compacted already are written again.
DAYS = 5
FIRST_DAY_US = (time.time_ns() // 1000 // DAY_US - 40) * DAY_US
# Mover and compaction run all the time, so that kills find them at work.
RESTLESS = (
    "--set=archive.move_interval_s=0.05",
    "--set=archive.trim_interval_s=0.1",
    "--set=archive.compact_interval_s=0.1",
    "--socket=off",  # nobody asks for it, and SockJS is a tenth of each start
)


def window_start_us(turn: int) -> int:
    """Where round `turn` writes: its own ten minutes of one of the days."""
    return FIRST_DAY_US + turn % DAYS * DAY_US + turn // DAYS * WINDOW_US


@pytest.mark.timeout(60 + 10 * ROUNDS)
def test_server_killed_at_random_instants_keeps_exactly_what_it_acknowledged(
    tmp_path: Path,
) -> None:
    seed = printed_seed()
    chance = random.Random(seed)
    data = tmp_path / "data"
    with start_server(data) as server:
        feed = Feed(server.feed_id, server.api_key)
    writers = [Writer(feed, seed + number, f"-{number}") for number in range(WRITERS)]
    for turn in range(ROUNDS):
        server = start_server(data, *RESTLESS)
        try:
            check_rounds(server, writers, [turn - 1] if turn else [])
            for writer in writers:
                writer.start(server.url, window_start_us(turn))
            time.sleep(chance.uniform(0.05, 1.0))
        finally:
            server.kill()
        for writer in writers:
            writer.join()
    # Once after the last kill, and once more after all has been moved by a clean stop.
    for _ in range(2):
        with start_server(data) as server:
            check_rounds(server, writers, range(ROUNDS))
    assert list((data / "cold").rglob("*.parquet")), "nothing was ever compacted"
    acknowledged = sum(writer.ledger.acknowledged_count for writer in writers)
    print(f"{acknowledged} changes of datapoints were acknowledged in {ROUNDS} rounds")
    assert acknowledged > 100 * ROUNDS


def check_rounds(server: LiveServer, writers: Sequence[Writer], turns: Iterable[int]) -> None:
    """History of what these rounds wrote, and current values, which follow from all rounds."""
    expected = {}
    checked = list(turns)
    with FeedApi(server.url, writers[0].feed) as api:
        for writer in writers:
            for turn in checked:
                check_window(api, writer, window_start_us(turn))
            for name in writer.names if checked else ():
                if newest := writer.ledger.newest(name):
                    expected[name] = newest
        if checked:
            assert api.current_values() == expected


def check_window(api: FeedApi, writer: Writer, start_us: int) -> None:
    """Everything in one window, by the history API."""
    known = api.datastreams()
    stored = [
        (Place(name, at_us), value)
        for name in writer.names
        if name in known
        for at_us, value in api.history(name, start_us, start_us + WINDOW_US)
    ]
    writer.ledger.settle(stored, start_us, start_us + WINDOW_US)
