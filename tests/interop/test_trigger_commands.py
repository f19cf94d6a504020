"""`thingtank trigger` and `thingtank delivery`, beside a running server and without one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.interop.test_command_line import answer, refusal, thingtank
from tests.live_server import start_server

DEAD_URL = "http://127.0.0.1:9/nobody"  # the discard port: nothing listens

ONCE = "[delivery]\nretry_s = []\n[webhooks]\nallow_private = true\n"


@pytest.fixture(params=["beside a server", "without one"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A data folder with a feed 1 that has a channel t."""
    thingtank(tmp_path, "device", "create", "Roof")
    thingtank(tmp_path, "feed", "write", "1", "t=21")
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


def test_only_a_server_sends_a_test(tmp_path: Path) -> None:
    thingtank(tmp_path, "device", "create", "Roof")
    thingtank(tmp_path, "feed", "write", "1", "t=21")
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
        fired = first(lambda: listed(tmp_path, "--state", "dead", "--limit", "1"))
        assert (fired["target"], fired["is_test"], fired["attempt_count"]) == (DEAD_URL, False, 1)
        number = str(fired["delivery_id"])
        older = answer(tmp_path, "delivery", "list", "--before", number)
        assert [row["delivery_id"] for row in older["deliveries"]] == [tested["delivery_id"]]
        assert "Delivery" in thingtank(tmp_path, "delivery", "retry", number).stdout
        again = first(
            lambda: [row for row in [shown(tmp_path, number)] if row["attempt_count"] == 2]
        )
        assert again["state"] == "dead"
    # Without the server it is only marked; the next one that runs delivers it.
    assert answer(tmp_path, "delivery", "retry", number)["state"] == "waiting"
    assert answer(tmp_path, "delivery", "cancel", number)["state"] == "cancelled"
    assert "only what waits" in refusal(tmp_path, "delivery", "cancel", number)
    table = thingtank(tmp_path, "delivery", "show", number).stdout
    assert "no connection" in table


def listed(folder: Path, *words: str) -> list[dict[str, Any]]:
    rows = answer(folder, "delivery", "list", *words)["deliveries"]
    return [row for row in rows if not row["is_test"]]


def shown(folder: Path, number: str) -> dict[str, Any]:
    found: dict[str, Any] = answer(folder, "delivery", "show", number)
    return found


def first(read: Callable[[], list[dict[str, Any]]]) -> dict[str, Any]:
    """The first row, as soon as there is one; each look is a command that takes a second."""
    for _ in range(30):
        if rows := read():
            return rows[0]
    raise AssertionError("it did not happen in time")
