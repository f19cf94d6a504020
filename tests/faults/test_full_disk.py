"""A disk that is full or read-only: writes are refused and say so, reads go on, nothing is lost."""

import itertools
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.faults.disks import fill, remount_read_only, small_disk, turn_read_only
from tests.faults.feed_api import Answer, Feed, FeedApi
from tests.faults.ledger import Ledger, Place
from tests.live_server import LiveServer, start_server

NAME = "temperature"
START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
STEP_US = 1000
POINTS = 200
REQUESTS_MAX = 2000  # enough to fill what room the server has left in files it has made already
RECOVERY_S_MAX = 30.0
FILE_BYTES_MAX = 65_536  # less than the journal has already, more than the log will have


class Recorder:
    """Writes to one datastream, ever later, and remembers what was promised."""

    def __init__(self, server: LiveServer) -> None:
        self.feed = Feed(server.feed_id, server.api_key)
        self.url = server.url
        self.ledger = Ledger()
        self._numbers = itertools.count(1)
        self._end_us = START_US

    def write(self, count: int = POINTS) -> Answer:
        """One request; a first write makes the datastream."""
        points = []
        for _ in range(count):
            points.append((self._end_us, str(next(self._numbers))))
            self._end_us += STEP_US
        self.ledger.sent({Place(NAME, at_us): value for at_us, value in points})
        with FeedApi(self.url, self.feed) as api:
            if count == 1:
                answer = api.put_feed({NAME: points[0]})
            else:
                answer = api.post_datapoints(NAME, points)
        if answer.status == 200:
            self.ledger.acknowledged()
        else:
            self.ledger.refused()
        return answer

    def write_until_refused(self) -> Answer:
        """Write on until the disk takes no more."""
        for _ in range(REQUESTS_MAX):
            answer = self.write()
            if answer.status != 200:
                return answer
        raise AssertionError(f"{REQUESTS_MAX * POINTS} datapoints went to a disk without room")

    def write_until_taken(self) -> None:
        """Try again and again, as a client does after 503."""
        until = time.monotonic() + RECOVERY_S_MAX
        while (answer := self.write(1)).status != 200:
            assert answer.status == 503
            assert time.monotonic() < until, "writes are still refused though there is room again"
            time.sleep(0.2)

    def check_all(self, server: LiveServer) -> None:
        """Everything acknowledged is there, nothing else, and the newest is the current value."""
        with FeedApi(server.url, self.feed) as api:
            stored = api.history(NAME, START_US, self._end_us)
            self.ledger.settle(
                ((Place(NAME, at_us), value) for at_us, value in stored), START_US, self._end_us
            )
            assert api.current_values() == {NAME: self.ledger.newest(NAME)}


def check_refusal(answer: Answer, server: LiveServer) -> None:
    """503 that says when to come back, in Xively's shape, and a line in the log."""
    assert answer.status == 503, answer
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["title"]
    assert "journal" in server.output(), server.output()
    assert "Traceback" not in server.output(), server.output()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path) as mounted:
        yield mounted


def test_full_disk_refuses_writes_and_takes_them_again_when_there_is_room(disk: Path) -> None:
    data = disk / "data"
    with start_server(data) as server:
        recorder = Recorder(server)
        assert recorder.write(1).status == 200
        assert recorder.write().status == 200
        ballast = fill(disk)
        check_refusal(recorder.write_until_refused(), server)
        recorder.check_all(server)
        ballast.unlink()
        recorder.write_until_taken()
        assert recorder.write().status == 200
        recorder.check_all(server)
        server.kill()
    with start_server(data) as server:
        recorder.check_all(server)


def test_server_killed_on_a_full_disk_keeps_what_it_acknowledged(disk: Path) -> None:
    data = disk / "data"
    with start_server(data) as server:
        recorder = Recorder(server)
        assert recorder.write(1).status == 200
        ballast = fill(disk)
        recorder.write_until_refused()
        server.kill()
    ballast.unlink()
    with start_server(data) as server:
        recorder.check_all(server)


