"""WAMP clients that are slow, gone, many, broken or hostile: the others go on, nothing is left."""

import contextlib
import ctypes
import json
import os
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests import waiting
from tests.certificates import make_certificate
from tests.conformance.wamp.octets import octets
from tests.conformance.wamp.wires import (
    PING,
    RAWSOCKET_IDS,
    TEXT,
    client_frame,
    rawsocket_frame,
    upgrade,
)
from tests.faults.wamp_peers import HELLO, WAIT_S_MAX, Peer, peers
from tests.live_server import LiveServer, start_server

TRANSPORTS = ["websocket", "rawsocket"]
UNREAD_BYTES_MAX = 262_144
SLOW_S_MAX = 2.0
SILENCE_S = 0.6
IMPATIENT = (
    f"--set=wamp.unread_bytes_max={UNREAD_BYTES_MAX}",
    f"--set=wamp.slow_s_max={SLOW_S_MAX}",
)
FOUND_S_MAX = 10.0  # TCP counts in whole seconds
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27  # Linux
RESTLESS = f"--set=wamp.silence_s={SILENCE_S}"
MB = 10**6

over_transports = pytest.mark.parametrize("transport", TRANSPORTS)
over_tls_too = pytest.mark.parametrize("transport", [*TRANSPORTS, "tls"])


@pytest.fixture(scope="module")
def many_files() -> Iterator[None]:
    """Room for a thousand connections, here and in servers that are started."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def server(many_files: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("wamp")
    make_certificate(folder, "localhost")
    secure = (
        "--set=wamp.tls_port=0",
        f"--set=server.tls_certificate={folder / 'ca.pem'}",
        f"--set=server.tls_key={folder / 'key.pem'}",
    )
    with start_server(folder / "data", *IMPATIENT, *secure) as running:
        yield running


@pytest.fixture(scope="module")
def restless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that asks soon whether its clients are there."""
    with start_server(tmp_path_factory.mktemp("wamp") / "data", RESTLESS) as running:
        yield running


# Less than wamp.silence_s, by which who has left is found anyway.
wait_until = partial(waiting.wait_until, s_max=25.0)


@pytest.fixture
def join(server: LiveServer) -> Iterator[Callable[..., Peer]]:
    """Opens sessions, which are closed when the test is over; then nobody is there any more."""
    with peers() as opened:

        def join(transport: str = "rawsocket", **options: Any) -> Peer:
            opened.append(Peer(server, transport, **options))
            return opened[-1]

        yield join
    with peers() as left:
        left.append(Peer(server))
        wait_until(lambda: left[0].call("wamp.session.count") == 1)
        wait_until(lambda: left[0].call("wamp.registration.list")["exact"] == [])
        wait_until(lambda: left[0].call("wamp.subscription.list")["exact"] == [])


def resident_mb(server: LiveServer) -> float:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def file_count(server: LiveServer) -> int:
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def logged(server: LiveServer, event: str) -> list[str]:
    """The lines of the log about an event."""
    return [line for line in server.output().splitlines() if event in line]


def check_serves(polite: Peer, seconds_max: float = 1.0) -> None:
    """Somebody else is answered without delay."""
    started = time.monotonic()
    assert polite.call("wamp.session.count") >= 1
    assert time.monotonic() - started < seconds_max


# -- who reads too slowly


@over_tls_too
def test_subscriber_that_reads_nothing_delays_nobody_and_is_ended(
    server: LiveServer, join: Callable[..., Peer], transport: str
) -> None:
    slow = join(transport, rcvbuf=4096)
    polite, publisher, listener = join(transport), join(transport), join()
    listener.ask(32, "wamp.session.on_leave")
    listener.read()
    for subscriber in (slow, polite):
        subscriber.ask(32, "load")
        assert subscriber.read()[0] == 33
    before_mb, before_lines = resident_mb(server), len(logged(server, "wamp_client_too_slow"))
    slowest_s = 0.0
    for number in range(3000):  # 30 MB
        publisher.ask(16, "load", [number, "x" * 10_000])
        started = time.monotonic()
        assert polite.read()[4][0] == number
        slowest_s = max(slowest_s, time.monotonic() - started)
    assert slowest_s < 1.0
    assert resident_mb(server) - before_mb < 10
    assert listener.read()[4][0] == slow.id
    wait_until(lambda: len(logged(server, "wamp_client_too_slow")) == before_lines + 1)
    line = logged(server, "wamp_client_too_slow")[-1]
    assert int(re.findall(r"dropped_count\W+(\d+)", line)[-1]) > 1000
    # What it did not read in time is there for it, and why that is all.
    *events, abort = slow.read_rest()
    assert abort[:1] + abort[2:3] == [3, "tank.error.too_slow"]
    numbers = [event[4][0] for event in events]
    assert numbers == list(range(len(numbers)))


