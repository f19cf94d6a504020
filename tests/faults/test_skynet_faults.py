"""SkyNet's clients that are many, slow, silent, gone or hostile: the others go on, and are served.

No kept message is lost with whoever leaves before it has fetched it.
"""

import asyncio
import json
import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.conformance.skynet_rights.wires import (
    WAIT_S_MAX,
    Credentials,
    MqttWire,
    RawWire,
    SocketioWire,
    Wire,
)
from tests.faults.kills import printed_seed
from tests.faults.skynet_clients import (
    Polling,
    frame,
    headers_of,
    is_online,
    make_device,
    open_socket,
    start_skynet,
    upgrade,
)
from tests.live_server import LiveServer
from tests.waiting import wait_until
from websockets.asyncio.client import connect

AGES = ("0.9", "3", "4")
ABANDONED_S = 1
DROPPED_S_MAX = 10.0  # whoever is silent, abandoned or too slow
CONNECTIONS_MAX = 320
FRAME_BYTES_MAX = 20_000
UNREAD_BYTES_MAX = 200_000
SETS = (
    "skynet.heartbeat_s=1",
    "skynet.heartbeat_timeout_s=1",
    f"skynet.abandoned_s={ABANDONED_S}",
    "skynet.poll_s=1",
    f"skynet.connections_max={CONNECTIONS_MAX}",
    f"skynet.message_bytes_max={FRAME_BYTES_MAX}",
    f"skynet.unread_bytes_max={UNREAD_BYTES_MAX}",
)


@contextmanager
def faultless(folder: Path) -> Iterator[LiveServer]:
    with start_skynet(folder, *SETS) as running:
        yield running
        output = running.output()
        assert "Traceback" not in output, output


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with faultless(tmp_path_factory.mktemp("faults")) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[LiveServer]:
    """For a test that takes all the room there is."""
    with faultless(tmp_path) as running:
        yield running


@pytest.fixture
def me(server: LiveServer) -> Credentials:
    return make_device(server)


class Polite:
    """Two clients that talk to each other."""

    def __init__(self, server: LiveServer) -> None:
        self.who = make_device(server)
        self._wire = MqttWire(server.sockets["mqtt"], self.who)

    def check(self, seconds_max: float = 3.0) -> None:
        """It is served without delay."""
        started_s = time.monotonic()
        self._wire.ask("message", {"devices": self.who[0], "payload": "polite"})
        assert self._wire.heard() == ["polite"]
        assert time.monotonic() - started_s < seconds_max

    def close(self) -> None:
        self._wire.close()


@contextmanager
def politeness(server: LiveServer) -> Iterator[Polite]:
    found = Polite(server)
    yield found
    found.check()
    found.close()


@pytest.fixture
def polite(server: LiveServer) -> Iterator[Polite]:
    with politeness(server) as found:
        yield found


@pytest.fixture
def own_polite(own_server: LiveServer) -> Iterator[Polite]:
    with politeness(own_server) as found:
        yield found


def resident_mb(server: LiveServer) -> float:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def socketio_path(server: LiveServer, age: str) -> str:
    """Where a WebSocket of an age of socket.io goes."""
    if age != "0.9":
        return f"/socket.io/?EIO={age}&transport=websocket"
    url = f"{server.sockets['skynet']}/socket.io/1/"
    sid = requests.get(url, timeout=WAIT_S_MAX).text.partition(":")[0]
    return f"/socket.io/1/websocket/{sid}"


# --- silence ---


def say_who_one_is(connection: socket.socket, wire: str, who: Credentials) -> None:
    """Identify over a WebSocket that was upgraded."""
    body = {"uuid": who[0], "token": who[1]}
    if wire == "4":
        connection.sendall(frame(b"40"))
    said = json.dumps(["identity", body])
    if wire == "0.9":
        said = "5:::" + json.dumps({"name": "identity", "args": [body]})
    elif wire in AGES:
        said = f"42{said}"
    connection.sendall(frame(said.encode()))


def received_until_closed(connection: socket.socket) -> None:
    until_s = time.monotonic() + 10
    while connection.recv(65_536):
        assert time.monotonic() < until_s