def test_files_that_may_not_grow_refuse_writes_until_they_may(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(data) as server:
        recorder = Recorder(server)
        assert recorder.write(1).status == 200
        assert recorder.write().status == 200
        pid = server.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, before[1]))
        check_refusal(recorder.write_until_refused(), server)
        recorder.check_all(server)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        recorder.write_until_taken()
        recorder.check_all(server)
        server.kill()
    with start_server(data) as server:
        recorder.check_all(server)


def test_disk_that_turns_read_only_refuses_writes_and_serves_reads(disk: Path) -> None:
    data = disk / "data"
    with start_server(data) as server:
        recorder = Recorder(server)
        assert recorder.write(1).status == 200
        assert recorder.write().status == 200
        turn_read_only(disk)
        check_refusal(recorder.write(), server)
        recorder.check_all(server)
        server.kill()


def links_of(data: Path, count: int) -> list[str]:
    """One-time links for the owner."""
    command = [sys.executable, "-m", "thingtank.cli.main", "user", "link", "owner", "--json"]
    command += ["--data", str(data)]
    links = []
    for _ in range(count):
        done = subprocess.run(command, capture_output=True, timeout=30, check=True)
        links.append(json.loads(done.stdout)["sign_in_link"])
    return links


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found
    return found[1]


def check_page(reply: requests.Response, reason: str) -> None:
    assert reply.status_code == 503, reply.text
    assert f"The server cannot do this now: {reason}" in reply.text
    assert int(reply.headers["retry-after"]) >= 1


def test_pages_say_that_the_disk_is_full_and_no_link_is_spent(disk: Path) -> None:
    with start_server(disk / "data") as server:
        owner = requests.Session()
        owner.get(server.welcome_url, timeout=20)
        links = links_of(disk / "data", 4)
        ballast = fill(disk)
        form = {"csrfmiddlewaretoken": csrf_of(owner.get(f"{server.url}/devices/add", timeout=20).text)}  # fmt: skip
        form |= {"name": "Roof", "description": "x" * 2000, "privacy": "private"}
        for _ in range(200):  # what files have already may still take some
            added = owner.post(f"{server.url}/devices/add", data=form, timeout=20)
            if added.status_code != 200:
                break
        check_page(added, "the directory could not be written: database or disk is full")
        for link in links:
            followed = requests.get(link, timeout=20)
            if followed.status_code != 200:
                break
        check_page(followed, "its disk is full")
        assert "Traceback" not in server.output()
        ballast.unlink()
        assert requests.get(link, timeout=20).url == f"{server.url}/?done=welcome"


def test_pages_say_that_the_disk_is_read_only(disk: Path) -> None:
    with start_server(disk / "data") as server:
        owner = requests.Session()
        owner.get(server.welcome_url, timeout=20)
        (link,) = links_of(disk / "data", 1)
        page = owner.get(f"{server.url}/account/password", timeout=20)
        turn_read_only(disk)
        assert owner.get(f"{server.url}/", timeout=20).status_code == 200
        assert requests.get(link, timeout=20).status_code == 503
        password = "correct horse battery"
        form = {"csrfmiddlewaretoken": csrf_of(page.text), "new_password1": password, "new_password2": password}  # fmt: skip
        assert owner.post(f"{server.url}/account/password", data=form, timeout=20).status_code == 503  # fmt: skip
        assert "Traceback" not in server.output()
        server.kill()


def test_server_on_a_read_only_folder_ends_with_a_clear_message(disk: Path) -> None:
    data = disk / "data"
    start_server(data).stop()
    remount_read_only(disk)
    command = [sys.executable, "-m", "thingtank.cli.main", "serve", "--data", str(data)]
    ended = subprocess.run(
        [*command, "--web", "0"], capture_output=True, text=True, timeout=60, check=False
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode not in (0, -6, -11), said
    assert str(data) in said
    assert "read-only" in said.lower()
    assert "Traceback" not in said
