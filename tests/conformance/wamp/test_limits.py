"""Nothing that a stranger sends is without a bound, and nothing malformed is passed on.

Source: WAMP, Serializations and Protocol Violations; RFC 3629 (UTF-8), RFC 8259, RFC 8949, MessagePack.
"""

import time
from collections.abc import Callable

import msgspec
import pytest
from tests.conformance.wamp.octets import octets

from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.serializer import DEPTH_MAX, ITEMS_MAX, MESSAGE_BYTES_MAX
from thingtank.protocols.wamp.serializers import SERIALIZERS

WAIT_S_MAX = 5.0
HEAD = {
    "json": b'[16,1,{},"t",',
    "msgpack": b"\x95\x10\x01\x80\xa1t",
    "cbor": b"\x85\x10\x01\xa0\x61t",
}
END = {"json": b"]", "msgpack": b"", "cbor": b""}


def is_taken(name: str, element: bytes) -> bool:
    """Whether a PUBLISH with this for its Arguments is read."""
    try:
        SERIALIZERS[name].decode(HEAD[name] + element + END[name])
    except ProtocolViolation:
        return False
    return True


LISTS: dict[str, Callable[[int], bytes]] = {
    "json": lambda depth: b"[" * depth + b"]" * depth,
    "msgpack": lambda depth: b"\x91" * (depth - 1) + b"\x90",
    "cbor": lambda depth: b"\x81" * (depth - 1) + b"\x80",
}
MAPS: dict[str, Callable[[int], bytes]] = {
    "json": lambda depth: b"[" + b'{"[":' * (depth - 1) + b"1" + b"}" * (depth - 1) + b"]",
    "msgpack": lambda depth: b"\x91" + b"\x81\xa1a" * (depth - 1) + b"\x01",
    "cbor": lambda depth: b"\x81" + b"\xa1\x61a" * (depth - 1) + b"\x01",
}


@pytest.mark.parametrize("nest", [LISTS, MAPS], ids=["lists", "maps"])
@pytest.mark.parametrize("name", SERIALIZERS)
def test_depth_is_bounded_alike(name: str, nest: dict[str, Callable[[int], bytes]]) -> None:
    assert is_taken(name, nest[name](DEPTH_MAX - 1))  # the message itself is one more
    for depth in (DEPTH_MAX, DEPTH_MAX + 1, 1000, 5000, 200_000):
        assert not is_taken(name, nest[name](depth))


def test_depth_of_cbor_counts_tags_and_indefinite_lengths() -> None:
    for opening, closing in ((b"\xc1", b""), (b"\x9f", b"\xff"), (b"\xbf\x61a", b"\xff")):
        for depth, taken in ((100, True), (DEPTH_MAX, False), (100_000, False)):
            assert is_taken("cbor", b"\x81" + opening * depth + b"\x01" + closing * depth) == taken


def test_brackets_within_strings_are_no_depth() -> None:
    assert is_taken("json", b'["' + b"[{" * 5000 + b'\\"[","]"]')
    assert is_taken("json", b'["' + b"," * ITEMS_MAX + b'"]')
    many = b'["' + b"\\\\" * 200 + b'",' + b"[]," * 200 + b"1]"
    assert is_taken("json", many)


def test_bytes_that_look_like_containers_are_no_depth() -> None:
    assert is_taken("msgpack", b"\x91\xc5\x01\x00" + b"\x91" * 256)
    assert is_taken("msgpack", b"\x91\xd9\xfe" + "ё".encode() * 127)


DETAILS = {
    "json": (b'[1,"r",{"roles":{"caller":{}},"authextra":{"a":', b"}}]"),
    "msgpack": (b"\x93\x01\xa1r\x82\xa5roles\x81\xa6caller\x80\xa9authextra\x81\xa1a", b""),
    "cbor": (b"\x83\x01\x61r\xa2\x65roles\xa1\x66caller\xa0\x69authextra\xa1\x61a", b""),
}


@pytest.mark.parametrize("name", SERIALIZERS)
def test_depth_of_details_is_bounded_alike(name: str) -> None:
    start, end = DETAILS[name]
    assert SERIALIZERS[name].decode(start + LISTS[name](DEPTH_MAX - 3) + end)
    for depth in (DEPTH_MAX - 2, 5000):
        with pytest.raises(ProtocolViolation):
            SERIALIZERS[name].decode(start + LISTS[name](depth) + end)


