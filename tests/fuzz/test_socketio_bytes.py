"""Any octets from clients of Engine.IO and Socket.IO: events, a refusal, or the end; nothing else.

What counts as correct: nothing is raised; what is sent are packets of the wire, within the bounds;
Opened comes at most once and first, Closed once and last; and a session that is closed says no more.
"""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from thingtank.protocols.engineio.bounds import Bounds as EngineBounds
from thingtank.protocols.engineio.errors import EngineError, Refusal
from thingtank.protocols.engineio.packets import parse_binary, parse_text
from thingtank.protocols.engineio.payloads import parse_payload, serialize_payload
from thingtank.protocols.engineio.session import Session as EngineSession
from thingtank.protocols.engineio.session import Transport
from thingtank.protocols.socketio.bounds import Bounds
from thingtank.protocols.socketio.events import AckId, AckReceived, Closed, Event, Opened
from thingtank.protocols.socketio.json_values import NotJson, decode
from thingtank.protocols.socketio.legacy import packets as legacy_packets
from thingtank.protocols.socketio.legacy import payloads as legacy_payloads
from thingtank.protocols.socketio.legacy.bounds import Bounds as LegacyBounds
from thingtank.protocols.socketio.legacy.session import Session as LegacySession
from thingtank.protocols.socketio.packets import MalformedPacket, parse_packet
from thingtank.protocols.socketio.session import Session

ENGINE_BOUNDS = EngineBounds(payload_bytes_max=200, payload_packets_max=4, queue_bytes_max=150)
BOUNDS = Bounds(attachments_max=2, attachment_bytes_max=20)
LEGACY_BOUNDS = LegacyBounds(payload_bytes_max=200, payload_packets_max=4, queue_bytes_max=150)
S = 1_000_000

CORPUS = [
    *(b"2 3 4 5 6 1 0 2probe 3probe 40 41 40/a, 41/a, 43 42 b4AQI= bAQI= 4abc 9").split(),
    b'42["message",{"devices":"*","payload":1}]',
    b'421["status"]',
    b'42/a,1["a"]',
    b'431[{"a":1}]',
    b'451-["a",{"_placeholder":true,"num":0}]',
    b'452-7["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]',
    b'461-["a"]',
    b'40{"token":"1"}',
    b'44{"message":"x"}',
    b"\0\1\xff2",
    b'\0\1\1\xff42["a","b"]',
    b"\1\2\xff\4a",
    b"1:2",
    '9:42["é😀"]'.encode(),
    b"0:",
    b"2\x1e3\x1e4a",
    *b"0:: 1:: 2:: 8:: 7:::1+0 1::/a 0::/a 3:1::a 3:1+::a 4:::{} 6:::1 6:::1+[1]".split(),
    b'5:::{"name":"message","args":[{"a":1}]}',
    b'5:1+::{"name":"status","args":[]}',
    b'5:::{"name":"a","args":0}',
    "\ufffd3\ufffd2::\ufffd5\ufffd3:::é".encode(),
    b'd="2::"',
    b'"\\ud800\\udc00\\ud800"',
    b"[" * 70 + b"]" * 70,
    b"[" * 150,
    b'{"a":' * 30,
]
PIECES = st.sampled_from(
    [
        *CORPUS,
        *(bytes([octet]) for octet in b'0123456789:+-/,[]{}"\\\x1e\x00\x01\xff'),
        b"\xef\xbf\xbd",
        b"\xf0\x9f\x98\x80",
    ]
)
DATA = PIECES | st.lists(PIECES, max_size=5).map(b"".join) | st.binary(max_size=30)
STEP = st.tuples(
    st.sampled_from(
        [
            "text",
            "text",
            "text",
            "binary",
            "post",
            "post_binary",
            "poll",
            "lose_poll",
            "upgrade",
            "lose_websocket",
            "time",
            "send",
            "send_much",
            "ack",
            "close",
            "take",
        ]
    ),
    DATA,
)
STEPS = st.lists(STEP, max_size=25)


def refusals(parse: Callable[[bytes], object], *errors: type[Exception]) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        with contextlib.suppress(*errors):
            parse(data)

    return read


PARSERS = {
    **{
        f"engine.io {revision}, {name}": refusals(parse, EngineError)
        for revision in (2, 3, 4)
        for name, parse in {
            "text": lambda data, revision=revision: parse_text(data, revision),
            "binary": lambda data, revision=revision: parse_binary(data, revision),
            "payload": lambda data, revision=revision: parse_payload(data, revision, 4),
            "binary payload": lambda data, revision=revision: parse_payload(
                data, revision, 4, is_binary=True
            ),
        }.items()
    },
    "socket.io": refusals(parse_packet, MalformedPacket),
    "json": refusals(decode, NotJson),
    "0.9 packet": refusals(legacy_packets.parse_packet, legacy_packets.MalformedPacket),
    "0.9 ack": refusals(legacy_packets.parse_ack, legacy_packets.MalformedPacket),
    "0.9 payload": refusals(
        lambda data: legacy_payloads.parse_payload(data, 4), legacy_packets.MalformedPacket
    ),
    "0.9 jsonp": refusals(legacy_payloads.parse_jsonp_post, legacy_packets.MalformedPacket),
}


@pytest.mark.parametrize("parser", PARSERS)
@given(data=DATA)
@settings(max_examples=60)
def test_parsers_read_or_refuse(parser: str, data: bytes) -> None:
    PARSERS[parser](data)


