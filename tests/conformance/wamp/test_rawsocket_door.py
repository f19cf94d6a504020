"""RawSocket at the door: octets in, octets out, over TCP, TLS and a Unix socket.

`test_rawsocket.py` has the same rules without sockets, octet by octet.

Source: WAMP, RawSocket Transport.
"""

import json
import socket
import ssl

import pytest
from tests.certificates import make_certificate
from tests.conformance.wamp.octets import READ, octets
from tests.conformance.wamp.realms import AT_US, World
from tests.conformance.wamp.wires import (
    RAWSOCKET_IDS,
    Octets,
    client_frame,
    rawsocket_frame,
    rawsocket_frames,
    run,
    turn,
    until,
    upgrade,
)

HELLO = [1, "realm1", {"roles": {"caller": {}}}]
MESSAGE, PING, PONG = 0, 1, 2
MI = 2**20


class RawSocket(Octets):
    """A client that knows frames."""

    def take_frame(self):
        frames = []

        def has_frame():
            self.read()
            frames.extend(rawsocket_frames(self.data))
            return frames

        until(has_frame)
        (frame,) = frames
        return frame

    def is_silent(self):
        """Whether the door waits for more."""
        for _ in range(20):
            turn()
        return not self.read() and not self.data

    def ask(self, name, *elements):
        """Send a message, and read the next."""
        self.send(rawsocket_frame(MESSAGE, octets(name, list(elements))))
        kind, payload = self.take_frame()
        assert kind == MESSAGE
        return READ[name](payload)


@pytest.fixture
def connect(tmp_path):
    """Ways to the door of a world."""

    def connect(world, way="tcp"):
        if way == "unix":
            path = tmp_path / "wamp"
            run(world.door.make_port().start_unix(path))
            connected = socket.socket(socket.AF_UNIX)
            connected.connect(str(path))
        elif way == "tls":
            port = run(world.door.listen(make_certificate(tmp_path, "localhost")))
            context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
            bare = socket.create_connection(("127.0.0.1", port))
            bare.setblocking(False)
            connected = context.wrap_socket(
                bare, server_hostname="localhost", do_handshake_on_connect=False
            )
            until(lambda: has_shaken_hands(connected))
        else:
            connected = socket.create_connection(("127.0.0.1", world.door.port))
        return RawSocket(connected)

    return connect


def has_shaken_hands(connected):
    try:
        connected.do_handshake()
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    return True


WAYS = ["tcp", "tls", "unix"]
over_ways = pytest.mark.parametrize("way", WAYS)


@over_ways
@pytest.mark.parametrize("name", RAWSOCKET_IDS)
def test_session_and_pings(connect, way, name):
    client = connect(World(), way)
    client.send(bytes((0x7F, 0xF0 | RAWSOCKET_IDS[name], 0, 0)))
    assert client.take(4) == bytes((0x7F, 0xB0 | RAWSOCKET_IDS[name], 0, 0))
    assert client.ask(name, *HELLO)[0] == 2
    for payload in (b"", b"\0\xff", b"p" * 70_000):
        client.send(rawsocket_frame(PING, payload))
        assert client.take_frame() == (PONG, payload)
    client.send(rawsocket_frame(PONG, b"that nobody asked for"))
    assert client.ask(name, 48, 1, {}, "wamp.session.count") == [50, 1, {}, [1]]
    assert client.ask(name, 6, {}, "wamp.close.close_realm")[0] == 6
    client.socket.close()


