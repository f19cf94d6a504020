"""WAMP over WebSocket at the door: subprotocols, frames, batches, compression, who may come in.

Source: WAMP, WebSocket Transport; RFC 6455; RFC 7692.
"""

import json
import os
import random
import resource
import socket
import zlib

import pytest
from tests.conformance.wamp.octets import octets
from tests.conformance.wamp.realms import World
from tests.conformance.wamp.wires import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    SERIALIZERS,
    TEXT,
    Octets,
    Wire,
    client_frame,
    current,
    server_frames,
    turn,
    until,
    upgrade,
)

HELLO = [1, "realm1", {"roles": {"caller": {}, "subscriber": {}, "publisher": {}}}]
CONTINUATION, FIN, RSV1 = 0, 0x80, 0x40
PROTOCOLS = [f"wamp.2.{name}{suffix}" for name in SERIALIZERS for suffix in ("", ".batched")]
ALL_OF_AUTOBAHN = (
    "wamp.2.cbor.batched, wamp.2.cbor, wamp.2.msgpack.batched, wamp.2.msgpack,"
    "wamp.2.ubjson.batched, wamp.2.ubjson, wamp.2.json.batched, wamp.2.json"
)


def connect(world):
    return Octets(socket.create_connection(("127.0.0.1", world.door.port)))


def open_socket(world, protocol, *headers):
    """A WebSocket; the answer's headers have been read."""
    client = connect(world)
    client.send(upgrade(protocol, *headers))
    client.answer = client.take_head()
    assert client.answer.startswith("HTTP/1.1 101 "), client.answer
    return client


def refused(world, protocol, *headers, path="/ws"):
    """Status and words of the answer that refuses a WebSocket."""
    client = connect(world)
    client.send(upgrade(protocol, *headers, path=path))
    head, _, body = client.take_rest().decode().partition("\r\n\r\n")
    return int(head.split()[1]), body


def take_frames(client, count):
    """So many frames, which are to come."""
    frames = []

    def has_them():
        client.read()
        frames.extend(server_frames(client.data))
        return len(frames) >= count or client.is_closed

    until(has_them)
    assert len(frames) == count, frames
    return frames


def take_message(client):
    """The next message, of JSON that is not batched."""
    ((first, payload),) = take_frames(client, 1)
    assert first == TEXT
    return json.loads(payload)


def take_ending(client):
    """What comes until the end: messages, and the code of the close frame."""
    until(client.read)
    frames = list(server_frames(client.data))
    assert client.data == b""
    *messages, (first, payload) = frames
    assert first == CLOSE
    return [json.loads(payload) for _, payload in messages], int.from_bytes(payload[:2], "big")


def text(*elements):
    return json.dumps(elements, separators=(",", ":")).encode()


def joined(world):
    client = open_socket(world, "wamp.2.json")
    client.send(client_frame(TEXT, text(*HELLO)))
    assert take_message(client)[0] == 2
    return client


# -- subprotocols


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_subprotocol_is_the_first_that_is_known(protocol):
    client = open_socket(World(), f"x, wamp.2.ubjson, {protocol}, wamp.2.json, wamp.2.cbor")
    assert f"Sec-WebSocket-Protocol: {protocol}" in client.answer.split("\r\n")


def test_trap_autobahn_offers_batched_cbor_first_and_gets_it():
    client = open_socket(World(), ALL_OF_AUTOBAHN)
    assert "Sec-WebSocket-Protocol: wamp.2.cbor.batched" in client.answer.split("\r\n")


@pytest.mark.parametrize("offer", ["", "mqtt", "wamp", "wamp.2.ubjson", "WAMP.2.JSON", "wamp.2."])
def test_without_a_known_subprotocol_there_is_no_websocket_but_words(offer):
    status, body = refused(World(), offer)
    assert status == 400
    for protocol in PROTOCOLS:
        assert protocol in body


def test_another_path_is_not_there():
    assert refused(World(), "wamp.2.json", path="/nothing")[0] == 404


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_wrong_kind_of_frame_is_a_violation(protocol):
    world = World()
    is_json = ".json" in protocol
    client = open_socket(world, protocol)
    hello = text(*HELLO) + (b"\x18" if "batched" in protocol else b"")  # right but for its frame
    client.send(client_frame(BINARY if is_json else TEXT, hello))
    until(client.read)
    frames = list(server_frames(client.data))
    assert [first for first, _ in frames] == [TEXT if is_json else BINARY, CLOSE]
    assert b"wamp.error.protocol_violation" in frames[0][1]
    assert world.realm.members == {}


