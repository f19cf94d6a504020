"""Any bytes as WAMP: messages or one kind of refusal; and what is read can be written."""

import contextlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from thingtank.protocols.wamp.batching import PrefixedBatching, SeparatedBatching
from thingtank.protocols.wamp.errors import ProtocolViolation, UnconvertiblePayload
from thingtank.protocols.wamp.messages import Publish
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.rawsocket import Failed, RawSocketConnection
from thingtank.protocols.wamp.serializers import SERIALIZERS

HEAD = {
    "json": b'[16,1,{},"t"',
    "msgpack": b"\x96\x10\x01\x80\xa1t",
    "cbor": b"\x86\x10\x01\xa0\x61t",
}
HELLO = {
    "json": b'[1,"r",{"roles":{"caller":{}},"authextra":',
    "msgpack": b"\x93\x01\xa1r\x82\xa5roles\x81\xa6caller\x80\xa9authextra",
    "cbor": b"\x83\x01\x61r\xa2\x65roles\xa1\x66caller\xa0\x69authextra",
}
TOKEN = st.sampled_from(
    [*'{}[]",:\\ 0-.e\x18\x1e', "null", "true", '"a"', '"\\u0000YQ=="', "1e999", "[]", "{}"]
)
TEXT = st.lists(TOKEN, max_size=12).map(lambda tokens: "".join(tokens).encode())
# Bytes with which items begin are more frequent among these than chance has it.
ITEM = st.sampled_from(
    [
        *(
            bytes((first,))
            for first in (*range(0x78, 0xA4), *range(0xBF, 0xE0), 0xF7, 0xF8, 0xFB, 0xFF)
        ),
        *(
            b"\x80",
            b"\x90",
            b"\xa0",
            b"\xa1a",
            b"\x61a",
            b"\x41a",
            b"\x01",
            b"\x18\x20",
            b"\xc3\xa9",
        ),
    ]
)
ITEMS = st.lists(ITEM | st.binary(max_size=3), max_size=14).map(b"".join)
names = pytest.mark.parametrize("name", SERIALIZERS)


def check_payload(name: str, payload: Payload) -> None:
    """It can be passed on, and it can be converted or is refused."""
    for target, serializer in SERIALIZERS.items():
        with contextlib.suppress(UnconvertiblePayload):
            written = serializer.encode_with((16, 1, {}, "t"), payload)
            again = serializer.decode(written)
            assert isinstance(again, Publish)
            assert (again.payload == payload) == (name == target or not payload.count)
    with contextlib.suppress(UnconvertiblePayload):
        assert len(payload.elements) == payload.count


def check(name: str, data: bytes) -> Any:
    serializer = SERIALIZERS[name]
    try:
        message = serializer.decode(data)
    except ProtocolViolation:
        return None
    if isinstance(message, Publish):
        check_payload(name, message.payload)
    else:
        written = serializer.encode(message)  # values such as NaN are not equal to themselves
        assert serializer.encode(serializer.decode(written)) == written
    return message


@names
@given(data=st.binary(max_size=60) | TEXT | ITEMS)
@example(data=b"")
def test_any_bytes_are_a_message_or_a_violation(name: str, data: bytes) -> None:
    check(name, data)


@names
@given(data=TEXT | ITEMS)
def test_any_payload_is_passed_on_whole_or_a_violation(name: str, data: bytes) -> None:
    end = b"," + data + b"]" if name == "json" else data
    check(name, HEAD[name] + end)
    check(
        name,
        HEAD[name][:1].replace(b"\x96", b"\x95").replace(b"\x86", b"\x85") + HEAD[name][1:] + end,
    )


@names
@given(data=TEXT | ITEMS)
def test_any_details_are_read_or_a_violation(name: str, data: bytes) -> None:
    check(name, HELLO[name] + data + b"}]" * (name == "json"))


@given(data=ITEMS)
def test_short_and_long_ways_of_reading_agree_about_msgpack(data: bytes) -> None:
    """Short payloads are built, longer ones are scanned."""
    short = b"\x95\x10\x01\x80\xa1t\x92\x01" + data
    long = b"\x95\x10\x01\x80\xa1t\x92\xc5\x08\x00" + bytes(2048) + data
    found = [check("msgpack", each) for each in (short, long)]
    assert (found[0] is None) == (found[1] is None)


@given(data=ITEMS, options=st.sampled_from([b"\xa0", b"\xbf\xff"]))
def test_frequent_and_other_ways_of_reading_agree_about_cbor(data: bytes, options: bytes) -> None:
    usual = check("cbor", b"\x85\x10\x01\xa0\x61t" + data)
    for other in (
        b"\x98\x05\x10\x01" + options + b"\x61t" + data,
        b"\x85\x10\x01" + options + b"\x79\x00\x01t" + data,
        b"\x85\x10\x19\x00\x01\xa0\x78\x01t" + data,
        b"\x85\x18\x10\x18\x01" + options + b"\x61t" + data,
    ):
        assert check("cbor", other) == usual
    if usual is not None:  # otherwise the number of elements may be right without being said
        assert check("cbor", b"\x9f\x18\x10\x01\xa0\x61t" + data + b"\xff") == usual


@given(data=st.binary(max_size=60) | TEXT)
def test_any_bytes_are_a_batch_or_a_violation(data: bytes) -> None:
    for batching in (SeparatedBatching(), PrefixedBatching()):
        with contextlib.suppress(ProtocolViolation):
            messages = batching.split(data)
            assert messages
            assert all(messages)
            assert batching.join(messages) == data


FRAME = st.tuples(st.integers(0, 11), st.binary(max_size=20)).map(
    lambda frame: bytes((frame[0], 0, 0, len(frame[1]))) + frame[1]
)
STREAM = st.tuples(
    st.just(b"\x7f\x02\0\0") | st.binary(max_size=4),
    st.lists(FRAME | st.binary(max_size=6), max_size=6),
).map(lambda parts: parts[0] + b"".join(parts[1]))


@given(stream=STREAM, cuts=st.lists(st.integers(1, 9), max_size=30))
def test_rawsocket_means_the_same_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    whole, by_octets, by_cuts = (RawSocketConnection({1, 2, 3}, 512) for _ in range(3))
    expected = whole.receive_data(stream)
    found = [
        event for at in range(len(stream)) for event in by_octets.receive_data(stream[at : at + 1])
    ]
    assert found == expected
    at, found = 0, []
    for size in [*cuts, len(stream)]:
        found += by_cuts.receive_data(stream[at : at + size])
        at += size
    assert found == expected
    assert whole.data_to_send() == by_octets.data_to_send() == by_cuts.data_to_send()
    assert [type(event) for event in expected].count(Failed) <= 1
    assert whole.receive_eof() == by_octets.receive_eof()
