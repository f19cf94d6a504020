"""`/api/triggers` and `/api/deliveries`: what is watched, who was told, and what became of it."""

from typing import Any

import pytest
from tests.conformance.rest.conftest import Rest, path_of, problem, unique
from tests.waiting import wait_until

TRIGGERS, DELIVERIES = "/api/triggers", "/api/deliveries"
SETTLED_S_MAX = 25.0  # mostly less than until the dispatcher's next poll, which mends
WEBHOOK = "https://127.0.0.1:9/told"  # never reached: private addresses are refused
CHANGED = {
    "kind": "gt",
    "threshold": "30",
    "webhook_url": WEBHOOK,
    "email": "",
    "clear_value": "28",
    "hold_s": 60,
    "quiet_s": 10,
    "is_enabled": True,
}


def watched(rest: Rest, key: str = "owner", **members: Any) -> Any:
    """A device with a datastream t that has a value."""
    device = rest.device(key, **members)
    values = {"datastreams": [{"id": "t", "current_value": "21"}]}
    written = rest.ask("PUT", f"/v2/feeds/{device['id']}.json", key, json=values)
    assert written.status_code == 200, written.text
    return device


def make(rest: Rest, device: Any, key: str = "owner", **members: Any) -> Any:
    body = {"device": device["id"], "datastream": "t", **CHANGED, **members}
    made = rest.ask("POST", TRIGGERS, key, json=body)
    assert made.status_code == 201, made.text
    return made.json()


def test_a_trigger_is_made_read_changed_and_deleted(rest: Rest) -> None:
    device = watched(rest)
    body = make(rest, device)
    assert {name: body[name] for name in CHANGED} == CHANGED
    assert (body["device"], body["datastream"], body["fired_at"]) == (device["id"], "t", None)
    assert body["device_url"] == device["url"]
    path = path_of(body)
    assert rest.get(path) == body
    assert rest.get(f"/v2/triggers/{body['id']}.json")["threshold_value"] == "30"

    changed = rest.ask("PATCH", path, json={"threshold": "31", "is_enabled": False})
    assert changed.json() == {**body, "threshold": "31", "is_enabled": False}
    least = {"kind": "change", "webhook_url": WEBHOOK}
    replaced = rest.ask("PUT", path, json=least).json()
    assert replaced == {**body, **least, "threshold": "", "clear_value": "", "hold_s": 0, "quiet_s": 5}  # fmt: skip
    # What it watches may be sent back, and stays.
    again = rest.ask("PUT", path, json={**body, "device": 987654321, "datastream": "other"})
    assert again.json() == body
    assert rest.ask("DELETE", path).status_code == 204
    problem(rest.ask("GET", path), 404, "not-found")


def test_triggers_are_listed_filtered_and_ordered(rest: Rest) -> None:
    device = watched(rest)
    first = make(rest, device)
    second = make(rest, device, kind="lt", clear_value="", is_enabled=False)
    third = make(rest, device, kind="change", threshold="", clear_value="", hold_s=0)
    here = {"device": str(device["id"])}
    assert rest.get(TRIGGERS, **here)["results"] == [first, second, third]
    by_uuid = rest.get(TRIGGERS, device=device["uuid"], order="-created")["results"]
    assert by_uuid == [third, second, first]
    for terms, found in [
        ({"kind": "lt"}, [second]),
        ({"is_enabled": "true"}, [first, third]),
        ({"is_enabled": "false"}, [second]),
        ({"datastream": "t", "kind": "change"}, [third]),
        ({"datastream": "nothing"}, []),
    ]:
        assert rest.get(TRIGGERS, **here, **terms)["results"] == found, terms
    pages = rest.walk(TRIGGERS, **here, page_size=2)
    assert pages == [[first, second], [third]]
    assert rest.get(TRIGGERS, device="987654321")["results"] == []
    problem(rest.ask("GET", f"{TRIGGERS}?sort=kind"), 400, "bad-parameter")


