"""A backup of a server that is being written to holds all that was acknowledged, and nothing odd."""

import contextlib
import io
import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import paho.mqtt.client as mqtt
import pytest
import requests
from paho.mqtt.enums import CallbackAPIVersion
from tests.faults.feed_api import Feed, FeedApi, create_feed, thingtank
from tests.live_server import LiveServer, start_server
from tests.waiting import WAIT_S_MAX, wait_until

from thingtank.server.backup.making import check_room, sizes_of
from thingtank.server.backup.package import DamagedBackup, Package
from thingtank.server.backup.parts import (
    PARTS,
    CannotBackUp,
    clear_leftovers,
    is_unfinished,
    parts_of,
)
from thingtank.server.backup.restoring import CannotRestore, restore
from thingtank.server.folder_lock import FolderLock

CHILD = Path(__file__).with_name("backup_child.py")
HOUR_US = 3_600_000_000
PAST_US = (time.time_ns() // 1000 // HOUR_US - 20 * 24) * HOUR_US  # compacted while it is written
# Mover, trimming and compaction run all the time, so that the copies find them at work.
RESTLESS = (
    "--set=archive.move_interval_s=0.02",
    "--set=archive.trim_interval_s=0.05",
    "--set=archive.compact_interval_s=0.05",
    "--socket=off",
    "--set=socket.sockjs_port=off",
)
BOUNDLESS = (
    "--set=skynet.unthrottled_networks=127.0.0.1",
    "--set=kept_messages.messages_per_device_max=100000",
    "--set=limits.datastreams_per_device_max=100000",
)


class Writer:
    """Does one thing after the other, in a thread, and counts what was acknowledged."""

    def __init__(self, write: Callable[[int], None]) -> None:
        self._write = write
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self.count = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(WAIT_S_MAX)
        assert not self._thread.is_alive()
        assert self._error is None, self._error

    def wait_for(self, count: int) -> None:
        """Until it has done so much."""

        def is_done() -> bool:
            assert self.count >= count or self._error is None, self._error
            return self.count >= count

        wait_until(is_done, lambda: self.count)

    def _run(self) -> None:
        try:
            for number in itertools.count(1):
                if self._stopping.is_set():
                    return
                self._write(number)
                self.count = number
        except BaseException as error:  # noqa: BLE001 - the test's thread shows it
            self._error = error


def http_writer(server: LiveServer, feed: Feed, stack: ExitStack) -> Writer:
    """To times of some weeks ago, in order."""
    api = stack.enter_context(FeedApi(server.url, feed))

    def write(number: int) -> None:
        answer = api.put_feed({"http": (PAST_US + number * 1000, str(number))})
        assert answer.status == 200, answer

    return Writer(write)


def channel_maker(server: LiveServer, feed: Feed, stack: ExitStack) -> Writer:
    """A new channel for each value."""
    api = stack.enter_context(FeedApi(server.url, feed))

    def write(number: int) -> None:
        answer = api.put_feed({f"made-{number}": (PAST_US + number * 1000, str(number))})
        assert answer.status == 200, answer

    return Writer(write)


def mqtt_client(server: LiveServer, stack: ExitStack) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(server.master_key())
    came_in = threading.Event()
    client.on_connect = lambda *args: came_in.set()
    client.connect("127.0.0.1", int(server.sockets["mqtt"].rpartition(":")[2]))
    client.loop_start()
    stack.callback(client.loop_stop)
    stack.callback(client.disconnect)
    assert came_in.wait(WAIT_S_MAX)
    return client


def mqtt_writer(server: LiveServer, feed: Feed, stack: ExitStack) -> Writer:
    client = mqtt_client(server, stack)
    topic = f"/v2/feeds/{feed.feed_id}/datastreams/mqtt.csv"

    def write(number: int) -> None:
        sent = client.publish(topic, str(number), qos=1)
        sent.wait_for_publish(WAIT_S_MAX)
        assert sent.is_published()

    return Writer(write)


def retainer(server: LiveServer, feed: Feed, stack: ExitStack) -> Writer:
    """Retained messages, each of a topic of its own."""
    client = mqtt_client(server, stack)

    def write(number: int) -> None:
        sent = client.publish(f"kept/{number}", str(number), qos=1, retain=True)
        sent.wait_for_publish(WAIT_S_MAX)
        assert sent.is_published()

    return Writer(write)


def sender(server: LiveServer, feed: Feed, stack: ExitStack) -> Writer:
    """Messages that are kept for a device that is away."""
    device = skynet_device(server, feed)
    session = stack.enter_context(requests.Session())
    url = server.sockets["skynet"]
    wanted = {"keepMessages": True}
    session.patch(f"{url}/v2/devices/{device}", json=wanted, auth=(device, server.master_key()))

    def write(number: int) -> None:
        reply = session.post(
            f"{url}/messages",
            json={"devices": [device], "payload": {"number": number}},
            auth=(device, server.master_key()),
            timeout=WAIT_S_MAX,
        )
        assert reply.status_code == 200, reply.text

    return Writer(write)


def skynet_device(server: LiveServer, feed: Feed) -> str:
    shown: Any = server.command("device", "show", str(feed.feed_id))
    return str(shown["uuid"])


WRITERS = {
    "http": http_writer,
    "channels": channel_maker,
    "mqtt": mqtt_writer,
    "retained": retainer,
    "messages": sender,
}
LISTINGS = (("device", "list"), ("key", "list"), ("user", "list"), ("trigger", "list"))


def listings(server: LiveServer) -> dict[str, object]:
    """What stands still while the writers write."""
    found = {}
    for words in LISTINGS:
        listed: Any = server.command(*words)
        for row in [row for rows in listed.values() if isinstance(rows, list) for row in rows]:
            for moving in ("channel_count", "last_us", "last_at", "sign_in_link", "updated_us"):
                row.pop(moving, None)
        found[" ".join(words)] = listed
    return found


def values(api: FeedApi, name: str, start_us: int, end_us: int) -> list[int]:
    return [int(value) for _, value in api.history(name, start_us, end_us)]


def rows_on_disk(file: Path, query: str) -> list[Any]:
    """The first column; no server is running."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute(query)]


def retained_numbers(folder: Path) -> list[int]:
    query = "SELECT topic FROM retained WHERE topic LIKE 'kept/%'"
    return sorted(int(topic[5:]) for topic in rows_on_disk(folder / "mqtt.sqlite3", query))


def kept_numbers(folder: Path) -> list[int]:
    query = "SELECT body FROM kept ORDER BY kept_id"
    bodies = rows_on_disk(folder / "kept_messages.sqlite3", query)
    return [int(json.loads(body[body.index(b"{") :])["payload"]["number"]) for body in bodies]


@pytest.mark.timeout(120)
def test_a_backup_made_while_all_doors_write_is_restored_whole(tmp_path: Path) -> None:
    data, file, new = tmp_path / "data", tmp_path / "one.tar.gz", tmp_path / "restored"
    with start_server(data, *RESTLESS, *BOUNDLESS) as server, ExitStack() as stack:
        feed = create_feed(data, "Written to")
        quiet = create_feed(data, "Left alone")
        with FeedApi(server.url, quiet) as api:
            assert api.put_feed({"t": (PAST_US, "1")}).status == 200
        thingtank(data, "trigger", "create", str(quiet.feed_id), "t", "gt", "5", "--url", "https://hooks.example/", "--json")  # fmt: skip
        server.master_key()
        before = listings(server)
        writers = {name: make(server, feed, stack) for name, make in WRITERS.items()}
        for writer in writers.values():
            stack.callback(writer.stop)
            writer.start()
        for writer in writers.values():
            writer.wait_for(20)
        told = {name: writer.count for name, writer in writers.items()}
        made = json.loads(thingtank(data, "backup", str(file), "--json"))
        after = {name: writer.count for name, writer in writers.items()}
        for writer in writers.values():
            writer.stop()
        assert min(after[name] - told[name] for name in told) > 0, "nobody wrote meanwhile"
        assert not (data / PARTS).exists()
    assert made["bytes"] == file.stat().st_size
    assert any(name.startswith("cold/") for name in names_in_backup(file)), "nothing was compacted"
    assert file.stat().st_mode & 0o777 == 0o600
    thingtank(new, "restore", str(file))
    kept = kept_numbers(new)
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) >= told["messages"]
    retained = retained_numbers(new)
    assert retained == list(range(1, len(retained) + 1))
    assert len(retained) >= told["retained"]
    with start_server(new, *BOUNDLESS) as server:
        assert listings(server) == before
        with FeedApi(server.url, feed) as api:
            now_us = time.time_ns() // 1000
            written = values(api, "http", PAST_US, PAST_US + HOUR_US)
            assert written == list(range(1, len(written) + 1))
            assert told["http"] <= len(written) <= after["http"] + 1
            sent = values(api, "mqtt", now_us - HOUR_US, now_us)
            assert sent == list(range(1, len(sent) + 1))
            assert told["mqtt"] <= len(sent) <= after["mqtt"] + 1
            current = {name: int(value) for name, (_, value) in api.current_values().items()}
            assert (current.pop("http"), current.pop("mqtt")) == (len(written), len(sent))
            assert all(name == f"made-{value}" for name, value in current.items())
            assert {f"made-{number}" for number in range(1, told["channels"] + 1)} <= set(current)
            # What is written now is no older channel's.
            answer = api.put_feed({"later": (now_us, "1")})
            assert answer.status == 200
            assert values(api, "later", PAST_US, PAST_US + HOUR_US) == []


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a small folder, and the folder beside it."""
    folder = tmp_path_factory.mktemp("backed-up")
    create_feed(folder / "data", "Roof station")
    thingtank(folder / "data", "backup", str(folder / "whole.tar.gz"))
    return folder / "whole.tar.gz"


def run_child(*words: str) -> subprocess.CompletedProcess[str]:
    """Do a step of a backup or restore that is killed when it has done so many bytes, or not."""
    command = [sys.executable, str(CHILD), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_backups_that_are_killed_leave_no_file_and_the_next_clears_up(
    backup: Path, tmp_path: Path
) -> None:
    data, target = backup.with_name("data"), tmp_path / "two.tar.gz"
    for part in ("0", "0.7"):
        killed = run_child("backup", str(data), str(target), part)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert not target.exists()
        assert (data / PARTS).exists()
    thingtank(data, "backup", str(target))
    with target.open("rb") as file:
        Package(file).read(lambda _: io.BytesIO(), lambda _: None)
    assert not (data / PARTS).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["two.tar.gz"]


def test_who_opens_the_folder_clears_up_after_a_backup_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / PARTS / "cold").mkdir(parents=True)
    with parts_of(tmp_path) as parts:
        (parts / "one").touch()
        clear_leftovers(tmp_path)
        assert (parts / "one").exists(), "a backup under way"
    (tmp_path / PARTS / "cold").mkdir(parents=True)
    clear_leftovers(tmp_path)
    assert not (tmp_path / PARTS).exists()


def test_one_backup_of_a_folder_is_made_at_a_time(tmp_path: Path) -> None:
    with parts_of(tmp_path), pytest.raises(CannotBackUp, match="another backup"):
        parts_of(tmp_path).__enter__()


@pytest.mark.parametrize("part", ["0", "0.5", "1", "moving 1", "moving 3", "moving 99"])
def test_a_restore_that_is_killed_leaves_a_folder_that_only_a_restore_takes(
    backup: Path, tmp_path: Path, part: str
) -> None:
    target = tmp_path / "restored"
    ended = run_child("restore", str(backup), str(target), part)
    if part == "moving 99":  # so many things there are not
        assert ended.returncode == 0, ended.stderr
        assert not is_unfinished(target)
        return
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert is_unfinished(target)
    restored(backup, target)
    assert not is_unfinished(target)
    assert names_in(target) == names_in_backup(backup)


def restored(file: Path, target: Path) -> None:
    with file.open("rb") as source:
        restore(Package(source), target, lambda _: None)


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def names_in_backup(file: Path) -> set[str]:
    with file.open("rb") as source:
        return {packed.path for packed in Package(source).manifest.files}


def why_not_listed(folder: Path) -> str:
    """What a command says that cannot open a folder."""
    command = [sys.executable, "-m", "thingtank.cli.main", "device", "list", "--data", str(folder)]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    return refused.stderr


def test_a_half_restored_folder_is_not_served(backup: Path, tmp_path: Path) -> None:
    ended = run_child("restore", str(backup), str(tmp_path / "half"), "moving 99")
    assert ended.returncode == 0, ended.stderr
    (tmp_path / "half" / "restoring").mkdir()
    assert "thingtank restore FILE" in why_not_listed(tmp_path / "half")


def test_a_damaged_backup_leaves_no_trace(backup: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(backup.read_bytes()[:-200])
    with pytest.raises(DamagedBackup):
        restored(cut, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DamagedBackup):
        restored(cut, tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(CannotRestore, match="not empty; choose a new folder with --data"):
        restored(backup, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_who_has_the_folder_is_told_when_a_restore_aims_at_it(backup: Path, tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(CannotRestore, match=rf"process {os.getpid()}"):
        restored(backup, tmp_path)


def test_a_full_disk_fails_a_backup_in_a_sentence(backup: Path) -> None:
    data = backup.with_name("data")
    command = [sys.executable, "-m", "thingtank.cli.main", "backup", "-", "--data", str(data)]
    with Path("/dev/full").open("wb") as target:
        done = subprocess.run(command, stdout=target, stderr=subprocess.PIPE, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 1
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr
    assert not (data / PARTS).exists()


def test_a_disk_without_room_is_told_of_before_anything_is_written(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(CannotBackUp, match="1,000 bytes free"):
        check_room(backup.with_name("data"), tmp_path)
    with pytest.raises(CannotRestore, match="1,000 bytes free"):
        restored(backup, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_room_that_is_needed_is_of_all_files_wherever_they_are(tmp_path: Path) -> None:
    sizes = {
        "hot.duckdb": 1,
        "journal.sqlite3": 10,
        "journal.sqlite3-wal": 100,
        "tables/my directory": 1000,
        "tables/my directory-wal": 10_000,
        "cold/day=2026-11-23/a.parquet": 7,
        "not ours.tar": 5,
    }
    for name, size in sizes.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
    noted = "sqlite:///tables/my%20directory"
    (tmp_path / "database.txt").write_text(f"{noted}\n")
    assert sizes_of(tmp_path) == (11_111 + len(noted) + 1, 7)


def test_a_backup_goes_through_a_pipe(backup: Path, tmp_path: Path) -> None:
    data = backup.with_name("data")
    program = f'"{sys.executable}" -m thingtank.cli.main'
    line = f'{program} backup - --data "{data}" | {program} restore - --data "{tmp_path / "new"}"'
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "new") == names_in_backup(backup)


@pytest.mark.parametrize("name", ["tables/my directory.sqlite3", "named.otherwise"])
def test_a_directory_under_another_name_is_restored_there(tmp_path: Path, name: str) -> None:
    data, file, new = tmp_path / "data", tmp_path / "one.tar.gz", tmp_path / "restored"
    url = f"sqlite:///{quote(name)}"
    (data / name).parent.mkdir(parents=True)
    (data / "thingtank.toml").write_text(f'database = "{url}"\n')
    thingtank(data, "device", "create", "Roof station")
    thingtank(data, "backup", str(file))
    thingtank(new, "restore", str(file))
    assert "Roof station" in thingtank(new, "device", "list")
    (new / "thingtank.toml").unlink()
    assert url in why_not_listed(new), "no second directory is begun beside the archive"


def test_a_directory_elsewhere_is_told_of_and_not_copied(tmp_path: Path) -> None:
    data, file, new = tmp_path / "data", tmp_path / "one.tar.gz", tmp_path / "restored"
    data.mkdir()
    (data / "thingtank.toml").write_text(f'database = "sqlite:///{tmp_path}/elsewhere.sqlite3"\n')
    thingtank(data, "device", "create", "Roof station")
    assert "are in a SQLite file" in thingtank(data, "backup", str(file))
    assert not any("elsewhere" in name for name in names_in_backup(file))
    assert "were in a SQLite file" in thingtank(new, "restore", str(file))