# -- batches


@pytest.mark.parametrize("name", SERIALIZERS)
def test_many_messages_in_one_batch_are_answered_in_few(name):
    current.wire = Wire("batched", name)
    client = World().join()
    client.subscribe("a.b")
    before = client.line.frame_count
    messages = [
        octets(name, [16, number, {"exclude_me": False}, "a.b", [number]])
        for number in range(2, 2002)
    ]
    client.line.write(client.line.framed(*messages))
    assert [args for _, args in client.events()] == [[number] for number in range(2, 2002)]
    assert client.line.frame_count - before < 40


@pytest.mark.parametrize("separator", [b"\x18", b"\x1e"], ids=["0x18", "0x1e"])
def test_trap_separator_of_json_batches_is_the_one_of_hello(separator):
    client = open_socket(World(), "wamp.2.json.batched")
    client.send(client_frame(TEXT, text(*HELLO) + separator + text(48, 1, {}, "x") + separator))
    data = b"".join(payload for _, payload in take_frames(client, 1))
    assert [json.loads(each)[0] for each in data.split(separator)[:-1]] == [2, 8]
    assert data.endswith(separator)


BAD_BATCHES = {
    "json": [b"", b"[]", b"[6,{},1]", b"\x18", b"\x1e\x1e", b"\x18[]\x18"],
    "msgpack": [b"", b"\0", b"\0\0\0", b"\0\0\0\0", b"\0\0\0\x02\x90", b"\xff\xff\xff\xff\x90"],
}


@pytest.mark.parametrize(
    ("name", "batch"), [(name, batch) for name, all_ in BAD_BATCHES.items() for batch in all_]
)
def test_batch_that_is_none_is_a_violation(name, batch):
    world = World()
    client = open_socket(world, f"wamp.2.{name}.batched")
    client.send(client_frame(TEXT if name == "json" else BINARY, batch))
    until(client.read)
    assert b"wamp.error.protocol_violation" in client.data
    assert not world.door.wamp.connections


def test_batch_of_more_messages_than_may_be_is_a_violation():
    client = open_socket(World(), "wamp.2.json.batched")
    client.send(client_frame(TEXT, b"0\x18" * 70_000))
    until(client.read)
    assert b"wamp.error.protocol_violation" in client.data


# -- frames


def test_frames_cut_anywhere_are_the_same():
    world = World(request_ids="any")
    client = joined(world)
    mask = b"\x12\x34\x56\x78"
    stream = client_frame(TEXT, text(48, 1, {}, "wamp.session.count"), mask)
    stream += client_frame(PING, b"hi", mask)
    stream += client_frame(TEXT & ~FIN, b'[48,2,{},"wamp.ses', mask)
    stream += client_frame(FIN | CONTINUATION, b'sion.count"]', mask)
    for at in range(1, len(stream)):
        client.send(stream[:at])
        turn()
        client.send(stream[at:])
        frames = take_frames(client, 3)
        assert {first for first, _ in frames} == {TEXT, PONG}
        answers = [json.loads(payload)[1] for first, payload in frames if first == TEXT]
        assert answers == [1, 2]


def test_message_in_fragments_of_one_octet_with_pings_between():
    client = joined(World())
    message = json.dumps([32, 1, {}, "ü€😀"], ensure_ascii=False).encode()
    for at in range(len(message)):
        first = (TEXT & ~FIN) if at == 0 else CONTINUATION
        client.send(
            client_frame(first | (FIN if at == len(message) - 1 else 0), message[at : at + 1])
        )
        if at % 10 == 0:
            client.send(client_frame(PING, b"%d" % at))
            assert take_frames(client, 1) == [(PONG, b"%d" % at)]
    assert take_message(client) == [33, 1, 1]


@pytest.mark.parametrize("protocol", ["wamp.2.json", "wamp.2.json.batched"])
def test_large_messages_of_one_turn_arrive_intact(protocol):
    current.wire = Wire("batched" if protocol.endswith("batched") else "websocket", "json")
    world = World()
    publisher, subscriber = world.join(), world.join()
    subscriber.subscribe("a.b")
    sizes = [9_000, 70_000, 20_000, 1, 300_000, 8_192, 65_536, 10]
    values = [chr(ord("a") + place) * size for place, size in enumerate(sizes)]
    messages = [
        octets("json", [16, number + 1, {}, "a.b", [value]]) for number, value in enumerate(values)
    ]
    publisher.line.write(publisher.line.framed(*messages))
    got = []

    def has_all():
        got.extend(args[0] for _, args in subscriber.events())
        return len(got) == len(values)

    until(has_all)
    assert got == values


