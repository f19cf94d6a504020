"""Every client by each of its ways, with the current socket.io client at the other end."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.interop.skynet.clients import (
    REFERENCE,
    WAYS,
    Device,
    Failed,
    Way,
    content_of,
    contents_of,
)

OpenDevice = Callable[..., Device]
Register = Callable[..., dict[str, Any]]
RED = "rot, 赤, 😀, \u2028"
CONTENT = {
    "text": "zwei, 二, 😀, \u2028",
    "numbers": [1, -2.5, True, None],
    "deep": {"er": "\ufffd"},
}

LONG = "zwei, 二, 😀 " * 1500  # several reads, whatever the wire makes of it


def ways_that(*words: str) -> pytest.MarkDecorator:
    """A test with each way by which something can be done."""
    return pytest.mark.parametrize("way", [way for way in WAYS if way.can(*words)], ids=str)


@ways_that()
def test_device_identifies_and_knows_itself(
    way: Way, open_device: OpenDevice, register: Register, unused: str
) -> None:
    made = register(name=unused, colour=RED)
    device = open_device(way, made)
    me = device.do("whoami")
    assert (me["uuid"], me["name"], me["colour"]) == (made["uuid"], unused, RED)


@ways_that()
def test_device_with_a_wrong_token_is_refused(
    way: Way, open_device: OpenDevice, register: Register
) -> None:
    with pytest.raises(Failed):
        open_device(way, {**register(), "token": "wrong"})


@ways_that("be_made")
def test_device_without_credentials_is_made_and_keeps_what_it_is_told(
    way: Way, open_device: OpenDevice
) -> None:
    made = open_device(way, {})
    made.close()
    again = open_device(way, {"uuid": made.uuid, "token": made.token})
    assert again.do("whoami")["uuid"] == made.uuid


@ways_that("register")
def test_registered_device_can_identify(way: Way, open_device: OpenDevice, unused: str) -> None:
    made = open_device(way).do("register", properties={"name": unused, "type": "drone"})
    assert (made["name"], made["type"]) == (unused, "drone")
    assert open_device(way, made).do("whoami")["name"] == unused


@ways_that("status")
def test_status_is_online_in_the_words_of_both_generations(
    way: Way, open_device: OpenDevice
) -> None:
    status = open_device(way).do("status")
    assert (status["skynet"], status["meshblu"]) == ("online", "online")


@ways_that()
def test_update_is_seen_by_others_and_told_to_the_device(
    way: Way, open_device: OpenDevice, unused: str
) -> None:
    device, other = open_device(way), open_device(REFERENCE)
    device.do("update", properties={"colour": unused, "sizes": [1, 2]})
    assert other.find(colour=unused) == {device.uuid}
    assert device.do("whoami")["sizes"] == [1, 2]
    if way.can("config"):
        assert device.heard("config")["colour"] == unused


@ways_that("devices")
def test_devices_are_found_by_what_they_are(
    way: Way, open_device: OpenDevice, register: Register, unused: str
) -> None:
    device = open_device(way)
    made = [register(name=unused, colour=colour)["uuid"] for colour in ("red", "red", "green")]
    assert device.find(name=unused) == set(made)
    assert device.find(name=unused, colour="red") == set(made[:2])
    assert device.find(name=unused, colour="blue") == set()


@ways_that()
def test_message_arrives_whole_with_its_sender(way: Way, open_device: OpenDevice) -> None:
    device, other = open_device(way), open_device(REFERENCE)
    device.send(other.uuid, CONTENT, topic="greeting")
    message = other.heard()
    assert content_of(message) == CONTENT
    assert (message["fromUuid"], message["topic"]) == (device.uuid, "greeting")
    assert "token" not in message


@ways_that("hear")
def test_messages_are_heard_whole_and_in_order(way: Way, open_device: OpenDevice) -> None:
    device, other, third = (open_device(each) for each in (way, REFERENCE, REFERENCE))
    other.send(device.uuid, CONTENT)
    for number in range(3):
        other.send([third.uuid, device.uuid], number)
    messages = device.do("events", name="message", count=4)
    wanted = [CONTENT, 0, 1, 2]
    assert contents_of(messages, device, wanted) == wanted
    assert {message["fromUuid"] for message in messages} == {other.uuid}
    assert [content_of(third.heard()) for _ in range(3)] == [0, 1, 2]


@ways_that("hear")
def test_long_message_arrives_whole(way: Way, open_device: OpenDevice) -> None:
    device, other = open_device(way), open_device(REFERENCE)
    device.send(other.uuid, LONG)
    assert content_of(other.heard()) == LONG
    other.send(device.uuid, LONG)
    assert content_of(device.heard()) == LONG


@ways_that("hear")
def test_device_hears_what_it_sends_itself(way: Way, open_device: OpenDevice) -> None:
    device = open_device(way)
    device.send(device.uuid, CONTENT)
    message = device.heard()
    assert (content_of(message), message["fromUuid"]) == (CONTENT, device.uuid)


@ways_that("hear")
def test_messages_for_a_device_that_is_away_are_kept_where_it_wants_them(
    way: Way, open_device: OpenDevice, register: Register
) -> None:
    made, other = register(keepMessages=True), open_device(REFERENCE)
    for number in range(3):
        other.send(made["uuid"], number)
    other.do("whoami")  # so they have been taken
    device = open_device(way, made)
    other.send(device.uuid, 3)
    messages = device.do("events", name="message", count=4)
    assert contents_of(messages, device, [0, 1, 2, 3]) == [0, 1, 2, 3]


@ways_that()
def test_broadcast_reaches_its_subscribers(way: Way, open_device: OpenDevice) -> None:
    device, subscriber, other = (open_device(each) for each in (way, REFERENCE, REFERENCE))
    subscriber.do("subscribe", uuid=device.uuid)
    device.send("*", CONTENT)
    message = subscriber.heard()
    assert (content_of(message), message["fromUuid"]) == (CONTENT, device.uuid)
    device.send(other.uuid, "only for you")
    assert content_of(other.heard()) == "only for you"


@ways_that("hear")
def test_subscriber_hears_broadcasts_until_it_unsubscribes(
    way: Way, open_device: OpenDevice
) -> None:
    device, other = open_device(way), open_device(REFERENCE)
    device.do("subscribe", uuid=other.uuid)
    other.send("*", CONTENT)
    message = device.heard()
    assert (content_of(message), message["fromUuid"]) == (CONTENT, other.uuid)
    device.do("unsubscribe", uuid=other.uuid)
    other.send("*", "to nobody")
    other.send(device.uuid, "to you")
    assert content_of(device.heard()) == "to you"


@ways_that("presence")
def test_coming_and_going_is_seen(
    way: Way, open_device: OpenDevice, register: Register, unused: str
) -> None:
    made, witness = register(name=unused), open_device(REFERENCE)
    witness.do("subscribe", uuid=made["uuid"])
    assert witness.find(name=unused, online="true") == set()
    device = open_device(way, made)
    came = witness.heard()
    assert (came["topic"], came["payload"]["online"]) == ("device-status", True)
    assert witness.find(name=unused, online="true") == {device.uuid}
    device.close()
    went = witness.heard()
    assert (went["payload"]["online"], went["fromUuid"]) == (False, device.uuid)
    assert witness.find(name=unused, online="true") == set()


@ways_that("data")
def test_sensor_data_is_kept(
    way: Way, open_device: OpenDevice, kept_data: Callable[[Device], Any]
) -> None:
    device = open_device(way)
    for temperature in (21.5, 22):
        device.do("data", values={"temperature": temperature, "room": "attic"})
    kept = kept_data(device)
    assert [float(each["temperature"]) for each in kept] == [22, 21.5]
    assert {each["room"] for each in kept} == {"attic"}
    if way.can("getdata"):
        (last,) = device.do("getdata", limit=1)["data"]
        assert float(last["temperature"]) == 22


@ways_that("unregister")
def test_unregistered_device_is_gone(
    way: Way, open_device: OpenDevice, register: Register, unused: str
) -> None:
    device, other = open_device(way, register(name=unused)), open_device(REFERENCE)
    assert other.find(name=unused) == {device.uuid}
    device.do("unregister")
    assert other.find(name=unused) == set()
    if way.can("unregistered"):
        assert device.heard("unregistered")["uuid"] == device.uuid
    with pytest.raises(Failed):
        open_device(way, {"uuid": device.uuid, "token": device.token})
