"""`…/datapoints`: values in time, one by one, as history, and in bulk."""

import json
from typing import Any

import pytest
import requests
from tests.conformance.rest.conftest import PROBLEM, Rest, path_of, problem

BULK = "/api/datapoints"
LINES = {"Content-Type": "application/x-ndjson"}


def stream_of(rest: Rest, name: str = "a") -> str:
    """The path of a new device's datastream."""
    streams = f"{path_of(rest.device())}/datastreams"
    assert rest.ask("POST", streams, json={"name": name}).status_code == 201
    return f"{streams}/{name}"


def minute(number: int) -> str:
    return f"2026-01-01T{number // 60:02}:{number % 60:02}:00.000000Z"


def filled(rest: Rest, count: int = 10) -> str:
    """The path of a new datastream with a value a minute, counted from 0."""
    stream = stream_of(rest)
    device = int(stream.split("/")[3])
    points = [
        {"device": device, "datastream": "a", "value": n, "at": minute(n)} for n in range(count)
    ]
    assert rest.ask("POST", BULK, json=points).json() == {"written": count}
    return stream


def values_of(page: Any) -> list[Any]:
    return [point["value"] for point in page]


def test_a_datapoint_is_written_read_replaced_and_deleted(rest: Rest) -> None:
    stream = stream_of(rest)
    made = rest.ask(
        "POST", f"{stream}/datapoints", json={"value": 21.5, "at": "2026-01-01T01:00:00+01:00"}
    )
    assert made.status_code == 201, made.text
    assert made.json() == {"at": minute(0), "value": 21.5}
    path = made.headers["Location"].removeprefix(rest.url)
    assert path == f"{stream}/datapoints/{minute(0)}"
    read = rest.ask("GET", path)
    assert (read.json(), read.headers["ETag"]) == (made.json(), made.headers["ETag"])
    same = {"If-None-Match": read.headers["ETag"]}
    assert rest.ask("GET", path, headers=same).status_code == 304
    assert rest.ask("PUT", path, json={"value": "22"}).json() == {"at": minute(0), "value": 22}
    assert rest.get(path)["value"] == 22
    assert rest.ask("PUT", f"{stream}/datapoints/{minute(1)}", json={"value": "on"}).ok
    assert values_of(rest.get(f"{stream}/datapoints")["results"]) == [22, "on"]
    for method in ("PUT", "DELETE"):  # no condition is looked at, so it is not passed over either
        answer = rest.ask(method, path, json={"value": 1}, headers={"If-Match": '"x"'})
        problem(answer, 400, "bad-request")
    assert rest.ask("DELETE", path).status_code == 204
    problem(rest.ask("GET", path), 404, "not-found")
    problem(rest.ask("DELETE", path), 404, "not-found")
    problem(rest.ask("GET", f"{stream}/datapoints/yesterday"), 404, "not-found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/value"),
        ({"value": None}, "/value"),
        ({"value": [1]}, "/value"),
        ({"value": "x" * 256}, "/value"),
        ({"value": 1, "at": "yesterday"}, "/at"),
        ({"value": 1, "at": 5}, "/at"),
        ({"value": 1, "at": "9000-01-01T00:00:00Z"}, "/at"),
        ({"value": 1, "when": "now"}, "/when"),
    ],
)
def test_a_datapoint_that_breaks_a_rule_is_refused(rest: Rest, body: Any, pointer: str) -> None:
    path = f"/api/devices/{rest.feed_id}/datastreams/refused"
    rest.ask("POST", path.rpartition("/")[0], json={"name": "refused"})
    said = problem(rest.ask("POST", f"{path}/datapoints", json=body), 422, "validation-failed")
    assert said["errors"][0]["pointer"] == pointer


