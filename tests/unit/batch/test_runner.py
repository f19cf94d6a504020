"""Jobs on this machine, with programs as people write them."""

import contextlib
import errno
import fcntl
import gzip
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.waiting import wait_until

from thingtank.batch import inputs, piping, results, sequence_count
from thingtank.batch.inputs import SPLIT_BYTES_MIN, Split, files_of, read_split, splits_of
from thingtank.batch.job import BatchFailed, Job, Progress, command_of
from thingtank.batch.results import local_lines, summary_of
from thingtank.batch.runner import run
from thingtank.batch.shipped import SHIPPED
from thingtank.batch.tasks import Failed, MapTask, do
from thingtank.batch.workspace import Workspace, workspace

COUNT = SHIPPED["sequence-count"]
LINES = [f"2026-11-27 device-{number % 7} says {number:05}" for number in range(3000)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.txt"
    path.write_text("\n".join(LINES) + "\n")
    return path


def job_of(mapper: str, reducer: str, log: Path, **more: object) -> Job:
    return Job(
        command_of(mapper), command_of(reducer), [log], log.parent / "out", workers=2, **more
    )  # type: ignore[arg-type] # members by name


def python(program: str) -> str:
    return f"{sys.executable} -c '{program}'"


def is_running(command: str) -> bool:
    """Whether a process of exactly this command is there; one that has ended has no command."""
    words = "\0".join((*command.split(), "")).encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes() == words:
                return True
    return False


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_result_is_that_of_the_pipeline(log: Path) -> None:
    mapper = "awk '{print $2 \"\\t\" $4}'"
    reducer = "awk -F '\\t' '{n[$1] += $2} END {for (k in n) print k \"\\t\" n[k] | \"sort\"}'"
    pipeline = f"cat log.txt | {mapper} | LC_ALL=C sort | {reducer}"
    wanted = subprocess.run(
        ["sh", "-c", pipeline], cwd=log.parent, capture_output=True, check=True
    ).stdout
    report = run(job_of(mapper, reducer, log))
    assert (log.parent / "out" / "part-00000").read_bytes() == wanted
    assert (report.input_lines, report.map_lines, report.reduce_lines) == (3000, 3000, 3000)
    assert files_in(log.parent / "out") == {"part-00000", "_SUCCESS"}


def test_keys_are_divided_among_reducers_and_what_programs_say_is_kept(log: Path) -> None:
    mapper = (
        "import sys\n"
        'for line in sys.stdin: print(line.split()[1], 1, sep="\\t")\n'
        'print("reporter:counter:machine,lines,3", file=sys.stderr)\n'
        'print("reporter:status:half way", file=sys.stderr)\n'
        'print("mind the step", file=sys.stderr)'
    )
    seen: list[Progress] = []
    report = run(
        job_of(python(mapper), "uniq -c", log, combiner=("uniq",), reducers=3), seen.append
    )
    out = log.parent / "out"
    assert report.parts == ["part-00000", "part-00001", "part-00002"]
    counted = [line for part in report.parts for line in (out / part).read_text().splitlines()]
    assert sorted(line.split()[1] for line in counted) == [f"device-{n}" for n in range(7)]
    assert report.counters == {"machine,lines": 3}
    assert report.tasks_with_notes == ["map-00000.txt"]
    assert (out / "_logs" / "map-00000.txt").read_text() == "mind the step\n"
    assert Progress("map", 0, 1, "half way") in seen
    assert seen[-1] == Progress("reduce", 3, 3)


@pytest.mark.parametrize(
    ("mapper", "reducer", "said"),
    [
        (python("raise ValueError(7)"), "cat", r"exit status 1; the last(.|\n)*ValueError: 7"),
        ("cat", python("int(input())"), r"invalid literal for int"),
        ("cat", "sh -c 'kill -9 $$'", "was ended by SIGKILL, and wrote nothing to standard error"),
        ("no-such-program", "cat", "no-such-program cannot be started: No such file"),
    ],
)
def test_a_program_that_fails_is_named_with_its_last_words_and_nothing_is_left(
    mapper: str, reducer: str, said: str, log: Path
) -> None:
    with pytest.raises(BatchFailed, match=said):
        run(job_of(mapper, reducer, log))
    assert files_in(log.parent) == {"log.txt"}


def test_a_program_that_never_ends_is_ended(log: Path) -> None:
    with pytest.raises(BatchFailed, match="took longer than 0 s, and was ended"):
        run(job_of("sleep 60", "cat", log, task_s_max=0.3))


def test_no_input_is_no_output_and_a_success(log: Path) -> None:
    log.write_bytes(b"")
    report = run(job_of(str(COUNT.mapper), str(COUNT.reducer), log))
    assert (report.input_lines, report.parts) == (0, ["part-00000"])
    assert (log.parent / "out" / "part-00000").read_bytes() == b""


def test_garbage_is_left_out_by_the_shipped_reducer_and_counted(log: Path) -> None:
    garbage = "printf 'a\\t1\\n\\377\\t\\nno tab\\na\\t2'"
    report = run(job_of(f'sh -c "{garbage}"', str(COUNT.reducer), log))
    assert (log.parent / "out" / "part-00000").read_bytes() == b"a\t3\n"
    assert report.counters == {"thingtank,malformed": 2}


def test_an_output_that_exists_is_refused_and_left_alone(log: Path) -> None:
    (log.parent / "out").mkdir()
    with pytest.raises(BatchFailed, match="exists already"):
        run(job_of("cat", "cat", log))
    assert files_in(log.parent) == {"log.txt", "out"}


def test_what_a_job_left_that_was_killed_is_swept_by_the_next(log: Path) -> None:
    for name in (".out.0123abcd.part", ".of-yesterday.4567cdef.part", ".mine.part"):
        (log.parent / name).mkdir()
        (log.parent / name / "lock").touch()
    run(job_of("cat", "cat", log))
    assert files_in(log.parent) == {"log.txt", "out", ".mine.part"}


def test_a_workspace_that_another_job_has_swept_in_the_making_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, swept = fcntl.flock, []

    def sweep_first(descriptor: int, how: int) -> None:
        if not swept:
            swept.extend(tmp_path.glob(".out.*.part"))
            shutil.rmtree(swept[0])
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    with workspace(tmp_path / "out") as place:
        assert place.output.is_dir()
        assert not swept[0].exists()


def test_of_two_jobs_with_one_output_one_is_told(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with workspace(output) as ours:
        with workspace(output) as other:
            other.publish(output)
        with pytest.raises(BatchFailed, match="made: another job has made it meanwhile"):
            ours.publish(output)
    assert files_in(tmp_path) == {"out"}


def test_a_disk_that_is_full_is_said_with_where_and_leaves_nothing(log: Path) -> None:
    program = "ulimit -f 8; exec " + shlex.join([
        sys.executable, "-m", "thingtank.cli.main", "batch", "run", "--mapper", "cat",
        "--reducer", "cat", "--input", "log.txt", "--output", "out",
    ])  # fmt: skip
    ran = subprocess.run(["sh", "-c", program], cwd=log.parent, capture_output=True, text=True)
    assert ran.returncode == 1, ran.stderr
    assert ran.stderr == f"Error: writing beside the output, in {log.parent}: File too large\n"
    assert files_in(log.parent) == {"log.txt"}


def test_a_disk_that_is_full_of_notes_ends_the_job(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Workspace, "keep_notes", fail)
    with pytest.raises(BatchFailed, match="the job cannot go on: No space left on device"):
        run(job_of("sh -c 'cat; echo hm >&2'", "cat", log))
    assert files_in(log.parent) == {"log.txt"}


@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGINT], ids=str)
def test_a_job_that_is_broken_off_leaves_nothing(ending: signal.Signals, log: Path) -> None:
    mapper = "sh -c 'echo > begun; exec sleep 60'"
    with job_process(log, "--mapper", mapper, "--reducer", "cat") as job:
        wait_until((log.parent / "begun").exists)
        job.send_signal(ending)
        assert job.wait(20) == 1
    assert files_in(log.parent) == {"log.txt", "begun"}


