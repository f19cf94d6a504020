"""Payloads: copied unread within a serializer, converted between them, whole or not at all.

Source: WAMP, Binary conversion of JSON Strings; Payload Passthru Mode; Message Definitions.
"""

import base64
import datetime
import math
from typing import Any

import cbor2
import msgspec
import pytest
from tests.conformance.wamp.octets import READ, octets

from thingtank.protocols.wamp.errors import ProtocolViolation, UnconvertiblePayload
from thingtank.protocols.wamp.messages import Publish
from thingtank.protocols.wamp.payloads import NO_PAYLOAD, Payload, opaque_payload, payload_of
from thingtank.protocols.wamp.serializers import CBOR, JSON, MSGPACK, SERIALIZERS

NUL_BASE64 = "\0" + base64.b64encode(b"\x00\xff\x10").decode()
BINARY = ("msgpack", "cbor")


def received(name: str, message: bytes) -> Payload:
    publish = SERIALIZERS[name].decode(message)
    assert isinstance(publish, Publish)
    return publish.payload


def publish_with(name: str, *elements: Any) -> bytes:
    return octets(name, [16, 1, {}, "t", *elements])


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("json", b'[ 1.0 ,"\\u00e9",1e999, {"a" :  1} ]'),
        ("json", b'[],{"n":123456789012345678901234567890}'),
        ("msgpack", b"\x92\xcf\0\0\0\0\0\0\0\1\xd9\1a"),  # not the shortest forms
        ("msgpack", b"\x90\x81\xa1a\xc7\x01\x05\x00"),  # an extension
        ("msgpack", b"\x91\x81\x81\1\1\1"),  # a map as a key: Python has nothing for it
        ("msgpack", b"\x91\xd6\xff\xff\xff\xff\xff"),  # a timestamp
        ("msgpack", b"\x91\xc7\x0c\xff" + b"\xff" * 12),  # one that is none
        ("cbor", b"\x9f\x18\x01\x7f\x61a\x61b\xff\xff"),  # indefinite lengths
        ("cbor", b"\x80\xbf\x61a\xf9\x3c\x00\xff"),  # a half-precision float
        ("cbor", b"\x81\xd8\x23\x61("),  # a tag: a regular expression, and a bad one
        ("cbor", b"\x81\xd8\x1c\x81\xd8\x1d\x00"),  # a list in itself
        ("cbor", b"\x81\xa1\xa0\x01"),
        ("cbor", b"\x81\xf8\xff"),  # a simple value
    ],
)
def test_same_serializer_gets_the_same_bytes(name: str, payload: bytes) -> None:
    count = 1 if payload[:2] not in (b"[]", b"\x90\x81", b"\x80\xbf") else 2
    head = octets(name, [16, 1, {}, "t"])
    if name == "json":
        message = head[:-1] + b"," + payload + b"]"
    else:
        message = bytes((head[0] + count,)) + head[1:] + payload
    event = SERIALIZERS[name].encode_event(5, 6, None, received(name, message))
    assert event.rstrip(b"]").endswith(payload.rstrip(b"]"))


@pytest.mark.parametrize("source", SERIALIZERS)
@pytest.mark.parametrize("target", SERIALIZERS)
@pytest.mark.parametrize(
    "elements",
    [
        [[1, -1, 2.5, True, None, "é\u2028", "", [], {}]],
        [[], {"a": {"b": [{"c": 2**53 - 1}]}}],
        [[2**53 + 1, -(2**63), 2**64 - 1], {"": "\t"}],
        [["x" * 300, list(range(300)), {str(i): i for i in range(300)}]],
    ],
)
def test_what_all_have_is_the_same_in_all(source: str, target: str, elements: list[Any]) -> None:
    payload = received(source, publish_with(source, *elements))
    assert [payload.args, payload.kwargs][: len(elements)] == elements
    written = SERIALIZERS[target].encode_event(5, 6, None, payload)
    assert READ[target](written)[4:] == elements


@pytest.mark.parametrize("source", BINARY)
def test_byte_strings_become_strings_of_json(source: str) -> None:
    data = b"\x00\xff\x10"
    payload = received(source, publish_with(source, [data, [data]], {"a": {"b": data}}))
    written = READ["json"](JSON.encode_event(5, 6, None, payload))
    assert written[4:] == [[NUL_BASE64, [NUL_BASE64]], {"a": {"b": NUL_BASE64}}]