def test_history_is_walked_in_both_directions(rest: Rest) -> None:
    points = f"{filled(rest)}/datapoints"
    pages = [values_of(page) for page in rest.walk(points, page_size=4)]
    assert pages == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    pages = [values_of(page) for page in rest.walk(points, page_size=4, order="-at")]
    assert pages == [[9, 8, 7, 6], [5, 4, 3, 2], [1, 0]]
    for order in ("at", "-at"):
        first = rest.get(points, page_size=4, order=order)
        second = rest.get(first["next"].removeprefix(rest.url))
        back = rest.get(second["previous"].removeprefix(rest.url))
        assert (back["results"], back["previous"]) == (first["results"], None)
        assert rest.get(back["next"].removeprefix(rest.url)) == second
    # What is written meanwhile shifts nothing.
    first = rest.get(points, page_size=4, order="-at")
    rest.ask("POST", points, json={"value": 99})
    second = rest.get(first["next"].removeprefix(rest.url))
    assert values_of(second["results"]) == [5, 4, 3, 2]


def test_history_is_read_within_a_range_both_ends_included(rest: Rest) -> None:
    points = f"{filled(rest)}/datapoints"
    assert values_of(rest.get(points, start=minute(3), end=minute(5))["results"]) == [3, 4, 5]
    assert values_of(rest.get(points, start=minute(8))["results"]) == [8, 9]
    assert values_of(rest.get(points, end=minute(1), order="-at")["results"]) == [1, 0]
    pages = rest.walk(points, start=minute(2), end=minute(6), page_size=2)
    assert [values_of(page) for page in pages] == [[2, 3], [4, 5], [6]]
    assert rest.get(points, start=minute(5), end=minute(3)) == {"next": None, "previous": None, "results": []}  # fmt: skip


STEPS = [
    ("average", [1, 4, 7, 9]),
    ("sum", [3, 12, 21, 9]),
    ("min", [0, 3, 6, 9]),
    ("max", [2, 5, 8, 9]),
    ("first", [0, 3, 6, 9]),
    ("last", [2, 5, 8, 9]),
    ("count", [3, 3, 3, 1]),
]


@pytest.mark.parametrize(("function", "expected"), STEPS)
def test_history_is_summarized_in_steps(rest: Rest, function: str, expected: list[int]) -> None:
    points = f"{filled(rest)}/datapoints"
    terms = {"start": minute(0), "end": minute(60), "interval": 180, "function": function}
    whole = rest.get(points, **terms)["results"]
    assert values_of(whole) == expected
    assert [point["at"] for point in whole] == [minute(n) for n in (0, 3, 6, 9)]
    pages = rest.walk(points, **terms, page_size=3)
    assert [values_of(page) for page in pages] == [expected[:3], expected[3:]]


def test_a_page_of_steps_without_numbers_does_not_end_the_walk(rest: Rest) -> None:
    stream = stream_of(rest)
    for number, value in enumerate(["on", "off", "on", 5]):
        rest.ask("PUT", f"{stream}/datapoints/{minute(number)}", json={"value": value})
    terms = {"start": minute(0), "end": minute(9), "interval": 60, "page_size": 2}
    pages = rest.walk(f"{stream}/datapoints", **terms)
    assert [point for page in pages for point in values_of(page)] == [5]


PARAMETERS: list[tuple[dict[str, Any], str]] = [
    ({"interval": 0}, "interval"),
    ({"interval": "1h"}, "interval"),
    ({"function": "median"}, "function"),
    ({"interval": 60, "order": "-at"}, "order"),
    ({"start": "soon"}, "start"),
    ({"page_size": 5000}, "page_size"),
    ({"limit": 5}, "limit"),
    ({"cursor": "WyJhdCIsIngiLDBd"}, "cursor"),
    ({"cursor": "WyJhdCIsOTk5OTk5OTk5OTk5OTk5OTk5OTksMF0"}, "cursor"),
]


