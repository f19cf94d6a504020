"""Bodies of polling. Sources: Engine.IO 4, HTTP long-polling; Engine.IO 3, Payload.

What a client of JavaScript sends is copied from engine.io-parser 1.3.2 (socket.io 1.x) and 2.2.1
(socket.io 2.x), which differ.
"""

import json

import pytest
from engineio.packet import Packet as TheirPacket
from engineio.payload import Payload as TheirPayload
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.engineio.sessions import message, text

from thingtank.protocols.engineio.errors import EngineError, MalformedPacket, PayloadTooLong
from thingtank.protocols.engineio.packets import Packet, PacketType
from thingtank.protocols.engineio.payloads import (
    content_type,
    parse_payload,
    serialize_payload,
)

BINARY = Packet(PacketType.MESSAGE, b"\1\2\xff", is_binary=True)
PING = text("2")
TEXT_BODIES = [
    # clause, revisions, body, packets
    ("4-polling-one", [4], b"4hello", [message("hello")]),
    (
        "4-polling-several",
        [4],
        b"4hello\x1e2\x1e4world",
        [message("hello"), PING, message("world")],
    ),
    ("4-polling-binary", [4], b"4hello\x1ebAQL/", [message("hello"), BINARY]),
    ("4-polling-utf8", [4], "4é\x1e4😀".encode(), [message("é"), message("😀")]),
    ("3-payload-example", [2, 3], b"12:4hello world3:4hi", [message("hello world"), message("hi")]),
    ("3-payload-one", [2, 3], b"1:2", [PING]),
    ("3-payload-base64", [2, 3], b"6:4hello6:b4AQL/1:2", [message("hello"), BINARY, PING]),
    ("3-payload-colons", [2, 3], b"4:4:1:3:4::", [message(":1:"), message("::")]),
    ("3-payload-zero-led", [2, 3], b"03:4hi", [message("hi")]),
    ("3-payload-of-nothing", [2, 3], b"0:", []),
    ("3-javascript-2.2.1", [3], '12:42["é","😀"]1:2'.encode(), [message('2["é","😀"]'), PING]),
    (
        "3-javascript-1.3.2",
        [3],
        "15:4{}1:2".format('2["é","😀"]'.encode().decode("latin-1")).encode(),
        [message('2["é","😀"]'), PING],
    ),
    (
        "3-counted-by-characters",
        [2, 3],
        '11:42["é","😀"]1:2'.encode(),
        [message('2["é","😀"]'), PING],
    ),
    ("3-latin-1-is-not-utf8-twice", [3], "3:4é!1:2".encode(), [message("é!"), PING]),
    ("3-ends-in-an-emoji", [2, 3], "3:4😀".encode(), [message("😀")]),
]
BINARY_BODIES = [
    ("3-binary-string", b"\0\6\xff4hello", [message("hello")]),
    ("3-binary-both", b"\0\6\xff4hello\1\4\xff\4\1\2\xff", [message("hello"), BINARY]),
    ("3-binary-length-of-two-digits", b"\0\1\2\xff4hello world", [message("hello world")]),
    (
        "3-binary-utf8-counts-bytes",
        b"\0\7\xff4\xc3\xa9\xf0\x9f\x98\x80\0\1\xff2",
        [message("é😀"), PING],
    ),
]
GARBAGE = [
    ("empty", 4, b""),
    ("separator-alone", 4, b"\x1e"),
    ("separator-at-the-end", 4, b"4a\x1e"),
    ("not-utf8", 4, b"4\xff"),
    ("one-bad-packet", 4, b"4a\x1eabc"),
    ("empty", 3, b""),
    ("no-length", 3, b":4a"),
    ("no-colon", 3, b"4a"),
    ("length-is-no-number", 3, b"2x:4a"),
    ("length-is-signed", 3, b"-2:4a"),
    ("length-in-arabic-digits", 3, "٢:4a".encode()),
    ("length-has-too-many-digits", 3, b"0000000002:4a"),
    ("too-short", 3, b"3:4a"),
    ("not-utf8", 3, b"2:4\xff"),
    ("something-behind", 3, b"2:4a2:"),
    ("binary-too-short", 3, b"\0\7\xff4hello"),
    ("binary-without-length", 3, b"\0\xff4hello"),
    ("binary-without-end-of-length", 3, b"\0\6"),
    ("binary-length-of-no-digits", 3, b"\0\x0a\xff4hello4567"),
    ("binary-kind-2", 3, b"\0\1\xff2\2\1\xff2"),
    ("binary-not-utf8", 3, b"\0\2\xff4\xff"),
    ("binary-endless-length", 3, b"\0" + b"\1" * 40 + b"\xff"),
]
# Of a body with an emoji there are two readings, so that what is left of it may be another whole.
WITH_LENGTHS = [case[2] for case in TEXT_BODIES if case[1] != [4] and b"\xf0" not in case[2]]
WITH_LENGTHS += [case[1] for case in BINARY_BODIES]
NASTY = st.text(
    st.sampled_from(
        ["a", '"', "\\", "é", "Ã", "©", "\ufffd", "\u2028", "\ue000", "😀", "\x1e", ":", "9"]
    ),
    max_size=20,
)
REVISION_AND_BASE64 = st.sampled_from([(2, True), (2, False), (3, True), (3, False), (4, False)])


