"""What a message is in each generation's words."""

from typing import Any

import msgspec
import pytest

from thingtank.tank.errors import ValidationFailed
from thingtank.tank.messaging.messages import GROUPS_MAX, Message, Shape, message_of, targets_of


def of(content: dict[str, Any]) -> Message:
    return Message("me", 1, 1_394_193_600_123_456, content)


STAMP = {"api": "message", "timestamp": 1_394_193_600_123, "eventCode": 300}


@pytest.mark.parametrize(
    ("shape", "content", "shown"),
    [
        ("modern", {"payload": 1}, {"payload": 1}),
        ("modern", {"message": 1}, {"message": 1, "payload": 1}),
        ("modern", {"message": 1, "payload": 2}, {"message": 1, "payload": 2}),
        ("modern", {"payload": None}, {"payload": None}),
        ("modern", {"topic": "t"}, {"topic": "t"}),
        ("legacy", {"payload": 1}, {"payload": 1, "message": 1, **STAMP}),
        ("legacy", {"message": 1}, {"message": 1, **STAMP}),
        ("legacy", {"message": 1, "payload": 2}, {"message": 1, "payload": 2, **STAMP}),
        ("legacy", {"topic": "t"}, {"topic": "t", **STAMP}),
    ],
)
def test_each_generation_reads_its_own_name(
    shape: Shape, content: dict[str, Any], shown: dict[str, Any]
) -> None:
    message = of(content)
    assert msgspec.json.decode(message.encoded(shape)) == shown
    assert message.encoded(shape) is message.encoded(shape)  # encoded once for all
    assert message.content == content


@pytest.mark.parametrize(
    ("content", "payload"),
    [
        ({"payload": 1, "message": 2}, 1),
        ({"payload": None, "message": 2}, None),
        ({"message": "text"}, "text"),
        ({}, None),
    ],
)
def test_what_a_message_says(content: dict[str, Any], payload: Any) -> None:
    assert of(content).payload == payload
    assert msgspec.json.decode(of(content).encoded_payload()) == payload


@pytest.mark.parametrize(
    ("topic", "found"), [("t", "t"), ("", ""), (5, ""), (None, ""), (["t"], "")]
)
def test_a_topic_is_a_text(topic: Any, found: str) -> None:
    assert of({"topic": topic}).topic == found
    assert of({}).topic == ""


def test_no_wire_s_shape_is_another_s_after_it_was_sent_on() -> None:
    message = of({"devices": ["a/b"], "payload": 1})
    message.encoded("modern")
    behind = message.addressed("b")
    assert msgspec.json.decode(behind.encoded("modern")) == {"devices": "b", "payload": 1}
    assert (behind.from_uuid, behind.from_id, behind.at_us) == ("me", 1, message.at_us)
    assert message.content["devices"] == ["a/b"]


def test_a_stranger_s_message_is_from_nobody_whatever_it_says() -> None:
    asked = {"devices": "lamp", "fromUuid": "door"}
    assert "fromUuid" not in message_of(asked, "", 0, 0).content
    assert message_of(asked, "me", 1, 0).content["fromUuid"] == "me"
    assert asked == {"devices": "lamp", "fromUuid": "door"}


def test_a_target_that_is_named_twice_is_one() -> None:
    assert list(targets_of(["b", "a", "b"])) == ["b", "a"]
    assert list(targets_of("a")) == ["a"]


def test_a_message_has_so_many_groups_and_no_more() -> None:
    groups = [f"tag:{number}" for number in range(GROUPS_MAX + 1)]
    assert len(targets_of([*groups[1:], "a", "b"])) == GROUPS_MAX + 2
    with pytest.raises(ValidationFailed, match="too many groups"):
        targets_of(groups)
