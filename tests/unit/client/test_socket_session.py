"""A subscription's side of the socket, without a socket."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.client.errors import Forbidden, NotFound, Refused, UnreadableAnswer
from thingtank.client.models import Datastream, parse_datastream
from thingtank.client.socket_session import SILENCE_S_MAX, Silent, SocketSession

RESOURCE = "/feeds/7/datastreams/t.json"


@pytest.fixture
def session() -> SocketSession[Datastream]:
    return SocketSession(RESOURCE, "KEY", parse_datastream)


def said(messages: list[str]) -> list[tuple[str, str]]:
    return [(found["method"], found["token"]) for found in map(json.loads, messages)]


def push(value: str) -> str:
    body = {"id": "t", "current_value": value}
    return json.dumps({"token": "s", "resource": RESOURCE, "body": body})


def test_a_connection_begins_with_subscribe(session: SocketSession[Datastream]) -> None:
    (hello,) = session.begin(0.0)
    assert json.loads(hello) == {
        "method": "subscribe",
        "resource": RESOURCE,
        "headers": {"X-ApiKey": "KEY"},
        "token": "s",
    }
    assert session.receive_message('{"token":"s","resource":"…","status":200}', 1.0) is None
    assert session.is_subscribed


def test_the_state_is_asked_for_after_a_reconnection_and_told_when_new(
    session: SocketSession[Datastream],
) -> None:
    session.begin(0.0)
    assert session.receive_message(push("1"), 1.0) == Datastream("t", "1")
    assert said(session.begin(2.0)) == [("subscribe", "s"), ("get", "g")]
    state = '{"token":"g","status":200,"body":{"id":"t","current_value":"%s"}}'
    assert session.receive_message(state % "1", 3.0) is None
    assert session.receive_message(state % "2", 3.0) == Datastream("t", "2")


def test_a_silent_server_is_asked_once_and_then_given_up(
    session: SocketSession[Datastream],
) -> None:
    session.begin(0.0)
    session.receive_message('{"token":"s","status":200}', 1.0)
    assert session.ask(SILENCE_S_MAX) is None
    assert session.silence_s_left(SILENCE_S_MAX) == 1.0
    question = session.ask(SILENCE_S_MAX + 1)
    assert question is not None
    assert said([question]) == [("subscribe", "s")]
    with pytest.raises(Silent):
        session.ask(2 * SILENCE_S_MAX + 1)


@pytest.mark.parametrize(
    ("message", "kind", "title"),
    [
        (
            '{"token":"s","status":403,"body":"Forbidden: You are not authorized"}',
            Forbidden,
            "Forbidden: You are not authorized",
        ),
        (
            '{"token":"s","status":404,"body":{"title":"Not found","errors":"no feed"}}',
            NotFound,
            "Not found",
        ),
        (
            '{"status":400,"body":{"title":"Bad Request","errors":["a","b"]}}',
            Refused,
            "Bad Request",
        ),
        ('{"token":"s","status":500,"body":[1]}', Refused, "refused"),
    ],
)
def test_a_refusal_is_raised(
    session: SocketSession[Datastream], message: str, kind: type[Refused], title: str
) -> None:
    with pytest.raises(kind) as caught:
        session.receive_message(message, 0.0)
    assert caught.value.title == title


@given(st.one_of(st.text(max_size=100), st.binary(max_size=100)))
def test_garbage_is_an_unreadable_answer(message: str | bytes) -> None:
    session = SocketSession(RESOURCE, "KEY", parse_datastream)
    with pytest.raises(UnreadableAnswer):
        session.receive_message(message, 0.0)