ENDINGS = {
    "an unmasked frame": (b"\x81\x02[]", 1002),
    "a reserved bit": (client_frame(TEXT | 0x20, b"[]"), 1002),
    "RSV1 without compression": (client_frame(TEXT | RSV1, b"[]"), 1002),
    "a reserved opcode": (client_frame(0x83, b""), 1002),
    "continuation of nothing": (client_frame(FIN | CONTINUATION, b"[]"), 1002),
    "a message within another": (client_frame(0x01, b"[") + client_frame(TEXT, b"[]"), 1002),
    "text that is not UTF-8": (client_frame(TEXT, b"\xff"), 1007),
    "half a character": (client_frame(TEXT, b"\xc3"), 1007),
    "a message too long": (client_frame(TEXT, b"[" * (2**20 + 1)), 1009),
    "fragments too long": (
        client_frame(0x01, b"[" * 2**20) + client_frame(FIN | CONTINUATION, b"["),
        1009,
    ),
    "a close frame": (client_frame(CLOSE, b"\x03\xe8"), 1000),
    "a close frame of one octet": (client_frame(CLOSE, b"\x03"), 1002),
}


@pytest.mark.parametrize(("data", "code"), ENDINGS.values(), ids=ENDINGS)
def test_connection_ends_by_websockets_own_rules(data, code):
    world = World()
    client = joined(world)
    (session_id,) = world.realm.members
    client.send(data + client_frame(TEXT, text(48, 1, {}, "wamp.session.count")))
    assert take_ending(client) == ([], code)
    until(lambda: not world.door.wamp.connections)
    assert world.holds_nothing_of(session_id)


# -- compression

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


