"""Packets of revisions 3 to 5. Source: Socket.IO protocol, Packet encoding."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio.packet import Packet as TheirPacket

from thingtank.protocols.socketio import frames
from thingtank.protocols.socketio.events import AckId
from thingtank.protocols.socketio.packets import (
    MalformedPacket,
    Packet,
    PacketType,
    parse_packet,
)

EVENT, ACK, CONNECT = PacketType.EVENT, PacketType.ACK, PacketType.CONNECT
BINARY_EVENT, BINARY_ACK = PacketType.BINARY_EVENT, PacketType.BINARY_ACK
PACKETS = [
    ("connect", b"0", Packet(CONNECT)),
    ("connect-auth", b'0{"token":"123"}', Packet(CONNECT, data_json=b'{"token":"123"}')),
    ("connect-namespace", b"0/admin,", Packet(CONNECT, b"/admin")),
    ("connect-namespace-without-comma", b"0/admin", Packet(CONNECT, b"/admin")),
    (
        "connect-namespace-auth",
        b'0/admin,{"a":1}',
        Packet(CONNECT, b"/admin", data_json=b'{"a":1}'),
    ),
    ("connect-namespace-query", b"0/admin?token=1&a=b,", Packet(CONNECT, b"/admin")),
    (
        "connect-error",
        b'4{"message":"Not authorized"}',
        Packet(PacketType.CONNECT_ERROR, data_json=b'{"message":"Not authorized"}'),
    ),
    ("disconnect", b"1", Packet(PacketType.DISCONNECT)),
    ("disconnect-namespace", b"1/admin,", Packet(PacketType.DISCONNECT, b"/admin")),
    ("event", b'2["foo"]', Packet(EVENT, data_json=b'["foo"]')),
    ("event-namespace", b'2/admin,["bar"]', Packet(EVENT, b"/admin", data_json=b'["bar"]')),
    ("event-main-namespace-named", b'2/,["bar"]', Packet(EVENT, data_json=b'["bar"]')),
    ("event-ack", b'212["foo"]', Packet(EVENT, ack=AckId(12), data_json=b'["foo"]')),
    ("event-ack-0", b'20["foo"]', Packet(EVENT, ack=AckId(0), data_json=b'["foo"]')),
    (
        "event-namespace-ack",
        b'2/admin,1["tellme"]',
        Packet(EVENT, b"/admin", AckId(1), 0, b'["tellme"]'),
    ),
    ("event-comma-in-data", b'2["/a,b",1]', Packet(EVENT, data_json=b'["/a,b",1]')),
    ("ack", b'3/admin,13["bar"]', Packet(ACK, b"/admin", AckId(13), 0, b'["bar"]')),
    ("ack-empty", b"312[]", Packet(ACK, ack=AckId(12), data_json=b"[]")),
    (
        "binary-event",
        b'51-["baz",{"_placeholder":true,"num":0}]',
        Packet(BINARY_EVENT, b"/", None, 1, b'["baz",{"_placeholder":true,"num":0}]'),
    ),
    (
        "binary-event-namespace",
        b'52-/admin,["baz"]',
        Packet(BINARY_EVENT, b"/admin", None, 2, b'["baz"]'),
    ),
    ("binary-event-ack", b'51-14["baz"]', Packet(BINARY_EVENT, b"/", AckId(14), 1, b'["baz"]')),
    ("binary-ack", b'61-15["bar"]', Packet(BINARY_ACK, b"/", AckId(15), 1, b'["bar"]')),
    ("binary-event-of-nothing", b'50-["a"]', Packet(BINARY_EVENT, b"/", None, 0, b'["a"]')),
]
GARBAGE = [
    ("empty", b""),
    ("no-type", b"abc"),
    ("type-7", b"7"),
    ("space", b" 2[]"),
    ("id-of-16-digits", b'21234567890123456["a"]'),
    ("id-without-end", b"2" + b"9" * 1000),
    ("binary-without-count", b'5["a"]'),
    ("binary-count-of-4-digits", b'51000-["a"]'),
    ("attachments-of-a-plain-event", b'21-["a"]'),
]


@pytest.mark.parametrize(
    ("text", "packet"), [case[1:] for case in PACKETS], ids=[c[0] for c in PACKETS]
)
def test_packet_reads(text: bytes, packet: Packet) -> None:
    assert parse_packet(text) == packet


@pytest.mark.parametrize("text", [case[1] for case in GARBAGE], ids=[c[0] for c in GARBAGE])
def test_what_is_no_packet_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedPacket):
        parse_packet(text)


@pytest.mark.parametrize("text", ["0/ünknown,", "0/" + "a" * 101 + ",", "0/a b,"])
def test_a_namespace_of_other_letters_or_too_many_is_left_to_the_reader_of_json(text: str) -> None:
    packet = parse_packet(text.encode())
    assert packet.namespace == b"/"
    assert packet.data_json == text[1:].encode()


JSON_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
ARGS = st.lists(JSON_VALUE, max_size=3)
ACK_ID = st.none() | st.integers(0, 10**15 - 1)


@given(st.text(max_size=10), ARGS, ACK_ID)
def test_events_are_read_as_another_library_writes_them(
    name: str, args: list[Any], ack: int | None
) -> None:
    theirs = TheirPacket(EVENT, [name, *args], id=ack).encode()
    packet = parse_packet(theirs.encode())
    assert (packet.type, packet.ack) == (EVENT, ack)
    assert json.loads(packet.data_json) == [name, *args]


@given(st.binary(max_size=5), ACK_ID, st.sampled_from([None, "/admin"]))
def test_binary_events_are_read_as_another_library_writes_them(
    data: bytes, ack: int | None, namespace: str | None
) -> None:
    text, attachment = TheirPacket(EVENT, ["a", data], namespace=namespace, id=ack).encode()
    packet = parse_packet(text.encode())
    assert (packet.type, packet.ack, packet.attachments_count) == (BINARY_EVENT, ack, 1)
    assert packet.namespace.decode() == (namespace or "/")
    assert attachment == data


@given(ARGS, st.integers(0, 10**15 - 1))
def test_frames_are_written_as_another_library_reads_them(args: list[Any], number: int) -> None:
    args_json = ",".join(json.dumps(arg) for arg in args).encode()
    ack = AckId(number)
    for frame, packet_type, data, ack_id in [
        (frames.frame_event(b"message", args_json), EVENT, ["message", *args], None),
        (frames.frame_event_with_ack(b"config", args_json, ack), EVENT, ["config", *args], ack),
        (frames.frame_ack(ack, args_json), ACK, args, ack),
    ]:
        assert frame[:1] == b"4"
        theirs = TheirPacket(encoded_packet=frame[1:].decode())
        assert (theirs.packet_type, theirs.data, theirs.id) == (packet_type, data, ack_id)


def test_frames_are_written_as_recorded() -> None:
    assert frames.frame_event(b"message", b'{"a":1}') == b'42["message",{"a":1}]'
    assert frames.frame_event(b"identify", b"") == b'42["identify"]'
    assert frames.frame_ack(AckId(12), b'{"a":1}') == b'4312[{"a":1}]'
    assert frames.frame_ack(AckId(0), b"") == b"430[]"
    assert frames.frame_event_with_ack(b"config", b"1,2", AckId(3)) == b'423["config",1,2]'
    assert frames.frame_connect("socket") == b'40{"sid":"socket"}'
    assert (
        frames.frame_refusal(b"/random", is_old=False)
        == b'44/random,{"message":"Invalid namespace"}'
    )
    assert frames.frame_refusal(b"/random", is_old=True) == b'44/random,"Invalid namespace"'
