"""`/api/devices/…/datastreams`: series and their newest values."""

from typing import Any

import pytest
from tests.conformance.rest.conftest import Rest, path_of, problem

UNIT = {"type": "derivedSI", "symbol": "°C", "label": "Celsius"}


def streams_of(rest: Rest, **members: Any) -> str:
    return f"{path_of(rest.device(**members))}/datastreams"


def write(rest: Rest, streams: str, name: str, value: Any, at: str | None = None) -> None:
    body = {"value": value} if at is None else {"value": value, "at": at}
    written = rest.ask("POST", f"{streams}/{name}/datapoints", json=body)
    assert written.status_code == 201, written.text


def test_a_datastream_is_made_read_changed_and_deleted(rest: Rest) -> None:
    streams = streams_of(rest)
    made = rest.ask("POST", streams, json={"name": "temp.1", "tags": ["b", "a"], "unit": UNIT})
    assert made.status_code == 201, made.text
    body = made.json()
    path = path_of(body)
    assert made.headers["Location"] == body["url"] == f"{rest.url}{streams}/temp.1"
    assert (body["tags"], body["unit"]) == (["a", "b"], UNIT)
    assert (body["value"], body["at"], body["minimum"], body["maximum"]) == (None,) * 4
    assert body["device_url"] == f"{rest.url}{streams.removesuffix('/datastreams')}"
    assert rest.get(path) == body

    write(rest, streams, "temp.1", 21.5, "2026-01-01T00:00:00Z")
    write(rest, streams, "temp.1", "-3", "2026-01-01T00:00:01Z")
    read = rest.get(path)
    assert (read["value"], read["at"]) == (-3, "2026-01-01T00:00:01.000000Z")
    assert (read["minimum"], read["maximum"]) == (-3.0, 21.5)

    changed = rest.ask("PATCH", path, json={"unit": {"symbol": "K"}}).json()
    assert changed == {**read, "unit": {"type": "", "symbol": "K", "label": ""}}
    replaced = rest.ask("PUT", path, json={**changed, "tags": ["c"]}).json()
    assert replaced == {**changed, "tags": ["c"]}
    bare = rest.ask("PUT", path, json={}).json()
    assert (bare["unit"], bare["tags"], bare["value"]) == (None, [], -3)

    assert rest.ask("DELETE", path).status_code == 204
    problem(rest.ask("GET", path), 404, "not-found")


REFUSED = [
    ({}, 422, "/name"),
    ({"name": ""}, 422, "/name"),
    ({"name": "a b"}, 422, "/name"),
    ({"name": ".."}, 422, "/name"),
    ({"name": "x" * 256}, 422, "/name"),
    ({"name": 5}, 422, "/name"),
    ({"name": "a", "unit": {"type": "metric"}}, 422, "/unit/type"),
    ({"name": "a", "unit": "m"}, 422, "/unit"),
    ({"name": "a", "unit": {"symbol": "a\x07"}}, 422, "/unit/symbol"),
    ({"name": "a", "tags": ["x" * 256]}, 422, "/tags"),
    ({"name": "a", "current_value": 5}, 422, "/current_value"),
]


@pytest.mark.parametrize(("body", "status", "pointer"), REFUSED)
def test_a_datastream_that_breaks_a_rule_is_refused(
    rest: Rest, body: Any, status: int, pointer: str
) -> None:
    streams = f"/api/devices/{rest.feed_id}/datastreams"
    said = problem(rest.ask("POST", streams, json=body), status, "validation-failed")
    assert said["errors"][0]["pointer"].startswith(pointer), said


def test_a_name_is_taken_once(rest: Rest) -> None:
    streams = streams_of(rest)
    assert rest.ask("POST", streams, json={"name": "a"}).status_code == 201
    problem(rest.ask("POST", streams, json={"name": "a"}), 409, "conflict")


VALUES: list[tuple[Any, Any, str]] = [
    (21.5, 21.5, "21.5"),
    ("21.50", 21.5, "21.50"),
    ("0000017", 17, "0000017"),
    (5, 5, "5"),
    ("5.0", 5, "5.0"),
    (-0.25, -0.25, "-0.25"),
    (12345678901234567890, 1.2345678901234567e19, "12345678901234567890"),
    ("on", "on", "on"),
    ("", "", ""),
    (True, "true", "true"),
    ("1e999", "1e999", "1e999"),
    ("NaN", "NaN", "NaN"),
    ("1_000", "1_000", "1_000"),
    ("<b>Übung</b>", "<b>Übung</b>", "<b>Übung</b>"),
]