@over_tls_too
def test_subscriber_that_catches_up_in_time_stays(
    join: Callable[..., Peer], transport: str
) -> None:
    slow, publisher = join(transport, rcvbuf=4096), join(transport)
    slow.ask(32, "load")
    slow.read()
    for number in range(1000):
        publisher.ask(16, "load", [number, "x" * 10_000])
    check_serves(publisher)
    numbers = [slow.read()[4][0]]
    slow.socket.settimeout(0.5)
    try:
        while True:
            numbers.append(slow.read(0.5)[4][0])
    except TimeoutError:
        pass
    assert numbers == sorted(numbers)
    assert len(numbers) < 1000  # the rest was dropped
    publisher.ask(16, "load", ["again"])
    assert slow.read()[4] == ["again"]


@over_tls_too
def test_caller_that_reads_nothing_for_a_while_gets_every_answer(
    join: Callable[..., Peer], transport: str
) -> None:
    caller, callee, publisher = join(transport, rcvbuf=4096), join(transport), join(transport)
    callee.ask(64, "echo")
    callee.read()
    caller.ask(32, "load")
    caller.read()
    calls = [caller.ask(48, "echo", [number]) for number in range(100)]
    invocations = [callee.read() for _ in calls]
    for number in range(600):  # more than a client may leave unread
        publisher.ask(16, "load", [number, "x" * 10_000])
    check_serves(publisher)
    for invocation in invocations:  # as much again
        callee.send(70, invocation[1], {}, [invocation[4], "y" * 5_000])
    check_serves(callee)
    messages = [caller.read()]
    results: dict[int, int] = {}
    while len(results) < len(calls):
        message = caller.read()
        if message[0] == 50:
            results[message[1]] = message[3][0][0]
        else:
            messages.append(message)
    assert results == {call_id: number for number, call_id in enumerate(calls)}
    assert len(messages) < 600  # events were dropped, answers were not


@over_tls_too
def test_flood_of_pings_that_are_not_read_holds_nobody_up_and_fills_nothing(
    server: LiveServer, join: Callable[..., Peer], transport: str
) -> None:
    polite, flood = join(), join(transport, rcvbuf=4096)
    before_mb = resident_mb(server)
    if flood.transport == "rawsocket":
        piece = rawsocket_frame(1, b"p" * 100_000) * 10
    else:
        piece = client_frame(PING, b"p" * 125) * 8_000
    flood.socket.settimeout(0.2)
    sent_mb = 0.0
    end = time.monotonic() + 2 * SLOW_S_MAX
    try:
        while time.monotonic() < end and sent_mb < 60:
            sent_mb += flood.socket.send(piece) / MB
            check_serves(polite)
    except (TimeoutError, ConnectionError):
        pass  # it is read no more, or has been ended
    check_serves(polite)
    assert resident_mb(server) - before_mb < 15


# -- who is gone


@over_transports
def test_half_open_peer_is_found_and_its_callers_told(restless: LiveServer, transport: str) -> None:
    with peers() as both:
        both += (Peer(restless, transport) for _ in range(2))
        callee, caller = both
        callee.ask(64, "a.b")
        callee.read()
        with lost_network(callee):
            call_id = caller.ask(48, "a.b")
            started = time.monotonic()
            message = caller.read()
            assert message[:3] == [8, 48, call_id]
            assert message[4] == "wamp.error.canceled"
            assert time.monotonic() - started < FOUND_S_MAX
            check_serves(caller)


@over_transports
def test_half_open_peer_that_nobody_wants_anything_of_is_found_too(
    restless: LiveServer, transport: str
) -> None:
    with peers() as both:
        both += (Peer(restless, each) for each in (transport, "rawsocket"))
        gone, witness = both
        with lost_network(gone):
            wait_until(lambda: witness.call("wamp.session.list") == [witness.id], s_max=FOUND_S_MAX)


@contextlib.contextmanager
def lost_network(peer: Peer) -> Iterator[None]:
    """Nothing that is sent to a peer arrives: its system drops it, and acknowledges nothing."""
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: ret #0
    program = struct.pack("HP", 1, ctypes.addressof(drop_all))
    peer.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    yield
    peer.socket.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


@over_transports
def test_peer_that_pauses_in_mid_frame_is_cut_off(restless: LiveServer, transport: str) -> None:
    with peers() as opened:
        opened.append(Peer(restless, transport))
        pausing = opened[0]
        pausing.socket.sendall(pausing.framed(b'[48,1,{},"wamp.session.count"]')[:-5])
        started = time.monotonic()
        received_until_closed(pausing.socket)
        assert time.monotonic() - started < 4 * SILENCE_S + 1
        opened.append(Peer(restless))
        assert opened[1].call("wamp.session.list") == [opened[1].id]


