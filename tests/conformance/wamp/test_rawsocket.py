"""RawSocket: handshake and frames, octet by octet.

Source: WAMP, RawSocket Transport.
"""

import pytest

from thingtank.protocols.wamp.errors import MessageTooLong
from thingtank.protocols.wamp.rawsocket import (
    BYTES_MOST,
    Event,
    Failed,
    FrameType,
    Opened,
    Pong,
    RawSocketConnection,
    frame_head,
)
from thingtank.protocols.wamp.serializers import RAWSOCKET_SERIALIZERS

IDS = frozenset(RAWSOCKET_SERIALIZERS)
HELLO = b"\x7f\xf2\0\0"


def fed(connection: RawSocketConnection, data: bytes, step: int) -> list[Event]:
    """Events of data that arrives in pieces."""
    return [
        event
        for at in range(0, len(data), step)
        for event in connection.receive_data(data[at : at + step])
    ]


def opened(message_bytes_max: int = BYTES_MOST, request: bytes = HELLO) -> RawSocketConnection:
    connection = RawSocketConnection(IDS, message_bytes_max)
    connection.receive_data(request)
    connection.data_to_send()
    return connection


@pytest.mark.parametrize("serializer_id", range(16))
@pytest.mark.parametrize("length", range(16))
def test_handshake_answers_each_octet(length: int, serializer_id: int) -> None:
    connection = RawSocketConnection(IDS, 2**20)
    events = connection.receive_data(bytes((0x7F, length << 4 | serializer_id, 0, 0)))
    reply = connection.data_to_send()
    if serializer_id in (1, 2, 3):
        assert events == [Opened(serializer_id, 2 ** (9 + length))]
        assert reply == bytes((0x7F, 11 << 4 | serializer_id, 0, 0))
    else:
        assert isinstance(events[0], Failed)
        assert reply == b"\x7f\x10\0\0"


@pytest.mark.parametrize("reserved", [b"\0\1", b"\1\0", b"\xff\xff"])
def test_reserved_octets_are_refused(reserved: bytes) -> None:
    connection = RawSocketConnection(IDS)
    assert isinstance(connection.receive_data(b"\x7f\xf2" + reserved)[0], Failed)
    assert connection.data_to_send() == b"\x7f\x30\0\0"


def test_client_that_receives_too_little_is_refused() -> None:
    connection = RawSocketConnection(IDS, peer_bytes_least=2**16)
    assert isinstance(connection.receive_data(b"\x7f\x62\0\0")[0], Failed)
    assert connection.data_to_send() == b"\x7f\x20\0\0"
    connection = RawSocketConnection(IDS, peer_bytes_least=2**16)
    assert connection.receive_data(b"\x7f\x72\0\0") == [Opened(2, 2**16)]


def test_client_of_a_full_router_is_told() -> None:
    connection = RawSocketConnection(IDS, is_full=True)
    assert isinstance(connection.receive_data(HELLO)[0], Failed)
    assert connection.data_to_send() == b"\x7f\x40\0\0"


@pytest.mark.parametrize("first", [b"G", b"\x16", b"\0", b"\xff", b"["])
def test_what_does_not_begin_with_0x7f_fails_at_once_without_words(first: bytes) -> None:
    connection = RawSocketConnection(IDS)
    assert isinstance(connection.receive_data(first)[0], Failed)
    assert connection.data_to_send() == b""
    assert connection.receive_data(HELLO) == []
    assert connection.data_to_send() == b""


@pytest.mark.parametrize(
    ("message_bytes_max", "announced"),
    [
        (1, 512),
        (512, 512),
        (1023, 512),
        (1024, 1024),
        (2**20, 2**20),
        (2**24, 2**24),
        (2**30, 2**24),
    ],
)
def test_limit_is_announced_as_a_power_of_two_that_is_not_more(
    message_bytes_max: int, announced: int
) -> None:
    connection = RawSocketConnection(IDS, message_bytes_max)
    connection.receive_data(HELLO)
    assert 2 ** (9 + (connection.data_to_send()[1] >> 4)) == announced
    assert connection.receive_bytes_max == announced


