"""What a SkyNet client remembers, and how it reads what servers say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from thingtank.client.errors import (
    Invalid,
    NotFound,
    RateLimited,
    Refused,
    Unauthorized,
    UnreadableAnswer,
)
from thingtank.client.skynet import AsyncSkynetClient, DataRecord, Identity, Message, SkynetClient
from thingtank.client.skynet import session as module
from thingtank.client.skynet.models import message_of, receipts_of, records_of
from thingtank.client.skynet.session import Session, checked, identity_of, refusal_of_not_ready


@pytest.mark.parametrize(
    ("event", "body", "wanted"),
    [
        ("message", {"devices": ["u"], "payload": 1, "fromUuid": "f", "topic": "t", "x": 2}, Message("message", 1, "f", "t", ["u"], others={"x": 2})),
        ("message", {"devices": "u", "message": {"a": 1}}, Message("message", {"a": 1}, devices="u")),
        ("message", {"payload": 1, "kept": {"id": "7", "at": 5}}, Message("message", 1, kept_id="7")),
        ("message", {"payload": 1, "fromUuid": 5, "topic": None, "kept": 3}, Message("message", 1)),
        ("message", "only the payload", Message("message", "only the payload")),
        ("config", {"uuid": "u", "payload": 1}, Message("config", {"uuid": "u", "payload": 1})),
    ],
)  # fmt: skip
def test_messages_of_all_generations_are_read(event: str, body: Any, wanted: Message) -> None:
    assert message_of(event, body) == wanted


def test_a_kept_message_that_comes_twice_is_heard_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_IDS_MAX", 2)
    session = Session(None, 10)
    heard = [session.take(Message("message", 1, kept_id=kept_id)) for kept_id in "1123131"]
    # Of more than are remembered the oldest is forgotten.
    assert heard == [True, False, True, True, True, False, False]
    assert session.take(Message("message", 1))
    assert session.take(Message("message", 1))


def test_what_is_not_read_in_time_is_dropped_and_counted() -> None:
    session = Session(None, 2)
    for number in range(5):
        session.take(Message("message", number))
    read = [session.next_message() for _ in range(3)]
    assert [message.payload for message in read if message] == [3, 4]
    assert session.dropped_count == 3


def test_subscriptions_are_remembered_by_device_with_all_their_kinds() -> None:
    session = Session(None, 1)
    session.subscribe({"uuid": "a", "types": ["broadcast"]})
    session.subscribe({"uuid": "a", "types": ["data", "broadcast"], "token": "t"})
    session.subscribe({"uuid": "b", "types": ["config"]})
    assert session.subscriptions() == [
        {"uuid": "a", "types": ["broadcast", "data"], "token": "t"},
        {"uuid": "b", "types": ["config"]},
    ]
    session.unsubscribe("a", ["broadcast"])
    session.unsubscribe("b", None)
    session.unsubscribe("c", None)
    assert session.subscriptions() == [{"uuid": "a", "types": ["data"], "token": "t"}]
    session.unsubscribe("a", ["data"])
    assert session.subscriptions() == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"error": {"message": "Device not found", "code": 404}}, NotFound),
        ({"error": {"message": "unauthorized", "code": 401}}, Unauthorized),
        (
            {"error": {"message": "Rate Limit Exceeded", "code": 429, "retryAfter": 0.5}},
            RateLimited,
        ),
        ({"error": "unauthorized access"}, Unauthorized),
        ({"error": "Invalid Message Format", "problems": ["devices are none"]}, Invalid),
        ({"error": "something else"}, Refused),
        ({"api": "getdata", "result": False}, Unauthorized),
    ],
)
def test_refusals_are_errors(answer: Any, kind: type[Refused]) -> None:
    with pytest.raises(kind) as caught:
        checked(answer)
    if kind is RateLimited:
        assert caught.value.retry_after_s == 0.5
    if kind is Invalid:
        assert caught.value.errors == ("devices are none",)


@pytest.mark.parametrize(
    "answer", [None, 5, [], {}, {"error": None, "results": {}}, {"result": True}]
)
def test_all_else_is_an_answer(answer: Any) -> None:
    assert checked(answer) == answer


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"api": "connect", "status": 401, "uuid": "u"}, 401),
        ({"status": 429, "error": {"message": "Rate Limit Exceeded", "code": 429}}, 429),
        (None, 401),
        ({}, 401),
    ],
)
def test_a_server_that_is_not_ready_says_why(body: Any, status: int) -> None:
    assert refusal_of_not_ready(body).status == status


def test_answers_of_something_else_are_told_as_such() -> None:
    for answer in (None, {}, {"receipts": [{"outcome": "delivered"}]}, {"receipts": 5}):
        with pytest.raises(UnreadableAnswer):
            receipts_of(answer)
    for answer in (None, {}, {"data": [{}]}, {"data": [{"timestamp": "now"}]}):
        with pytest.raises(UnreadableAnswer):
            records_of(answer)
    with pytest.raises(UnreadableAnswer):
        identity_of({"uuid": None})


def test_recorded_values_have_their_time() -> None:
    shown = {"timestamp": "2026-11-27T02:00:00.250Z", "uuid": "u", "temperature": "21.5"}
    at = datetime(2026, 11, 27, 2, 0, 0, 250_000, UTC)
    assert records_of({"data": [shown]}) == [DataRecord(at, {"temperature": "21.5"})]


@pytest.mark.parametrize("make", [AsyncSkynetClient, SkynetClient])
def test_what_cannot_be_is_refused_at_once_and_no_secret_is_printed(make: Any) -> None:
    with pytest.raises(ValueError, match="address"):
        make("127.0.0.1:3000")
    with pytest.raises(ValueError, match="hears"):
        make("http://127.0.0.1", hears=["everything"])
    with pytest.raises(ValueError, match="token"):
        make("http://127.0.0.1", "u")
    assert "secret" not in repr(make("http://127.0.0.1", "u", "secret"))
    assert "secret" not in repr(Identity("u", "secret"))