@pytest.mark.parametrize("target", BINARY)
def test_strings_of_json_become_byte_strings(target: str) -> None:
    data = b"\x00\xff\x10"
    payload = received("json", publish_with("json", [NUL_BASE64, ["\0"]], {"a": {"b": NUL_BASE64}}))
    written = READ[target](SERIALIZERS[target].encode_event(5, 6, None, payload))
    assert written[4:] == [[data, [b""]], {"a": {"b": data}}]


def test_within_json_nothing_is_converted() -> None:
    payload = received("json", publish_with("json", [NUL_BASE64]))
    assert READ["json"](JSON.encode_event(5, 6, None, payload))[4] == [NUL_BASE64]


# as it is written: as it is passed on, and read
HALF_PAIRS: list[tuple[bytes, bytes, str]] = [
    (rb"\ud800", rb"\ufffd", "\ufffd"),
    (rb"\udc00", rb"\ufffd", "\ufffd"),
    (rb"\uD83D and more", rb"\ufffd and more", "\ufffd and more"),
    (rb"\ud800\u0041", rb"\ufffd\u0041", "\ufffdA"),
    (rb"\udc00\ud800", rb"\ufffd\ufffd", "\ufffd\ufffd"),
    (rb"\ud83d\ud83d\ude00", rb"\ufffd\ud83d\ude00", "\ufffd\U0001f600"),
    (rb"\ud83d\ude00\ude00", rb"\ud83d\ude00\ufffd", "\U0001f600\ufffd"),
    (rb"\\ud800\ud800", rb"\\ud800\ufffd", "\\ud800\ufffd"),
    (rb"\\\ud800", rb"\\\ufffd", "\\\ufffd"),
    (rb"\"\ud800\"", rb"\"\ufffd\"", '"\ufffd"'),
]


@pytest.mark.parametrize(("written", "passed_on", "read"), HALF_PAIRS)
def test_half_of_a_surrogate_pair_is_passed_on_as_the_replacement_character(
    written: bytes, passed_on: bytes, read: str
) -> None:
    """RFC 8259, 8.2: the grammar allows it, and AutobahnJS writes what JavaScript has."""
    payload = received("json", b'[16,1,{},"t",["%b"],{"%b":1}]' % (written, written))
    assert payload.data == b'["%b"],{"%b":1}' % (passed_on, passed_on)
    assert [payload.args, payload.kwargs] == [[read], {read: 1}]
    for target in SERIALIZERS:
        event = SERIALIZERS[target].encode_event(5, 6, None, payload)
        assert READ[target](event)[4:] == [[read], {read: 1}]


def test_half_of_a_surrogate_pair_before_the_payload_is_read_as_well() -> None:
    publish = JSON.decode(rb'[16,1,{"rkey":"\ud800"},"a.\udc00"]')
    assert isinstance(publish, Publish)
    assert (publish.options.rkey, publish.topic) == ("\ufffd", "a.\ufffd")
    assert JSON.parse_document(rb'["\ud800"]') == ["\ufffd"]


def test_half_of_a_surrogate_pair_excuses_nothing_else() -> None:
    with pytest.raises(ProtocolViolation, match=r"JSON: it has text that is not UTF-8$"):
        JSON.decode(b'[16,1,{},"t",["\\ud800\xff"]]')
    with pytest.raises(ProtocolViolation, match=r"JSON: it ends too early$"):
        JSON.decode(rb'[16,1,{},"t",["\ud800"]')
    with pytest.raises(ProtocolViolation, match=r"^PUBLISH: `request_id` must be"):
        JSON.decode(rb'[16,"1",{},"t",["\ud800"]]')


@pytest.mark.parametrize("text", ["\0***", "\0YQ", "a\0", "\0\u00e9"])
def test_string_that_is_no_base64_stays_one(text: str) -> None:
    payload = received("json", publish_with("json", [text]))
    assert READ["cbor"](CBOR.encode_event(5, 6, None, payload))[4] == [text]


@pytest.mark.parametrize("source", BINARY)
@pytest.mark.parametrize(
    ("value", "in_json"), [(math.nan, None), (math.inf, None), ({1: 2}, {"1": 2})]
)
def test_what_json_lacks_has_a_form_there(source: str, value: Any, in_json: Any) -> None:
    payload = received(source, publish_with(source, [value]))
    assert READ["json"](JSON.encode_event(5, 6, None, payload))[4] == [in_json]


