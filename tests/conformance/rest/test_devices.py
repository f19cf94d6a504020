"""`/api/devices`: list, make, read, change and delete devices."""

import threading
from typing import Any

import pytest
from tests.conformance.rest.conftest import Rest, path_of, problem, unique

FULL = {
    "title": "Roof station",
    "private": False,
    "description": "On the roof.",
    "tags": ["roof", "Weather"],
    "website": "http://roof.test",
    "email": "roof@roof.test",
    "icon": "",
    "location": {
        "name": "Roof",
        "lat": 52.52,
        "lon": 13.405,
        "ele": "34",
        "disposition": "fixed",
        "exposure": "outdoor",
        "domain": "physical",
    },
    "retention_s": 86400,
    "properties": {"color": "red", "nested": {"a": [1, None]}},
}


def test_a_device_is_made_read_changed_and_deleted(rest: Rest) -> None:
    made = rest.ask("POST", "/api/devices", json=FULL)
    assert made.status_code == 201, made.text
    body = made.json()
    path = path_of(body)
    assert made.headers["Location"] == body["url"] == f"{rest.url}/api/devices/{body['id']}"
    assert {name: body[name] for name in FULL} == FULL
    assert (body["owner"], body["datastreams_url"]) == ("owner", f"{body['url']}/datastreams")
    # Its secrets are told now, and are its own.
    assert rest.get(path, body.pop("api_key"))["id"] == body["id"]
    assert len(body.pop("token")) >= 32
    assert rest.get(path) == rest.get(f"/api/devices/{body['uuid']}") == body
    assert rest.get(f"/v2/feeds/{body['id']}.json")["title"] == "Roof station"

    changed = rest.ask("PATCH", path, json={"title": "Shed", "location": {"ele": "35"}})
    assert changed.status_code == 200
    location = {**FULL["location"], "ele": "35"}  # type: ignore[dict-item] # a dict it is
    assert changed.json() == {
        **body,
        "title": "Shed",
        "location": location,
        "updated_at": changed.json()["updated_at"],
    }
    replaced = rest.ask("PUT", path, json={"title": "Bare"}).json()
    assert (replaced["tags"], replaced["location"], replaced["private"]) == ([], None, True)
    assert (replaced["properties"], replaced["retention_s"]) == ({}, None)

    assert rest.ask("DELETE", path).status_code == 204
    problem(rest.ask("GET", path), 404, "not-found")


def test_what_was_read_may_be_sent_back_whole(rest: Rest) -> None:
    device = rest.device(tags=["a"])
    read = rest.get(path_of(device))
    answer = rest.ask("PUT", path_of(device), json={**read, "title": unique("Changed")})
    assert answer.status_code == 200, answer.text
    assert answer.json()["tags"] == ["a"]


REFUSED: list[tuple[Any, str, str]] = [
    ({}, "/title", "required"),
    ({"title": ""}, "/title", "blank"),
    ({"title": "  "}, "/title", "blank"),
    ({"title": None}, "/title", "null"),
    ({"title": 5}, "/title", "string"),
    ({"title": "x" * 256}, "/title", "255"),
    ({"title": "a\x07b"}, "/title", "control"),
    ({"title": "a\x00b"}, "/title", "control characters"),
    ({"title": "a", "private": "true"}, "/private", "boolean"),
    ({"title": "a", "private": 1}, "/private", "boolean"),
    ({"title": "a", "tags": "x"}, "/tags", "Expected an array."),
    ({"title": "a", "tags": [5]}, "/tags/0", "string"),
    ({"title": "a", "location": []}, "/location", "Expected an object."),
    ({"title": "a", "location": {"lat": 1}}, "/location", "give both lat and lon, or neither"),
    ({"title": "a", "location": {"lat": 91}}, "/location/lat", "90"),
    ({"title": "a", "location": {"lat": "5"}}, "/location/lat", "number"),
    ({"title": "a", "location": {"domain": "moon"}}, "/location/domain", "moon"),
    ({"title": "a", "location": {"ltt": 1}}, "/location/ltt", "valid here: name, lat"),
    ({"title": "a", "retention_s": 3599}, "/retention_s", "3600"),
    ({"title": "a", "retention_s": True}, "/retention_s", "integer"),
    ({"title": "a", "properties": []}, "/properties", "Expected an object."),
    ({"title": "a", "titel": "b"}, "/titel", "valid here: title"),
    ([], "", "Expected an object."),
    ("text", "", "Expected an object."),
]


