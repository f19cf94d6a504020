"""Packets of socket.io 0.9: all nine types, as its servers and clients write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.socketio.events import AckId
from thingtank.protocols.socketio.legacy import frames
from thingtank.protocols.socketio.legacy.packets import (
    MalformedPacket,
    Packet,
    PacketType,
    parse_ack,
    parse_packet,
)

EVENT, MESSAGE, JSON, ACK = PacketType.EVENT, PacketType.MESSAGE, PacketType.JSON, PacketType.ACK
PACKETS = [
    ("0-disconnect", "0::", Packet(PacketType.DISCONNECT)),
    ("0-disconnect-endpoint", "0::/woot", Packet(PacketType.DISCONNECT, endpoint=b"/woot")),
    ("0-disconnect-python", "0:::", Packet(PacketType.DISCONNECT)),
    ("1-connect", "1::", Packet(PacketType.CONNECT)),
    ("1-connect-endpoint", "1::/tobi", Packet(PacketType.CONNECT, endpoint=b"/tobi")),
    (
        "1-connect-query",
        "1::/test:?test=1",
        Packet(PacketType.CONNECT, endpoint=b"/test", data=b"?test=1"),
    ),
    ("2-heartbeat", "2::", Packet(PacketType.HEARTBEAT)),
    ("2-heartbeat-python", "2:::", Packet(PacketType.HEARTBEAT)),
    ("3-message", "3:::woot", Packet(MESSAGE, data=b"woot")),
    ("3-message-empty", "3::", Packet(MESSAGE)),
    ("3-message-id", "3:5:/tobi", Packet(MESSAGE, AckId(5), endpoint=b"/tobi")),
    ("3-message-colons", "3:::a:b::c\n:", Packet(MESSAGE, data=b"a:b::c\n:")),
    ("3-message-utf8", "3:::é😀\ufffd", Packet(MESSAGE, data="é😀\ufffd".encode())),
    ("4-json", '4:::"2"', Packet(JSON, data=b'"2"')),
    ("4-json-id-data", '4:1+::{"a":"b"}', Packet(JSON, AckId(1), True, data=b'{"a":"b"}')),
    ("5-event", '5:::{"name":"woot"}', Packet(EVENT, data=b'{"name":"woot"}')),
    (
        "5-event-id-data-endpoint",
        '5:1+:/x:{"name":"tobi"}',
        Packet(EVENT, AckId(1), True, b"/x", b'{"name":"tobi"}'),
    ),
    ("6-ack", "6:::140", Packet(ACK, data=b"140")),
    ("6-ack-args", '6:::12+["woot","wa"]', Packet(ACK, data=b'12+["woot","wa"]')),
    ("7-error", "7:::2+0", Packet(PacketType.ERROR, data=b"2+0")),
    ("7-error-endpoint", "7::/woot", Packet(PacketType.ERROR, endpoint=b"/woot")),
    ("8-noop", "8::", Packet(PacketType.NOOP)),
]
GARBAGE = [
    "",
    "5",
    "5:",
    ":::",
    "9::",
    "a::",
    "12::",
    "5:x::{}",
    "5:+::{}",
    "5:-1::{}",
    " 5:::",
    "5:1+",
    "3::ünknown:",
    "5:" + "1" * 16 + "::{}",
    "5::" + "a" * 101,
]
ACKS = [
    ("140", 140, b""),
    ('12+["woot"]', 12, b'["woot"]'),
    ("12+", 12, b""),
    ("1+[1]+[2]", 1, b"[1]+[2]"),
]


@pytest.mark.parametrize(
    ("text", "packet"), [case[1:] for case in PACKETS], ids=[c[0] for c in PACKETS]
)
def test_packet_reads(text: str, packet: Packet) -> None:
    assert parse_packet(text.encode()) == packet


@pytest.mark.parametrize("text", GARBAGE, ids=[text[:12] for text in GARBAGE])
def test_what_is_no_packet_is_refused(text: str) -> None:
    with pytest.raises(MalformedPacket):
        parse_packet(text.encode())


@pytest.mark.parametrize(("data", "ack", "args_json"), ACKS)
def test_acknowledgement_reads(data: str, ack: int, args_json: bytes) -> None:
    assert parse_ack(data.encode()) == (ack, args_json)


@pytest.mark.parametrize("data", ["", "+", "a", "1 ", "1[", "-1", "1" * 16])
def test_an_acknowledgement_of_nothing_is_refused(data: str) -> None:
    with pytest.raises(MalformedPacket):
        parse_ack(data.encode())


@given(
    st.sampled_from(list(PacketType)),
    st.none() | st.integers(0, 10**15 - 1),
    st.booleans(),
    st.sampled_from(["", "/a", "/ab/c"]),
    st.text(max_size=30),
)
def test_packets_of_all_parts_read_back(
    packet_type: PacketType, number: int | None, wants_data: bool, endpoint: str, data: str
) -> None:
    ack = None if number is None else AckId(number)
    wants_data = wants_data and ack is not None
    text = (
        f"{packet_type}:{'' if ack is None else ack}{'+' if wants_data else ''}:{endpoint}:{data}"
    )
    assert parse_packet(text.encode()) == Packet(
        packet_type, ack, wants_data, endpoint.encode(), data.encode()
    )


def test_frames_are_written_as_recorded() -> None:
    assert frames.frame_event(b"message", b'{"a":1}') == b'5:::{"name":"message","args":[{"a":1}]}'
    assert frames.frame_event(b"message", b"1,2") == b'5:::{"name":"message","args":[1,2]}'
    assert frames.frame_event(b"identify", b"") == b'5:::{"name":"identify"}'
    assert (
        frames.frame_event_with_ack(b"config", b"1", AckId(3))
        == b'5:3+::{"name":"config","args":[1]}'
    )
    assert frames.frame_ack(AckId(1), b'{"a":1}') == b'6:::1+[{"a":1}]'
    assert frames.frame_ack(AckId(1), b"") == b"6:::1"
    assert frames.frame_receipt(AckId(4), b"") == b"6:::4"
    assert frames.frame_receipt(AckId(4), b"/x") == b"6::/x:4"
    assert frames.frame_refusal(b"/x") == b"7::/x:2+"


@given(st.text(max_size=20), st.integers(0, 999))
def test_frames_read_back(text: str, number: int) -> None:
    args_json, ack = json.dumps(text).encode(), AckId(number)
    packet = parse_packet(frames.frame_event_with_ack(b"message", args_json, ack))
    assert (packet.type, packet.id, packet.wants_data) == (EVENT, ack, True)
    assert json.loads(packet.data) == {"name": "message", "args": [text]}
    found, values_json = parse_ack(parse_packet(frames.frame_ack(ack, args_json)).data)
    assert (found, json.loads(values_json)) == (ack, [text])