CALLEE = """
import json, socket, struct, sys
host, port = sys.argv[1:]
connection = socket.create_connection((host, int(port)))
def send(*elements):
    data = json.dumps(elements).encode()
    connection.sendall(struct.pack(">I", len(data)) + data)
connection.sendall(b"\\x7f\\xf1\\0\\0")
send(1, "realm1", {"roles": {"callee": {}}})
send(64, 1, {}, "dying")
connection.recv(100000)
print("ready", flush=True)
while connection.recv(100000):
    print("called", flush=True)
"""


def test_callee_that_is_killed_in_a_call_fails_it_at_once(
    server: LiveServer, join: Callable[..., Peer]
) -> None:
    caller = join()
    host, port = caller.socket.getpeername()
    command = [sys.executable, "-c", CALLEE, host, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as callee:
        assert callee.stdout is not None
        try:
            callee.stdout.readline()
            wait_until(lambda: caller.call("wamp.registration.list")["exact"] != [])
            call_id = caller.ask(48, "dying")
            while callee.stdout.readline() != b"called\n":
                pass
        finally:
            callee.send_signal(signal.SIGKILL)
        started = time.monotonic()
        message = caller.read()
        assert message[:3] == [8, 48, call_id]
        assert message[4] == "wamp.error.canceled"
        assert time.monotonic() - started < 1.0


@over_tls_too
@pytest.mark.parametrize("how", ["reset", "close"])
def test_callee_that_is_gone_in_a_call_fails_it_at_once(
    join: Callable[..., Peer], transport: str, how: str
) -> None:
    callee, caller = join(transport), join(transport)
    callee.ask(64, "a.b")
    callee.read()
    call_ids = [caller.ask(48, "a.b") for _ in range(10)]
    callee.read()
    callee.reset() if how == "reset" else callee.socket.close()
    started = time.monotonic()
    answers = [caller.read() for _ in call_ids]
    assert [answer[2] for answer in answers] == call_ids
    assert {answer[4] for answer in answers} == {"wamp.error.canceled"}
    assert time.monotonic() - started < 1.0


# -- who are many


@over_transports
def test_a_thousand_sessions_that_reconnect_at_once(
    server: LiveServer, join: Callable[..., Peer], transport: str
) -> None:
    count = 1000
    witness = join()
    witness.ask(32, "here")
    witness.read()
    files = file_count(server)
    with peers() as crowd:
        crowd += (Peer(server, transport, joins=False) for _ in range(count))
        for round_number in range(2):
            started = time.monotonic()
            if round_number:
                for each in crowd:
                    each.reset()
                crowd.clear()
                crowd += (Peer(server, transport, joins=False) for _ in range(count))
            opening = b"\x7f\xf1\0\0" if transport == "rawsocket" else upgrade("wamp.2.json")
            for place, each in enumerate(crowd):
                subscribe = json.dumps([32, 1, {}, f"topic.{place}"]).encode()
                register = json.dumps([64, 2, {"invoke": "roundrobin"}, "shared"]).encode()
                hello = json.dumps(HELLO).encode()
                messages = b"".join(map(each.framed, (hello, subscribe, register)))
                each.socket.sendall(opening + messages)
            ids = set()
            for each in crowd:
                skip_opening(each)
                answers = [each.read() for _ in range(3)]
                assert [answer[0] for answer in answers] == [2, 33, 65]
                ids.add(answers[0][1])
            assert len(ids) == count
            assert time.monotonic() - started < WAIT_S_MAX
            assert witness.call("wamp.session.count") == count + 1
            registration_id = witness.call("wamp.registration.lookup", "shared")
            assert set(witness.call("wamp.registration.list_callees", registration_id)) == ids
    wait_until(lambda: witness.call("wamp.session.count") == 1)
    wait_until(lambda: file_count(server) <= files)
    assert len(witness.call("wamp.subscription.list")["exact"]) == 1


def skip_opening(each: Peer) -> None:
    """Read the transport's answer."""
    end = b"\r\n\r\n" if each.transport == "websocket" else b"\x7f\xb1\0\0"
    while end not in each.data:
        each._receive()
        assert not each.is_ended
    del each.data[: each.data.index(end) + len(end)]
    each._unpack()


# -- who is broken or hostile


OPENINGS = {
    "nothing": b"",
    "rawsocket": b"\x7f\xf1\0\0",
    "websocket": upgrade("wamp.2.json"),
    "batched": upgrade("wamp.2.cbor.batched"),
    "half a handshake": b"\x7f\xf1",
    "half a request": upgrade("wamp.2.json")[:60],
}


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS)
def test_random_bytes_hurt_nobody(
    server: LiveServer, join: Callable[..., Peer], opening: bytes
) -> None:
    polite = join()
    for seed in range(40):
        dice = random.Random(f"{seed} {opening!r}")
        with peers() as rude:
            rude.append(Peer(server, joins=False))
            connection = rude[0].socket
            try:
                connection.sendall(opening)
                for _ in range(dice.randrange(1, 4)):
                    connection.sendall(dice.randbytes(dice.randrange(1, 400)))
            except ConnectionError:
                pass  # it has seen enough
        if seed % 8 == 0:
            check_serves(polite)
    check_serves(polite)
    assert logged(server, "Traceback") == []


