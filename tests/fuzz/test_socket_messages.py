"""Any bytes on the TCP socket: requests or one refusal, the same however they were cut."""

import contextlib

from hypothesis import example, given
from hypothesis import strategies as st

from thingtank.protocols.xively.socket_messages import (
    MalformedMessage,
    MessageSplitter,
    SocketRequest,
    answer,
    parse_request,
)

MESSAGE_BYTES_MAX = 400
TEXT = st.sampled_from(['"a"', '"\\""', '"\\\\"', '"}"', '"{"', '"é"', '"\\u0000"', '"', "\\"])
TOKEN = st.sampled_from([*'{}[]",:\\ \r\n\t', "1", "null", "-", "1e999", "\x00"]) | TEXT
NAMES = ["method", "resource", "headers", "params", "parameters", "body", "token"]
MEMBER = st.tuples(
    st.sampled_from(NAMES), TEXT | TOKEN | st.sampled_from(["{}", "[]", '{"a":[1]}'])
)
REQUEST = st.lists(MEMBER, max_size=4).map(
    lambda members: "{" + ",".join(f'"{name}":{value}' for name, value in members) + "}"
)
STREAM = st.lists(
    st.binary(max_size=40) | (REQUEST | TOKEN | st.just("{" * 70)).map(str.encode), max_size=12
).map(b"".join)


def taken(pieces: list[bytes], pauses: bool = False) -> tuple[list[bytes], bool]:
    """The messages in these pieces, and whether a refusal ended them.

    Args:
        pauses: take one message a call, as a connection does that may not answer more.
    """
    splitter, found = MessageSplitter(MESSAGE_BYTES_MAX), []
    try:
        for piece in pieces:
            count = -1
            arrived = piece
            while count != len(found):
                count = len(found)
                for message in splitter.receive_data(arrived):
                    found.append(message)
                    if pauses:
                        break
                arrived = b""
    except MalformedMessage as refusal:
        assert refusal.is_fatal  # noqa: PT017 - the refusal may or may not come
        return found, True
    return found, False


@given(STREAM)
@example(b'{"method":"%b"}' % (b"a" * MESSAGE_BYTES_MAX))  # too large, and here at once
def test_whole_in_single_bytes_and_one_at_a_time_a_stream_means_the_same(stream: bytes) -> None:
    whole = taken([stream])
    assert taken([stream[at : at + 1] for at in range(len(stream))]) == whole
    assert taken([stream], pauses=True) == whole


@given(STREAM)
@example(b"{]")  # the splitter counts brackets; that they match is the reader's to say
def test_each_message_is_a_request_or_refused(stream: bytes) -> None:
    for message in taken([stream])[0]:
        assert message.startswith(b"{")
        assert message.endswith((b"}", b"]"))
        try:
            request = parse_request(message)
        except MalformedMessage as refusal:
            assert not refusal.is_fatal  # noqa: PT017 - the refusal may or may not come
            continue
        assert message.endswith(b"}")
        check_request(request)


def check_request(request: SocketRequest) -> None:
    """Whatever stood in it, it can be asked and answered."""
    assert isinstance(request.query, bytes)
    with contextlib.suppress(MalformedMessage, UnicodeError):
        assert isinstance(request.document, bytes)
    assert answer(request, 200).endswith(b"}\n")
