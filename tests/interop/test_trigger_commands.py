"""`thingtank trigger` and `thingtank delivery`, beside a running server and without one."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.interop.test_command_line import answer, refusal, thingtank
from tests.live_server import furnish, start_server
from tests.ports import free_port
from tests.waiting import wait_until

DEAD_URL = "http://127.0.0.1:9/nobody"  # the discard port: nothing listens

ONCE = "[delivery]\nretry_s = []\n[webhooks]\nallow_private = true\n"
MAIL = '[email]\nhost = "127.0.0.1"\nport = 9\nsender = "tank@example.com"\n'


@pytest.fixture(scope="module")
def roof(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a feed 1 that has a channel t, for each test to copy."""
    folder = tmp_path_factory.mktemp("roof")
    furnish(folder)
    thingtank(folder, "device", "create", "Roof")
    thingtank(folder, "feed", "write", "1", "t=21")
    return folder


@pytest.fixture(params=["beside a server", "without one"])
def folder(request: pytest.FixtureRequest, roof: Path, tmp_path: Path) -> Iterator[Path]:
    """A data folder with a feed 1 that has a channel t, whose server sends e-mail."""
    shutil.copytree(roof, tmp_path, dirs_exist_ok=True)
    (tmp_path / "thingtank.toml").write_text(MAIL)
    if request.param == "without one":
        yield tmp_path
        return
    with start_server(tmp_path):
        yield tmp_path


def test_triggers_are_made_listed_shown_changed_and_deleted(folder: Path) -> None:
    words = ("--url", "https://example.com/hook", "--email", "me@example.com", "--clear", "28")
    made = answer(
        folder, "trigger", "create", "1", "t", "gt", "30", *words, "--hold", "5m", "--quiet", "1h"
    )
    assert (made["kind"], made["threshold"], made["clear_value"]) == ("gt", "30", "28")
    assert (made["hold_s"], made["quiet_s"], made["is_enabled"]) == (300, 3600, True)
    assert (made["device"], made["owner"], made["notified_at"]) == ("Roof", "owner", None)
    silent = answer(folder, "trigger", "create", "1", "t", "frozen", "--email", "me@example.com")
    listed = answer(folder, "trigger", "list", "--feed", "1")
    assert listed["total_count"] == 2
    assert [row["kind"] for row in listed["triggers"]] == ["gt", "frozen"]
    page = answer(folder, "trigger", "list", "--per-page", "1", "--page", "2", "--owner", "owner")
    assert [row["trigger_id"] for row in page["triggers"]] == [silent["trigger_id"]]
    number = str(made["trigger_id"])
    assert not answer(folder, "trigger", "disable", number)["is_enabled"]
    assert not answer(folder, "trigger", "show", number)["is_enabled"]
    assert answer(folder, "trigger", "enable", number)["is_enabled"]
    shown = thingtank(folder, "trigger", "list")
    assert "t gt 30" in shown.stdout
    answer(folder, "trigger", "delete", number, "--yes")
    assert "there is no trigger" in refusal(folder, "trigger", "show", number)
    assert answer(folder, "delivery", "list") == {
        "deliveries": [],
        "next_before": None,
        "counts": {"waiting": 0, "delivered": 0, "dead": 0, "cancelled": 0},
    }


def test_what_is_refused_says_why(folder: Path) -> None:
    create = ("trigger", "create", "1", "t")
    url = ("--url", "https://example.com/")
    assert "is not a number" in refusal(folder, *create, "gt", "warm", *url)
    assert "threshold_value can't be blank" in refusal(folder, *create, "gt", *url)
    assert "url can't be blank" in refusal(folder, *create, "change")
    assert "is not a datastream of this feed" in refusal(
        folder, "trigger", "create", "1", "nothing", "change", *url
    )
    assert "there is no feed 9" in refusal(folder, "trigger", "create", "9", "t", "change", *url)
    assert "there is no trigger 9" in refusal(folder, "trigger", "test", "9")
    assert "there is no delivery 9" in refusal(folder, "delivery", "retry", "9")
    assert thingtank(folder, *create, "above", "3", *url).returncode == 2
    assert thingtank(folder, *create, "gt", "3", *url, "--hold", "soon").returncode == 2
    assert "Make one with" in thingtank(folder, "trigger", "list").stdout
    assert "appear when" in thingtank(folder, "delivery", "list").stdout


def test_a_number_may_be_negative_and_a_mistyped_option_is_named(folder: Path) -> None:
    create, url = ("trigger", "create", "1", "t"), ("--url", "https://example.com/")
    made = answer(folder, *create, "lt", "-5", *url, "--clear", "-2.5")
    assert (made["threshold"], made["clear_value"]) == ("-5", "-2.5")
    assert answer(folder, *create, *url, "gt", "-.5", "--clear=-1")["threshold"] == "-.5"
    for words in (["lt", "-5", "--ulr", "x"], ["lt", "-x"], ["lt", "-5", "-x"], ["lt", "-5", "-6"]):
        done = thingtank(folder, *create, *words, *url)
        assert done.returncode == 2
        wrong = "unexpected extra argument (-6)" if "-6" in words else "No such option '-"
        assert wrong in done.stderr


@pytest.mark.parametrize("kind", ["change", "frozen", "live"])
def test_a_threshold_is_refused_where_it_would_say_nothing(
    roof: Path, tmp_path: Path, kind: str
) -> None:
    shutil.copytree(roof, tmp_path, dirs_exist_ok=True)
    create, url = ("trigger", "create", "1", "t", kind), ("--url", "https://example.com/")
    said = refusal(tmp_path, *create, "5", *url)
    assert f"threshold_value is only for gt, gte, lt, lte, eq, not for {kind}" in said
    assert answer(tmp_path, "trigger", "list")["total_count"] == 0