def test_a_query_that_is_broken_off_leaves_nothing(log: Path) -> None:
    log.with_name("long.sql").write_text("SELECT count(*) FROM range(1000000000) a, lines, lines b")
    with job_process(log, "--sql", "long.sql") as job:
        wait_until(lambda: any(log.parent.glob(".out.*.part/output")))
        time.sleep(0.3)  # so that it is within a call of DuckDB
        job.send_signal(signal.SIGINT)
        assert job.wait(20) == 1
    assert files_in(log.parent) == {"log.txt", "long.sql"}


def job_process(log: Path, *words: str) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable, "-m", "thingtank.cli.main", "batch", "run", *words,
        "--input", "log.txt", "--output", "out",
    ]  # fmt: skip
    # Where the tests run under `nohup`, a job would rightly outlive its terminal too.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        return subprocess.Popen(command, cwd=log.parent, stderr=subprocess.DEVNULL)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_line_of_output_that_never_ends_is_not_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "LINE_BYTES_MAX", 8)
    (tmp_path / "part-00000").write_bytes(b"a\t3\n" + b"x" * 21 + b"\t9\n12345678\nb\t4")
    assert list(local_lines(tmp_path)) == [b"a\t3\n", b"x" * 8, b"12345678", b"b\t4"]
    found = summary_of(tmp_path)
    assert (found.line_count, found.top, found.head) == (4, [("b", 4), ("a", 3)], [])