def parsed(body: bytes, revision: int, *, is_binary: bool = False) -> list[Packet]:
    return parse_payload(body, revision, 1000, is_binary=is_binary)


@pytest.mark.parametrize(
    ("revisions", "body", "packets"),
    [case[1:] for case in TEXT_BODIES],
    ids=[c[0] for c in TEXT_BODIES],
)
def test_text_body_holds_packets(revisions: list[int], body: bytes, packets: list[Packet]) -> None:
    for revision in revisions:
        assert parsed(body, revision) == packets


@pytest.mark.parametrize(
    ("body", "packets"), [case[1:] for case in BINARY_BODIES], ids=[c[0] for c in BINARY_BODIES]
)
@pytest.mark.parametrize("is_binary", [True, False], ids=["told", "seen by its first octet"])
def test_binary_body_holds_packets(body: bytes, packets: list[Packet], is_binary: bool) -> None:
    assert parsed(body, 3, is_binary=is_binary) == packets


@pytest.mark.parametrize(
    ("revision", "body"), [case[1:] for case in GARBAGE], ids=[f"{c[1]}-{c[0]}" for c in GARBAGE]
)
def test_what_is_no_body_is_refused_whole(revision: int, body: bytes) -> None:
    with pytest.raises(MalformedPacket):
        parsed(body, revision)


@pytest.mark.parametrize("body", WITH_LENGTHS)
def test_a_body_with_lengths_that_is_cut_anywhere_is_less_or_refused(body: bytes) -> None:
    whole = parsed(body, 3)
    for at in range(1, len(body)):
        try:
            packets = parsed(body[:at], 3)
        except EngineError:
            continue
        assert packets == whole[: len(packets)]
        assert len(packets) < len(whole)


@pytest.mark.parametrize("garbage", [b"\xff", b"x", b"\0", b":", b"9"])
@pytest.mark.parametrize("body", WITH_LENGTHS)
def test_a_body_with_lengths_followed_by_garbage_is_refused(body: bytes, garbage: bytes) -> None:
    with pytest.raises(MalformedPacket):
        parsed(body + garbage, 3)


@pytest.mark.parametrize("revision", [2, 3, 4])
def test_more_packets_than_allowed_are_refused(revision: int) -> None:
    separator = b"\x1e" if revision == 4 else b""
    packet = b"2" if revision == 4 else b"1:2"
    assert len(parse_payload(separator.join([packet] * 5), revision, 5)) == 5
    with pytest.raises(PayloadTooLong):
        parse_payload(separator.join([packet] * 6), revision, 5)


def test_more_binary_parts_than_allowed_are_refused() -> None:
    with pytest.raises(PayloadTooLong):
        parse_payload(b"\0\1\xff2" * 6, 3, 5)


def test_content_types_are_those_that_clients_look_at() -> None:
    assert content_type(3, is_base64=False) == "application/octet-stream"
    assert content_type(3, is_base64=True) == "text/plain; charset=UTF-8"
    assert content_type(2, is_base64=False) == "text/plain; charset=UTF-8"
    assert content_type(4, is_base64=False) == "text/plain; charset=UTF-8"