@pytest.mark.parametrize(("terms", "name"), PARAMETERS)
def test_a_history_that_cannot_be_read_is_refused(
    rest: Rest, terms: dict[str, Any], name: str
) -> None:
    streams = f"/api/devices/{rest.feed_id}/datastreams"
    rest.ask("POST", streams, json={"name": "asked"})
    said = problem(rest.ask("GET", f"{streams}/asked/datapoints", params=terms), 400, "bad-parameter")  # fmt: skip
    assert [error["parameter"] for error in said["errors"]] == [name]


def test_a_range_is_deleted(rest: Rest) -> None:
    points = f"{filled(rest)}/datapoints"
    assert rest.ask("DELETE", points, params={"start": minute(2), "end": minute(7)}).status_code == 204  # fmt: skip
    assert values_of(rest.get(points)["results"]) == [0, 1, 8, 9]
    said = problem(rest.ask("DELETE", points), 400, "bad-parameter")
    words = "is required where end is left out"
    assert said["detail"] == f"start {words}"
    assert said["errors"] == [{"detail": words, "parameter": "start"}]
    reverse = {"start": minute(7), "end": minute(2)}
    problem(rest.ask("DELETE", points, params=reverse), 400, "bad-parameter")
    assert values_of(rest.get(points)["results"]) == [0, 1, 8, 9]


def test_a_key_with_a_minimum_interval_reads_no_finer(rest: Rest) -> None:
    points = f"{filled(rest)}/datapoints"
    key = rest.key(["get"], int(points.split("/")[3]), minimum_interval=60)
    assert rest.get(points, key, interval=60, start=minute(0), end=minute(9))["results"]
    problem(rest.ask("GET", points, key), 403, "not-allowed")
    problem(rest.ask("GET", points, key, params={"interval": 59}), 403, "not-allowed")
    problem(rest.ask("GET", f"{points}/{minute(0)}", key), 403, "not-allowed")


# --- in bulk -------------------------------------------------------------------------------------


def test_a_bulk_write_reaches_several_devices_and_is_on_disk(rest: Rest) -> None:
    first, second = rest.device(), rest.device()
    points = [
        {"device": first["id"], "datastream": "t", "value": 1.5, "at": minute(0)},
        {"device": str(first["id"]), "datastream": "t", "value": "2.50", "at": minute(1)},
        {"device": second["uuid"], "datastream": "door", "value": "open"},
        {"device": second["id"], "datastream": "door", "value": True, "at": minute(0)},
        {"device": second["uuid"].upper(), "datastream": "n", "value": 7, "at": None},
    ]
    answer = rest.ask("POST", f"{BULK}?create_missing=true", json=points)
    assert (answer.status_code, answer.json()) == (200, {"written": 5}), answer.text
    read = rest.get(f"{path_of(first)}/datastreams/t/datapoints", exact="true")["results"]
    assert [point["value"] for point in read] == ["1.5", "2.50"]
    door = rest.get(f"{path_of(second)}/datastreams/door/datapoints")["results"]
    assert [point["value"] for point in door] == ["true", "open"]
    assert rest.get(f"{path_of(second)}/datastreams/n")["value"] == 7
    # What was announced reaches the other doors' views as well.
    feed = rest.get(f"/v2/feeds/{second['id']}.json")
    assert {each["id"]: each["current_value"] for each in feed["datastreams"]} == {"door": "open", "n": "7"}  # fmt: skip
    again = rest.ask("POST", BULK, json=points[:2])  # replaces itself
    assert again.json() == {"written": 2}
    assert len(rest.get(f"{path_of(first)}/datastreams/t/datapoints")["results"]) == 2


def test_a_bulk_write_may_come_as_json_lines(rest: Rest) -> None:
    device = rest.device()
    lines = [json.dumps({"device": device["id"], "datastream": "t", "value": n}) for n in range(3)]
    body = "\n".join([lines[0], "", lines[1] + "\r", lines[2], ""])
    answer = rest.ask("POST", f"{BULK}?create_missing=1", data=body.encode(), headers=LINES)
    assert (answer.status_code, answer.json()) == (200, {"written": 3}), answer.text