@pytest.mark.parametrize("name", RAWSOCKET_IDS)
@pytest.mark.parametrize("length", range(16))
def test_each_length_is_taken_and_kept(connect, length, name):
    world = World()
    client = connect(world)
    client.send(bytes((0x7F, length << 4 | RAWSOCKET_IDS[name], 0, 0)))
    client.take(4)
    welcome = client.ask(name, *HELLO)
    assert welcome[0] == 2
    assert set(welcome[2]["roles"]) == {"broker", "dealer"}
    has_features = "features" in welcome[2]["roles"]["broker"]
    assert has_features == (length > 0)  # 512 octets have no room for them
    bytes_max = 2 ** (9 + length)
    client.ask(name, 32, 1, {}, "a.b")
    other = world.join(name)
    for size in sorted({bytes_max // 2, bytes_max, bytes_max * 2}):
        if size <= 900_000:  # the door takes a mebibyte itself
            other.publish("a.b", ["x" * size])
    other.publish("a.b", ["end"])
    sizes = []

    def has_end():
        client.read()
        for _, payload in rawsocket_frames(client.data):
            assert len(payload) <= bytes_max
            sizes.append(len(READ[name](payload)[4][0]))
        return sizes and sizes[-1] == 3

    until(has_end)
    assert sizes == [*([bytes_max // 2] if bytes_max // 2 <= 900_000 else []), 3]


@over_ways
@pytest.mark.parametrize(
    ("request_octets", "code"),
    [
        *((bytes((0x7F, 0xF0 | name, 0, 0)), 1) for name in (0, *range(4, 16))),
        (b"\x7f\xf1\0\1", 3),
        (b"\x7f\xf1\1\0", 3),
        (b"\x7f\xf1\xff\xff", 3),
        (b"\x7f\xf0\xff\xff", 3),
    ],
)
def test_refusals_have_codes(connect, request_octets, code, way):
    world = World()
    client = connect(world, way)
    client.send(request_octets + b"and more")
    assert client.take_rest() == bytes((0x7F, code << 4, 0, 0))
    assert not world.door.wamp.connections


@over_ways
def test_one_connection_too_many_is_told_so(connect, way):
    world = World()
    world.settings = {"connections_max": 1}
    first = connect(world, way)
    first.send(b"\x7f\xf1\0\0")
    first.take(4)
    second = connect(world)
    second.send(b"\x7f\xf1\0\0")
    assert second.take_rest() == b"\x7f\x40\0\0"
    first.socket.close()
    until(lambda: not world.door.wamp.connections)
    third = connect(world)
    third.send(b"\x7f\xf1\0\0")
    assert third.take(4) == b"\x7f\xb1\0\0"


# A message of 2^20 octets is what the door takes; 2^24 needs another setting.


@pytest.mark.parametrize(
    ("announced", "size"), [(2**20, 2**20), (2**24, 2**24), (2**24, 2**24 - 1), (512, 512)]
)
def test_longest_message_is_taken(connect, announced, size):
    world = World()
    world.settings = {"message_bytes_max": announced}
    client = connect(world)
    client.send(b"\x7f\xf1\0\0")
    assert 2 ** (9 + (client.take(4)[1] >> 4)) == announced
    client.ask("json", *HELLO)
    message = json.dumps([48, 1, {}, "wamp.session.count"]).encode()
    message += b" " * (size - len(message))
    head = b"\x08\0\0\0" if size == 2**24 else b"\0" + size.to_bytes(3, "big")
    client.send(head + message)
    kind, answer = client.take_frame()
    assert (kind, json.loads(answer)) == (MESSAGE, [50, 1, {}, [1]])


VIOLATIONS = {
    "message one octet too long": b"\0\x10\0\1",
    "ping one octet too long": b"\1\x10\0\1",
    "exactly 16 Mi where a mebibyte is announced": b"\x08\0\0\0",
    "more than 16 Mi": b"\x08\0\0\1",
    **{f"reserved type {kind}": bytes((kind, 0, 0, 1)) + b"a" for kind in range(3, 8)},
    **{f"reserved bit {bit:#x}": bytes((bit, 0, 0, 1)) + b"a" for bit in (16, 32, 64, 128)},
}


@over_ways
@pytest.mark.parametrize("is_joined", [True, False])
@pytest.mark.parametrize("octets_sent", VIOLATIONS.values(), ids=VIOLATIONS)
def test_frames_that_may_not_be_end_the_session(connect, octets_sent, is_joined, way):
    world = World()
    client = connect(world, way)
    client.send(b"\x7f\xf1\0\0")
    client.take(4)
    session_id = client.ask("json", *HELLO)[1] if is_joined else 0
    client.send(octets_sent + rawsocket_frame(MESSAGE, json.dumps(HELLO).encode()))
    data = bytearray(client.take_rest())
    ((kind, payload),) = rawsocket_frames(data)
    code, _, reason, *_ = json.loads(payload)
    assert (kind, code, reason) == (MESSAGE, 3, "wamp.error.protocol_violation")
    assert data == b""
    assert world.holds_nothing_of(session_id)


@over_ways
def test_everything_in_single_octets(connect, way):
    client = connect(World(), way)
    stream = b"\x7f\xf1\0\0" + b"".join(
        rawsocket_frame(*frame)
        for frame in [
            (MESSAGE, json.dumps(HELLO).encode()),
            (PING, b"hi"),
            (MESSAGE, b'[48,1,{},"wamp.session.count"]'),
        ]
    )
    for at in range(len(stream)):
        client.send(stream[at : at + 1])
        turn()
    frames = []

    def has_all():
        client.read()
        if client.data[:1] == b"\x7f":
            del client.data[:4]
        frames.extend(rawsocket_frames(client.data))
        return len(frames) == 3

    until(has_all)
    assert [kind for kind, _ in frames] == [MESSAGE, PONG, MESSAGE]
    assert json.loads(frames[2][1]) == [50, 1, {}, [1]]


@over_ways
def test_handshake_and_all_messages_in_one_piece(connect, way):
    client = connect(World(), way)
    hello, call = json.dumps(HELLO).encode(), b'[48,1,{},"wamp.session.count"]'
    client.send(b"\x7f\xf1\0\0" + rawsocket_frame(MESSAGE, hello) + rawsocket_frame(MESSAGE, call))
    assert client.take(4) == b"\x7f\xb1\0\0"
    frames = []

    def has_both():
        client.read()
        frames.extend(rawsocket_frames(client.data))
        return len(frames) == 2

    until(has_both)
    assert [json.loads(payload)[0] for _, payload in frames] == [2, 50]


@over_ways
def test_another_first_octet_is_http(connect, way):
    world = World()
    websocket = connect(world, way)
    websocket.send(upgrade("wamp.2.json") + client_frame(0x81, json.dumps(HELLO).encode()))
    assert websocket.take(13) == b"HTTP/1.1 101 "
    until(lambda: websocket.read() or b'"realm1"' in websocket.data)
    plain = connect(world)
    plain.send(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
    assert plain.take_rest().startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("garbage", [b"\0", b"\xff" * 100, b"\x16\x03\x01", b"\x7e\xf1\0\0", b"\n"])
def test_garbage_is_let_go(connect, garbage):
    world = World()
    client = connect(world)
    client.send(garbage + b"\r\n\r\n")
    data = client.take_rest()
    assert data == b"" or data.startswith(b"HTTP/1.1 4")
    assert not world.door.wamp.connections


def test_half_a_handshake_waits_for_the_rest(connect):
    client = connect(World())
    client.send(b"\x7f")
    assert client.is_silent()
    client.send(b"\xf2")
    assert client.is_silent()
    client.send(b"\0\0")
    assert client.take(4) == b"\x7f\xb2\0\0"


@over_ways
def test_client_that_closes_in_a_frame_is_forgotten(connect, way):
    world = World()
    client = connect(world, way)
    client.send(b"\x7f\xf1\0\0")
    client.take(4)
    session_id = client.ask("json", *HELLO)[1]
    client.send(b"\0\0\1\0[")
    client.socket.close()
    until(lambda: not world.door.wamp.connections)
    assert world.holds_nothing_of(session_id)
    assert world.now_us == AT_US


def test_unix_peer_is_told_as_such(connect):
    world = World()
    listener = world.join()
    topic = listener.subscribe("wamp.session.on_join")
    client = connect(world, "unix")
    client.send(b"\x7f\xf1\0\0")
    client.take(4)
    client.ask("json", *HELLO)
    ((subscription, (details,)),) = listener.events()
    assert subscription == topic
    assert details["transport"] == {"type": "rawsocket", "protocol": "wamp.2.json", "peer": "unix"}