BAD = [
    ({}, "/device"),
    ({"kind": "above"}, "/kind"),
    ({"threshold": "warm"}, "/threshold"),
    ({"threshold": ""}, "/threshold"),
    ({"webhook_url": ""}, "/webhook_url"),
    ({"webhook_url": "ftp://x"}, "/webhook_url"),
    ({"email": "nobody"}, "/email"),
    ({"hold_s": -1}, "/hold_s"),
    ({"quiet_s": 0}, "/quiet_s"),
    ({"clear_value": "40"}, "/clear_value"),
    ({"datastream": "nothing"}, "/datastream"),
    ({"device": 987654321}, "/device"),
    ({"is_enabled": "yes"}, "/is_enabled"),
    ({"url": "https://example.com"}, None),
]


@pytest.mark.parametrize(("members", "pointer"), BAD)
def test_bad_content_is_pointed_at(
    rest: Rest, members: dict[str, Any], pointer: str | None
) -> None:
    device = watched(rest)
    whole = {"device": device["id"], "datastream": "t", **CHANGED, **members}
    body = whole if members else {}
    answer = rest.ask("POST", TRIGGERS, json=body)
    if pointer is None:  # `url` is the trigger's own address, which may be sent back
        assert answer.status_code == 201
        return
    said = problem(answer, 422, "validation-failed")
    assert pointer in [each["pointer"] for each in said["errors"]]


def test_who_may_not_see_a_device_cannot_tell_it_from_none(rest: Rest) -> None:
    hidden = watched(rest)
    body = {"datastream": "t", **CHANGED}
    for device_id in (hidden["id"], 987654321):
        asked = rest.ask("POST", TRIGGERS, "bob", json={**body, "device": device_id})
        said = problem(asked, 422, "validation-failed")
        assert said["errors"] == [{"pointer": "/device", "detail": "is not a feed"}]
    trigger = path_of(make(rest, hidden))
    for path in (trigger, f"{TRIGGERS}/987654321"):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            problem(rest.ask(method, path, "bob", json=CHANGED), 404, "not-found")
        problem(rest.ask("POST", f"{path}/test", "bob"), 404, "not-found")
    assert rest.get(TRIGGERS, "bob")["results"] == []


def test_a_key_needs_the_rights_that_a_trigger_uses(rest: Rest) -> None:
    device = watched(rest)
    trigger = path_of(make(rest, device))
    reader = rest.key(["get"], device["id"])
    said = problem(rest.ask("GET", trigger, reader), 403, "not-allowed")
    assert said["detail"].endswith(f"lacks put on feed {device['id']} datastream t")
    assert rest.get(TRIGGERS, reader)["results"] == []
    body = {"device": device["id"], "datastream": "t", **CHANGED}
    problem(rest.ask("POST", TRIGGERS, reader, json=body), 403, "not-allowed")
    problem(rest.ask("DELETE", trigger, rest.key(["get", "put"], device["id"])), 403, "not-allowed")
    other = rest.key(["get", "put", "post", "delete"], rest.device()["id"])
    problem(rest.ask("GET", trigger, other), 404, "not-found")
    writer = rest.key(["get", "put", "delete"], device["id"])
    assert rest.ask("DELETE", trigger, writer).status_code == 204


def test_a_trigger_changes_only_from_the_state_that_was_seen(rest: Rest) -> None:
    path = path_of(make(rest, watched(rest)))
    old = rest.ask("GET", path).headers["ETag"]
    new = rest.ask("PATCH", path, json={"threshold": "40"}).headers["ETag"]
    for method in ("PATCH", "DELETE"):
        answer = rest.ask(method, path, json={"threshold": "41"}, headers={"If-Match": old})
        problem(answer, 412, "precondition-failed")
    assert rest.ask("GET", path, headers={"If-None-Match": new}).status_code == 304
    assert rest.ask("DELETE", path, headers={"If-Match": new}).status_code == 204


def delivered(rest: Rest, path: str) -> Any:
    """A delivery once it waits no more."""

    def settled() -> Any:
        body = rest.get(path)
        return body if body["state"] != "waiting" else None

    return wait_until(settled, lambda: rest.get(path), s_max=SETTLED_S_MAX)