def test_a_bulk_write_that_breaks_a_rule_writes_nothing_and_names_each_item(rest: Rest) -> None:
    device, hidden = rest.device(), rest.device("bob")
    shown = rest.device("bob", private=False)
    rest.ask("POST", f"{path_of(device)}/datastreams", json={"name": "t"})
    here = {"device": device["id"], "datastream": "t"}
    points = [
        {**here, "value": 1},
        {**here, "datastream": "missing", "value": 1},
        {**here, "device": 999999, "value": 1},
        {**here, "device": hidden["id"], "value": 1},
        {**here, "device": shown["uuid"], "value": 1},
        {**here, "value": "x" * 256},
        {**here, "value": 1, "at": "9000-01-01T00:00:00Z"},
        {**here, "value": 2},
    ]
    said = problem(rest.ask("POST", BULK, json=points), 422, "validation-failed")
    assert [(error["pointer"], error["detail"]) for error in said["errors"]] == [
        ("/1/datastream", f"device {device['id']} has no datastream missing"),
        ("/2/device", "there is no device 999999"),
        ("/3/device", f"there is no device {hidden['id']}"),
        ("/4/device", f"no right to put or post on feed {shown['id']}"),
        ("/5/value", "is too long (maximum is 255 characters)"),
        ("/6/at", "is out of range"),
    ]
    assert "nothing was written" in said["detail"]
    assert rest.get(f"{path_of(device)}/datastreams/t")["value"] is None
    named = rest.ask("POST", f"{BULK}?create_missing=true", json=[{**here, "datastream": "a b", "value": 1}])  # fmt: skip
    assert problem(named, 422, "validation-failed")["errors"][0]["pointer"] == "/0/datastream"


ITEM = b'{"device": 1, "datastream": "t", "value": 1}'
JSON = {"Content-Type": "application/json"}
BULK_REFUSALS: list[tuple[bytes, dict[str, str], int, str, str | None]] = [
    (b"", JSON, 400, "malformed-body", None),
    (b"[", JSON, 400, "malformed-body", None),
    (b"[" * 100_000, JSON, 422, "validation-failed", "/0"),
    (b'[{"device": 1, "datastream": "\xff", "value": 1}]', JSON, 400, "malformed-body", None),
    (b"{}", JSON, 422, "validation-failed", ""),
    (b"[5]", JSON, 422, "validation-failed", "/0"),
    (b"[" + ITEM + b', {"device": 1}]', JSON, 422, "validation-failed", "/1"),
    (b"[" + ITEM + b', {"device": 1, "datastream": 5, "value": 1}]', JSON, 422, "validation-failed", "/1/datastream"),
    (b'[{"device": 1.5, "datastream": "t", "value": 1}]', JSON, 422, "validation-failed", "/0/device"),
    (b'[{"device": 1, "datastream": "t", "value": null}]', JSON, 422, "validation-failed", "/0/value"),
    (b'[{"device": 1, "datastream": "t", "value": [1]}]', JSON, 422, "validation-failed", "/0/value"),
    (b'[{"device": 1, "datastream": "t", "value": 1, "time": 1}]', JSON, 422, "validation-failed", "/0"),
    (b'[{"device": 1, "datastream": "t", "value": 1, "at": "soon"}]', JSON, 422, "validation-failed", "/0/at"),
    (b'[{"device": 99999999999999999999999, "datastream": "t", "value": 1}]', JSON, 422, "validation-failed", "/0/device"),
    (b"[" + b",".join([ITEM] * 10_001) + b"]", JSON, 422, "limit-reached", None),
    (b"\n".join([ITEM] * 10_001), LINES, 422, "limit-reached", None),
    (ITEM + b"\n{", LINES, 400, "malformed-body", None),
    (ITEM + b"\n5", LINES, 422, "validation-failed", "/1"),
    (b" " * 1_100_000, JSON, 413, "too-large", None),
    (ITEM, {"Content-Type": "text/csv"}, 415, "unsupported-media-type", None),
    (ITEM, {}, 415, "unsupported-media-type", None),
    (b"[]", {**JSON, "Content-Encoding": "gzip"}, 415, "unsupported-media-type", None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "headers", "status", "name", "pointer"), BULK_REFUSALS)