def test_bodies_are_written_as_recorded() -> None:
    packets = [b'0{"sid":"a"}', b"40"]
    assert serialize_payload(packets, 3, is_base64=True) == b'12:0{"sid":"a"}2:40'
    assert serialize_payload(packets, 3, is_base64=False) == b'\0\1\2\xff0{"sid":"a"}\0\2\xff40'
    assert serialize_payload(packets, 4, is_base64=False) == b'0{"sid":"a"}\x1e40'


@given(st.lists(NASTY, min_size=1, max_size=5), REVISION_AND_BASE64)
def test_what_is_sent_reads_back(texts: list[str], form: tuple[int, bool]) -> None:
    revision, is_base64 = form
    sent = [b"4" + json.dumps([text], ensure_ascii=False).encode() for text in texts]
    body = serialize_payload(sent, revision, is_base64=is_base64)
    is_binary = content_type(revision, is_base64=is_base64) == "application/octet-stream"
    assert [json.loads(p.data) for p in parsed(body, revision, is_binary=is_binary)] == [
        [t] for t in texts
    ]


@given(st.lists(NASTY, min_size=1, max_size=5), REVISION_AND_BASE64)
def test_old_revisions_are_sent_ascii_so_that_all_count_the_same(
    texts: list[str], form: tuple[int, bool]
) -> None:
    revision, is_base64 = form
    sent = [b"4" + json.dumps([text], ensure_ascii=False).encode() for text in texts]
    body = serialize_payload(sent, revision, is_base64=is_base64)
    if revision < 4:
        assert body.replace(b"\xff", b"").isascii()


@given(st.lists(NASTY, min_size=1, max_size=5))
def test_lengths_in_utf16_units_are_read_as_javascript_writes_them(texts: list[str]) -> None:
    body = "".join(f"{len(f'4{t}'.encode('utf-16-le')) // 2}:4{t}" for t in texts).encode()
    for ours, theirs in zip(parsed(body, 2), texts, strict=True):
        assert ours.data.decode() in (theirs, once(theirs))


@given(st.lists(NASTY, min_size=1, max_size=5))
def test_text_encoded_twice_is_read_as_socket_io_1_writes_it(texts: list[str]) -> None:
    twice = [f"4{t}".encode().decode("latin-1") for t in texts]
    body = "".join(f"{len(part)}:{part}" for part in twice).encode()
    assert [p.data.decode() for p in parsed(body, 3)] == texts


@given(st.lists(NASTY, min_size=1, max_size=5))
def test_binary_bodies_are_read_as_javascript_writes_them(texts: list[str]) -> None:
    body = b""
    for content in texts:
        part = f"4{content}".encode()
        body += b"\0" + bytes(int(digit) for digit in str(len(part))) + b"\xff" + part
    assert [p.data.decode() for p in parsed(body, 3, is_binary=True)] == texts


@given(
    st.lists(
        st.text(max_size=20).filter(lambda t: "\x1e" not in t) | st.binary(max_size=9),
        min_size=1,
        max_size=10,
    )
)
def test_revision_4_is_read_as_another_library_writes_it(contents: list[str | bytes]) -> None:
    theirs = TheirPayload(
        packets=[TheirPacket(PacketType.MESSAGE, content) for content in contents]
    )
    assert parsed(theirs.encode().encode(), 4) == [
        message(content)
        if isinstance(content, str)
        else Packet(PacketType.MESSAGE, content, is_binary=True)
        for content in contents
    ]


@given(st.lists(NASTY, min_size=1, max_size=5))
def test_revision_4_is_written_as_another_library_reads_it(texts: list[str]) -> None:
    sent = [b"4" + json.dumps([text], ensure_ascii=False).encode() for text in texts]
    body = serialize_payload(sent, 4, is_base64=False)
    theirs = TheirPayload(encoded_payload=body.decode())
    assert [packet.data for packet in theirs.packets] == [[text] for text in texts]


def once(text: str) -> str:
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