def test_an_output_without_counts_is_shown_by_its_first_lines(tmp_path: Path) -> None:
    (tmp_path / "part-00000").write_text("".join(f"line {n} \u00e9\n" for n in range(12)))
    found = summary_of(tmp_path)
    assert (found.line_count, found.top) == (12, [])
    assert found.head == [f"line {n} \u00e9" for n in range(10)]


def test_the_workers_of_a_job_that_is_killed_end_as_well(log: Path) -> None:
    marker = f"sleep 86{id(log) % 1000:03}"
    program = (
        "from pathlib import Path\n"
        "from thingtank.batch.job import Job\n"
        "from thingtank.batch.runner import run\n"
        f"run(Job(('sh', '-c', 'echo begun > begun; exec {marker}'), ('cat',),"
        " [Path('log.txt')], Path('out')))"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=log.parent) as parent:
        wait_until(lambda: (log.parent / "begun").exists() and is_running(marker))
        parent.kill()
    wait_until(lambda: not is_running(marker), s_max=30.0)  # less than CHILD_S_MAX


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (gzip.compress(b"123\n" * 99)[:-9], "damaged or cut off"),
        (b"123\n", r"log\.gz is not gzip: name it without \.gz"),
    ],
    ids=["cut off", "not packed"],  # with the bytes in it, each worker would have another name
)
def test_a_damaged_file_is_named(packed: bytes, said: str, log: Path) -> None:
    damaged = log.with_name("log.gz")
    damaged.write_bytes(packed)
    with pytest.raises(BatchFailed, match=said):
        run(job_of("cat", "cat", damaged))


def test_what_is_no_file_is_refused(log: Path) -> None:
    os.mkfifo(log.with_name("pipe"))
    with pytest.raises(BatchFailed, match="pipe is no file"):
        run(job_of("cat", "cat", log.with_name("pipe")))


def test_splits_share_all_lines_whatever_their_length(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    text = b"".join(b"x" * (number % 5) + b"\n" for number in range(40)) + b"no end"
    path.write_bytes(text)
    for size in (1, 2, 3, 7, 1000):
        starts = range(0, len(text), size)
        blocks = [
            b"".join(read_split(Split(str(path), start, min(start + size, len(text)))))
            for start in starts
        ]
        assert b"".join(blocks) == text
        assert all(block.endswith((b"\n", b"no end")) for block in blocks if block)


def test_a_line_without_end_is_refused_before_it_fills_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "image.raw"
    path.write_bytes(b"x" * 100)
    monkeypatch.setattr(inputs, "LINE_BYTES_MAX", 10)
    task = MapTask(0, Split(str(path), 1, 50), ("cat",), (), {}, str(tmp_path), 1, 1 << 20)
    found = do(task, lambda _: None)
    assert isinstance(found, Failed)
    assert found.message == f"{path} has a line of more than 10 bytes; is it text?"


@pytest.mark.parametrize("is_shipped", [True, False])
def test_a_long_line_is_the_inputs_fault_in_either_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_shipped: bool
) -> None:
    path = tmp_path / "image.raw"
    path.write_bytes(b"x" * 100)
    monkeypatch.setattr(inputs, "LINE_BYTES_MAX", 10)
    mapper = command_of(str(COUNT.mapper))
    task = MapTask(
        0, Split(str(path), 0, 100), mapper, (), {}, str(tmp_path), 1, 1 << 20, is_shipped
    )
    found = do(task, lambda _: None)
    assert isinstance(found, Failed)
    assert found.message == f"{path} has a line of more than 10 bytes; is it text?"


