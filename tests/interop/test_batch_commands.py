"""`thingtank batch` as people use it."""

import datetime
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.interop.test_command_line import answer as served
from tests.interop.test_trigger_commands import web_server
from tests.live_server import start_server
from tests.ports import free_port
from tests.prepared_commands import run_prepared
from tests.waiting import wait_until

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
    words = ["batch", "run", "--mapper", "cat", "--reducer", "cat", "--input", hour]
    answer(*words, "--output", str(tmp_path / "out"), *data)
    assert (tmp_path / "out" / "part-00000").read_text().splitlines() == [
        "1\tstate\t2026-11-27T10:00:00.000000Z\tx 123",
        "1\tstate\t2026-11-27T10:30:00.000000Z\ta\\tb\\\\\\n123",
    ]
    words = ["batch", "run", "--mapper", "cat", "--reducer", "cat", "--input"]
    gone = tmp_path / "gone"
    ran = run_prepared(*words, "archive:feed/1/nosuch", "--output", str(gone), *data)
    assert (ran.returncode, "no channel 'nosuch'" in ran.stderr) == (1, True), ran.stderr
    assert not gone.exists()


def test_what_a_killed_job_read_of_the_archive_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    data = ["--data", str(tmp_path / "data")]
    run_prepared("device", "create", "Machine", *data)
    run_prepared("feed", "write", "1", "state=123", *data)
    words = ["batch", "run", "--reducer", "cat", "--input", "archive:feed/1/state", *data]
    words += ["--output", str(tmp_path / "out")]
    kill = "sh -c 'kill -9 $(ps -o ppid= -p $PPID)'"  # the job, above the worker
    ran = run_prepared(*words, "--mapper", kill)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    [left] = temporary.iterdir()
    assert (left.stat().st_mode & 0o777, (left / "archive-000.tsv").exists()) == (0o700, True)
    answer(*words, "--mapper", "cat")
    assert list(temporary.iterdir()) == []


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
        "reads and writes in S3, and",
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


def ran(folder: Path) -> list[dict[str, Any]]:
    rows = served(folder, "batch", "schedule", "list")["schedules"]
    return [row for row in rows if row["last_at"]]


def test_a_schedule_counts_alerts_and_is_seen_in_a_feed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data = tmp_path / "data"
    (data / "thingtank.toml").write_text("[webhooks]\nallow_private = true\n")
    run_prepared("device", "create", "Machine", "--data", str(data))
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    at = yesterday.strftime("%Y-%m-%dT12:00:00Z")
    run_prepared("feed", "write", "1", "state=x 123", "--at", at, "--data", str(data))
    port = free_port()
    span = "archive:feed/1/state?start={start}&end={end}"
    job = ["--job", "sequence-count", "--input", span, "--output", str(tmp_path / "counts")]
    going = tmp_path / "go"
    wait = f"sh -c 'while [ ! -e {going} ]; do sleep 0.02; done'"
    slow = ["--mapper", wait, "--reducer", "cat", "--input", span, "--output", str(tmp_path / "o")]
    for words in (("add", "slow", *slow), ("run", "slow"), ("show", "slow")):
        told = run_prepared("batch", "schedule", *words, "--data", str(data)).stdout
    assert told.startswith("No run yet. It is due: a server begins it")
    alert = ["--feed", "1", "--above", "0", "--url", f"http://127.0.0.1:{port}/alert"]
    with web_server(port) as posted, start_server(data):
        wait_until(
            lambda: served(data, "batch", "schedule", "show", "slow")["begun_at"] is not None
        )
        told = run_prepared("batch", "schedule", "show", "slow", "--data", str(data)).stdout
        assert told.startswith("The first run is under way since 20")
        going.touch()
        made = served(data, "batch", "schedule", "add", "daily", "--every", "1d", *job, *alert)
        assert (made["last_at"], made["feed_id"]) == (None, 1)
        served(data, "batch", "schedule", "run", "daily")
        [row] = wait_until(lambda: [row for row in ran(data) if row["name"] == "daily"])
        assert (row["problem"], row["count"]) == ("", 1)
        assert Path(row["last_output"], "part-00000").read_text() == "123\t1\n"
        wait_until(lambda: posted == ["/alert"])
        shown = served(data, "batch", "schedule", "show", "daily")
        [run], [alert] = shown["runs"], shown["alerts"]
        assert (run["input_lines"], run["output_lines"], run["count"]) == (1, 1, 1)
        assert (alert["count"], alert["above"], alert["until"]) == ("1", "0", run["end"])
        assert served(data, "batch", "schedule", "pause", "daily")["is_paused"] is True
        assert served(data, "batch", "schedule", "resume", "daily")["is_paused"] is False
        served(data, "batch", "schedule", "remove", "daily")
        assert served(data, "trigger", "list")["total_count"] == 0


def test_options_of_a_job_are_looked_at_when_it_is_scheduled() -> None:
    words = ["--job", "sequence-count", "--input", "log.txt", "--output", "out", "--env", "SEQ"]
    done = run_prepared("batch", "schedule", "add", "one", *words)
    assert (done.returncode, "--env takes NAME=VALUE" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no query"),
        (b"-- nothing\n", "holds no query"),
        (b"SELECT '\xe4'", "is not UTF-8, as a query must be"),
        (b"SELECT 1; SELECT 2", "holds several queries"),
    ],
)
def test_a_query_that_is_none_is_refused_by_its_file(content: bytes, said: str, log: Path) -> None:
    query, output = log.with_name("query.sql"), log.with_name("out")
    query.write_bytes(content)
    words = ["--sql", str(query), "--input", str(log), "--output", str(output)]
    ran = run_prepared("batch", "run", *words)
    assert ran.returncode == 1
    assert f"Error: {query} {said}" in ran.stderr
    assert not output.exists()


def test_a_query_with_the_mark_that_windows_writes(log: Path) -> None:
    query, output = log.with_name("query.sql"), log.with_name("out")
    query.write_text("SELECT count(*) FROM lines", encoding="utf-8-sig")
    answer("batch", "run", "--sql", str(query), "--input", str(log), "--output", str(output))
    assert (output / "part-00000").read_text() == "3\n"


def test_an_output_must_have_a_name(log: Path) -> None:
    ran = run_prepared(*COUNT, "--input", str(log), "--output", "")
    assert ran.returncode == 2
    assert "it is blank: name the folder to make" in ran.stderr