@pytest.mark.parametrize("step", [1, 2, 3, 5, 1000])
def test_messages_and_pings_are_the_same_however_they_were_cut(step: int) -> None:
    connection = RawSocketConnection(IDS)
    data = HELLO + b"\0\0\0\x03abc" + b"\1\0\0\x02hi" + b"\0\0\0\0" + b"\2\0\0\1x" + b"\1\0\0\0"
    assert fed(connection, data, step) == [Opened(2, BYTES_MOST), b"abc", b"", Pong(b"x")]
    assert connection.data_to_send() == b"\x7f\xf2\0\0" + b"\2\0\0\x02hi" + b"\2\0\0\0"
    assert connection.data_to_send() == b""
    assert connection.receive_eof() == []


@pytest.mark.parametrize("first", [0x03, 0x04, 0x05, 0x06, 0x07, 0x10, 0x20, 0x40, 0x80, 0xF0])
@pytest.mark.parametrize("step", [1, 1000])
def test_reserved_bits_and_types_fail(first: int, step: int) -> None:
    connection = opened()
    events = fed(connection, b"\0\0\0\1a" + bytes((first, 0, 0, 1)) + b"a\0\0\0\1b", step)
    assert events[0] == b"a"
    assert isinstance(events[1], Failed)
    assert len(events) == 2
    assert connection.receive_data(b"\0\0\0\1a") == []


def test_frame_of_exactly_16_mi_is_taken_and_sent() -> None:
    message = b"x" * BYTES_MOST
    connection = opened()
    assert fed(connection, b"\x08\0\0\0" + message + b"\0\0\0\1a", 2**20) == [message, b"a"]
    connection.send_message(message)
    assert connection.data_to_send() == b"\x08\0\0\0" + message
    connection.send_message(message[1:])
    assert connection.data_to_send()[:4] == b"\0\xff\xff\xff"
    assert frame_head(FrameType.PING, BYTES_MOST) == b"\x09\0\0\0"


def test_bit_of_16_mi_goes_with_length_0_only() -> None:
    for head in (b"\x08\0\0\1", b"\x08\xff\xff\xff"):
        assert isinstance(opened().receive_data(head)[0], Failed)


def test_frame_above_the_limit_fails_before_its_payload() -> None:
    for head in (b"\0\0\x04\1", b"\1\0\x04\1", b"\x08\0\0\0", b"\0\xff\xff\xff"):
        connection = opened(1024)
        assert isinstance(connection.receive_data(head)[0], Failed)
    connection = opened(1024)
    assert connection.receive_data(b"\0\0\x04\0" + b"a" * 1024) == [b"a" * 1024]


def test_client_is_not_sent_more_than_it_takes() -> None:
    connection = opened(request=b"\x7f\x01\0\0")
    connection.send_message(b"a" * 512)
    with pytest.raises(MessageTooLong, match="513"):
        connection.send_message(b"a" * 513)
    assert connection.data_to_send() == b"\0\0\x02\0" + b"a" * 512


def test_ping_of_ours_comes_back() -> None:
    connection = opened()
    connection.send_ping(b"7")
    assert connection.data_to_send() == b"\1\0\0\x017"
    assert connection.receive_data(b"\2\0\0\x017") == [Pong(b"7")]


@pytest.mark.parametrize(("data", "is_whole"), [(b"", True), (b"\0", False), (b"\0\0\0\1", False)])
def test_end_within_a_frame_is_a_failure(data: bytes, is_whole: bool) -> None:
    connection = opened()
    connection.receive_data(data)
    assert [type(event) for event in connection.receive_eof()] == [Failed] * (not is_whole)
    assert connection.receive_eof() == []


def test_end_within_a_handshake_is_a_failure() -> None:
    connection = RawSocketConnection(IDS)
    assert connection.receive_eof() == []
    assert connection.receive_data(b"\x7f\xf2") == []
    assert isinstance(connection.receive_eof()[0], Failed)
