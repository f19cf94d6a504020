"""`thingtank.client.skynet` with a real server, also where the connection breaks."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from tests.interop.skynet.conftest import Register
from tests.waiting import wait_until

from thingtank.client.errors import NotFound, Unauthorized, Unreachable
from thingtank.client.skynet import AsyncSkynetClient, Message, Receipt, SkynetClient

WAIT_S_MAX = 20.0  # less than from heartbeat to heartbeat, which finds what was cut anyway
TEXT = "二 \u2028 \ufffd 😀"


class Cut:
    """A way to the server that can be cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (str(parts.hostname), int(parts.port or 0))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.is_shut = False
        self.is_slow = False
        self.connection_count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.is_shut:
                    client.close()
                    continue
                self.connection_count += 1
                while self.is_slow:
                    time.sleep(0.01)
                server = socket.create_connection(self._server)
                self._open += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        cut, self._open = self._open, []  # who comes again at once is not cut twice
        for each in cut:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def close(self) -> None:
        self._listener.close()
        self.cut()


@pytest.fixture
def way(url: str) -> Iterator[Cut]:
    made = Cut(url)
    yield made
    made.close()


eventually = partial(wait_until, s_max=WAIT_S_MAX)


def next_of(client: SkynetClient) -> Message:
    message = client.next_message(WAIT_S_MAX)
    assert message is not None
    return message


def test_a_program_registers_changes_and_finds_devices(url: str, unused: str) -> None:
    with SkynetClient(url, properties={"color": unused}) as me:
        assert me.is_connected
        assert me.whoami()["color"] == unused
        assert me.update({"color": None, "kind": unused, "at": [1, {"x": 2.5}]})["kind"] == unused
        other = me.register({"kind": unused, "name": "Other"})
        assert other.uuid != me.uuid
        assert me.device(other.uuid)["name"] == "Other"
        assert [found["uuid"] for found in me.devices(kind=unused)] == [other.uuid, me.uuid]
        assert me.devices(kind="nothing like that") == []
        with pytest.raises(NotFound):
            me.device("nobody")
        with pytest.raises(Unauthorized):
            me.update({"color": "red"}, other.uuid)
        me.unregister()


def test_messages_arrive_whole_and_in_order_and_what_became_of_them_is_told(
    url: str, register: Register
) -> None:
    away, keeper = register()["uuid"], register(keepMessages=True)
    with SkynetClient(url) as one, SkynetClient(url) as other:
        receipts = one.send([other.uuid, away, keeper["uuid"], "nobody"], TEXT, topic="t", extra=1)
        outcomes = ["delivered", "away", "kept", "undeliverable"]
        targets = [other.uuid, away, keeper["uuid"], "nobody"]
        assert receipts == [Receipt(*pair) for pair in zip(targets, outcomes, strict=True)]
        message = next_of(other)
        assert (message.payload, message.from_uuid, message.topic) == (TEXT, one.uuid, "t")
        assert message.others["extra"] == 1
        for number in range(50):
            one.send(other.uuid, number)
        assert [next_of(other).payload for _ in range(50)] == list(range(50))
        with SkynetClient(url, keeper["uuid"], keeper["token"]) as back:
            message = next_of(back)
            assert (message.payload, bool(message.kept_id)) == (TEXT, True)


def test_what_other_devices_do_is_heard_by_kind(url: str) -> None:
    hears = ("message", "config", "data")
    with SkynetClient(url) as lamp, SkynetClient(url, hears=hears) as me:
        me.subscribe(lamp.uuid, ["broadcast", "config"], topics=["light*"])
        me.subscribe(lamp.uuid, ["data"])
        assert lamp.send("*", "heard", topic="lights")[0].count == 1
        lamp.send("*", "not heard", topic="sounds")
        message = next_of(me)
        assert (message.payload, message.from_uuid) == ("heard", lamp.uuid)
        lamp.update({"color": "red"})
        message = next_of(me)
        assert (message.event, message.payload["color"]) == ("config", "red")
        lamp.data({"temperature": 21.5, "door": "open"})
        message = next_of(me)
        assert (message.event, message.payload["temperature"]) == ("data", 21.5)
        me.unsubscribe(lamp.uuid)
        lamp.send("*", "not heard", topic="lights")
        assert me.next_message(0.1) is None
        (record,) = lamp.history()
        assert record.values == {"temperature": "21.5", "door": "open"}
        assert lamp.history(start=record.at, limit=0) == [record]
        assert lamp.history(end=record.at) == []
        assert me.dropped_count == 0