def test_who_sends_no_email_makes_no_trigger_that_writes_one(roof: Path, tmp_path: Path) -> None:
    shutil.copytree(roof, tmp_path, dirs_exist_ok=True)
    create = ("trigger", "create", "1", "t", "gt", "30")
    mail, url = ("--email", "me@example.com"), ("--url", "https://example.com/")
    for words in (mail, (*url, *mail)):
        said = refusal(tmp_path, *create, *words)
        assert "email is not sent by this server: its setting email.host is not set" in said
    with start_server(tmp_path):
        assert "email.host is not set" in refusal(tmp_path, *create, *mail)
        answer(tmp_path, *create, *url)
    with start_server(tmp_path, "--set=email.host=127.0.0.1", "--set=email.sender=a@b.example"):
        answer(tmp_path, *create, *mail)


def test_a_table_that_no_terminal_shows_has_a_line_for_each_row(roof: Path, tmp_path: Path) -> None:
    shutil.copytree(roof, tmp_path, dirs_exist_ok=True)
    url = f"https://example.com/{'long/' * 100}"
    answer(tmp_path, "trigger", "create", "1", "t", "gt", "30", "--url", url)
    head, row = thingtank(tmp_path, "trigger", "list").stdout.splitlines()
    assert head.split() == ["id", "feed", "device", "condition", "tells", "state", "fired"]
    assert url in row


def test_only_a_server_sends_a_test(roof: Path, tmp_path: Path) -> None:
    shutil.copytree(roof, tmp_path, dirs_exist_ok=True)
    answer(tmp_path, "trigger", "create", "1", "t", "change", "--url", DEAD_URL)
    assert "thingtank serve" in refusal(tmp_path, "trigger", "test", "1")


def test_a_dead_letter_is_listed_shown_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "thingtank.toml").write_text(ONCE)
    with start_server(tmp_path):
        answer(tmp_path, "feed", "write", "1", "t=21")
        answer(tmp_path, "trigger", "create", "1", "t", "gt", "30", "--url", DEAD_URL)
        done = thingtank(tmp_path, "trigger", "test", "1", "--json")
        assert done.returncode == 1
        assert "no connection" in done.stderr
        (tested,) = json.loads(done.stdout)["deliveries"]
        assert (tested["state"], tested["is_test"], len(tested["attempts"])) == ("dead", True, 1)
        assert '"debug":true' in tested["document"]
        answer(tmp_path, "feed", "write", "1", "t=31")
        [fired] = wait_until(lambda: listed(tmp_path, "--state", "dead", "--limit", "1"))
        assert (fired["target"], fired["is_test"], fired["attempt_count"]) == (DEAD_URL, False, 1)
        number = str(fired["delivery_id"])
        older = answer(tmp_path, "delivery", "list", "--before", number)
        assert [row["delivery_id"] for row in older["deliveries"]] == [tested["delivery_id"]]
        assert "Delivery" in thingtank(tmp_path, "delivery", "retry", number).stdout
        [again] = wait_until(
            lambda: [row for row in [shown(tmp_path, number)] if row["attempt_count"] == 2]
        )
        assert again["state"] == "dead"
    # Without the server it is only marked; the next one that runs delivers it.
    assert answer(tmp_path, "delivery", "retry", number)["state"] == "waiting"
    assert answer(tmp_path, "delivery", "cancel", number)["state"] == "cancelled"
    assert "only what waits" in refusal(tmp_path, "delivery", "cancel", number)
    table = thingtank(tmp_path, "delivery", "show", number).stdout
    assert "no connection" in table


def test_a_receiver_that_is_back_gets_at_once_what_a_person_asks_for(tmp_path: Path) -> None:
    (tmp_path / "thingtank.toml").write_text("[webhooks]\nallow_private = true\n")
    port = free_port()
    ladder = f"--set=delivery.retry_s={[0.1] * 9}"
    with start_server(tmp_path, "--set=delivery.host_failures_max=1", ladder):
        answer(tmp_path, "feed", "write", "1", "t=21")
        for number in range(3):
            url = f"http://127.0.0.1:{port}/{number}"
            answer(tmp_path, "trigger", "create", "1", "t", "gt", "30", "--url", url)
        # The pause doubles with each failure on trial: 5, then 10 s.
        answer(tmp_path, "feed", "write", "1", "t=31")
        wait_until(lambda: [row for row in listed(tmp_path) if row["attempt_count"] == 1])
        time.sleep(5.5)
        with web_server(port) as requested:
            started_s = time.monotonic()
            done = thingtank(tmp_path, "trigger", "test", "1")
            assert done.returncode == 0, done.stderr
            assert time.monotonic() - started_s < 4
            # It is back for all: not only for the test, also for what was put off.
            wait_until(lambda: len(set(requested)) >= 3, lambda: requested, s_max=4.0)
            assert set(requested) == {"/0", "/1", "/2"}


@contextmanager
def web_server(port: int) -> Iterator[list[str]]:
    """A receiver that takes whatever is posted; the paths of the requests so far."""
    paths: list[str] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Taking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield paths
    finally:
        server.shutdown()
        server.server_close()


def listed(folder: Path, *words: str) -> list[dict[str, Any]]:
    rows = answer(folder, "delivery", "list", *words)["deliveries"]
    return [row for row in rows if not row["is_test"]]


def shown(folder: Path, number: str) -> dict[str, Any]:
    found: dict[str, Any] = answer(folder, "delivery", "show", number)
    return found