def test_who_never_answers_heartbeats_is_dropped_and_was_there_until_then(
    server: LiveServer, polite: Polite
) -> None:
    silent: list[tuple[socket.socket, Credentials]] = []
    for wire in (*AGES, "raw"):
        connection, who = open_socket(server), make_device(server)
        upgrade(connection, "/ws/v2" if wire == "raw" else socketio_path(server, wire))
        say_who_one_is(connection, wire, who)
        wait_until(lambda who=who: is_online(server, who))
        silent.append((connection, who))
    for connection, who in silent:
        received_until_closed(connection)
        connection.close()
        wait_until(lambda who=who: not is_online(server, who))


def test_who_answers_heartbeats_stays(server: LiveServer) -> None:
    alive = []
    for age in AGES:
        connection, who = open_socket(server), make_device(server)
        upgrade(connection, socketio_path(server, age))
        say_who_one_is(connection, age, who)
        connection.settimeout(0.1)
        alive.append((age, connection, who))
    until_s = time.monotonic() + 3.5
    while time.monotonic() < until_s:
        for age, connection, _ in alive:
            answer_heartbeats(age, connection)
    for _, connection, who in alive:
        assert is_online(server, who)
        connection.close()


def answer_heartbeats(age: str, connection: socket.socket) -> None:
    """As its clients do; those of 3 ask themselves."""
    ping, pong = {"0.9": (b"\x032::", b"2::"), "4": (b"\x012", b"3"), "3": (b"", b"2")}[age]
    try:
        came = connection.recv(4096)
    except TimeoutError:
        came = b""
    if came.endswith(ping) and (came or age == "3"):
        connection.sendall(frame(pong))


# --- polls that nobody comes back for ---

KEPT = 30


class Abandoned:
    """A device that came by polling, and went without a word, somewhere in the middle."""

    def __init__(self, server: LiveServer, age: str, leaves: str) -> None:
        self.name = f"{age}, {leaves}"
        self.who = make_device(server, keepMessages=True)
        with requests.Session() as http:
            for number in range(KEPT):
                send(server, self.who, number, http)
        client = Polling(server, age)
        client.identify(self.who)
        self.seen = ""
        if leaves == "in a poll":
            client.give_up_a_poll(server)
        elif leaves == "when it had some":
            self.seen = client.poll_until('"kept"')
        elif leaves == "when it had all":
            self.seen = client.poll_until(f'"payload":{KEPT - 1},')
            client.give_up_a_poll(server)
        client.close()

    def lost(self, got: list[Any]) -> list[int]:
        """Numbers that came neither to the one that went nor to the one that came after it."""
        return [n for n in range(KEPT) if n not in got and f'"payload":{n},' not in self.seen]


def test_no_kept_message_is_lost_with_polling_sessions_that_are_abandoned(
    server: LiveServer, polite: Polite
) -> None:
    places = ("before ready", "in a poll", "when it had some", "when it had all")
    gone = [Abandoned(server, age, leaves) for age in AGES for leaves in places]
    for each in gone:
        wait_until(lambda who=each.who: not is_online(server, who))
    time.sleep(3)  # those that were never there are over as well
    for each in gone:
        send(server, each.who, "last")
        wire = SocketioWire(server.sockets["skynet"], each.who, "4")
        got = wire.heard()
        wire.close()
        assert each.lost(got) == [], each.name
        assert got == [*sorted(got[:-1]), "last"], each.name
        if "it had all" in each.name:
            assert got == ["last"], each.name


def send(
    server: LiveServer, who: Credentials, payload: Any, http: requests.Session | None = None
) -> None:
    """Have a device send something to itself."""
    answer = (http or requests).post(
        f"{server.sockets['skynet']}/messages",
        json={"devices": [who[0]], "payload": payload},
        headers=headers_of(who),
        timeout=WAIT_S_MAX,
    )
    assert answer.status_code == 200, answer.text


# --- many at once ---