@pytest.mark.parametrize(("body", "pointer", "words"), REFUSED)
def test_a_body_that_breaks_a_rule_is_refused_with_a_pointer(
    rest: Rest, body: Any, pointer: str, words: str
) -> None:
    said = problem(rest.ask("POST", "/api/devices", json=body), 422, "validation-failed")
    assert any(
        pointer in error["pointer"] and words in error["detail"] for error in said["errors"]
    ), said


def test_a_refusals_detail_reads_as_one_sentence_for_each_error(rest: Rest) -> None:
    for body, detail in (
        ({"title": None}, "/title: This field may not be null."),
        ("text", "the body: Expected an object."),
    ):
        said = problem(rest.ask("POST", "/api/devices", json=body), 422, "validation-failed")
        assert said["detail"] == detail


def test_a_change_leaves_no_half_of_a_place(rest: Rest) -> None:
    path = path_of(rest.device())
    for method, body in (
        ("PATCH", {"location": {"lat": 1}}),
        ("PATCH", {"location": {"lon": 0, "name": "Roof"}}),
        ("PUT", {"title": "a", "location": {"lon": 1}}),
    ):
        said = problem(rest.ask(method, path, json=body), 422, "validation-failed")
        assert said["detail"] == "give both lat and lon, or neither"
        assert said["errors"] == [{"detail": said["detail"], "pointer": "/location"}]
    assert rest.get(path)["location"] is None
    assert rest.ask("PATCH", path, json={"location": {"lat": 1, "lon": 2}}).ok
    assert rest.ask("PATCH", path, json={"location": {"lat": 3}}).ok
    problem(rest.ask("PATCH", path, json={"location": {"lon": None}}), 422, "validation-failed")
    location = rest.get(path)["location"]
    assert (location["lat"], location["lon"]) == (3, 2)
    assert rest.ask("PATCH", path, json={"location": {"lat": None, "lon": None}}).ok


def test_half_a_place_from_another_door_may_be_sent_back_and_completed(rest: Rest) -> None:
    device = rest.device()
    half = {"title": "a", "location": {"lat": "1"}}
    assert rest.ask("PUT", f"/v2/feeds/{device['id']}.json", json=half).ok
    path = path_of(device)
    read = rest.get(path)
    assert (read["location"]["lat"], read["location"]["lon"]) == (1, None)
    assert rest.ask("PUT", path, json=read).ok
    assert rest.ask("PATCH", path, json={"location": {"name": "Roof"}}).ok
    assert rest.ask("PATCH", path, json={"location": {"lon": 2}}).json()["location"]["lon"] == 2


def test_a_list_is_walked_in_pages_that_shift_by_nothing(rest: Rest) -> None:
    tag = unique("paged").replace(" ", "-")
    titles = [f"{letter} {tag}" for letter in "cabed"]
    devices = [rest.device(title=title, tags=[tag]) for title in titles]
    first = rest.get("/api/devices", tag=tag, page_size=2)
    assert [one["title"] for one in first["results"]] == [titles[4], titles[3]]
    assert first["previous"] is None
    # One is made, and one that was shown is deleted, before the next page is asked for.
    rest.device(title=f"z {tag}", tags=[tag])
    assert rest.ask("DELETE", path_of(devices[4])).status_code == 204
    second = rest.get(first["next"].removeprefix(rest.url))
    assert [one["title"] for one in second["results"]] == [titles[2], titles[1]]
    back = rest.get(second["previous"].removeprefix(rest.url))
    assert [one["title"] for one in back["results"]] == [f"z {tag}", titles[3]]
    third = rest.get(second["next"].removeprefix(rest.url))
    assert ([one["title"] for one in third["results"]], third["next"]) == ([titles[0]], None)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("created", "cab"),
        ("-created", "bac"),
        ("title", "abc"),
        ("-title", "cba"),
        ("updated", "abc"),
        ("-updated", "cba"),
        ("-active", "cba"),
    ],
)
def test_a_list_is_ordered_by(rest: Rest, order: str, expected: str) -> None:
    tag = unique("ordered").replace(" ", "-")
    made = {letter: rest.device(title=letter, tags=[tag]) for letter in "cab"}
    for letter in "abc":  # last changed in this order
        rest.ask("PATCH", path_of(made[letter]), json={"description": "changed"})
    pages = rest.walk("/api/devices", tag=tag, order=order, page_size=1)
    assert "".join(device["title"] for page in pages for device in page) == expected
    last = rest.ask("GET", "/api/devices", params={"tag": tag, "order": order, "page_size": 2})
    link = last.links["next"]["url"]
    back = rest.ask("GET", link.removeprefix(rest.url)).links["prev"]["url"]
    assert rest.get(back.removeprefix(rest.url))["results"] == last.json()["results"]


