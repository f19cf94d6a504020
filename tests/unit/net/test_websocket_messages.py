"""Messages out of WebSocket frames: what is put together, and what ends a connection."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from thingtank.net.deflate import Deflate, agree
from thingtank.net.websocket_errors import BrokenWebSocket, CloseCode
from thingtank.net.websocket_messages import FrameType, MessageReader

CONTINUATION, TEXT, BINARY = FrameType
EURO = "€".encode()


class F(NamedTuple):
    kind: FrameType
    payload: bytes
    fin: bool = True
    rsv1: bool = False


def read(reader: MessageReader, frames: list[F]) -> list[bytes]:
    messages = []
    for kind, payload, fin, rsv1 in frames:
        message = reader.receive_frame(kind, payload, fin=fin, rsv1=rsv1)
        if message is not None:
            messages.append(message)
    return messages


@pytest.mark.parametrize(
    ("frames", "messages"),
    [
        ([F(TEXT, b"a"), F(BINARY, b"\xff")], [b"a", b"\xff"]),
        ([F(TEXT, b"")], [b""]),
        ([F(TEXT, b"a", False), F(CONTINUATION, b"b")], [b"ab"]),
        ([F(BINARY, b"", False), F(CONTINUATION, b"", False), F(CONTINUATION, b"")], [b""]),
        ([F(BINARY, b"a", False), F(CONTINUATION, b"b"), F(TEXT, b"c")], [b"ab", b"c"]),
        ([F(TEXT, EURO)], [EURO]),
        ([F(TEXT, EURO[:1], False), F(CONTINUATION, EURO[1:])], [EURO]),
        ([F(TEXT, b"x" * 10)], [b"x" * 10]),
    ],
)
def test_frames_make_messages(frames: list[F], messages: list[bytes]) -> None:
    """RFC 6455, 5.4 and 5.6."""
    assert read(MessageReader(10), frames) == messages


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([F(CONTINUATION, b"a")], CloseCode.PROTOCOL_ERROR),
        ([F(TEXT, b"a"), F(CONTINUATION, b"a")], CloseCode.PROTOCOL_ERROR),
        ([F(TEXT, b"a", False), F(TEXT, b"a")], CloseCode.PROTOCOL_ERROR),
        ([F(TEXT, b"a", rsv1=True)], CloseCode.PROTOCOL_ERROR),
        ([F(TEXT, b"\xff")], CloseCode.INVALID_TEXT),
        ([F(TEXT, b"\xff", False)], CloseCode.INVALID_TEXT),
        ([F(TEXT, EURO[:1])], CloseCode.INVALID_TEXT),
        ([F(TEXT, EURO[:1], False), F(CONTINUATION, b"")], CloseCode.INVALID_TEXT),
        ([F(TEXT, b"\xed\xa0\x80")], CloseCode.INVALID_TEXT),  # half of a surrogate pair
        ([F(BINARY, b"x" * 11)], CloseCode.MESSAGE_TOO_BIG),
        ([F(BINARY, b"x" * 6, False), F(CONTINUATION, b"x" * 5)], CloseCode.MESSAGE_TOO_BIG),
    ],
)
def test_what_makes_none_ends_the_connection(frames: list[F], code: CloseCode) -> None:
    """RFC 6455, 5.4, 5.2 and 8.1."""
    reader = MessageReader(10)
    read(reader, frames[:-1])
    with pytest.raises(BrokenWebSocket) as broken:
        read(reader, frames[-1:])
    assert broken.value.code == code


# --- compression ---


def deflated(message: bytes) -> bytes:
    client = PerMessageDeflate(True, True, 12, 12)
    return bytes(client.encode(Frame(Opcode.BINARY, message)).data)


def deflating_reader(bytes_max: int) -> MessageReader:
    agreed = agree(["permessage-deflate; client_max_window_bits"])
    assert agreed is not None
    return MessageReader(bytes_max, agreed[0])


def test_compressed_and_plain_messages_alternate() -> None:
    """RFC 7692, 6: each message says by RSV1 whether it is compressed."""
    body = deflated(b"abc" * 1000)
    half = len(body) // 2
    frames = [
        F(BINARY, body, rsv1=True),
        F(BINARY, b"plain"),
        F(TEXT, body[:half], False, True),
        F(CONTINUATION, body[half:]),
    ]
    assert read(deflating_reader(3000), frames) == [b"abc" * 1000, b"plain", b"abc" * 1000]


@pytest.mark.parametrize(
    ("make_frames", "code"),
    [
        (lambda: [F(BINARY, b"\xff\xff", rsv1=True)], CloseCode.PROTOCOL_ERROR),
        (
            lambda: [F(BINARY, deflated(b"\0" * 50_000_000), rsv1=True)],
            CloseCode.MESSAGE_TOO_BIG,
        ),
        (lambda: [F(BINARY, deflated(b"x" * 3001), rsv1=True)], CloseCode.MESSAGE_TOO_BIG),
        (
            lambda: [
                F(BINARY, deflated(b"x")[:1], False, True),
                F(CONTINUATION, b"", rsv1=True),
            ],
            CloseCode.PROTOCOL_ERROR,
        ),
    ],
    ids=["no deflate", "a bomb", "one byte too many", "plain goes on compressed"],
)
def test_bad_compression_ends_the_connection(
    make_frames: Callable[[], list[F]], code: CloseCode
) -> None:
    """RFC 7692, 6.2; and a message is as long as it becomes."""
    frames = make_frames()
    with pytest.raises(BrokenWebSocket) as broken:
        read(deflating_reader(3000), frames)
    assert broken.value.code == code


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        ([], None),
        (["x-webkit-deflate-frame"], None),
        (["permessage-deflate; nonsense"], None),
        (["permessage-deflate; client_max_window_bits=99"], None),
        (["=;,"], None),
        (["permessage-deflate" + "; x" * 2000], None),
        (
            ["permessage-deflate; nonsense", "permessage-deflate"],
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover;"
            " server_max_window_bits=12",
        ),
        (
            ["permessage-deflate; client_max_window_bits"],
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover;"
            " server_max_window_bits=12; client_max_window_bits=12",
        ),
        (
            ["permessage-deflate; server_max_window_bits=9"],
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover;"
            " server_max_window_bits=9",
        ),
    ],
)
def test_the_first_offer_that_can_be_kept_is_taken(offers: list[str], answer: str | None) -> None:
    """RFC 7692, 5 and 7.1."""
    agreed = agree(offers)
    assert (agreed and agreed[1]) == answer


def test_what_is_compressed_for_one_is_the_same_for_all() -> None:
    message = b'{"temperature":21.5}' * 100
    first, second = (Deflate(PerMessageDeflate(True, True, 12, 12)) for _ in range(2))
    once = first.compress(message)
    assert once == first.compress(message) == second.compress(message)
    assert len(once) < len(message) / 5
