"""The shuffle, beside `LC_ALL=C sort` and plain sorting."""

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.batch import merging
from thingtank.batch import shuffle as shuffling
from thingtank.batch.merging import merged
from thingtank.batch.runs import LineTooLong, whole_lines
from thingtank.batch.shuffle import Shuffle

LINES = st.lists(
    st.one_of(
        st.binary(max_size=6).map(lambda line: line.replace(b"\n", b"")),
        st.sampled_from([b"a\t1", b"a\t2", b"a", b"b\t1", b"", b"\t"]),
    ),
    max_size=60,
)


def by_key(line: bytes) -> tuple[bytes, bytes]:
    key, _, value = line.partition(b"\t")
    return key, value


def shuffled(lines: list[bytes], partitions: int, memory_bytes: int, mappers: int) -> list[bytes]:
    """Each partition's merged bytes, of lines that several mappers wrote."""
    with TemporaryDirectory() as folder:
        runs = []
        for number in range(mappers):
            one = Shuffle(Path(folder, f"map-{number}"), partitions, memory_bytes)
            for line in lines[number::mappers]:
                one.add(line + b"\n")
            runs += one.finish()
        return [
            b"".join(merged([run for run in runs if run.partition == part], Path(folder), 1 << 20))
            for part in range(partitions)
        ]


@given(LINES, st.integers(1, 3), st.sampled_from([1, 1500, 1 << 20]), st.integers(1, 3))
def test_lines_come_out_sorted_by_key_each_in_its_partition_as_often_as_they_came(
    lines: list[bytes], partitions: int, memory_bytes: int, mappers: int
) -> None:
    found = shuffled(lines, partitions, memory_bytes, mappers)
    for part, block in enumerate(found):
        wanted = [line for line in lines if crc32(by_key(line)[0]) % partitions == part]
        in_order = block.split(b"\n")[:-1]
        assert sorted(in_order) == sorted(wanted)
        assert [by_key(line) for line in in_order] == sorted(map(by_key, wanted))


@pytest.mark.parametrize("look_lines", [10, 1_000_000], ids=["by the system's sort", "by counting"])
@pytest.mark.parametrize("partitions", [1, 3])
def test_a_key_below_tab_is_sorted_as_a_key(
    look_lines: int, partitions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shuffling, "LOOK_LINES", look_lines)
    lines = [b"%d\t%d" % (number % 50, number) for number in range(100)]
    lines += [b"1\x01\t1", b"1", b"\x00", b"1\t", *lines[:50]]
    found = shuffled(lines, partitions, 1 << 20, 2)
    for part, block in enumerate(found):
        wanted = [line for line in lines if crc32(by_key(line)[0]) % partitions == part]
        assert [by_key(line) for line in block.split(b"\n")[:-1]] == sorted(map(by_key, wanted))


@pytest.mark.parametrize("look_lines", [10, 1_000_000], ids=["by the system's sort", "by counting"])
def test_the_order_is_that_of_sort(look_lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffling, "LOOK_LINES", look_lines)
    draw = random.Random(8)
    lines = [b"%x\t%d" % (draw.randrange(300), draw.randrange(99)) for _ in range(2000)]
    lines += [b"no tab", b"", b"\xff\xfe\t1", b"a", b"a\t", b"a b\t1"]
    done = subprocess.run(
        ["sort"],
        input=b"\n".join(lines) + b"\n",
        env={"LC_ALL": "C"},
        capture_output=True,
        check=True,
    )
    assert shuffled(lines, 1, 20_000, 2) == [done.stdout]


def test_more_runs_than_may_be_open_are_merged_in_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "RUNS_MERGE_MAX", 3)
    monkeypatch.setattr(shuffling, "has_system_sort", lambda: False)
    lines = [b"%05d\t1" % number for number in range(40)]
    one = Shuffle(tmp_path / "map", 1, 1)
    for line in reversed(lines):
        one.add(line + b"\n")
    assert one.spill_count == len(lines)
    assert b"".join(merged(one.finish(), tmp_path, 1 << 20)).split(b"\n")[:-1] == lines


def test_lines_that_differ_go_to_the_systems_sort_as_soon_as_memory_is_full(tmp_path: Path) -> None:
    lines = [b"%05d" % (number * 7919 % 5000) for number in range(5000)]
    one = Shuffle(tmp_path / "map", 1, 100_000)
    for start in range(0, 5000, 100):
        one.add(b"\n".join((*lines[start : start + 100], b"")))
    runs = one.finish()
    assert one.spill_count == 2
    assert b"".join(merged(runs, tmp_path, 1 << 20)).split(b"\n")[:-1] == sorted(lines)


def test_a_line_that_occurs_very_often_is_held_once_and_written_in_blocks(tmp_path: Path) -> None:
    one = Shuffle(tmp_path / "map", 1, 1000)
    for _ in range(300):
        one.add(b"device-7\t1\n" * 1000)
    [run] = one.finish()
    assert one.spill_count == 1
    assert Path(run.path).read_bytes() == b"device-7\t1\n" * 300_000


def test_a_combiner_gets_lines_sorted_and_may_write_others(tmp_path: Path) -> None:
    seen = []

    def combine(blocks: Iterator[bytes]) -> Iterator[bytes]:
        seen.extend(b"".join(blocks).split(b"\n")[:-1])
        yield b"z\t1\na"
        yield b"\t2"

    one = Shuffle(tmp_path / "map", 1, 1 << 20, combine)
    one.add(b"b\t1\na\t1\nb\t1\n")
    assert b"".join(merged(one.finish(), tmp_path, 1 << 20)) == b"a\t2\nz\t1\n"
    assert seen == [b"a\t1", b"b\t1", b"b\t1"]


@given(st.lists(st.binary(max_size=9)))
def test_blocks_of_any_size_become_whole_lines(blocks: list[bytes]) -> None:
    found = list(whole_lines(blocks))
    text = b"".join(blocks)
    assert b"".join(found) == (text if text.endswith(b"\n") or not text else text + b"\n")
    assert all(block.endswith(b"\n") for block in found)


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(LineTooLong, match="more than 10 bytes"):
        list(whole_lines(iter([b"x" * 6] * 2), line_bytes_max=10))
