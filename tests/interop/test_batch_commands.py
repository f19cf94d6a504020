"""`thingtank batch` as people use it."""

import json
from pathlib import Path

import pytest
from tests.prepared_commands import run_prepared

COUNT = ["batch", "run", "--job", "sequence-count"]


def answer(*words: str) -> dict[str, object]:
    ran = run_prepared(*words, "--json")
    assert ran.returncode == 0, ran.stderr
    found: dict[str, object] = json.loads(ran.stdout)
    return found


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.txt"
    path.write_text("state 123\nstate 321\nstate 123\n")
    return path


@pytest.mark.parametrize("form", ["auto", "programs", "sql"])
def test_the_shipped_job_counts_a_sequence_in_each_form(form: str, log: Path) -> None:
    output = log.parent / "out"
    words = [*COUNT, "--form", form, "--env", "SEQ=321", "--input", str(log)]
    found = answer(*words, "--output", str(output))
    assert found["top"] == [["321", 1]]
    assert (output / "part-00000").read_text() == "321\t1\n"


def test_the_archive_is_input_by_feed_channel_and_time(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path / "data")]
    run_prepared("device", "create", "Machine", *data)
    rows = "".join(
        f'1,{channel},2026-11-27T{at}:00Z,"{value}"\n'
        for channel, at, value in (
            ("state", "09:59", "123"),
            ("state", "10:00", "x 123"),
            ("other", "10:10", "123"),
            ("state", "10:30", "a\tb\\\n123"),
            ("state", "11:00", "123"),
        )
    )
    words = ["archive", "import", "-", "--format", "csv", "--create-channels", *data]
    ran = run_prepared(*words, stdin=f"feed_id,channel,at,value\n{rows}")
    assert ran.returncode == 0, ran.stderr
    hour = "archive:feed/1/state?start=2026-11-27T10:00:00Z&end=2026-11-27T11:00:00Z"
    words = [*COUNT, "--input", hour, "--output", str(tmp_path / "count"), *data]
    assert answer(*words)["top"] == [["123", 2]]
    words = ["batch", "run", "--mapper", "cat", "--reducer", "cat", "--input", "archive:"]
    answer(*words, "--output", str(tmp_path / "all"), *data)
    assert sorted((tmp_path / "all" / "part-00000").read_text().splitlines()) == [
        "1\tother\t2026-11-27T10:10:00.000000Z\t123",
        "1\tstate\t2026-11-27T09:59:00.000000Z\t123",
        "1\tstate\t2026-11-27T10:00:00.000000Z\tx 123",
        "1\tstate\t2026-11-27T10:30:00.000000Z\ta\\tb\\\\\\n123",
        "1\tstate\t2026-11-27T11:00:00.000000Z\t123",
    ]


def test_people_are_told_what_was_counted_and_where_it_is(log: Path) -> None:
    words = ["--mapper", "awk '{print $2 \"\\t1\"}'", "--reducer", "sh -c 'uniq -c; echo hm >&2'"]
    ran = run_prepared(
        "batch", "run", *words, "--input", str(log), "--output", str(log.parent / "out")
    )
    assert ran.returncode == 0, ran.stderr
    assert "read          3 lines" in ran.stdout
    assert f"is in {log.parent / 'out' / '_logs'}" in ran.stdout


REFUSALS = [
    (
        ["--mapper", "false", "--reducer", "cat", "--input", "log.txt"],
        1,
        "false ended with exit status 1",
    ),
    (["--mapper", "cat", "--reducer", "cat", "--input", "*.csv"], 1, "there is no input at *.csv"),
    (
        ["--mapper", "cat", "--reducer", "cat", "--input", "archive:feed/1/x/y"],
        1,
        "one is like archive:feed/7",
    ),
    (
        ["--job", "sequence-count", "--on", "emr", "--input", "log.txt"],
        1,
        "needs s3://bucket/prefix/",
    ),
    (["--mapper", "cat", "--input", "log.txt"], 2, "name --mapper and --reducer, or a --job"),
    (["--job", "words", "--input", "log.txt"], 2, "there is: sequence-count"),
    (
        ["--job", "sequence-count", "--mapper", "cat", "--input", "log.txt"],
        2,
        "--job has its programs",
    ),
    (
        ["--job", "sequence-count", "--env", "SEQ", "--input", "log.txt"],
        2,
        "--env takes NAME=VALUE",
    ),
    (
        ["--job", "sequence-count", "--on", "emr-serverless", "--input", "s3://b/x"],
        2,
        "needs --role ARN",
    ),
]


@pytest.mark.parametrize(("words", "code", "said"), REFUSALS, ids=[said for _, _, said in REFUSALS])
def test_what_cannot_be_is_said_and_leaves_nothing(
    words: list[str], code: int, said: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(log.parent)
    ran = run_prepared("batch", "run", *words, "--output", "out")
    assert (ran.returncode, said in ran.stderr, "Traceback" in ran.stderr) == (code, True, False), (
        ran.stderr
    )
    assert {path.name for path in log.parent.iterdir()} == {"log.txt"}