@pytest.mark.parametrize("parser", PARSERS)
def test_parsers_read_or_refuse_all_of_the_corpus_and_its_beginnings(parser: str) -> None:
    for data in CORPUS:
        for at in range(min(len(data), 60) + 1):
            PARSERS[parser](data[:at])
        PARSERS[parser](data + b"\xff")


class Driven:
    """A session with a driver that checks what it gives."""

    def __init__(self, session: Session | LegacySession) -> None:
        self.session = session
        self.now_us = 0
        self.has_opened = self.has_closed = self.is_held = False

    def take(self) -> None:
        """The three steps after each call."""
        for event in self.session.events_received():
            assert not self.has_closed
            if isinstance(event, Opened):
                assert not self.has_opened
                self.has_opened = True
            elif isinstance(event, Closed):
                self.has_closed = True
            else:
                assert self.has_opened
                assert isinstance(event, Event | AckReceived)
        for frame in self.session.data_to_send():
            self.check(frame)
        body = self.session.take_payload()
        if body is not None:
            assert self.is_held
            self.is_held = False
            self.check_body(body)
        assert self.session.is_open == (self.has_opened and not self.has_closed)

    def check(self, frame: bytes) -> None:
        raise NotImplementedError

    def check_body(self, body: bytes) -> None:
        raise NotImplementedError

    def do(self, step: str, data: bytes) -> None:
        session = self.session
        match step:
            case "text":
                session.receive_text(data, self.now_us)
            case "binary":
                session.receive_binary(data, self.now_us)
            case "lose_poll":
                session.lose_poll()
                self.is_held = False
            case "lose_websocket":
                session.lose_websocket()
            case "time":
                self.now_us += (len(data) + 1) * S
                session.take_due(self.now_us)
            case "send" | "send_much" if self.has_opened:
                session.send_event(b"a", b"1" * (100 if step == "send_much" else 1))
            case "ack" if self.has_opened:
                session.send_ack(AckId(1), b"")
            case "close":
                session.close(may_return=bool(data))
            case _:
                self.do_http(step, data)
        if step != "take":
            self.take()
        else:
            self.end()

    def do_http(self, step: str, data: bytes) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """In time nothing is left of any session that is silent."""
        for _ in range(30):
            due_us = self.session.next_due_us()
            if due_us is None:
                break
            self.now_us = max(self.now_us, due_us)
            self.session.take_due(self.now_us)
            self.take()
        assert self.session.is_over
        assert self.has_closed


class EngineDriven(Driven):
    session: Session

    def check(self, frame: bytes) -> None:
        assert parse_text(frame, 4).type <= 6

    def check_body(self, body: bytes) -> None:
        revision = self.session.engine.revision
        is_binary = self.session.payload_type == "application/octet-stream"
        assert parse_payload(body, revision, 100, is_binary=is_binary)

    def do_http(self, step: str, data: bytes) -> None:
        session = self.session
        match step:
            case "post" | "post_binary":
                answer = session.receive_payload(data, self.now_us, is_binary=step == "post_binary")
                assert answer is None or isinstance(answer, Refusal)
            case "poll":
                self.is_held = session.open_poll() is None or self.is_held
            case "upgrade":
                session.begin_upgrade(self.now_us)


class LegacyDriven(Driven):
    session: LegacySession

    def check(self, frame: bytes) -> None:
        legacy_packets.parse_packet(frame)

    def check_body(self, body: bytes) -> None:
        for packet in legacy_payloads.parse_payload(body, 100):
            legacy_packets.parse_packet(packet)

    def do_http(self, step: str, data: bytes) -> None:
        match step:
            case "post" | "post_binary":
                self.session.receive_payload(data, self.now_us)
            case "poll":
                self.is_held = self.session.open_poll(self.now_us) or self.is_held
            case "upgrade":
                self.session.open_websocket(self.now_us)


@pytest.mark.parametrize("transport", list(Transport), ids=lambda transport: transport.value)
@pytest.mark.parametrize("revision", [2, 3, 4])
@given(steps=STEPS)
@example(
    steps=[
        ("upgrade", b""),
        ("text", b"2probe"),
        ("text", b"5"),
        ("text", b"40"),
        ("text", b"452-[1]"),
    ]
)
@settings(max_examples=100)
def test_a_session_survives_anything(
    revision: int, transport: Transport, steps: list[tuple[str, bytes]]
) -> None:
    engine = EngineSession("sid", revision, transport, 0, ENGINE_BOUNDS)
    driven = EngineDriven(Session(engine, "socket", 0, BOUNDS))
    driven.take()
    for step, data in steps:
        driven.do(step, data)
    driven.end()


@given(steps=STEPS)
@settings(max_examples=200)
def test_a_session_of_0_9_survives_anything(steps: list[tuple[str, bytes]]) -> None:
    driven = LegacyDriven(LegacySession("sid", "socket", 0, LEGACY_BOUNDS))
    for step, data in steps:
        if driven.session.transport is None and step in ("text", "binary"):
            step = "upgrade"
        driven.do(step, data)
    driven.end()


@given(
    st.lists(
        st.binary(min_size=1, max_size=20).map(lambda data: b"4" + data.hex().encode()), min_size=1
    ),
    st.sampled_from([2, 3, 4]),
    st.booleans(),
)
def test_whatever_is_sent_reads_back(packets: list[bytes], revision: int, is_base64: bool) -> None:
    body = serialize_payload(packets, revision, is_base64=is_base64)
    is_binary = revision == 3 and not is_base64
    found = parse_payload(body, revision, 1000, is_binary=is_binary)
    assert [b"%d%b" % (packet.type, packet.data) for packet in found] == packets
