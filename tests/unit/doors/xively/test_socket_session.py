"""A connection's pace: what is held while the peer does not read, and for how long."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from thingtank.doors.xively import sockets
from thingtank.doors.xively.settings import SocketSettings
from thingtank.doors.xively.sockets import SocketDoor, SocketSession
from thingtank.net.http_request import RequestHead, Respond

ANSWER = b'"' + b"x" * 100 + b'"'
SETTINGS = SocketSettings(unread_bytes_max=1000, requests_max=4)


class Peer:
    """Reads when the test says so."""

    address = "192.0.2.1"

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.unread = 0
        self.is_paused = False
        self.resumed, self.aborted = asyncio.Event(), asyncio.Event()

    def send(self, message: bytes) -> None:
        self.sent.append(message)
        self.unread += len(message)

    def unread_bytes(self) -> int:
        return self.unread

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False
        self.resumed.set()

    def close(self) -> None:
        self.aborted.set()

    def abort(self) -> None:
        self.aborted.set()


def answer_at_once(_head: RequestHead, _body: bytes, respond: Respond) -> None:
    respond(200, [(b"content-type", b"application/json")], ANSWER)


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def session(peer: Peer) -> SocketSession:
    answers = {"xively_tcp": answer_at_once}
    door = SimpleNamespace(answers=answers, settings=SETTINGS)
    return SocketSession(cast("SocketDoor", door), peer, "xively_tcp")


def ask(session: SocketSession, count: int) -> None:
    for token in range(count):
        session.receive_message(b'{"method":"get","resource":"/feeds/1","token":%d}' % token)


async def test_requests_are_held_while_answers_wait_and_answered_in_order_once_they_are_read(
    session: SocketSession, peer: Peer
) -> None:
    ask(session, 10)
    assert peer.is_paused
    held_from = len(peer.sent)
    assert 500 < peer.unread < 500 + 2 * len(ANSWER)  # one answer over the half
    await asyncio.sleep(0.1)
    assert len(peer.sent) == held_from
    while len(peer.sent) < 10:
        peer.unread = 0
        await asyncio.sleep(0.01)
    peer.unread = 0
    await asyncio.wait_for(peer.resumed.wait(), 10)
    assert not peer.is_paused
    assert [b'"token":%d' % token in sent for token, sent in enumerate(peer.sent)] == [True] * 10


async def test_a_peer_that_leaves_its_answers_unread_is_ended(
    session: SocketSession, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "UNREAD_S_MAX", 0.1)
    ask(session, 10)
    assert not peer.aborted.is_set()
    await asyncio.wait_for(peer.aborted.wait(), 10)


async def test_what_is_held_is_forgotten_with_the_connection(
    session: SocketSession, peer: Peer
) -> None:
    ask(session, 10)
    sent_count = len(peer.sent)
    session.end()
    peer.unread = 0
    await asyncio.sleep(0.1)
    assert len(peer.sent) == sent_count