def rude_messages(name: str) -> dict[str, bytes]:
    """Messages in a serializer that no client should send."""
    deep = {"json": b"[" * 100_000, "msgpack": b"\x91" * 100_000, "cbor": b"\x81" * 100_000}
    bad_text = {
        "json": b'[48,1,{},"\xff"]',
        "msgpack": b"\x94\x30\x01\x80\xa1\xff",
        "cbor": b"\x84\x18\x30\x01\xa0\x61\xff",
    }
    return {
        "deep nesting": deep[name],
        "text that is not UTF-8": bad_text[name],
        "nothing": b"",
        "no list": octets(name, {"a": 1}),
        "unknown type": octets(name, [9999, 1]),
        "far too many items": octets(name, [16, 1, {}, "a.b", [0] * 300_000]),
    }


RUDE = [(name, what) for name in RAWSOCKET_IDS for what in rude_messages(name)]


@pytest.mark.parametrize(("name", "what"), RUDE)
@over_transports
def test_rude_message_ends_its_sender_alone(
    server: LiveServer, join: Callable[..., Peer], transport: str, name: str, what: str
) -> None:
    polite = join()
    message = rude_messages(name)[what]
    with peers() as rude:
        rude.append(Peer(server, joins=False))
        connection = rude[0].socket
        if transport == "rawsocket":
            connection.sendall(bytes((0x7F, 0xF0 | RAWSOCKET_IDS[name], 0, 0)))
            connection.sendall(rawsocket_frame(0, octets(name, HELLO)))
            connection.sendall(rawsocket_frame(0, message))
        else:
            kind = TEXT if name == "json" else TEXT + 1
            connection.sendall(upgrade(f"wamp.2.{name}"))
            connection.sendall(client_frame(kind, octets(name, HELLO)))
            connection.sendall(client_frame(kind, message))
        received = received_until_closed(connection)
    is_websockets = transport == "websocket" and what == "text that is not UTF-8" and name == "json"
    assert is_websockets or b"wamp.error.protocol_violation" in received
    check_serves(polite)


OVERSIZE = {
    "rawsocket, 16 Mi": (OPENINGS["rawsocket"], b"\x08\0\0\0"),
    "rawsocket, 16 Mi - 1": (OPENINGS["rawsocket"], b"\0\xff\xff\xff"),
    "rawsocket ping, 16 Mi - 1": (OPENINGS["rawsocket"], b"\1\xff\xff\xff"),
    "websocket, 16 GB": (OPENINGS["websocket"], b"\x81\xff\0\0\0\4\0\0\0\0\0\0\0\0"),
    "websocket, all bits": (OPENINGS["websocket"], b"\x81\xff" + b"\xff" * 12),
    "request line": (b"GET /", b"x" * 100_000),
    "headers": (OPENINGS["websocket"][:-2], b"X-A: b\r\n" * 20_000),
}


@pytest.mark.parametrize(("opening", "more"), OVERSIZE.values(), ids=OVERSIZE)
def test_frame_that_is_too_long_ends_its_sender_before_it_is_there(
    server: LiveServer, join: Callable[..., Peer], opening: bytes, more: bytes
) -> None:
    polite = join()
    with peers() as rude:
        rude.append(Peer(server, joins=False))
        connection = rude[0].socket
        with contextlib.suppress(ConnectionError):
            connection.sendall(opening + more)
        received_until_closed(connection)
    check_serves(polite)


def received_until_closed(connection: socket.socket) -> bytes:
    received = b""
    try:
        while part := connection.recv(2**18):
            received += part
    except ConnectionError:
        pass
    return received


def test_stop_says_goodbye_to_all_and_ends(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", *IMPATIENT) as stopping, peers() as all_of_them:
        all_of_them += (Peer(stopping, each) for each in [*TRANSPORTS, "web port"] * 5)
        mute = Peer(stopping)  # says nothing back
        all_of_them.append(mute)
        stopping.process.send_signal(signal.SIGINT)
        for each in all_of_them:
            assert each.read() == [6, {}, "wamp.close.system_shutdown"]
            if each is not mute:
                each.send(6, {}, "wamp.close.goodbye_and_out")
        for each in all_of_them:
            assert each.read_rest() == []
        stopping.stop()