@pytest.mark.parametrize(("value", "shown", "exact"), VALUES)
def test_a_value_is_a_number_where_it_reads_as_one_and_kept_as_written(
    rest: Rest, value: Any, shown: Any, exact: str
) -> None:
    streams = streams_of(rest)
    rest.ask("POST", streams, json={"name": "a"})
    write(rest, streams, "a", value)
    assert rest.get(f"{streams}/a")["value"] == shown
    assert type(rest.get(f"{streams}/a")["value"]) is type(shown)
    assert rest.get(f"{streams}/a", exact="true")["value"] == exact
    assert rest.get(f"{streams}/a/datapoints", exact="true")["results"][0]["value"] == exact


def test_datastreams_are_listed_filtered_and_paged(rest: Rest) -> None:
    streams = streams_of(rest)
    for name in ("d", "a", "cAb", "b"):
        rest.ask("POST", streams, json={"name": name, "tags": [f"Tag-{name}"], "unit": UNIT})
    write(rest, streams, "b", 1, "2026-01-02T00:00:00Z")
    write(rest, streams, "a", 1, "2026-01-01T00:00:00Z")

    def names(**terms: Any) -> list[list[str]]:
        return [[each["name"] for each in page] for page in rest.walk(streams, **terms)]

    assert names() == [["a", "b", "cAb", "d"]]
    assert names(page_size=3) == [["a", "b", "cAb"], ["d"]]
    assert names(order="-name", page_size=2) == [["d", "cAb"], ["b", "a"]]
    assert names(order="-at", page_size=3) == [["b", "a", "d"], ["cAb"]]
    assert names(q="ab") == [["cAb"]]
    assert names(tag="tag-D") == [["d"]]
    assert names(unit="celsius", since="2026-01-02T00:00:00Z") == [["b"]]
    second = rest.get(rest.get(streams, page_size=2)["next"].removeprefix(rest.url))
    back = rest.get(second["previous"].removeprefix(rest.url))
    assert [each["name"] for each in back["results"]] == ["a", "b"]
    assert (back["previous"], back["next"] is not None) == (None, True)


def test_a_key_for_one_datastream_knows_of_no_other(rest: Rest) -> None:
    streams = streams_of(rest)
    for name in ("a", "b"):
        rest.ask("POST", streams, json={"name": name})
    device = int(streams.split("/")[3])
    permission = {
        "access_methods": ["get", "put"],
        "resources": [{"feed_id": device, "datastream_id": "a"}],
    }
    wanted = {"key": {"label": "one", "private_access": True, "permissions": [permission]}}
    key = rest.ask("POST", "/v2/keys.json", json=wanted).headers["Location"].rpartition("/")[2]
    assert [each["name"] for each in rest.get(streams, key)["results"]] == ["a"]
    assert rest.get(f"{streams}/a", key)["name"] == "a"
    assert rest.ask("PATCH", f"{streams}/a", key, json={"tags": ["x"]}).status_code == 200
    problem(rest.ask("DELETE", f"{streams}/a", key), 403, "not-allowed")
    problem(rest.ask("GET", f"{streams}/b", key), 404, "not-found")
    problem(rest.ask("GET", streams.removesuffix("/datastreams"), key), 404, "not-found")
    problem(rest.ask("POST", streams, key, json={"name": "c"}), 404, "not-found")


def test_a_datastream_is_changed_only_in_the_state_that_was_seen(rest: Rest) -> None:
    streams = streams_of(rest)
    made = rest.ask("POST", streams, json={"name": "a"})
    path, old = f"{streams}/a", made.headers["ETag"]
    assert rest.ask("GET", path, headers={"If-None-Match": old}).status_code == 304
    write(rest, streams, "a", 5)  # a value is part of the state
    new = rest.ask("GET", path, params={"exact": "true"}).headers["ETag"]  # as text it is the same
    assert new != old
    for method in ("PUT", "PATCH", "DELETE"):
        answer = rest.ask(method, path, json={"tags": ["x"]}, headers={"If-Match": old})
        problem(answer, 412, "precondition-failed")
    changed = rest.ask("PATCH", path, json={"tags": ["x"]}, headers={"If-Match": new})
    assert changed.status_code == 200
    etag = {"If-Match": changed.headers["ETag"]}
    assert rest.ask("DELETE", path, headers=etag).status_code == 204


def test_what_a_caller_may_not_see_has_no_datastreams(rest: Rest) -> None:
    streams = streams_of(rest)
    rest.ask("POST", streams, json={"name": "a"})
    for path in (streams, f"{streams}/a", f"{streams}/a/datapoints"):
        problem(rest.ask("GET", path, "bob"), 404, "not-found")
    problem(rest.ask("POST", streams, "bob", json={"name": "b"}), 404, "not-found")
