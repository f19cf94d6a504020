"""Batch jobs over a log beside the pipeline of the same programs: `cat | mapper | sort | reducer`.

A line of the log is a time, one of 500 devices, a word and one of 10,000 codes, with tabs between
them. In each round each way runs once, in turn; ratios are of one round. Every way's output is
looked at: all must have counted the same.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
from tests.bench.report import Result, Spread

from thingtank.batch.job import Job, command_of, cores
from thingtank.batch.runner import run as run_job
from thingtank.batch.shipped import SHIPPED
from thingtank.batch.sql import Query, run_query

LINES, QUICK_LINES = 5_000_000, 200_000
ROUNDS = 3
COUNT = SHIPPED["sequence-count"]
DEVICE_MAPPER = """\
import sys
for line in sys.stdin:
    print(line.split("\\t")[1], 1, sep="\\t")
"""
DEVICE_SQL = {
    "text": "SELECT split_part(line, chr(9), 2) AS device, count(*) FROM lines GROUP BY 1 ORDER BY 1",
    "Parquet": "SELECT device, count(*) FROM lines GROUP BY 1 ORDER BY 1",
}

Way = Callable[[Path], None]  # takes the folder of the output, which holds one part


def run(quick: bool) -> list[Result]:
    """Measure both counts, and lines that all differ."""
    os.environ.pop("PYTHONUNBUFFERED", None)  # one call of the system for each line that is printed
    with tempfile.TemporaryDirectory(prefix="thingtank-bench-") as name:
        folder = Path(name)
        log = make_log(folder, QUICK_LINES if quick else LINES)
        rounds = 1 if quick else ROUNDS
        return [
            *_sequence_count(log, rounds),
            *_count_per_device(log, rounds),
            *_all_different(log, rounds),
        ]


def make_log(folder: Path, lines: int) -> Path:
    """A log as text, and beside it the same as Parquet."""
    with duckdb.connect() as database:
        database.execute(
            "CREATE TABLE log AS SELECT strftime(TIMESTAMP '2026-11-27' + to_seconds(i // 50),"
            " '%Y-%m-%dT%H:%M:%SZ') AS \"at\", 'device-' || lpad((hash(i) % 500)::VARCHAR, 4, '0')"
            " AS device, 'state' AS word, lpad((hash(-i) % 10000)::VARCHAR, 4, '0') AS value"
            " FROM range($1) t(i)",
            [lines],
        )
        log = folder / "log.txt"
        database.execute(f"COPY log TO '{log}' (DELIMITER E'\\t', HEADER false)")
        database.execute(f"COPY log TO '{log.with_suffix('.parquet')}'")
    return log


def _sequence_count(log: Path, rounds: int) -> list[Result]:
    programs = [command_of(str(path)) for path in (COUNT.mapper, COUNT.reducer)]
    seq = {
        "SEQ": "9123"
    }  # of the codes only, so that Parquet's column of codes is the same question
    query = COUNT.sql.read_text()
    ways: dict[str, tuple[Way, str, float]] = {
        "unmodified programs": (_job(log, programs, seq, is_plain=True), "never slower", 1),
        "as shipped": (_job(log, [*programs, programs[1]], seq), "4 times as fast", 4),
        "query of text": (_query(query, log, seq), "twice as fast", 2),
        "query of Parquet": (
            _query(query, log.with_suffix(".parquet"), seq),
            "30 times as fast",
            30,
        ),
    }
    return _measured("sequence count", _pipeline(log, programs, seq), ways, rounds)


def _count_per_device(log: Path, rounds: int) -> list[Result]:
    mapper = log.with_name("device_mapper.py")
    mapper.write_text(DEVICE_MAPPER)
    programs = [command_of(str(path)) for path in (mapper, COUNT.reducer)]
    parquet = log.with_suffix(".parquet")
    ways: dict[str, tuple[Way, str, float]] = {
        "unmodified programs": (_job(log, programs, {}), "never slower", 1),
        "with a combiner": (_job(log, [*programs, programs[1]], {}), "twice as fast", 2),
        "query of text": (_query(DEVICE_SQL["text"], log, {}), "twice as fast", 2),
        "query of Parquet": (_query(DEVICE_SQL["Parquet"], parquet, {}), "30 times as fast", 30),
    }
    return _measured("count per device", _pipeline(log, programs, {}), ways, rounds)


def _all_different(log: Path, rounds: int) -> list[Result]:
    """The hardest case for the shuffle: nothing to count, all to sort."""
    programs = [("cat",), ("md5sum",)]
    ways: dict[str, tuple[Way, str, float]] = {
        "unmodified programs": (_job(log, programs, {}), "never slower", 1)
    }
    return _measured("sorting all lines", _pipeline(log, programs, {}), ways, rounds)


def _pipeline(log: Path, programs: list[tuple[str, ...]], variables: Mapping[str, str]) -> Way:
    mapper, reducer = (" ".join(words) for words in programs)
    line = f"cat '{log}' | {mapper} | LC_ALL=C sort | {reducer} > part-00000"

    def way(output: Path) -> None:
        output.mkdir()
        environment = {**os.environ, **variables}
        subprocess.run(["sh", "-c", line], cwd=output, env=environment, check=True)

    return way


def _job(
    log: Path, programs: list[tuple[str, ...]], variables: Mapping[str, str], is_plain: bool = False
) -> Way:
    mapper, reducer, *combiner = programs

    def way(output: Path) -> None:
        job = Job(
            mapper, reducer, [log], output, combiner[0] if combiner else (),
            workers=cores(), environment=variables, is_plain=is_plain,
        )  # fmt: skip
        run_job(job)

    return way


def _query(text: str, log: Path, variables: Mapping[str, str]) -> Way:
    def way(output: Path) -> None:
        run_query(Query(text, [log], output, variables, cores()))

    return way


def _measured(
    what: str, pipeline: Way, ways: Mapping[str, tuple[Way, str, float]], rounds: int
) -> list[Result]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    plain: list[float] = []
    with tempfile.TemporaryDirectory(prefix="thingtank-bench-") as name:
        output = Path(name, "out")
        for _ in range(rounds):
            taken_s, wanted = _timed(pipeline, output)
            plain.append(taken_s)
            for way_name, (way, _, _) in ways.items():
                taken_s, found = _timed(way, output)
                assert found == wanted, f"{what}, {way_name}: {found[:200]!r} for {wanted[:200]!r}"
                seconds[way_name].append(taken_s)
    results = []
    for way_name, (_, target, factor) in ways.items():
        pairs = zip(plain, seconds[way_name], strict=True)
        ratio = Spread.of([theirs / ours for theirs, ours in pairs])
        note = f"pipeline {Spread.of(plain).median:.2f} s; {ratio}"
        median_s = Spread.of(seconds[way_name]).median
        case = f"batch, {what}: {way_name}"
        is_met = ratio.median >= factor
        results.append(Result(case, target, median_s, "s", ratio.median, is_met, note))
    return results


def _timed(way: Way, output: Path) -> tuple[float, bytes]:
    begin_s = time.perf_counter()
    way(output)
    taken_s = time.perf_counter() - begin_s
    found = (output / "part-00000").read_bytes()
    shutil.rmtree(output)
    return taken_s, found