def test_a_bulk_write_that_cannot_be_read_is_refused(
    rest: Rest, body: bytes, headers: dict[str, str], status: int, name: str, pointer: str | None
) -> None:
    said = problem(rest.ask("POST", BULK, data=body, headers=headers), status, name)
    assert (said["errors"][0]["pointer"] if "errors" in said else None) == pointer, said


def test_a_bulk_write_of_unknown_length_is_bounded_as_well(rest: Rest) -> None:
    parts = (b" " * 100_000 for _ in range(20))
    problem(rest.ask("POST", BULK, data=parts, headers=JSON), 413, "too-large")


def test_a_bulk_write_has_the_parameters_that_it_names(rest: Rest) -> None:
    said = problem(rest.ask("POST", f"{BULK}?create=1", json=[]), 400, "bad-parameter")
    assert "create_missing" in said["detail"]
    assert rest.ask("POST", BULK, json=[]).json() == {"written": 0}
    problem(rest.ask("POST", f"{BULK}?{'a&' * 1001}", json=[]), 400, "bad-request")


def test_nobody_else_writes_in_bulk(rest: Rest, browser: requests.Session) -> None:
    answer = rest.ask("POST", BULK, "", json=[])
    problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"]
    problem(rest.ask("POST", BULK, "wrong", json=[]), 401, "unauthenticated")
    device = rest.device()
    here = [{"device": device["id"], "datastream": "t", "value": 1}]
    said = problem(rest.ask("POST", f"{BULK}?create_missing=1", "reader", json=here), 422, "validation-failed")  # fmt: skip
    assert said["errors"][0]["detail"] == f"there is no device {device['id']}"
    own = [{"device": rest.feed_id, "datastream": "t", "value": 1}]
    said = problem(rest.ask("POST", f"{BULK}?create_missing=1", "reader", json=own), 422, "validation-failed")  # fmt: skip
    assert said["errors"][0]["detail"] == f"no right to put or post on feed {rest.feed_id}"
    problem(rest.ask("GET", BULK), 405, "method-not-allowed")
    # By session only with the token that no other site has.
    refused = browser.post(f"{rest.url}{BULK}", json=[], timeout=30)
    problem(refused, 403, "csrf-failed")
    name = next(cookie.name for cookie in browser.cookies if "csrf" in cookie.name)
    token = {"X-CSRFToken": str(browser.cookies[name])}
    done = browser.post(f"{rest.url}{BULK}?create_missing=1", json=here, headers=token, timeout=30)
    assert (done.status_code, done.json()) == (200, {"written": 1}), done.text
    # A form, and one that cannot be read, is no bulk write; its token counts in the header only.
    form = {**token, "Content-Type": "multipart/form-data"}
    answer = browser.post(f"{rest.url}{BULK}", data=b"x", headers=form, timeout=30)
    problem(answer, 415, "unsupported-media-type")
    other_site = {**token, "Origin": "http://evil.test"}
    answer = browser.post(f"{rest.url}{BULK}", json=[], headers=other_site, timeout=30)
    problem(answer, 403, "csrf-failed")
    assert answer.headers["Content-Type"] == PROBLEM


def test_a_key_that_may_only_post_writes_datapoints_too(rest: Rest) -> None:
    stream = stream_of(rest)
    device = int(stream.split("/")[3])
    key = rest.key(["post"], device)
    assert rest.ask("POST", f"{stream}/datapoints", key, json={"value": 1}).status_code == 201
    points = [{"device": device, "datastream": "a", "value": 2}]
    assert rest.ask("POST", BULK, key, json=points).json() == {"written": 1}
    problem(rest.ask("GET", f"{stream}/datapoints", key), 403, "not-allowed")