def test_a_test_is_sent_and_its_delivery_read_and_tried_again(rest: Rest) -> None:
    trigger = make(rest, watched(rest))
    tested = rest.ask("POST", f"{path_of(trigger)}/test")
    assert tested.status_code == 202, tested.text
    sent = tested.json()["deliveries"]
    assert [each["channel"] for each in sent] == ["webhook"]
    assert (sent[0]["is_test"], sent[0]["trigger"], sent[0]["owner"]) == (True, trigger["id"], "owner")  # fmt: skip
    path = path_of(sent[0])
    dead = delivered(rest, path)
    assert (dead["state"], dead["target"], dead["status"]) == ("dead", WEBHOOK, None)
    assert dead["attempts"][-1]["error"] == dead["error"] != ""
    assert '"threshold_value":"30"' in dead["document"].replace(" ", "")
    etag = rest.ask("GET", path).headers["ETag"]
    assert rest.ask("GET", path, headers={"If-None-Match": etag}).status_code == 304

    again = rest.ask("POST", f"{path}/retry")
    assert (again.status_code, again.json()["state"]) == (200, "waiting")
    assert delivered(rest, path)["attempt_count"] > dead["attempt_count"]
    said = problem(rest.ask("POST", f"{path}/cancel"), 422, "validation-failed")
    assert "only what waits" in said["detail"]
    assert rest.get(trigger["deliveries_url"].removeprefix(rest.url))["results"][0]["id"] == dead["id"]  # fmt: skip


def test_deliveries_are_listed_both_ways_and_filtered(rest: Rest) -> None:
    device = watched(rest)
    trigger = make(rest, device)
    sent = [rest.ask("POST", f"{path_of(trigger)}/test").json()["deliveries"][0] for _ in range(5)]
    ids = [each["id"] for each in sent]
    here = {"trigger": str(trigger["id"])}
    newest = [[each["id"] for each in page] for page in rest.walk(DELIVERIES, **here, page_size=2)]
    assert newest == [ids[4:2:-1], ids[2:0:-1], ids[:1]]
    oldest = rest.walk(DELIVERIES, **here, page_size=3, order="created")
    assert [[each["id"] for each in page] for page in oldest] == [ids[:3], ids[3:]]
    second = rest.get(rest.get(DELIVERIES, **here, page_size=3)["next"].removeprefix(rest.url))
    first = rest.get(second["previous"].removeprefix(rest.url))
    assert [each["id"] for each in first["results"]] == ids[4:1:-1]
    assert first["previous"] is None
    for each in sent:
        delivered(rest, path_of(each))
    assert len(rest.get(DELIVERIES, **here, state="dead")["results"]) == 5
    assert rest.get(DELIVERIES, **here, state="delivered")["results"] == []
    assert len(rest.get(DELIVERIES, device=device["id"])["results"]) == 5


def test_deliveries_of_another_account_are_as_if_there_were_none(rest: Rest) -> None:
    device = watched(rest)
    trigger = make(rest, device)
    path = path_of(rest.ask("POST", f"{path_of(trigger)}/test").json()["deliveries"][0])
    for where in (path, f"{DELIVERIES}/987654321"):
        problem(rest.ask("GET", where, "bob"), 404, "not-found")
        for action in ("retry", "cancel"):
            problem(rest.ask("POST", f"{where}/{action}", "bob"), 404, "not-found")
    assert rest.get(DELIVERIES, "bob", trigger=trigger["id"])["results"] == []
    device_key = rest.key(["get", "put", "post", "delete"], device["id"])
    for where in (path, DELIVERIES):
        problem(rest.ask("GET", where, device_key), 403, "not-allowed")


def test_a_trigger_is_made_once_for_an_idempotency_key(rest: Rest) -> None:
    device = watched(rest)
    body = {"device": device["id"], "datastream": "t", **CHANGED}
    headers = {"Idempotency-Key": unique("trigger").replace(" ", "-")}
    made = [rest.ask("POST", TRIGGERS, json=body, headers=headers).json() for _ in range(2)]
    assert made[0] == made[1]
    assert len(rest.get(TRIGGERS, device=str(device["id"]))["results"]) == 1