@pytest.mark.parametrize("name", SERIALIZERS)
def test_items_are_bounded_alike(name: str) -> None:
    assert is_taken(name, octets(name, [0] * (ITEMS_MAX - 10)))
    assert not is_taken(name, octets(name, [0] * (ITEMS_MAX + 1)))
    assert not is_taken(name, octets(name, [[[]] * 100] * (ITEMS_MAX // 100 + 1)))
    assert not is_taken(name, octets(name, [{str(n): n for n in range(ITEMS_MAX + 1)}]))


def test_items_of_indefinite_lists_are_bounded() -> None:
    assert is_taken("cbor", b"\x9f" + b"\x00" * (ITEMS_MAX - 10) + b"\xff")
    assert not is_taken("cbor", b"\x9f" + b"\x00" * (ITEMS_MAX + 1) + b"\xff")
    assert not is_taken("cbor", b"\x81\xbf" + b"\x00\x00" * (ITEMS_MAX + 1) + b"\xff")


@pytest.mark.parametrize("name", SERIALIZERS)
def test_size_is_bounded(name: str) -> None:
    with pytest.raises(ProtocolViolation, match=str(MESSAGE_BYTES_MAX)):
        SERIALIZERS[name].decode(b"[" * (MESSAGE_BYTES_MAX + 1))


@pytest.mark.parametrize("name", SERIALIZERS)
def test_large_message_of_one_string_is_taken(name: str) -> None:
    assert is_taken(name, octets(name, ["é" * 500_000]))


DECLARED = {
    "msgpack": [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x91\xdb\xff\xff\xff\xff",
        b"\x91\xc9\xff\xff\xff\xff\1",
    ],
    "cbor": [
        *(bytes((major + 26,)) + b"\xff" * 4 for major in (0x80, 0xA0)),
        *(b"\x81" + bytes((major + 27,)) + b"\xff" * 8 for major in (0x40, 0x60, 0x80, 0xA0)),
    ],
}


@pytest.mark.parametrize(("name", "element"), [(n, e) for n in DECLARED for e in DECLARED[n]])
def test_declared_lengths_cost_nothing(name: str, element: bytes) -> None:
    assert not is_taken(name, element)
    assert not is_taken(name, element + b"\0" * 2000)


BAD_TEXT = [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\x80"]


def text(name: str, content: bytes) -> bytes:
    if name == "json":
        return b'"' + content + b'"'
    return bytes(((0xA0 if name == "msgpack" else 0x60) + len(content),)) + content


@pytest.mark.parametrize("content", BAD_TEXT)
@pytest.mark.parametrize("name", SERIALIZERS)
def test_invalid_utf_8_is_refused_wherever_it_stands(name: str, content: bytes) -> None:
    bad, one = text(name, content), {"json": b"1", "msgpack": b"\1", "cbor": b"\1"}[name]
    assert not is_taken(name, listed(name, bad))
    assert not is_taken(name, listed(name, listed(name, bad)))
    assert not is_taken(name, listed(name, mapped(name, bad, one)))
    assert not is_taken(name, listed(name, mapped(name, text(name, b"a"), bad)))
    assert not is_taken(name, bad)
    assert not is_taken(name, listed(name, bad + b"," * (name == "json") + filler(name), 2))
    topic = HEAD[name].replace(text(name, b"t"), bad)
    with pytest.raises(ProtocolViolation):
        SERIALIZERS[name].decode(topic + listed(name, one) + END[name])


def listed(name: str, items: bytes, count: int = 1) -> bytes:
    if name == "json":
        return b"[" + items + b"]"
    return bytes(((0x90 if name == "msgpack" else 0x80) + count,)) + items


def mapped(name: str, key: bytes, value: bytes) -> bytes:
    if name == "json":
        return b"{" + key + b":" + value + b"}"
    return (b"\x81" if name == "msgpack" else b"\xa1") + key + value


def filler(name: str) -> bytes:
    """So much that short cuts for short payloads are not taken."""
    return octets(name, "x" * 2000)


MALFORMED = {
    "json": [
        *(b"[01]", b"[1.]", b"[1e]", b"[-]", b"[+1]", b"[NaN]", b"[Infinity]", b"['a']", b"[tru]"),
        *(b'["\x01"]', b'["\\q"]', b'["\\u12"]', b'["a]', b"[1,]"),
        *(b'[{"a"}]', b"[{1:2}]", b"[[}]", b"[1]]", b"[1] 2", b"[/**/]", b'["\n"]'),
    ],
    "msgpack": [
        b"\x91\xc1",
        b"\x92\x01",
        b"\x91\x81\x01",
        b"\x91\xd9",
        b"\x91\xc7\x01",
        b"\x91\xca\0\0\0",
    ],
    "cbor": [
        *(
            b"\x81\x1c",
            b"\x81\x3f",
            b"\x81\x5d",
            b"\x81\xfc",
            b"\x81\xff",
            b"\x81\xf8\x18",
            b"\x81\xf8",
        ),
        *(
            b"\x82\x01",
            b"\x81\xa1\x01",
            b"\x9f\x01",
            b"\x9f\xc1\xff",
            b"\x81\xbf\x01\xff",
            b"\x81\xdf",
        ),
        *(
            b"\x81\x7f\x41a\xff",
            b"\x81\x7f\x7f\xff\xff",
            b"\x81\x5f\x41",
            b"\x81\x7f\x61\xff\xff",
            b"\x81\xc1",
        ),
    ],
}


@pytest.mark.parametrize(("name", "element"), [(n, e) for n in MALFORMED for e in MALFORMED[n]])
def test_malformed_payload_is_a_violation_of_its_sender(name: str, element: bytes) -> None:
    assert not is_taken(name, element)
    for short, extra in ((element[:1], 1),):
        longer = {"json": element.replace(b"[", b"[" + filler(name) + b",", 1)}.get(
            name, bytes((short[0] + extra,)) + filler(name) + element[1:]
        )
        assert not is_taken(name, longer)


def keys_that_collide(count: int) -> list[tuple[int, int]]:
    return [(number, number * 2**40) for number in range(count)]


@pytest.mark.parametrize("name", ["msgpack", "cbor"])
def test_no_keys_of_a_stranger_s_choice_are_built(name: str) -> None:
    """Lists as keys: their hashes can be chosen, and a dict of such keys takes quadratic time."""
    value = dict.fromkeys(keys_that_collide(60000), 0)
    start_s = time.monotonic()
    assert is_taken(name, octets(name, [value]))
    start, end = DETAILS[name]
    with pytest.raises(ProtocolViolation, match="key"):
        SERIALIZERS[name].decode(start + octets(name, value) + end)
    assert time.monotonic() - start_s < WAIT_S_MAX


def test_tags_and_extensions_have_no_place_in_details() -> None:
    for element in (b"\xd8\x23\x61(", b"\xd8\x1c\x81\xd8\x1d\x00", b"\xf8\xff"):
        start, end = DETAILS["cbor"]
        with pytest.raises(ProtocolViolation):
            SERIALIZERS["cbor"].decode(start + element + end)
        with pytest.raises(ProtocolViolation):
            SERIALIZERS["cbor"].decode(b"\x84\x10\x01\xa1\x63x_y" + element + b"\x61t")
    start, end = DETAILS["msgpack"]
    for size in (1, 200):
        extension = msgspec.msgpack.encode([msgspec.msgpack.Ext(5, b"x" * size)])
        with pytest.raises(ProtocolViolation):
            SERIALIZERS["msgpack"].decode(start + extension + end)


def test_code_is_a_plain_number() -> None:
    for code in (b"\xc2\x41\x10", b"\x20", b"\xf9\x4c\x00", b"\x41\x10", b"\x1c"):
        with pytest.raises(ProtocolViolation):
            SERIALIZERS["cbor"].decode(b"\x85" + code + b"\x01\xa0\x61t\x81\x01")


def test_cbor_message_may_be_of_indefinite_length() -> None:
    serializer = SERIALIZERS["cbor"]
    whole = serializer.decode(b"\x85\x10\x01\xa0\x61t\x81\x01")
    assert serializer.decode(b"\x9f\x10\x01\xbf\xff\x7f\x61t\xff\x81\x01\xff") == whole
    assert serializer.decode(b"\x98\x05\x18\x10\x19\0\x01\xa0\x61t\x81\x01") == whole
    for bad in (
        b"\x9f\xff",
        b"\x9f",
        b"\x9f\x10\x01\xa0\x61t\x81\x01",
        b"\x9f\x10\x01\xa0\x61t\xff\0",
    ):
        with pytest.raises(ProtocolViolation):
            serializer.decode(bad)


@pytest.mark.parametrize("name", SERIALIZERS)
def test_nothing_at_all_is_a_violation(name: str) -> None:
    for data in (b"", b" ", b"\0", b"\xc0", b"\x80", b"\x90", b"\xff", b"\x9f", b"\xef\xbb\xbf[]"):
        with pytest.raises(ProtocolViolation):
            SERIALIZERS[name].decode(data)