def test_a_list_is_filtered(rest: Rest) -> None:
    tag = unique("filtered").replace(" ", "-")
    near = rest.device(
        title=f"Near {tag}", tags=[tag], private=False, location={"lat": 10.0, "lon": 20.0}
    )
    far = rest.device(title=f"Far {tag}", tags=[tag], location={"lat": 50.0, "lon": 20.0})
    bobs = rest.device("bob", title=f"Bob's {tag}", tags=[tag], private=False)
    rest.ask("PUT", f"/v2/feeds/{far['id']}.json", json={"datastreams": [{"id": "t", "current_value": "1", "unit": {"symbol": "°C"}}]})  # fmt: skip

    def found(**terms: Any) -> set[str]:
        listed = rest.get("/api/devices", tag=tag, **terms)["results"]
        return {str(device["title"].partition(" ")[0]) for device in listed}

    assert found() == {"Near", "Far"}
    assert found(q="near") == {"Near"}
    assert found(status="live") == {"Far"}
    assert found(status="frozen") == {"Near"}
    assert found(unit="°c") == {"Far"}
    assert found(lat=10.1, lon=20, distance_m=20_000) == {"Near"}
    assert found(updated_since=far["updated_at"]) == {"Far"}
    assert found(scope="public") == {"Near", "Bob's"}
    assert found(scope="all") == {"Near", "Far", "Bob's"}
    assert found(scope="all", owner="bob") == {"Bob's"}
    assert found(product="no such product") == set()
    assert rest.get("/api/devices", "bob", tag=tag, scope="all")["results"][0]["id"] == bobs["id"]
    assert near["id"] not in [d["id"] for d in rest.get("/api/devices", "reader")["results"]]


PARAMETERS = [
    ({"foo": "1"}, "foo", "valid here: scope, q, tag"),
    ({"format": "json"}, "format", "is not known"),
    ({"format": "xml"}, "format", "is not known"),
    ({"format": "api"}, "format", "is not known"),
    ({"page_size": "0"}, "page_size", "between 1 and 1000"),
    ({"page_size": "1001"}, "page_size", "between 1 and 1000"),
    ({"page_size": "ten"}, "page_size", "whole number"),
    ({"order": "size"}, "order", "must be one of created, -created"),
    ({"status": "dead"}, "status", "live, frozen"),
    ({"cursor": "nonsense"}, "cursor", "next or previous link"),
    ({"cursor": "////"}, "cursor", "next or previous link"),
    ({"updated_since": "yesterday"}, "updated_since", "ISO 8601"),
    ({"lat": "91"}, "lat", "between -90 and 90"),
    ({"lat": "nan"}, "lat", "between -90 and 90"),
    ({"lat": "1", "distance_m": "5"}, "lat", "together"),
    ({"lat": "1", "lon": "5"}, "distance_m", "required"),
    ({"q": "x" * 256}, "q", "255"),
    ({"q": ["a", "b"]}, "q", "more than once"),
]


@pytest.mark.parametrize(("terms", "name", "words"), PARAMETERS)
def test_a_parameter_that_cannot_be_read_is_refused(
    rest: Rest, terms: dict[str, Any], name: str, words: str
) -> None:
    said = problem(rest.ask("GET", "/api/devices", params=terms), 400, "bad-parameter")
    assert [error["parameter"] for error in said["errors"]] == [name]
    assert words in said["errors"][0]["detail"]


def test_a_cursor_of_another_order_is_refused(rest: Rest) -> None:
    rest.device(), rest.device()
    url = rest.get("/api/devices", order="title", page_size=1)["next"].removeprefix(rest.url)
    said = problem(
        rest.ask("GET", url.replace("order=title", "order=created")), 400, "bad-parameter"
    )
    assert "ordered by title" in said["detail"]


