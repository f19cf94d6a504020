"""Bodies of socket.io 0.9: framing by characters, JSONP, handshakes.

`length` means UTF-16 code units to the original and to browsers, characters to Python's
socketIO_client 0.5.
"""

import json
import re
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.socketio.legacy.bounds import Bounds
from thingtank.protocols.socketio.legacy.packets import MalformedPacket
from thingtank.protocols.socketio.legacy.payloads import (
    handshake_body,
    parse_jsonp_post,
    parse_payload,
    serialize_payload,
    wrap_jsonp,
)

MARK = "\ufffd"
BODIES = [
    ("one", "5:::{}", ["5:::{}"]),
    ("one-with-marks-inside", f"3:::a{MARK}3{MARK}b", [f"3:::a{MARK}3{MARK}b"]),
    ("several", f"{MARK}5{MARK}3:::a{MARK}3{MARK}2::", ["3:::a", "2::"]),
    ("one-framed", f"{MARK}5{MARK}3:::a", ["3:::a"]),
    (
        "marks-in-data",
        f"{MARK}7{MARK}3:::a{MARK}3{MARK}6{MARK}3:::b{MARK}",
        [f"3:::a{MARK}3", f"3:::b{MARK}"],
    ),
    ("emoji-in-units", f"{MARK}6{MARK}3:::😀{MARK}3{MARK}2::", ["3:::😀", "2::"]),
    ("emoji-in-characters", f"{MARK}5{MARK}3:::😀{MARK}3{MARK}2::", ["3:::😀", "2::"]),
    ("beyond-latin", f"{MARK}6{MARK}3:::é€{MARK}3{MARK}2::", ["3:::é€", "2::"]),
    ("empty-packet", f"{MARK}0{MARK}{MARK}3{MARK}2::", ["", "2::"]),
]
GARBAGE = [
    ("mark-alone", MARK),
    ("no-length", f"{MARK}{MARK}2::"),
    ("length-is-no-number", f"{MARK}x{MARK}2::"),
    ("length-in-arabic-digits", f"{MARK}٣{MARK}2::"),
    ("length-of-too-many-digits", f"{MARK}0000000003{MARK}2::"),
    ("length-without-end", f"{MARK}3"),
    ("too-short", f"{MARK}4{MARK}2::"),
    ("something-behind", f"{MARK}3{MARK}2::x"),
    ("something-for-a-mark", f"{MARK}3{MARK}2::x3{MARK}2::"),
    ("something-between", f"{MARK}3{MARK}2::x{MARK}3{MARK}2::"),
]
NASTY = st.text(
    st.sampled_from(["a", '"', "\\", "é", "€", MARK, "\u2028", "😀", "3", ":"]), max_size=20
)


def strict_reading(text: str) -> list[str]:
    """What a client that cuts at each mark reads; Python's does."""
    if not text.startswith(MARK):
        return [text]
    parts = text.split(MARK)
    for count, part in zip(parts[1::2], parts[2::2], strict=True):
        assert int(count) == len(part)
    return parts[2::2]


@pytest.mark.parametrize(
    ("body", "packets"), [case[1:] for case in BODIES], ids=[c[0] for c in BODIES]
)
def test_body_holds_packets(body: str, packets: list[str]) -> None:
    assert parse_payload(body.encode(), 10) == [packet.encode() for packet in packets]


@pytest.mark.parametrize("body", [case[1] for case in GARBAGE], ids=[c[0] for c in GARBAGE])
def test_what_is_no_body_is_refused_whole(body: str) -> None:
    with pytest.raises(MalformedPacket):
        parse_payload(body.encode(), 10)


def test_text_that_is_not_utf8_is_refused() -> None:
    for body in (b"3:::\xff", b"3:::\xed\xa0\x80", "\ufffd3\ufffd2::".encode()[:-4]):
        with pytest.raises(MalformedPacket):
            parse_payload(body, 10)


def test_more_packets_than_allowed_are_refused() -> None:
    body = f"{MARK}3{MARK}2::".encode()
    assert len(parse_payload(body * 5, 5)) == 5
    with pytest.raises(MalformedPacket):
        parse_payload(body * 6, 5)


@pytest.mark.parametrize(
    "body", [case[1] for case in BODIES if case[1].startswith(MARK) and "😀" not in case[1]]
)
def test_a_body_cut_anywhere_is_less_or_refused(body: str) -> None:
    whole = parse_payload(body.encode(), 10)
    for at in range(1, len(body)):
        try:
            packets = parse_payload(body[:at].encode(), 10)
        except MalformedPacket:
            continue
        assert packets == whole[: len(packets)]
        assert len(packets) < len(whole)