def test_a_storm_of_reconnects_is_taken_twice_and_holds_nobody_up(
    own_server: LiveServer, own_polite: Polite
) -> None:
    """Three hundred that come at once, say who they are, and are cut off at once."""
    devices = [make_device(own_server) for _ in range(10)]
    base = own_server.sockets["skynet"].replace("http:", "ws:")

    async def come(number: int) -> None:
        who = devices[number % len(devices)]
        async with connect(f"{base}/socket.io/?EIO=4&transport=websocket") as websocket:
            await websocket.send("40")
            said = json.dumps(["identity", {"uuid": who[0], "token": who[1]}])
            await websocket.send(f"42{said}")
            while not str(await asyncio.wait_for(websocket.recv(), WAIT_S_MAX)).startswith(
                '42["ready"'
            ):
                pass
            websocket.transport.abort()

    async def storm() -> None:
        coming = [asyncio.create_task(come(number)) for number in range(300)]
        await asyncio.to_thread(own_polite.check, 5.0)
        await asyncio.gather(*coming)

    for _ in range(2):
        asyncio.run(storm())
        for who in devices:
            wait_until(lambda who=who: not is_online(own_server, who))


def test_as_many_sessions_as_there_may_be_all_abandoned_make_room_again(
    own_server: LiveServer, own_polite: Polite
) -> None:
    """Twice: so none is left of the first time."""
    url = f"{own_server.sockets['skynet']}/socket.io/?EIO=4&transport=polling"
    with requests.Session() as http:
        for _ in range(2):

            def opens(http: requests.Session = http) -> bool:
                return http.get(url, timeout=WAIT_S_MAX).status_code == 200

            wait_until(opens)
            opened_s = [time.monotonic()]
            while opens():
                opened_s.append(time.monotonic())
                # On a busy machine the first are abandoned before the last one comes.
                alive_count = sum(at_s > opened_s[-1] - ABANDONED_S for at_s in opened_s)
                assert alive_count <= CONNECTIONS_MAX
            assert len(opened_s) > CONNECTIONS_MAX - 20
            own_polite.check()
            wait_until(opens, s_max=DROPPED_S_MAX)
            time.sleep(1.5)


# --- slow ones ---


@pytest.mark.parametrize("path", ["engine.io 4", "/ws/v2"])
def test_a_client_that_reads_nothing_is_bounded_and_dropped_and_delays_nobody(
    server: LiveServer, me: Credentials, polite: Polite, path: str
) -> None:
    who = make_device(server)
    raw = path == "/ws/v2"
    with open_socket(server, receive_bytes=4096) as slow:
        upgrade(slow, path if raw else socketio_path(server, "4"))
        said = json.dumps(["identity", {"uuid": who[0], "token": who[1]}])
        if not raw:
            slow.sendall(frame(b"40"))
        slow.sendall(frame(said.encode() if raw else f"42{said}".encode()))
        wait_until(lambda: is_online(server, who))
        before_mb, payload = resident_mb(server), "x" * 15_000
        sender = RawWire(server.sockets["skynet"], me)
        for _ in range(700):  # 10 MB; what is not sent may be 0.2 and what the system takes
            sender.ask("message", {"devices": [who[0]], "payload": payload})
        sender.close()
        polite.check()
        assert resident_mb(server) - before_mb < 8
        wait_until(lambda: not is_online(server, who), s_max=DROPPED_S_MAX)


# --- rubbish ---

WIRES = ("socket.io 0.9", "engine.io 3", "engine.io 4", "WebSocket", "MQTT")


def wire_of(server: LiveServer, name: str, who: Credentials) -> Wire:
    if name == "MQTT":
        return MqttWire(server.sockets["mqtt"], who)
    if name == "WebSocket":
        return RawWire(server.sockets["skynet"], who)
    return SocketioWire(server.sockets["skynet"], who, name.rpartition(" ")[2])


@pytest.mark.parametrize("name", WIRES[:-1])
def test_a_frame_that_is_too_long_ends_its_own_connection_only(
    server: LiveServer, me: Credentials, polite: Polite, name: str
) -> None:
    age = name.rpartition(" ")[2]
    path = "/ws/v2" if name == "WebSocket" else socketio_path(server, age)
    with open_socket(server) as rude:
        upgrade(rude, path)
        filling = b"x" * (FRAME_BYTES_MAX + 1000)
        packets = {
            "0.9": b'5:::{"name":"message","args":["%b"]}' % filling,
            "WebSocket": b'["message","%b"]' % filling,
        }
        rude.sendall(frame(packets.get(age, b'42["message","%b"]' % filling)))
        try:
            while rude.recv(65_536):
                pass
        except ConnectionError:
            return
    assert polite.who