def test_what_a_caller_may_not_see_is_not_there(rest: Rest) -> None:
    hidden, shown = rest.device(), rest.device(private=False)
    for method, body in [("GET", None), ("PUT", {"title": "x"}), ("PATCH", {}), ("DELETE", None)]:
        problem(rest.ask(method, path_of(hidden), "bob", json=body), 404, "not-found")
        problem(rest.ask(method, path_of(hidden), "reader", json=body), 404, "not-found")
    assert rest.get(path_of(shown), "bob")["title"] == shown["title"]
    said = problem(
        rest.ask("PATCH", path_of(shown), "bob", json={"title": "x"}), 403, "not-allowed"
    )
    assert f"lacks put on feed {shown['id']}" in said["detail"]


def test_a_key_may_only_what_it_may(rest: Rest) -> None:
    path = f"/api/devices/{rest.feed_id}"
    assert rest.get(path, "reader")["id"] == rest.feed_id
    assert [d["id"] for d in rest.get("/api/devices", "reader")["results"]] == [rest.feed_id]
    problem(rest.ask("PATCH", path, "reader", json={"title": "x"}), 403, "not-allowed")
    problem(rest.ask("DELETE", path, "reader"), 403, "not-allowed")
    problem(rest.ask("POST", "/api/devices", "reader", json={"title": "x"}), 403, "not-allowed")
    elsewhere = rest.key(["get"], rest.feed_id, source_ip="192.0.2.1")
    problem(rest.ask("GET", path, elsewhere), 404, "not-found")
    from_page = rest.key(["get"], rest.feed_id, referer="good.test")
    problem(rest.ask("GET", path, from_page), 404, "not-found")
    assert rest.ask("GET", path, from_page, headers={"Referer": "http://good.test/a"}).ok


def test_a_key_that_may_only_write_is_told_nothing(rest: Rest) -> None:
    device = rest.device()
    streams = f"{path_of(device)}/datastreams"
    rest.ask("POST", streams, json={"name": "a"})
    rest.ask("POST", f"{streams}/a/datapoints", json={"value": 5})
    key = rest.key(["put"], device["id"])
    for path in (path_of(device), f"{streams}/a"):
        problem(rest.ask("GET", path, key), 403, "not-allowed")
        answer = rest.ask("PATCH", path, key, json={"tags": ["x"]})
        assert (answer.status_code, answer.content) == (204, b"")
        assert "ETag" not in answer.headers
        said = problem(rest.ask("PATCH", path, key, json={}, headers={"If-Match": '"x"'}), 412, "precondition-failed")  # fmt: skip
        assert '"' not in said["detail"]
        assert rest.get(path)["tags"] == ["x"]
    problem(rest.ask("GET", "/api/devices", key), 403, "not-allowed")


def test_a_state_that_the_client_has_is_not_sent_again(rest: Rest) -> None:
    path = path_of(rest.device())
    etag = rest.ask("GET", path).headers["ETag"]
    assert etag.startswith('"')
    for tags in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        answer = rest.ask("GET", path, headers={"If-None-Match": tags})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
    assert rest.ask("GET", path, headers={"If-None-Match": '"other"'}).status_code == 200
    rest.ask("PATCH", path, json={"description": "new"})
    changed = rest.ask("GET", path, headers={"If-None-Match": etag})
    assert (changed.status_code, changed.headers["ETag"] == etag) == (200, False)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_change_happens_only_to_the_state_that_was_seen(rest: Rest, method: str) -> None:
    path = path_of(rest.device())
    old = rest.ask("GET", path).headers["ETag"]
    body = {"title": unique("Changed")}
    new = rest.ask("PATCH", path, json=body).headers["ETag"]
    for tags in (old, f"W/{new}", '"other"', ""):
        answer = rest.ask(method, path, json=body, headers={"If-Match": tags})
        problem(answer, 412, "precondition-failed")
    assert rest.ask(method, path, json=body, headers={"If-Match": f'"x", {new}'}).ok


def test_of_changes_to_one_state_only_one_happens(rest: Rest) -> None:
    path = path_of(rest.device())
    etag = rest.ask("GET", path).headers["ETag"]
    statuses: list[int] = []

    def change(number: int) -> None:
        body, headers = {"title": f"Change {number}"}, {"If-Match": etag}
        statuses.append(rest.ask("PATCH", path, json=body, headers=headers).status_code)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [412] * 7