def deflated(data):
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -12)
    return (squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")


def inflated(data):
    return zlib.decompressobj(-15).decompress(data + b"\0\0\xff\xff")


def compressing(world, *more):
    client = open_socket(world, "wamp.2.json", DEFLATE, *more)
    assert "permessage-deflate" in client.answer
    client.send(client_frame(TEXT | RSV1, deflated(text(*HELLO))))
    ((first, payload),) = take_frames(client, 1)
    welcome = inflated(payload) if first & RSV1 else payload
    assert json.loads(welcome)[0] == 2
    return client


@pytest.mark.parametrize("cuts", [1, 3, 20])
def test_compressed_messages_in_fragments(cuts):
    client = compressing(World())
    message = deflated(text(48, 1, {}, "wamp.session.count", [], {"x": "y" * 2000}))
    step = -(-len(message) // cuts)
    parts = [message[at : at + step] for at in range(0, len(message), step)]
    for place, part in enumerate(parts):
        first = CONTINUATION if place else 0x01 | RSV1
        client.send(client_frame(first | (FIN if place == len(parts) - 1 else 0), part))
    assert take_message(client)[:2] in ([50, 1], [8, 48])
    client.send(client_frame(TEXT, text(48, 2, {}, "wamp.session.count")))  # it may stay as it is
    assert take_message(client) == [50, 2, {}, [1]]


def test_long_events_are_compressed_for_those_who_agreed_and_no_others():
    world = World()
    squeezed, plain, publisher = compressing(world), joined(world), joined(world)
    for client in (squeezed, plain):
        client.send(client_frame(TEXT, text(32, 1, {}, "a.b")))
        assert take_message(client)[0] == 33
    values = ["x" * 50_000, os.urandom(20_000).hex(), "short"]
    for number, value in enumerate(values):
        publisher.send(client_frame(TEXT, text(16, number + 1, {}, "a.b", [value])))
    frames = take_frames(squeezed, 3)
    assert [bool(first & RSV1) for first, _ in frames] == [True, True, False]
    assert len(frames[0][1]) < 1000
    got = [json.loads(inflated(each) if first & RSV1 else each)[4] for first, each in frames]
    assert got == [[value] for value in values]
    frames = take_frames(plain, 3)
    assert [json.loads(payload)[4] for _, payload in frames] == [[value] for value in values]


def bomb(size_mb):
    """Spaces, a thousandth as long as what they become; each mebibyte stands for itself."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -12)
    block = squeeze.compress(b" " * 2**20) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return block * size_mb


@pytest.mark.parametrize("is_in_fragments", [False, True])
def test_what_would_become_too_long_is_not_inflated(is_in_fragments):
    world = World()
    client = compressing(world)
    message = bomb(500)
    assert len(message) < 2**20
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if is_in_fragments:
        half = len(message) // 2
        client.send(client_frame(0x01 | RSV1, message[:half]))
        client.send(client_frame(FIN | CONTINUATION, message[half:]))
    else:
        client.send(client_frame(TEXT | RSV1, message))
    assert take_ending(client) == ([], 1009)
    assert world.realm.members == {}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 100_000


@pytest.mark.parametrize("payload", [b"\xff" * 10, b"\x06\x00", b"rubbish"])
def test_what_is_no_deflate_ends_the_connection(payload):
    client = compressing(World())
    client.send(client_frame(TEXT | RSV1, payload))
    messages, code = take_ending(client)
    assert (messages and messages[0][0] == 3) or code in (1002, 1007)


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate; server_max_window_bits=9",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=10; server_no_context_takeover",
        "x-unknown, permessage-deflate",
    ],
)
def test_offers_of_compression_that_can_be_kept(offer):
    client = open_socket(World(), "wamp.2.json", f"Sec-WebSocket-Extensions: {offer}")
    assert "server_no_context_takeover" in client.answer


@pytest.mark.parametrize(
    "offer", ["x", "permessage-deflate; nonsense", "permessage-deflate; =", "x" * 5000]
)
def test_other_offers_are_left_alone(offer):
    client = open_socket(World(), "wamp.2.json", f"Sec-WebSocket-Extensions: {offer}")
    assert "Extensions" not in client.answer


# -- who may come in


@pytest.mark.parametrize(
    ("origin", "allowed", "may"),
    [
        (None, (), True),
        ("http://localhost:3000", (), True),
        ("http://127.0.0.1", (), True),
        ("http://[::1]:8000", (), True),
        ("https://app.example", (), False),
        ("https://app.example", ("https://app.example",), True),
        ("https://app.example:444", ("https://app.example",), False),
        ("https://other.example", ("https://app.example",), False),
        ("https://other.example", ("*",), True),
        ("http://localhost.app.example", (), False),
        ("http://127.0.0.1.app.example", (), False),
        ("null", (), False),
        ("file://", (), False),
        ("", (), False),
        ("http://[", (), False),
    ],
)
def test_pages_from_elsewhere_may_not_connect(origin, allowed, may):
    world = World()
    world.settings = {"allowed_origins": allowed}
    headers = [] if origin is None else [f"Origin: {origin}"]
    if may:
        open_socket(world, "wamp.2.json", *headers)
    else:
        status, body = refused(world, "wamp.2.json", *headers)
        assert (status, "wamp.allowed_origins" in body) == (403, True)


def test_one_connection_too_many_is_refused_in_words():
    world = World()
    world.settings = {"connections_max": 2}
    first = open_socket(world, "wamp.2.json")
    open_socket(world, "wamp.2.json")
    assert refused(world, "wamp.2.json") == (503, "There are too many connections.\n")
    first.socket.close()
    until(lambda: len(world.door.wamp.connections) == 1)
    open_socket(world, "wamp.2.json")


def test_bad_requests_take_nobodys_place():
    world = World()
    world.settings = {"connections_max": 1}
    for protocol in ("", "x", "mqtt") * 5:
        assert refused(world, protocol)[0] == 400
    open_socket(world, "wamp.2.json")


# -- keep-alive


@pytest.mark.parametrize("transport", ["websocket", "batched"])
def test_silent_peer_is_asked_and_cut_off(transport):
    world = World()
    world.settings = {"silence_s": 0.2}
    current.wire = Wire(transport, "json")
    client, answering = world.join(), world.join()
    client.register("a.b")
    client.line.is_mute = True  # it answers no pings
    until(lambda: not answering.line.read() and client.line.read())
    assert client.line.ping_count == 1
    assert world.holds_nothing_of(client.id)
    assert not answering.is_closed
    assert answering.line.ping_count


def test_frames_of_seeded_rubbish_after_a_handshake_never_hurt_others():
    world = World()
    polite = joined(world)
    for seed in range(40):
        client = open_socket(world, "wamp.2.json", *([DEFLATE] if seed % 2 else []))
        client.send(random.Random(seed).randbytes(500))
        client.socket.close()
    polite.send(client_frame(TEXT, text(48, 1, {}, "wamp.session.count")))
    assert take_message(polite) == [50, 1, {}, [1]]
    until(lambda: len(world.door.wamp.connections) == 1)