@pytest.mark.parametrize("value", [math.inf, -math.inf, {1: 2, b"k": 3}, b"", 2**64 - 1])
@pytest.mark.parametrize(("source", "target"), [BINARY, BINARY[::-1]])
def test_what_the_binary_ones_share_is_kept(source: str, target: str, value: Any) -> None:
    payload = received(source, publish_with(source, [value]))
    assert READ[target](SERIALIZERS[target].encode_event(5, 6, None, payload))[4] == [value]


def test_dates_have_a_form_in_each() -> None:
    date = datetime.datetime(2026, 12, 1, 8, 30, tzinfo=datetime.UTC)
    in_msgpack = received("msgpack", publish_with("msgpack", [date]))
    in_cbor = received("cbor", publish_with("cbor", [date]))
    for payload in (in_msgpack, in_cbor):
        assert payload.args == [date]
        assert READ["json"](JSON.encode_event(5, 6, None, payload))[4] == ["2026-12-01T08:30:00Z"]
        assert READ["msgpack"](MSGPACK.encode_event(5, 6, None, payload))[4] == [date]
        assert READ["cbor"](CBOR.encode_event(5, 6, None, payload))[4] == [date]


def test_big_integers_are_digits_and_bignums() -> None:
    for sign in (1, -1):
        in_cbor = received("cbor", publish_with("cbor", [sign * 2**70]))
        assert READ["json"](JSON.encode_event(5, 6, None, in_cbor))[4] == [sign * 2**70]
        in_json = received("json", publish_with("json", [sign * 2**70]))
        assert READ["cbor"](CBOR.encode_event(5, 6, None, in_json))[4] == [sign * 2**70]


def test_undefined_is_null() -> None:
    payload = received("cbor", publish_with("cbor", [cbor2.undefined], {"a": [cbor2.undefined]}))
    assert READ["json"](JSON.encode_event(5, 6, None, payload))[4:] == [[None], {"a": [None]}]


UNCONVERTIBLE: dict[str, tuple[str, bytes | Any, str]] = {
    "key that is a boolean": ("msgpack", {True: 1}, "json"),
    "key that is null": ("msgpack", {None: 1}, "json"),
    "key that is a float": ("cbor", {1.5: 1}, "json"),
    "key that is a byte string": ("cbor", {b"a": 1}, "json"),
    "key that is a list": ("cbor", {(1,): 1}, "json"),
    "key that is a list, to MessagePack": ("cbor", {(1,): 1}, "msgpack"),
    "key that is a list, to CBOR": ("msgpack", {(1,): 1}, "cbor"),
    "key that is a big integer": ("cbor", {2**70: 1}, "json"),
    "extension": ("msgpack", msgspec.msgpack.Ext(5, b""), "json"),
    "extension, to CBOR": ("msgpack", msgspec.msgpack.Ext(5, b""), "cbor"),
    "tag": ("cbor", cbor2.CBORTag(4711, 1), "json"),
    "tag, to MessagePack": ("cbor", cbor2.CBORTag(4711, 1), "msgpack"),
    "tag of a regular expression": ("cbor", cbor2.CBORTag(35, "a"), "json"),
    "tag of a date that is none": ("cbor", cbor2.CBORTag(0, "yesterday"), "json"),
    "tag of a time beyond all": ("cbor", cbor2.CBORTag(1, 2**63), "json"),
    "simple value": ("cbor", cbor2.CBORSimpleValue(99), "json"),
    "integer of more than 64 bits": ("json", 2**64, "msgpack"),
    "integer of more digits than Python reads": ("json", None, "cbor"),
    "number beyond a double": ("json", None, "msgpack"),
}
NUMBERS = {
    "integer of more digits than Python reads": b"9" * 5000,
    "number beyond a double": b"1e999",
}


@pytest.mark.parametrize("case", UNCONVERTIBLE)
def test_what_has_no_form_is_refused_for_that_receiver_alone(case: str) -> None:
    source, value, target = UNCONVERTIBLE[case]
    if case in NUMBERS:
        message = b'[16,1,{},"t",[%b]]' % NUMBERS[case]
    else:
        message = publish_with(source, [value])
    payload = received(source, message)
    with pytest.raises(UnconvertiblePayload):
        SERIALIZERS[target].encode_event(5, 6, None, payload)
    assert SERIALIZERS[source].encode_event(5, 6, None, payload)


