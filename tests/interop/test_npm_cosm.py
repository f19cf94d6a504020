"""The npm package `cosm` 0.1.0 of 2013 in Node, unmodified, through every call it has.

Its own option `server` says where to go; nothing else is needed.
"""

import json
import subprocess
from typing import Any

import pytest
import requests
from tests.interop.conftest import OpenDoor
from tests.needed import NODE, needed_program, node_package

WAIT_S_MAX = 30.0
OK = {"error": None, "result": [200, ""]}


class Cosm:
    """Runs calls of the client, one after the other in one process."""

    def __init__(self, door: OpenDoor, key: str) -> None:
        node_package("cosm")
        self._command = [needed_program("node"), str(NODE / "cosm_client.js")]
        self._command += [f"http://{door.address}", key]

    def calls(self, *calls: tuple[object, ...]) -> list[dict[str, Any]]:
        command = [*self._command, json.dumps(calls)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=WAIT_S_MAX, check=False
        )
        assert done.returncode == 0, done.stderr
        results: list[dict[str, Any]] = json.loads(done.stdout)
        return results


@pytest.fixture
def cosm(xively_door: OpenDoor) -> Cosm:
    return Cosm(xively_door, xively_door.master_key)


def read(door: OpenDoor, feed_id: object, query: str = "") -> requests.Response:
    url = f"http://{door.address}/v2/feeds/{feed_id}.json{query}"
    return requests.get(url, headers={"X-ApiKey": door.master_key}, timeout=10)


def test_feeds_are_created_listed_read_saved_and_deleted(cosm: Cosm, xively_door: OpenDoor) -> None:
    made, listed, fetched, whole, saved, gone, missing = cosm.calls(
        ("create", {"title": "Roof of cosm", "tags": ["a"], "website": "http://example.org"}),
        ("list", {"per_page": 1, "q": "roof of cosm"}),
        ("get", "ID"),
        ("feed_get",),
        ("read_tag_and_save", "b"),
        ("delete",),
        ("get", "ID"),
    )
    feed_id = int(made["result"])
    assert [feed["id"] for feed in listed["result"]["results"]] == [feed_id]
    assert fetched["result"] == {
        "id": feed_id, "title": "Roof of cosm", "version": "1.0.0", "tags": ["a"],
        "website": "http://example.org", "private": "true",
    }  # fmt: skip
    assert whole["result"]["status"] == "frozen"
    assert (saved, gone) == (OK, OK)
    assert json.loads(missing["error"])["title"] == "Not found"
    assert read(xively_door, feed_id).status_code == 404


def test_a_feed_that_was_read_tagged_and_saved_keeps_all_else(
    cosm: Cosm, xively_door: OpenDoor
) -> None:
    results = cosm.calls(
        ("create", {"title": "Kept", "tags": ["a"], "description": "d"}),
        ("add_stream", {"id": "temp", "current_value": "21.50", "unit": {"symbol": "C"}}),
        ("read_tag_and_save", "b"),
    )
    feed = read(xively_door, results[0]["result"]).json()
    assert (feed["title"], feed["tags"], feed["private"]) == ("Kept", ["a", "b"], "true")
    assert feed["description"] == "d"
    assert feed["datastreams"][0]["current_value"] == "21.50"


def test_a_new_feed_is_saved_as_public_because_the_client_says_so(
    cosm: Cosm, xively_door: OpenDoor
) -> None:
    (saved,) = cosm.calls(("save_new", {"title": "Open to all"}))
    assert saved == {"error": None, "result": [201, ""]}
    url = f"http://{xively_door.address}/v2/feeds?q=open+to+all"
    headers = {"X-ApiKey": xively_door.master_key}
    (found,) = requests.get(url, headers=headers, timeout=10).json()["results"]
    assert (found["title"], found["private"]) == ("Open to all", "false")


def test_queued_points_are_sent_together_with_their_milliseconds(
    cosm: Cosm, xively_door: OpenDoor
) -> None:
    at = "2026-11-26T10:00:0{}.386Z"
    points = [(1, at.format(1)), ("two", at.format(2)), (0.5, at.format(3))]
    made, added, recorded = cosm.calls(
        ("create", {"title": "Points"}),
        ("add_stream", {"id": "temp", "tags": ["t"]}),
        ("add_points", {"stream": "temp", "points": points}),
    )
    assert (added, recorded) == ({"error": None}, OK)
    query = "?start=2026-11-26T10:00:00Z&duration=1hour"
    (stream,) = read(xively_door, made["result"], query).json()["datastreams"]
    assert stream["datapoints"] == [
        {"value": "1", "at": "2026-11-26T10:00:01.386000Z"},
        {"value": "two", "at": "2026-11-26T10:00:02.386000Z"},
        {"value": "0.5", "at": "2026-11-26T10:00:03.386000Z"},
    ]


def test_points_without_a_time_are_from_now(cosm: Cosm, xively_door: OpenDoor) -> None:
    made, _, recorded = cosm.calls(
        ("create", {"title": "Now"}),
        ("add_stream", {"id": "temp"}),
        ("add_points", {"stream": "temp", "points": [[7]]}),
    )
    assert recorded == OK
    feed = read(xively_door, made["result"]).json()
    assert (feed["datastreams"][0]["current_value"], feed["status"]) == ("7", "live")


def test_refusals_reach_the_client_as_it_shows_them(xively_door: OpenDoor) -> None:
    stranger = Cosm(xively_door, "wrong")
    got, saved = stranger.calls(("get", xively_door.feed_id), ("save_new", {"title": "x"}))
    assert json.loads(got["error"])["title"] == "Unauthorized"
    assert saved["result"] == [
        401, {"title": "Unauthorized", "errors": "You must supply a valid API key"},
    ]  # fmt: skip