@pytest.mark.parametrize("age", AGES)
def test_a_body_of_a_poll_that_is_too_long_is_refused(server: LiveServer, age: str) -> None:
    client = Polling(server, age)
    # Clients of 0.9 take all but 200 for a connection that is broken, and come back for ever.
    assert client.post("4" * (FRAME_BYTES_MAX + 1000)) == (200 if age == "0.9" else 413)
    assert client.post("4" * 10 * FRAME_BYTES_MAX) == 413
    client.close()


SCRAPS = (
    b"", b"5", b"5:::", b"5:::{", b"5:1+::[]", b"6:::", b"6:::99999999999999999999+[1]", b"9::",
    b"4", b"42", b"42[", b"42[]", b"42{}", b'42["message"', b"43", b"43[]", b"451-[", b"0", b"1x",
    b"2probe", b"3", b"5", b"6", b"40/other,", b"41", b"\xff\xfe", b"[]", b"[null]", b"[[[[",
    b'["message"]', b'["update",[1,2]]', b'["nothing",{}]', b"[" * 5000, b"null", b"1e999",
    b'42["message",{"devices":{"a":1}}]', b'42["identity",{"uuid":[],"token":{}}]',
    b'["identity",{"uuid":5}]', b'5:::{"name":"identity","args":[{"uuid":{}}]}',
)  # fmt: skip


@pytest.mark.parametrize("name", WIRES[:-1])
def test_rubbish_in_frames_hurts_nobody(server: LiveServer, polite: Polite, name: str) -> None:
    chance = random.Random(printed_seed())
    age = name.rpartition(" ")[2]
    for _ in range(25):
        path = "/ws/v2" if name == "WebSocket" else socketio_path(server, age)
        with open_socket(server) as rude:
            upgrade(rude, path)
            for _ in range(8):
                scrap = chance.choice(SCRAPS)
                if chance.random() < 0.3:
                    scrap += chance.randbytes(chance.randrange(20))
                code = 0x81 if scrap.isascii() or chance.random() < 0.5 else 0x82
                try:
                    rude.sendall(frame(scrap, code))
                except ConnectionError:
                    break


@pytest.mark.parametrize("topic", ["message", "update", "data", "messageAck", "config", "whoami"])
def test_rubbish_in_topics_hurts_nobody(
    server: LiveServer, me: Credentials, polite: Polite, topic: str
) -> None:
    wire = MqttWire(server.sockets["mqtt"], me)
    for body in ({}, {"devices": 5}, {"uuid": {}}, {"devices": [[]]}, {"payload": "x" * 30_000}):
        wire.ask(topic, body)
    wire.close()


def test_rubbish_in_requests_hurts_nobody(server: LiveServer, polite: Polite) -> None:
    chance = random.Random(printed_seed())
    paths = (
        "/", "/devices", "/devices/%00", "/devices/..%2f", "/messages", "/v2/devices/x",
        "/socket.io/", "/socket.io/1/", "/socket.io/?EIO=3", "/socket.io/?EIO=4&transport=x",
        "/socket.io/?EIO=4&transport=polling&sid=x", "/socket.io/1/xhr-polling/x", "/ws/v2",
        "/socket.io/1/websocket/x", "/socket.io/99/", "/search/devices", "/data/x", "/%ff%fe",
    )  # fmt: skip
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    with requests.Session() as http:
        for _ in range(200):
            answer = http.request(
                chance.choice(methods),
                server.sockets["skynet"] + chance.choice(paths),
                data=chance.choice(SCRAPS) + chance.randbytes(chance.randrange(10)),
                headers={"Content-Type": chance.choice(("application/json", "text/plain", "x"))},
                timeout=WAIT_S_MAX,
                allow_redirects=False,
            )
            is_of_old = "not supported" in answer.text or "is missing" in answer.text
            assert answer.status_code != 500 or is_of_old, answer.text  # as the originals
