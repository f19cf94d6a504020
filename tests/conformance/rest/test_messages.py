"""`/api/messages`, and what a device has of them: those that are kept, and its event log."""

from typing import Any

import pytest
import requests
from tests.conformance.rest.conftest import Rest, problem

MESSAGES = "/api/messages"
KEEPS = {"properties": {"keepMessages": True}}


def send(rest: Rest, key: str = "owner", **members: Any) -> Any:
    sent = rest.ask("POST", MESSAGES, key, json=members)
    assert sent.status_code == 200, sent.text
    return sent.json()


def test_a_message_is_sent_with_a_receipt_for_each_target(rest: Rest) -> None:
    away, keeps, hidden = rest.device(), rest.device(**KEEPS), rest.device("bob")
    devices = [away["uuid"], keeps["uuid"], hidden["uuid"], "nobody"]
    sent = send(rest, devices=devices, topic="lights", payload={"on": True})
    assert (sent["devices"], sent["sender"], sent["topic"]) == (devices, "", "lights")
    assert sent["payload"] == {"on": True}
    outcomes = [(each["devices"], each["outcome"]) for each in sent["receipts"]]
    wanted = ["away", "kept", "undeliverable", "undeliverable"]
    assert outcomes == list(zip(devices, wanted, strict=True))


def test_kept_messages_are_listed_and_stay(rest: Rest) -> None:
    device = rest.device(**KEEPS)
    for number in range(5):
        send(rest, devices=[device["uuid"]], payload=number)
    path = f"/api/devices/{device['id']}/messages"
    pages = rest.walk(path, page_size=2)
    said = [[each["message"]["payload"] for each in page] for page in pages]
    assert said == rest_of(rest, path) == [[0, 1], [2, 3], [4]]
    back = rest.get(rest.get(path, page_size=3)["next"].removeprefix(rest.url))["previous"]
    before = rest.get(back.removeprefix(rest.url))["results"]
    assert [each["message"]["payload"] for each in before] == [0, 1, 2]
    newest = rest.get(f"/api/devices/{device['uuid']}/messages", order="-kept", page_size=1)
    assert newest["results"][0]["message"]["payload"] == 4
    # The device itself, which comes by SkyNet's door, gets them all the same.
    assert newest["results"][0]["message"]["devices"] == [device["uuid"]]


def rest_of(rest: Rest, path: str) -> list[list[Any]]:
    """The same once more: reading has taken nothing away."""
    pages = rest.walk(path, page_size=2)
    return [[each["message"]["payload"] for each in page] for page in pages]


def test_a_message_of_a_device_carries_its_uuid(rest: Rest) -> None:
    # As a device it may what the device may, and so the other has to let it.
    lets_in = {**KEEPS["properties"], "sendWhitelist": ["*"]}
    sender, receiver = rest.device(), rest.device(properties=lets_in)
    for name in (str(sender["id"]), sender["uuid"]):
        sent = send(rest, devices=[receiver["uuid"]], sender=name, payload=1)
        assert sent["sender"] == sender["uuid"]
    # To whoever listens to it, which nobody does.
    cast = send(rest, devices=["*"], sender=sender["uuid"], payload=1)
    assert [each["outcome"] for each in cast["receipts"]] == ["away"]
    kept = rest.get(f"/api/devices/{receiver['id']}/messages")["results"]
    assert [each["message"]["fromUuid"] for each in kept] == [sender["uuid"]] * 2


def test_nobody_sends_as_a_device_of_others(rest: Rest) -> None:
    public = rest.device("bob", private=False)
    hidden = rest.device("bob")
    own = rest.device()
    body = {"devices": [own["uuid"]], "payload": 1}
    for name in (hidden["uuid"], str(hidden["id"]), "nobody", "987654321"):
        answer = rest.ask("POST", MESSAGES, json={**body, "sender": name})
        said = problem(answer, 422, "validation-failed")
        assert said["errors"] == [{"pointer": "/sender", "detail": "is no device"}]
    answer = rest.ask("POST", MESSAGES, json={**body, "sender": public["uuid"]})
    problem(answer, 403, "not-allowed")
    reader = rest.key(["get"], own["id"])
    answer = rest.ask("POST", MESSAGES, reader, json={**body, "sender": own["uuid"]})
    problem(answer, 403, "not-allowed")
    # As itself it reaches no more than its key.
    sent = send(rest, reader, devices=[own["uuid"]], payload=1)
    assert sent["receipts"][0]["outcome"] == "undeliverable"


@pytest.mark.parametrize("which", ["messages", "events"])
def test_what_a_device_has_of_messages_is_for_who_may_change_it(rest: Rest, which: str) -> None:
    hidden, public = rest.device(), rest.device(private=False)
    for name in (hidden["id"], hidden["uuid"], 987654321):
        problem(rest.ask("GET", f"/api/devices/{name}/{which}", "bob"), 404, "not-found")
    path = f"/api/devices/{public['id']}/{which}"
    problem(rest.ask("GET", path, "bob"), 403, "not-allowed")
    problem(rest.ask("GET", path, rest.key(["get"], public["id"])), 403, "not-allowed")
    assert rest.ask("GET", path, rest.key(["put"], public["id"])).status_code == 200


def test_the_event_log_tells_what_happened_newest_first(rest: Rest) -> None:
    device = rest.device()
    for number in range(5):
        send(rest, devices=[device["uuid"]], payload=number)
    path = f"/api/devices/{device['id']}/events"
    pages = rest.walk(path, page_size=3)
    events = [each for page in pages for each in page]
    assert [len(page) for page in pages][:-1] == [3] * (len(pages) - 1)
    messages = [each["body"]["payload"] for each in events if each["code"] == 300]
    assert messages == [4, 3, 2, 1, 0]
    assert rest.get(path)["previous"] is None
    problem(rest.ask("GET", f"{path}?cursor=nonsense"), 400, "bad-parameter")


BAD = [
    ({}, "/devices"),
    ({"devices": []}, "/devices"),
    ({"devices": "all"}, "/devices"),
    ({"devices": [""]}, "/devices/0"),
    ({"devices": ["x"], "sender": 7}, "/sender"),
    ({"devices": ["x"], "topic": 7}, "/topic"),
    ({"devices": ["x"], "message": 7}, "/message"),
    ({"devices": ["x"] * 1001}, "/devices"),
]


@pytest.mark.parametrize(("body", "pointer"), BAD)
def test_bad_content_is_pointed_at(rest: Rest, body: dict[str, Any], pointer: str) -> None:
    said = problem(rest.ask("POST", MESSAGES, json=body), 422, "validation-failed")
    assert pointer in [each["pointer"] for each in said["errors"]]


def test_a_message_is_sent_once_for_an_idempotency_key(rest: Rest) -> None:
    device = rest.device(**KEEPS)
    body = {"devices": [device["uuid"]], "payload": 1}
    answers: list[requests.Response] = [
        rest.ask("POST", MESSAGES, json=body, headers={"Idempotency-Key": f"once-{device['id']}"})
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert len(rest.get(f"/api/devices/{device['id']}/messages")["results"]) == 1