def test_child_of_a_mapper_that_holds_its_output_is_named_and_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.txt"
    path.write_text("a\n")
    monkeypatch.setattr(piping, "LOOK_S", 0.05)
    monkeypatch.setattr(piping, "CHILD_S_MAX", 0.05)
    mapper = ("sh", "-c", "sleep 7.25 2>/dev/null & cat")
    statuses: list[str] = []
    task = MapTask(0, Split(str(path), 0, 2), mapper, (), {}, str(tmp_path), 1, 1 << 20)
    found = do(task, statuses.append)
    assert isinstance(found, Failed)
    assert "holds its output open" in found.message
    assert statuses == ["a program that it started holds its output open"]


def test_the_output_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def keep(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)

    monkeypatch.setattr(os, "fsync", keep)
    with workspace(tmp_path / "out") as place:
        (place.output / "part-00000").write_text("a\t1\n")
        place.keep_notes("map-00000.txt", "said")
        place.publish(tmp_path / "out")
    assert set(synced[:-1]) == {"part-00000", "_SUCCESS", "map-00000.txt", "_logs", "output"}
    assert synced[-1] == tmp_path.name


def test_input_is_files_folders_and_patterns_without_what_is_hidden(tmp_path: Path) -> None:
    for name in ("a.txt", "_SUCCESS", ".hidden", "b.txt"):
        (tmp_path / name).write_text(name + "\n")
    found = files_of([str(tmp_path), str(tmp_path / "*.txt")])
    assert [path.name for path in found] == ["a.txt", "b.txt"]
    with pytest.raises(BatchFailed, match=r"no input at .*\*\.gz"):
        files_of([str(tmp_path / "*.gz")])


def test_large_files_are_divided_and_compressed_ones_are_not(tmp_path: Path) -> None:
    packed, plain = tmp_path / "a.gz", tmp_path / "b.txt"
    packed.write_bytes(gzip.compress(b"one\ntwo\n"))
    with plain.open("wb") as file:
        file.truncate(2 * SPLIT_BYTES_MIN + 1)
    first, *rest = splits_of([packed, plain], 2)
    assert b"".join(read_split(first)) == b"one\ntwo\n"
    assert [split.start for split in rest] == [0, SPLIT_BYTES_MIN, 2 * SPLIT_BYTES_MIN]


@pytest.mark.parametrize("seq", ["3 says 0000", " says"])
def test_the_shipped_count_is_the_same_by_programs_and_in_this_process(seq: str, log: Path) -> None:
    environment = {"SEQ": seq}
    found = {}
    for is_plain in (True, False):
        job = job_of(str(COUNT.mapper), str(COUNT.reducer), log, environment=environment)
        job = msgspec.structs.replace(
            job,
            combiner=command_of(str(COUNT.combiner)),
            is_plain=is_plain,
            output=log.parent / str(is_plain),
        )
        run(job)
        found[is_plain] = (job.output / "part-00000").read_bytes()
    assert found[True] == found[False]


@given(
    st.lists(st.text("12 \t\x85\xa0", max_size=9), max_size=9),
    st.text("12 \t\x85\xa0", min_size=1, max_size=3),
)
def test_found_block_by_block_is_what_is_found_line_by_line(lines: list[str], seq: str) -> None:
    environment = {"SEQ": seq}
    assume(sequence_count.may_map(environment))
    count = sum(seq.encode() in line.encode().strip() for line in lines)
    block = "".join(line + "\n" for line in lines).encode()
    found = b"".join(sequence_count.mapped([block, block], environment))
    assert found == (b"%s\t%d\n" % (seq.encode(), 2 * count) if count else b"")