@given(st.lists(NASTY, min_size=2, max_size=5), st.booleans())
def test_both_counts_are_read(texts: list[str], in_units: bool) -> None:
    packets = [f"3:::{text}" for text in texts]
    body = "".join(
        f"{MARK}{len(p.encode('utf-16-le')) // 2 if in_units else len(p)}{MARK}{p}" for p in packets
    )
    found = parse_payload(body.encode(), 10)
    if in_units or "😀" not in body:  # else the other count may come out even as well
        assert found == [packet.encode() for packet in packets]


@given(st.lists(NASTY, min_size=1, max_size=5))
def test_what_is_sent_is_the_same_in_all_counts(texts: list[str]) -> None:
    packets = [b"5:::" + json.dumps({"name": text}, ensure_ascii=False).encode() for text in texts]
    body = serialize_payload(packets)
    assert body.replace(MARK.encode(), b"").isascii()
    assert [json.loads(part[4:]) for part in strict_reading(body.decode())] == [
        {"name": t} for t in texts
    ]
    assert [json.loads(part[4:]) for part in parse_payload(body, 10)] == [
        {"name": t} for t in texts
    ]


@given(st.lists(NASTY, min_size=1, max_size=5))
def test_jsonp_is_a_string_of_javascript_whose_marks_are_plain(texts: list[str]) -> None:
    packets = [b"5:::" + json.dumps({"name": text}, ensure_ascii=False).encode() for text in texts]
    wrapped = wrap_jsonp(serialize_payload(packets), "3").decode()
    found = re.fullmatch(r'io\.j\[3\]\((".*")\);', wrapped)
    assert found is not None
    assert json.loads(found[1]) == serialize_payload(packets).decode()
    assert wrapped.replace(MARK, "").isascii()
    assert wrapped.count(MARK) == (0 if len(texts) == 1 else 2 * len(texts))


def test_jsonp_is_written_as_recorded() -> None:
    assert wrap_jsonp(b"1::", "0") == b'io.j[0]("1::");'
    assert wrap_jsonp(b'5:::{"name":"a"}', "12") == b'io.j[12]("5:::{\\"name\\":\\"a\\"}");'


@pytest.mark.parametrize("index", ["", "a", "1;alert(1)", "-1", "1" * 16, "٣", "1\n"])
def test_an_index_that_is_no_number_is_0(index: str) -> None:
    assert wrap_jsonp(b"8::", index) == b'io.j[0]("8::");'


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("2::", b'd="2::"'),
        ("2::", b"d=%222%3A%3A%22"),
        ("3:::a b+c", b'd="3:::a+b%2Bc"'),
        ("3:::é😀", b'd="3:::\\u00e9\\ud83d\\ude00"'),
        ("3:::é😀", urlencode({"d": '"3:::é😀"'}).encode()),
        ("3:::\ufffd", b'd="3:::\\ud800"'),
        ("2::", b'x=1&d="2::"'),
    ],
)
def test_jsonp_post_holds_a_payload(text: str, body: bytes) -> None:
    assert parse_jsonp_post(body).decode() == text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"d=",
        b"d=2::",
        b"d=[1]",
        b'e="2::"',
        b'"2::"',
        b'd="\xff"',
        b'd="%ff"',
        b'd="2::',
        b"d=" + b"[" * 100_000,
        b"a=1&" * 9 + b'd="2::"',
    ],
    ids=lambda body: body[:9],
)
def test_what_is_no_jsonp_post_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedPacket):
        parse_jsonp_post(body)


@given(st.lists(NASTY, min_size=1, max_size=4))
def test_jsonp_post_is_read_as_socketio_client_writes_it(texts: list[str]) -> None:
    packet = "5:::" + json.dumps({"name": "a", "args": texts}, ensure_ascii=False)
    assert parse_jsonp_post(f"d={quote(json.dumps(packet))}".encode()).decode() == packet


def test_handshake_is_as_recorded() -> None:
    body = handshake_body("abc", ["websocket", "xhr-polling", "jsonp-polling"], Bounds())
    assert body == b"abc:60:60:websocket,xhr-polling,jsonp-polling"
    assert wrap_jsonp(body, "1") == b'io.j[1]("abc:60:60:websocket,xhr-polling,jsonp-polling");'
