"""`/api/keys`: list, make, read, change, renew and delete API keys."""

from typing import Any

import pytest
from tests.conformance.rest.conftest import Rest, path_of, problem, unique

KEYS = "/api/keys"
PERMISSION = {
    "access_methods": ["get", "put"],
    "resources": [],
    "source_ip": "",
    "referer": "",
    "minimum_interval_s": 0,
    "label": "",
}


def make(rest: Rest, key: str = "owner", **members: Any) -> Any:
    members = {"label": unique("Key"), "permissions": [PERMISSION], **members}
    made = rest.ask("POST", KEYS, key, json=members)
    assert made.status_code == 201, made.text
    return made.json()


def test_a_key_is_made_read_changed_and_deleted(rest: Rest) -> None:
    device = rest.device()
    wanted = {
        "label": "Greenhouse Pi",
        "permissions": [
            {
                "access_methods": ["get", "put"],
                "resources": [{"device": device["id"], "datastream": "t"}],
                "source_ip": "127.0.0.1",
                "referer": "example.com",
                "minimum_interval_s": 60,
                "label": "values",
            }
        ],
        "private_access": True,
        "expires_at": "2099-01-01T00:00:00.000000Z",
    }
    made = rest.ask("POST", KEYS, json=wanted)
    assert made.status_code == 201, made.text
    body = made.json()
    assert made.headers["Location"] == body["url"]
    assert {name: body[name] for name in wanted} == wanted
    assert (body["owner"], body["is_master"]) == ("owner", False)
    # Its secret is told now, and never again.
    assert len(body.pop("api_key")) >= 32
    path = path_of(body)
    read = rest.ask("GET", path)
    assert (read.json(), read.headers["ETag"]) == (body, made.headers["ETag"])

    changed = rest.ask("PATCH", path, json={"label": "Shed", "expires_at": None})
    assert changed.json() == {**body, "label": "Shed", "expires_at": None}
    replaced = rest.ask("PUT", path, json={**body, "permissions": [PERMISSION]})
    assert replaced.json() == {**body, "permissions": [PERMISSION]}
    assert rest.ask("DELETE", path).status_code == 204
    problem(rest.ask("GET", path), 404, "not-found")


def test_a_key_opens_what_it_says_until_it_is_deleted(rest: Rest) -> None:
    device = path_of(rest.device())
    made = make(rest, permissions=[{"access_methods": ["get"]}])
    secret = made["api_key"]
    assert rest.ask("GET", device, secret).status_code == 200
    problem(rest.ask("PATCH", device, secret, json={"title": "x"}), 403, "not-allowed")
    rest.ask("PATCH", path_of(made), json={"permissions": [PERMISSION]})
    assert rest.ask("PATCH", device, secret, json={"title": "x"}).status_code == 200
    assert rest.ask("DELETE", path_of(made)).status_code == 204
    problem(rest.ask("GET", device, secret), 401, "unauthenticated")


def test_a_renewed_key_has_another_secret_that_is_told_once(rest: Rest) -> None:
    made = make(rest)
    path = path_of(made)
    renewed = rest.ask("POST", f"{path}/regenerate")
    assert renewed.status_code == 200, renewed.text
    body = renewed.json()
    new, old = body.pop("api_key"), made.pop("api_key")
    assert (new != old, body) == (True, made)
    problem(rest.ask("GET", path, old), 401, "unauthenticated")
    assert rest.get(path, new) == body
    assert "api_key" not in rest.get(path)


def test_keys_are_listed_in_pages_found_and_ordered(rest: Rest) -> None:
    device = rest.device()
    word = unique("Needle").replace(" ", "")
    named = [{**PERMISSION, "resources": [{"device": device["id"], "datastream": None}]}]
    labels = [f"{word} {name}" for name in ("delta", "Alpha", "charlie", "Bravo")]
    made = [make(rest, label=label, permissions=named) for label in labels]
    found = rest.get(KEYS, q=word.lower())["results"]
    assert [each["label"] for each in found] == labels[::-1]  # newest first
    assert all("api_key" not in each for each in found)
    by_label = sorted(labels, key=str.casefold)
    assert [each["label"] for each in rest.get(KEYS, q=word, order="label")["results"]] == by_label
    assert len(rest.get(KEYS, device=device["id"])["results"]) == 5  # and its own
    pages = rest.walk(KEYS, q=word, order="label", page_size=3)
    assert [[each["label"] for each in page] for page in pages] == [by_label[:3], by_label[3:]]
    page = rest.get(KEYS, q=word, order="label", page_size=3)
    rest.ask("DELETE", path_of(made[1]))  # of the first page: nothing shifts
    second = rest.get(page["next"].removeprefix(rest.url))
    assert [each["label"] for each in second["results"]] == by_label[3:]
    first = rest.get(second["previous"].removeprefix(rest.url))
    assert [each["label"] for each in first["results"]] == by_label[1:3]


