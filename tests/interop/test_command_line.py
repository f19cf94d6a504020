"""The `thingtank` program as people and scripts use it: beside a running server, and without one."""

import contextlib
import datetime
import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.live_server import LiveServer, furnish, start_server
from tests.prepared_commands import run_prepared

PASSWORD = "correct horse battery"


def thingtank(folder: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A command, which is spared its imports."""
    return run_prepared(*words, "--data", str(folder), stdin=stdin)


def program(folder: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A command as people start it."""
    command = [sys.executable, "-m", "thingtank.cli.main", *words, "--data", str(folder)]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )


def answer(folder: Path, *words: str, stdin: str = "") -> Any:
    """The JSON that a command which succeeds prints."""
    done = thingtank(folder, *words, "--json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(folder: Path, *words: str, stdin: str = "") -> str:
    done = thingtank(folder, *words, stdin=stdin)
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(params=["beside a server", "without one"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A data folder with its first device, served or not."""
    if request.param == "without one":
        furnish(tmp_path)
        thingtank(tmp_path, "device", "create", "My first device")
        yield tmp_path
        return
    with start_server(tmp_path):
        yield tmp_path


def test_devices_are_made_listed_shown_and_deleted(folder: Path) -> None:
    made = answer(
        folder, "device", "create", "Roof", "--public", "--tag", "b", "--tag", "a",
        "--lat", "12.5", "--lon", "77.5", "--description", "East",
    )  # fmt: skip
    assert {"feed_id", "uuid", "token", "api_key"} <= made.keys()
    listed = answer(folder, "device", "list", "--search", "roof")
    assert [row["feed_id"] for row in listed["devices"]] == [made["feed_id"]]
    assert listed["devices"][0]["last_at"] is None
    shown = answer(folder, "device", "show", made["uuid"].upper())
    assert (shown["title"], shown["tags"], shown["private"]) == ("Roof", ["a", "b"], False)
    assert (shown["location"]["lat"], shown["description"]) == (12.5, "East")
    assert answer(folder, "device", "delete", made["uuid"], "--yes")["feed_id"] == made["feed_id"]
    assert "there is no feed" in refusal(folder, "device", "show", str(made["feed_id"]))


def test_tags_lose_quotes_and_commas_as_by_every_other_door(folder: Path) -> None:
    made = answer(folder, "device", "create", "Roof", "--tag", "a,b", "--tag", "o'clock", "--tag", '","')  # fmt: skip
    assert answer(folder, "device", "show", made["uuid"])["tags"] == ["ab", "oclock"]


def test_nothing_is_deleted_without_a_yes(folder: Path) -> None:
    done = thingtank(folder, "device", "delete", "1", stdin="n\n")
    assert done.returncode == 1
    assert answer(folder, "device", "show", "1")["feed_id"] == 1


def test_values_are_written_read_and_deleted(folder: Path) -> None:
    at = "2026-03-01T10:00:00.5Z"
    written = answer(folder, "feed", "write", "1", "t=21.5", "state=on=off", "--at", at)
    assert written["at"] == "2026-03-01T10:00:00.500000Z"
    asked = ["feed", "history", "1", "t", "--start", "2026-03-01", "--duration", "1day"]
    point = {"at": "2026-03-01T10:00:00.500000Z", "value": "21.5"}
    assert answer(folder, *asked, "--interval", "0", "--duration", "6hours", "--start", "2026-03-01T08:00Z")["datapoints"] == [point]  # fmt: skip
    channels = {
        row["name"]: row["value"] for row in answer(folder, "feed", "show", "1")["channels"]
    }
    assert channels == {"t": "21.5", "state": "on=off"}
    csv = thingtank(folder, *asked, "--csv")
    assert csv.stdout == f"at,value\n{point['at']},21.5\n"
    answer(folder, "feed", "delete-history", "1", "t", "--end", "2027-01-01", "--yes")
    assert answer(folder, *asked)["datapoints"] == []


def test_history_from_a_start_on_goes_until_now(folder: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    days = [10, 3, 0]
    times = [(now - datetime.timedelta(days=day)).isoformat() for day in days]
    for day, at in zip(days, times, strict=True):
        answer(folder, "feed", "write", "1", f"t={day}", "--at", at)

    def found(*words: str) -> list[str]:
        history = answer(folder, "feed", "history", "1", "t", *words)
        return [point["value"] for point in history["datapoints"]]

    assert found("--start", times[0]) == ["10", "3", "0"]
    assert found("--start", times[1]) == ["3", "0"]
    assert found("--start", times[0], "--duration", "1day") == ["10"]
    assert found("--start", times[0], "--interval", "3600") == ["10", "3", "0"]
    assert found("--start", (now + datetime.timedelta(days=1)).isoformat()) == []
    assert "allows a range of at most" in refusal(
        folder, "feed", "history", "1", "t", "--start", times[0], "--interval", "0"
    )


def test_keys_are_master_keys_unless_narrowed(folder: Path) -> None:
    master = answer(folder, "key", "create", "all")
    assert master["is_master"]
    assert len(master["api_key"]) == 48
    narrow = answer(
        folder, "key", "create", "wall", "--feed", "1", "--channel", "t", "--allow", "read", "--expires", "2d"
    )  # fmt: skip
    assert (narrow["is_master"], narrow["feeds"], narrow["methods"]) == (False, ["1/t"], ["get"])
    assert narrow["expires_at"] > "2026"
    shown = answer(folder, "key", "show", str(master["key_id"]))
    assert shown["api_key"] == master["api_key"]
    listed = answer(folder, "key", "list")["keys"]
    assert {"all", "wall"} <= {row["label"] for row in listed}
    assert all("api_key" not in row for row in listed)
    answer(folder, "key", "delete", str(narrow["key_id"]), "--yes")
    assert "there is no key" in refusal(folder, "key", "show", str(narrow["key_id"]))


def test_accounts_are_made_and_switched_off(folder: Path) -> None:
    anna = answer(folder, "user", "create", "anna", "--admin", "--password", PASSWORD)
    assert (anna["is_admin"], anna["has_password"], anna["sign_in_link"]) == (True, True, "")
    bert = answer(folder, "user", "create", "bert")
    assert "/welcome/" in bert["sign_in_link"]
    made = answer(folder, "device", "create", "Bert's", "--owner", "bert")
    assert made["owner"] == "bert"
    answer(folder, "user", "password", "bert", "--password-stdin", stdin=f"{PASSWORD}\n")
    answer(folder, "user", "disable", "bert")
    rows = {row["login"]: row for row in answer(folder, "user", "list")["users"]}
    assert (rows["bert"]["is_active"], rows["bert"]["has_password"]) == (False, True)
    assert rows["bert"]["device_count"] == 1


@pytest.mark.parametrize("noun", ["device", "key", "user"])
def test_every_listing_is_paged_and_says_what_is_left(noun: str, folder: Path) -> None:
    for name in ("a", "b", "c"):
        answer(folder, noun, "create", name)
    whole = answer(folder, noun, "list")
    pages = [
        answer(folder, noun, "list", "--per-page", "2", "--page", str(page))
        for page in (1, 2, 3, 9)
    ]
    rows = [row for page in pages for row in page[f"{noun}s"]]
    assert rows == whole[f"{noun}s"]
    assert len(pages[0][f"{noun}s"]) == 2
    assert {page["total_count"] for page in pages} == {len(rows)} == {whole["total_count"]}
    assert "more with --page 2" in thingtank(folder, noun, "list", "--per-page", "2").stdout
    last = thingtank(folder, noun, "list", "--per-page", "2", "--page", str(-(-len(rows) // 2)))
    assert "more with" not in last.stdout


def change_accounts(folder: Path, statement: str, *values: str) -> None:
    """Behind the product's back: no command renames accounts or lets the last admin go."""
    with contextlib.closing(sqlite3.connect(folder / "directory.sqlite3")) as database, database:
        database.execute(statement, values)


def test_the_owner_is_the_oldest_active_admin_whatever_the_name(tmp_path: Path) -> None:
    answer(tmp_path, "user", "create", "bert", "--admin", "--password", PASSWORD)
    rename = "UPDATE accounts_account SET username = ? WHERE username = ?"
    change_accounts(tmp_path, rename, "anna", "owner")
    assert answer(tmp_path, "device", "create", "Hers")["owner"] == "anna"
    with start_server(tmp_path) as server:
        assert server.feed_id == 1
        assert server.api_key
        assert "/account" in requests.get(server.welcome_url, timeout=20).text
        assert answer(tmp_path, "key", "create", "all")["owner"] == "anna"
    answer(tmp_path, "user", "disable", "anna")
    assert answer(tmp_path, "device", "create", "His")["owner"] == "bert"
    assert "the last admin" in refusal(tmp_path, "user", "disable", "bert")
    assert answer(tmp_path, "device", "create", "His too")["owner"] == "bert"
    change_accounts(tmp_path, "UPDATE accounts_account SET is_superuser = FALSE")
    assert "name an account with --owner" in refusal(tmp_path, "device", "create", "Whose?")
    with start_server(tmp_path) as server:
        assert (server.welcome_url, server.feed_id, server.api_key) == ("", 0, "")


REFUSALS = [
    (["device", "show", "nothing"], "there is no device nothing"),
    (["device", "create", " "], "title can't be blank"),
    (["device", "create", "x", "--owner", "nobody"], "there is no account nobody"),
    (["key", "create", ""], "label can't be blank"),
    (["key", "create", "x", "--feed", "99"], "99 is not a feed of this account"),
    (["key", "create", "x", "--channel", "t"], "exactly one feed"),
    (["user", "create", "owner"], "already exists"),
    (["user", "create", "a b", "--password", PASSWORD], "valid username"),
    (["user", "create", "carl", "--password", "1234"], "too short"),
    (["user", "password", "nobody", "--password", PASSWORD], "there is no account nobody"),
    (["feed", "write", "1", "a b=1"], "id is invalid"),
    (["feed", "write", "1", "t=1", "--at", "yesterday"], "Error: at is not an ISO 8601 time"),
    (["feed", "history", "1", "none"], "no datastream none"),
    (["feed", "history", "1", "none", "--duration", "soon"], "Error: duration must be"),
    (["feed", "history", "1", "none", "--start", "soon"], "Error: start is not an ISO 8601 time"),
]


@pytest.mark.parametrize("served", [True, False], ids=["beside a server", "without one"])
def test_what_is_refused_says_why(served: bool, tmp_path: Path) -> None:
    thingtank(tmp_path, "device", "create", "My first device")
    server = start_server(tmp_path) if served else None
    try:
        for words, reason in REFUSALS:
            assert reason in refusal(tmp_path, *words), words
    finally:
        if server is not None:
            server.stop()


WRONG_USE = [
    ["device", "create"],
    ["device", "create", "x", "--lat", "1"],
    ["feed", "write", "1", "novalue"],
    ["feed", "history", "1", "t", "--csv", "--json"],
    ["feed", "delete-history", "1", "t"],
    ["key", "create", "x", "--allow", "fly"],
    ["key", "create", "x", "--expires", "soon"],
    ["archive", "export", "datapoints"],
    ["archive", "export", "-", "--format", "parquet"],
    ["nothing"],
]


@pytest.mark.parametrize("words", WRONG_USE, ids=" ".join)
def test_wrong_use_is_exit_code_2(words: list[str], tmp_path: Path) -> None:
    done = thingtank(tmp_path, "device", "create", "x") if words[0] == "archive" else None
    assert done is None or done.returncode == 0
    wrong = thingtank(tmp_path, *words)
    assert wrong.returncode == 2
    assert "Error:" in wrong.stderr


TEXTS = [
    (["device", "create", "Roof"], "The token is shown only now. The key can be seen again"),
    (["feed", "write", "1", "t=1"], "Wrote 1 value to feed 1 at"),
    (["feed", "write", "1", "t=1", "u=2"], "Wrote 2 values to feed 1 at"),
    (["archive", "retention", "1", "1h"], "keeps its datapoints for 1 hour."),
    (["archive", "retention", "1", "90d"], "keeps its datapoints for 90 days."),
    (["archive", "stats"], "0 datapoints stored, deleted ones included"),
]


def test_answers_are_worded_for_people(tmp_path: Path) -> None:
    for words, text in TEXTS:
        done = thingtank(tmp_path, *words)
        assert text in done.stdout, (words, done.stdout, done.stderr)
    done = program(tmp_path, "archive", "export", str(tmp_path / "one.csv"), "--channel", "u")
    assert "Exported 1 datapoint." in done.stderr
    done = thingtank(tmp_path, "archive", "import", str(tmp_path / "one.csv"))
    assert "Imported 1 datapoint." in done.stdout
    done = thingtank(tmp_path, "feed", "delete-history", "1", "u")
    assert (done.returncode, "give --start, --end or both" in done.stderr) == (2, True)
    assert "?" not in done.stdout
    done = thingtank(tmp_path, "device", "delete", "1", stdin="n\n")
    assert "with 2 channels and all" in done.stdout


def test_a_command_without_a_server_keeps_the_log_to_itself(tmp_path: Path) -> None:
    program(tmp_path, "device", "create", "Roof")
    left = tmp_path / "cold" / "day=2026-01-01"
    left.mkdir(parents=True)
    (left / "leftover.parquet").touch()
    done = program(tmp_path, "device", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert not left.exists()


def test_listings_do_not_begin_an_instance(tmp_path: Path) -> None:
    assert "thingtank serve" in refusal(tmp_path / "typo", "device", "list")
    assert not (tmp_path / "typo").exists()


def test_a_running_server_knows_at_once(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        made = answer(tmp_path, "device", "create", "New")
        url = f"{server.url}/v2/feeds/{made['feed_id']}.json"
        headers = {"X-ApiKey": made["api_key"]}
        assert requests.get(url, headers=headers, timeout=20).status_code == 200
        answer(tmp_path, "feed", "write", str(made["feed_id"]), "t=1")
        assert (
            requests.get(url, headers=headers, timeout=20).json()["datastreams"][0]["current_value"]
            == "1"
        )
        link = answer(tmp_path, "user", "create", "carla")["sign_in_link"]
        assert requests.get(link, timeout=20).url == f"{server.url}/?done=welcome"
        theirs = answer(tmp_path, "device", "create", "Carla's", "--owner", "carla")
        theirs_url = f"{server.url}/v2/feeds/{theirs['feed_id']}.json"
        theirs_headers = {"X-ApiKey": theirs["api_key"]}
        assert requests.get(theirs_url, headers=theirs_headers, timeout=20).status_code == 200
        answer(tmp_path, "user", "disable", "carla")
        assert requests.get(theirs_url, headers=theirs_headers, timeout=20).status_code == 401


def test_old_days_are_compacted_and_read_as_before(folder: Path) -> None:
    for day in range(1, 4):
        answer(folder, "feed", "write", "1", f"t={day}", "--at", f"2026-03-0{day}T10:00Z")
    answer(folder, "feed", "write", "1", "t=now")
    before = thingtank(folder, "archive", "export", "-", "--format", "csv").stdout
    assert answer(folder, "archive", "stats")["hot_rows"] == 4
    assert answer(folder, "archive", "compact") == {"period_count": 1}
    stats = answer(folder, "archive", "stats")
    assert (stats["cold_rows"], stats["hot_rows"], stats["segment_count"]) == (3, 1, 1)
    assert stats["oldest_at"] == "2026-03-01T10:00:00.000000Z"
    assert thingtank(folder, "archive", "export", "-", "--format", "csv").stdout == before
    assert answer(folder, "archive", "compact") == {"period_count": 0}


def test_a_feed_keeps_what_its_retention_says_and_each_newest_value(folder: Path) -> None:
    for day in range(1, 4):
        answer(
            folder, "feed", "write", "1", f"t={day}", f"old={day}", "--at", f"2026-03-0{day}T10:00Z"
        )
    answer(folder, "feed", "write", "1", "t=now")
    answer(folder, "archive", "compact")
    assert answer(folder, "archive", "retention", "1")["retention_s"] is None
    assert "at least 3600" in refusal(folder, "archive", "retention", "1", "5m")
    assert answer(folder, "archive", "retention", "1", "30d")["retention_s"] == 30 * 86_400
    kept = thingtank(folder, "archive", "export", "-", "--format", "csv").stdout
    assert [line.split(",")[1::2] for line in kept.splitlines()[1:]] == [["old", "3"], ["t", "now"]]
    channels = answer(folder, "feed", "show", "1")["channels"]
    assert {row["name"]: row["value"] for row in channels} == {"old": "3", "t": "now"}
    assert answer(folder, "archive", "retention", "1", "forever")["retention_s"] is None


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_what_is_exported_is_imported_exactly(
    kind: str, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = ["21.5", "-0.0", "1e400", "0,5", 'a "quoted" text', "21.50", "ünïcode ☂", ""]
    for second, value in enumerate(values):
        answer(folder, "feed", "write", "1", f"t={value}", f"x.y-z={second}", "--at", f"2026-03-01T10:00:0{second}.000001Z")  # fmt: skip
    file = tmp_path_factory.mktemp("export") / f"all.{kind}"
    assert "16 datapoints" in thingtank(folder, "archive", "export", str(file)).stderr
    other = tmp_path_factory.mktemp("other")
    answer(other, "device", "create", "Copy")
    assert "--create-channels" in refusal(other, "archive", "import", str(file))
    assert answer(other, "archive", "import", str(file), "--create-channels") == {"count": 16}
    again = file.with_name(f"again.{kind}")
    thingtank(other, "archive", "export", str(again))
    if kind != "parquet":  # which holds its writer's version too
        assert again.read_bytes() == file.read_bytes()
    both = [
        thingtank(where, "archive", "export", "-", "--format", "csv").stdout
        for where in (folder, other)
    ]
    assert both[0] == both[1]
    assert both[0].count("\n") == 17


@pytest.mark.parametrize(
    ("kind", "content", "reason"),
    [
        ("csv", "feed_id,channel,at,value\n1,t,2026-01-01,1\n1,t,soon,2\n", "row 2"),
        ("csv", "feed_id,channel,at,value\n1,t,9999-01-01,1\n", "out of range"),
        ("csv", "a,b\n1,2\n", "row 1"),
        ("csv", "feed_id,channel,at,value\n7,t,2026-01-01,1\n", "no feed 7"),
        ("jsonl", '{"feed_id": 1\n', "row 1"),
        ("jsonl", "[]\n", "row 1"),
        ("parquet", "not parquet", "cannot be read"),
        ("csv", "feed_id,channel,at,value\n1,a b,2026-01-01,1\n", "id is invalid"),
        ("csv", f"feed_id,channel,at,value\n1,t,2026-01-01,{'x' * 300}\n", "too long"),
    ],
)
def test_a_bad_file_is_refused_by_row(kind: str, content: str, reason: str, tmp_path: Path) -> None:
    answer(tmp_path, "device", "create", "x")
    file = tmp_path / f"bad.{kind}"
    file.write_text(content)
    assert reason in refusal(tmp_path, "archive", "import", str(file), "--create-channels")


def test_the_control_socket_is_for_the_owner_of_the_folder_only(tmp_path: Path) -> None:
    with start_server(tmp_path):
        assert stat.S_IMODE((tmp_path / "control.sock").stat().st_mode) == 0o600
        assert stat.S_IMODE(tmp_path.stat().st_mode) & 0o077 == 0 or os.getuid() == 0
    assert not (tmp_path / "control.sock").exists()


def test_a_folder_of_any_length_has_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40) / ("name" * 40)
    folder.parent.mkdir()
    with start_server(folder) as server:
        assert answer(folder, "device", "show", "1")["feed_id"] == server.feed_id


def test_a_socket_left_by_a_killed_server_is_no_obstacle(tmp_path: Path) -> None:
    start_server(tmp_path).kill()
    assert (tmp_path / "control.sock").exists()
    assert answer(tmp_path, "device", "list")["total_count"] == 1
    with start_server(tmp_path):
        assert answer(tmp_path, "device", "list")["total_count"] == 1


def test_commands_at_the_same_time_wait_for_each_other(tmp_path: Path) -> None:
    answer(tmp_path, "device", "create", "x")
    command = [
        sys.executable,
        "-m",
        "thingtank.cli.main",
        "device",
        "create",
        "y",
        "--data",
        str(tmp_path),
    ]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert answer(tmp_path, "device", "list")["total_count"] == 4


HOSTILE = [
    b"\x00\xff garbage\n",
    b"[]\n",
    b'{"operation": "device.create"}\n',
    b'{"operation": "device.create", "parameters": {"name": 1}}\n',
    b'{"operation": "__import__", "parameters": {}}\n',
    b'{"operation": "device.show", "parameters": {"device": "' + b"9" * 10_000 + b'"}}\n',
]


def test_rubbish_on_the_control_socket_is_answered_and_hurts_nobody(tmp_path: Path) -> None:
    with start_server(tmp_path):
        silent = [connected(tmp_path) for _ in range(3)]
        silent[0].sendall(b'{"operation": "dev')
        for line in HOSTILE:
            with connected(tmp_path) as peer:
                peer.sendall(line)
                reply = json.loads(peer.makefile("rb").readline())
                assert reply.keys() == {"error"}
        with connected(tmp_path) as peer, pytest.raises(OSError):  # noqa: PT011 - reset or broken pipe, as the moment has it
            send_without_end(peer)
        assert answer(tmp_path, "device", "list")["total_count"] == 1
        for peer in silent:
            peer.close()


def send_without_end(peer: socket.socket) -> None:
    for _ in range(200):
        peer.sendall(b"x" * 1_000_000)


def connected(folder: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(20)
    peer.connect(str(folder / "control.sock"))
    return peer


def test_a_server_that_dies_under_a_command_is_told(tmp_path: Path) -> None:
    server: LiveServer = start_server(tmp_path)
    server.process.send_signal(signal.SIGSTOP)
    command = [
        sys.executable,
        "-m",
        "thingtank.cli.main",
        "device",
        "create",
        "y",
        "--data",
        str(tmp_path),
    ]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    server.kill()
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert re.search("stopped before it answered|does not answer", errors)


def test_no_command_needs_the_heavy_parts_to_print_its_help() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from thingtank.cli.main import main;"
        "assert CliRunner().invoke(main, ['device', 'create', '--help']).exit_code == 0;"
        "print([name for name in ('django', 'duckdb', 'numpy', 'rich') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_product_is_made_filled_activated_and_deleted(folder: Path, tmp_path: Path) -> None:
    made = answer(
        folder, "product", "create", "Kettle", "--channel", "temperature=°C", "--channel", "on",
        "--tag", "b", "--tag", "a", "--public",
    )  # fmt: skip
    product_id = made["product_id"]
    assert (made["channels"], made["tags"], made["private"]) == (["temperature=°C", "on"], ["a", "b"], False)  # fmt: skip
    assert re.fullmatch("[0-9a-f]{40}", made["secret"])
    batch = tmp_path / "batch.csv"
    batch.write_text("no,serial\n1,K-1\n2,K-2\n")
    added = answer(folder, "product", "serials", "add", product_id, str(batch))
    assert added == {"added_count": 2, "devices_count": 2}
    assert answer(folder, "product", "serials", "add", product_id, "-", stdin="K-3\n")["devices_count"] == 3  # fmt: skip
    assert 'Row 2: serial "K-2" has already been taken' in refusal(
        folder, "product", "serials", "add", product_id, "-", stdin="K-4\nK-2\n"
    )
    assert "Row 1" in refusal(
        folder, "product", "serials", "add", product_id, "-", stdin="no good\n"
    )
    listed = answer(folder, "product", "serials", "list", product_id, "--waiting")
    codes = {row["serial"]: row["activation_code"] for row in listed["devices"]}
    assert sorted(codes) == ["K-1", "K-2", "K-3"]

    first = answer(folder, "product", "activate", codes["K-1"])
    assert first["channels"] == ["on", "temperature"]
    assert answer(folder, "product", "activate", codes["K-1"]) == first
    assert answer(folder, "product", "show", product_id)["activated_devices_count"] == 1
    gone = answer(folder, "product", "deactivate", product_id, "K-1", "--yes")
    assert (gone["activated_at"], gone["feed_id"]) == (None, None)
    second = answer(folder, "product", "activate", codes["K-1"])
    assert second["feed_id"] != first["feed_id"]
    assert "couldn't find Device" in refusal(folder, "product", "activate", "0" * 40)

    def listed_names(*words: str) -> list[str]:
        return [row["name"] for row in answer(folder, "product", "list", *words)["products"]]

    assert listed_names("--state", "deploy") == ["Kettle"]
    assert "Kettle" in listed_names()
    assert "Kettle" not in listed_names("--state", "develop")
    answer(folder, "product", "delete", product_id, "--yes")
    assert "couldn't find Product" in refusal(folder, "product", "show", product_id)
    assert answer(folder, "device", "show", str(second["feed_id"]))["title"] == "Kettle K-1"


def test_a_key_is_changed_in_part_and_regenerated(folder: Path) -> None:
    key = answer(folder, "key", "create", "Pi", "--feed", "1", "--allow", "read", "--expires", "1d")
    key_id = str(key["key_id"])
    changed = answer(folder, "key", "update", key_id, "--allow", "read,update", "--channel", "t")
    assert (changed["methods"], changed["feeds"]) == (["get", "put"], ["1/t"])
    assert changed["expires_at"] == key["expires_at"]
    assert answer(folder, "key", "show", key_id)["api_key"] == key["api_key"]
    freed = answer(folder, "key", "update", key_id, "--all-feeds", "--never-expires", "--label", "Pi 2")  # fmt: skip
    assert (freed["label"], freed["feeds"], freed["expires_at"]) == ("Pi 2", [], None)
    assert freed["methods"] == ["get", "put"]
    made = answer(folder, "key", "regenerate", key_id, "--yes")
    assert made["api_key"] != key["api_key"]
    assert answer(folder, "key", "show", key_id)["api_key"] == made["api_key"]
    assert "not a feed of this account" in refusal(folder, "key", "update", key_id, "--feed", "99")
    assert thingtank(folder, "key", "update", key_id).returncode == 2
    assert thingtank(folder, "key", "update", key_id, "--feed", "1", "--all-feeds").returncode == 2
