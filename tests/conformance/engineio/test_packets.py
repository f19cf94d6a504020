"""One packet: each type, text and binary, in the three revisions. Source: Packet encoding."""

import pytest
from engineio.packet import Packet as TheirPacket
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.engineio.errors import MalformedPacket
from thingtank.protocols.engineio.packets import (
    REVISIONS,
    Packet,
    PacketType,
    parse_binary,
    parse_text,
)

MESSAGE = PacketType.MESSAGE
TEXT = [
    ("protocol-open", b'0{"sid":"a"}', Packet(PacketType.OPEN, b'{"sid":"a"}')),
    ("protocol-close", b"1", Packet(PacketType.CLOSE)),
    ("heartbeat-ping", b"2", Packet(PacketType.PING)),
    ("heartbeat-pong", b"3", Packet(PacketType.PONG)),
    ("message", b"4hello", Packet(MESSAGE, b"hello")),
    ("message-empty", b"4", Packet(MESSAGE)),
    ("message-utf8", "4€ 😀".encode(), Packet(MESSAGE, "€ 😀".encode())),
    ("upgrade-probe", b"2probe", Packet(PacketType.PING, b"probe")),
    ("upgrade-answer", b"3probe", Packet(PacketType.PONG, b"probe")),
    ("upgrade", b"5", Packet(PacketType.UPGRADE)),
    ("upgrade-noop", b"6", Packet(PacketType.NOOP)),
]
OF_REVISION = [
    ("base64-rev-4", 4, b"bAQIDBA==", Packet(MESSAGE, b"\1\2\3\4", is_binary=True)),
    ("base64-rev-3", 3, b"b4AQIDBA==", Packet(MESSAGE, b"\1\2\3\4", is_binary=True)),
    ("base64-rev-2", 2, b"b4", Packet(MESSAGE, b"", is_binary=True)),
]
GARBAGE = [
    ("empty", 4, b""),
    ("no-type", 4, b"abc"),
    ("type-7", 4, b"7"),
    ("type-9", 3, b"9x"),
    ("space", 3, b" 4a"),
    ("arabic-digit", 4, "٤a".encode()),
    ("base64-bad", 4, b"b*"),
    ("base64-padding", 4, b"bAQI"),
    ("base64-then-garbage", 4, b"bAQI=\n"),
    ("base64-without-type", 3, b"b"),
    ("base64-of-a-ping", 3, b"b2AQI="),
    ("base64-of-no-type", 3, b"bAQI="),
]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(("frame", "packet"), [case[1:] for case in TEXT], ids=[c[0] for c in TEXT])
def test_text_is_a_digit_and_data(frame: bytes, packet: Packet, revision: int) -> None:
    assert parse_text(frame, revision) == packet


@pytest.mark.parametrize(
    ("revision", "frame", "packet"),
    [case[1:] for case in OF_REVISION],
    ids=[c[0] for c in OF_REVISION],
)
def test_binary_data_in_text_is_base64(revision: int, frame: bytes, packet: Packet) -> None:
    assert parse_text(frame, revision) == packet


@pytest.mark.parametrize(
    ("revision", "frame"), [case[1:] for case in GARBAGE], ids=[c[0] for c in GARBAGE]
)
def test_what_is_no_packet_is_refused(revision: int, frame: bytes) -> None:
    with pytest.raises(MalformedPacket):
        parse_text(frame, revision)


def test_a_binary_frame_of_revision_4_is_all_data() -> None:
    for data in (b"", b"\x04\1", b"\xff"):
        assert parse_binary(data, 4) == Packet(MESSAGE, data, is_binary=True)


@pytest.mark.parametrize("revision", [2, 3])
def test_a_binary_frame_before_revision_4_begins_with_its_type(revision: int) -> None:
    assert parse_binary(b"\x04\1\2", revision) == Packet(MESSAGE, b"\1\2", is_binary=True)
    for data in (b"", b"4a", b"\x02", b"\x07a"):
        with pytest.raises(MalformedPacket):
            parse_binary(data, revision)


@given(st.binary(max_size=50))
def test_binary_messages_are_read_as_another_library_writes_them(data: bytes) -> None:
    theirs = TheirPacket(MESSAGE, data)
    assert parse_text(theirs.encode(b64=True).encode(), 4) == Packet(MESSAGE, data, is_binary=True)


@given(st.sampled_from(list(PacketType)), st.text(max_size=50))
def test_text_is_read_as_another_library_writes_it(packet_type: PacketType, data: str) -> None:
    frame = TheirPacket(packet_type, data).encode().encode()
    assert parse_text(frame, 4) == Packet(packet_type, data.encode())