def test_a_key_that_is_no_master_key_sees_only_itself(rest: Rest) -> None:
    made = make(rest)
    secret, path = made.pop("api_key"), path_of(made)
    assert rest.get(KEYS, secret)["results"] == [made]
    assert rest.get(path, secret) == made
    other = path_of(make(rest))
    for method, where, body in [
        ("POST", KEYS, {"label": "x", "permissions": [PERMISSION]}),
        ("PATCH", path, {"label": "x"}),
        ("DELETE", path, None),
        ("POST", f"{path}/regenerate", None),
    ]:
        problem(rest.ask(method, where, secret, json=body), 403, "not-allowed")
    for method in ("GET", "PATCH", "DELETE"):
        problem(rest.ask(method, other, secret, json={"label": "x"}), 404, "not-found")


def test_a_key_of_another_account_is_as_if_there_were_none(rest: Rest) -> None:
    path = path_of(make(rest))
    for where in (path, f"{KEYS}/987654321"):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            body = {"label": "x", "permissions": [PERMISSION]}
            said = problem(rest.ask(method, where, "bob", json=body), 404, "not-found")
            number = where.rpartition("/")[2]
            assert said["detail"] == f"there is no key {number}"
        problem(rest.ask("POST", f"{where}/regenerate", "bob"), 404, "not-found")
    assert rest.ask("GET", path).status_code == 200


BAD = [
    ({}, "/label"),
    ({"label": "a"}, "/permissions"),
    ({"label": " ", "permissions": [PERMISSION]}, "/label"),
    ({"label": "x" * 256, "permissions": [PERMISSION]}, "/label"),
    ({"label": "a", "permissions": []}, "/permissions"),
    ({"label": "a", "permissions": [{}]}, "/permissions/0/access_methods"),
    ({"label": "a", "permissions": [{"access_methods": ["fly"]}]}, "/permissions/0/access_methods/0"),
    ({"label": "a", "permissions": [{"access_methods": []}]}, "/permissions/0/access_methods"),
    ({"label": "a", "permissions": [{**PERMISSION, "resources": [{}]}]}, "/permissions/0/resources/0/device"),
    ({"label": "a", "permissions": [{**PERMISSION, "resources": [{"device": 0}]}]}, "/permissions/0/resources/0/device"),
    ({"label": "a", "permissions": [{**PERMISSION, "resources": [{"device": 987654321}]}]}, "/permissions"),
    ({"label": "a", "permissions": [{**PERMISSION, "source_ip": "here"}]}, "/permissions"),
    ({"label": "a", "permissions": [{**PERMISSION, "minimum_interval_s": -1}]}, "/permissions/0/minimum_interval_s"),
    ({"label": "a", "permissions": [PERMISSION], "expires_at": "tomorrow"}, "/expires_at"),
    ({"label": "a", "permissions": [PERMISSION], "api_key": "mine"}, "/api_key"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "pointer"), BAD)
def test_bad_content_is_pointed_at(rest: Rest, body: dict[str, Any], pointer: str) -> None:
    said = problem(rest.ask("POST", KEYS, json=body), 422, "validation-failed")
    assert pointer in [each["pointer"] for each in said["errors"]]


def test_a_key_grants_no_more_than_it_has(rest: Rest) -> None:
    limited = {"access_methods": ["get", "put", "post", "delete"]}
    master = make(rest, permissions=[limited], expires_at="2099-01-01T00:00:00Z")["api_key"]
    body = {"label": "for ever", "permissions": [PERMISSION]}
    problem(rest.ask("POST", KEYS, master, json=body), 422, "validation-failed")
    body["expires_at"] = "2098-01-01T00:00:00Z"
    assert rest.ask("POST", KEYS, master, json=body).status_code == 201


def test_a_key_changes_only_from_the_state_that_was_seen(rest: Rest) -> None:
    path = path_of(make(rest))
    old = rest.ask("GET", path).headers["ETag"]
    new = rest.ask("PATCH", path, json={"label": unique("Changed")}).headers["ETag"]
    for method in ("PATCH", "DELETE"):
        asked = rest.ask(method, path, json={"label": "x"}, headers={"If-Match": old})
        problem(asked, 412, "precondition-failed")
    assert rest.ask("GET", path, headers={"If-None-Match": new}).status_code == 304
    assert rest.ask("DELETE", path, headers={"If-Match": new}).status_code == 204