def test_a_wrong_token_and_a_server_that_is_not_there_are_told(
    url: str, register: Register
) -> None:
    with pytest.raises(Unauthorized), SkynetClient(url, register()["uuid"], "wrong"):
        raise AssertionError
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = SkynetClient(f"http://127.0.0.1:{port}", timeout_s=2)
    with pytest.raises(Unreachable):
        client.connect()
    with pytest.raises(Unreachable):
        client.whoami()
    assert client.next_message() is None
    client.close()


def test_after_a_broken_connection_all_is_as_before(
    way: Cut, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thingtank.client.skynet.async_client.RECONNECT_S_FIRST", 0.05)
    with SkynetClient(url) as lamp, SkynetClient(way.url, properties={"keepMessages": True}) as me:
        me.subscribe(lamp.uuid)
        uuid = me.uuid
        way.is_shut = True
        way.cut()
        eventually(lambda: not me.is_connected)
        eventually(lambda: lamp.send(uuid, "kept")[0].outcome == "kept")
        way.is_shut = False
        assert me.whoami()["uuid"] == uuid  # waits until it is back
        message = next_of(me)
        assert (message.payload, bool(message.kept_id)) == ("kept", True)
        assert lamp.send("*", "again")[0].count == 1
        assert next_of(me).payload == "again"


def test_who_waits_is_told_when_the_token_opens_no_more(
    way: Cut, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thingtank.client.skynet.async_client.RECONNECT_S_FIRST", 0.05)
    with SkynetClient(way.url) as me:
        headers = {"meshblu_auth_uuid": me.uuid, "meshblu_auth_token": me.token}
        answer = requests.post(f"{url}/devices/{me.uuid}/token", headers=headers, timeout=10)
        assert answer.ok
        way.cut()
        with pytest.raises(Unauthorized):
            me.next_message(WAIT_S_MAX)
        with pytest.raises(Unauthorized):
            me.whoami()
        assert not me.is_connected
        time.sleep(0.2)
        assert way.connection_count == 2  # it does not come back again and again


async def test_who_closes_while_the_connection_is_made_again_stays_away(
    way: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thingtank.client.skynet.async_client.RECONNECT_S_FIRST", 0.05)
    me = AsyncSkynetClient(way.url)
    await me.connect()
    way.is_slow = True
    way.cut()
    await asyncio.to_thread(eventually, lambda: way.connection_count == 2)
    closing = asyncio.create_task(me.close())
    await asyncio.sleep(0.1)
    way.is_slow = False
    await closing
    await asyncio.sleep(1)
    assert way.connection_count == 2


def test_closing_ends_a_loop_over_messages(url: str) -> None:
    me = SkynetClient(url)
    me.connect()
    heard: list[Any] = []

    def read() -> None:
        heard.extend(message.payload for message in me)

    reader = threading.Thread(target=read)
    reader.start()
    me.send(me.uuid, "one")
    eventually(lambda: heard == ["one"])
    me.close()
    me.close()
    reader.join(WAIT_S_MAX)
    assert not reader.is_alive()


async def test_the_same_with_asyncio(url: str) -> None:
    async with AsyncSkynetClient(url) as one, AsyncSkynetClient(url) as other:
        await other.subscribe(one.uuid)
        await one.send(other.uuid, 1)
        await one.send("*", 2)
        heard = []
        async for message in other:
            heard.append(message.payload)
            if len(heard) == 2:
                break
        assert heard == [1, 2]
        assert await other.next_message(0.01) is None
        assert (await one.whoami())["uuid"] == one.uuid
    assert await other.next_message() is None
    with pytest.raises(Unreachable):
        await one.whoami()