@pytest.mark.parametrize("name", SERIALIZERS)
@pytest.mark.parametrize(
    ("elements", "kept"),
    [
        ([], []),
        ([[]], []),
        ([[], {}], []),
        ([["a"], {}], [["a"]]),
        ([[[]], {}], [[[]]]),
        ([[], {"a": 1}], [[], {"a": 1}]),
        ([[{}]], [[{}]]),
    ],
)
def test_trailing_empty_elements_are_not_sent(name: str, elements: Any, kept: Any) -> None:
    payload = received(name, publish_with(name, *elements))
    assert payload.count == len(kept)
    assert READ[name](SERIALIZERS[name].encode_event(5, 6, None, payload))[4:] == kept
    assert payload.elements == kept


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("json", [b"[ \n]", b"[\t]", b"[  ],{ }"]),
        ("msgpack", [b"\xdc\0\0", b"\xdd\0\0\0\0", b"\x90\xde\0\0", b"\x90\xdf\0\0\0\0"]),
        (
            "cbor",
            [b"\x98\0", b"\x9b" + b"\0" * 8, b"\x9f\xff", b"\x80\xb9\0\0", b"\x9f\xff\xbf\xff"],
        ),
    ],
)
def test_empty_is_known_however_it_is_written(name: str, ends: list[bytes]) -> None:
    head = octets(name, [16, 1, {}, "t"])
    for end in ends:
        count = 2 if end[:1] == b"\x90" or (len(end) in (4, 7) and name != "msgpack") else 1
        if name == "json":
            message = head[:-1] + b"," + end + b"]"
        else:
            message = bytes((head[0] + count,)) + head[1:] + end
        assert received(name, message) == NO_PAYLOAD


@pytest.mark.parametrize("name", SERIALIZERS)
def test_own_payload_leaves_out_what_is_empty(name: str) -> None:
    serializer = SERIALIZERS[name]
    assert payload_of(serializer, []) is payload_of(serializer, [], {}) is NO_PAYLOAD
    assert payload_of(serializer, [1], {}).count == 1
    assert payload_of(serializer, [], {"a": b"\0"}).elements == [[], {"a": b"\0"}]
    assert NO_PAYLOAD.args == []
    assert NO_PAYLOAD.kwargs == {}
    assert NO_PAYLOAD.converted(serializer) is NO_PAYLOAD


@pytest.mark.parametrize("source", SERIALIZERS)
@pytest.mark.parametrize("target", SERIALIZERS)
@pytest.mark.parametrize("element", [b"\x82\xa5color", b"", "ciphertext"])
def test_byte_string_in_place_of_args_is_passed_on_as_it_is(
    source: str, target: str, element: bytes | str
) -> None:
    """Payload transparency: `enc_algo` and its kin, in which payloads are ciphers."""
    opaque = opaque_payload(SERIALIZERS[source], element)
    sent = SERIALIZERS[source].encode_event(5, 6, None, opaque)
    payload = received(source, SERIALIZERS[source].encode_with((16, 1, {}, "t"), opaque))
    assert payload == opaque
    assert payload.is_opaque
    assert payload.args == []
    assert payload.kwargs == {}
    converted = SERIALIZERS[target].encode_event(5, 6, None, payload)
    in_json = element if isinstance(element, str) else "\0" + base64.b64encode(element).decode()
    assert READ[target](converted)[4] == (in_json if target == "json" else element)
    assert READ[source](sent)[4] == (in_json if source == "json" else element)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("key", [1, None, b"a"])
def test_kwargs_have_names(name: str, key: Any) -> None:
    with pytest.raises(ProtocolViolation, match="string keys"):
        received(name, publish_with(name, [], {"a": 1, key: 1}))
    assert received(name, publish_with(name, [], {"a": {key: 1}})).count == 2


def test_payload_is_read_anew_each_time() -> None:
    payload = payload_of(JSON, [[1]])
    payload.args[0].append(2)
    assert payload.args == [[1]]


def test_conversion_to_the_same_serializer_copies_nothing() -> None:
    payload = payload_of(MSGPACK, [1])
    assert payload.converted(MSGPACK) is payload
