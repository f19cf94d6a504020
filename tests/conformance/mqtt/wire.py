"""A client of few words on a real socket, that does nothing by itself.

    client = broker.connect(version=4)
    client.subscribe("a/#", qos=1)
    other.publish("a/b", b"payload", qos=1)
    assert client.take().payload == b"payload"
    client.expect_nothing()

Silence is shown by a PINGREQ: what the broker had to say before comes before its PINGRESP.
"""

from __future__ import annotations

import itertools
import os
import secrets
import socket
import time
from collections import deque
from typing import Any

from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Given, Kind, Version, Will
from tests.conformance.mqtt.reading import Packet, read_packet

WAIT_S_MAX = float(
    os.environ.get("MQTT_WAIT_S_MAX", "10")
)  # for what is to come; spent only in failing
VERSIONS: tuple[Version, ...] = (3, 4, 5)

__all__ = ["VERSIONS", "Broker", "Client", "Closed", "Given", "Kind", "Packet", "Will", "octets"]


class Closed(Exception):
    """The broker has closed the connection."""


class Client:
    """One connection.

    Attributes:
        client_id: of its CONNECT.
        version: the protocol level it speaks.
        connack: what its CONNECT was answered with.
        inbox: packets that came while it waited for another one.
    """

    def __init__(self, host: str, port: int, version: Version, client_id: str) -> None:
        self.version = version
        self.client_id = client_id
        self.connack: Packet | None = None
        self.inbox: deque[Packet] = deque()
        self._data = bytearray()
        self._packet_ids = itertools.count(1)
        self._socket = socket.create_connection((host, port), WAIT_S_MAX)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # Octets

    def write(self, data: bytes) -> None:
        """Write octets as they are; in vain if the broker has closed."""
        self._socket.settimeout(WAIT_S_MAX)
        try:
            self._socket.sendall(data)
        except ConnectionError:
            return

    def read_raw(self, wait_s: float = WAIT_S_MAX) -> bytes:
        """The next packet from the socket, as it came.

        Raises:
            Closed: there is none, nor will be.
            TimeoutError: there is none yet.
        """
        deadline_s = time.monotonic() + wait_s
        while (size := self._packet_size()) is None:
            self._socket.settimeout(max(deadline_s - time.monotonic(), 0.001))
            try:
                data = self._socket.recv(2**18)
            except ConnectionError:
                data = b""
            if not data:
                assert not self._data, f"closed amidst a packet: {self._data.hex()}"
                raise Closed
            self._data += data
        raw = bytes(self._data[:size])
        del self._data[:size]
        return raw

    def _packet_size(self) -> int | None:
        length = 0
        for at, octet in enumerate(self._data[1:5]):
            length |= (octet & 127) << 7 * at
            if not octet & 128:
                size = 2 + at + length
                return size if len(self._data) >= size else None
        assert len(self._data) < 5, "a Remaining Length has at most four octets"
        return None

    # Packets

    def read(self, wait_s: float = WAIT_S_MAX) -> Packet:
        """The next packet: of the inbox, or of the socket."""
        if self.inbox:
            return self.inbox.popleft()
        return read_packet(self.read_raw(wait_s), self.version)

    def wait_for(self, *kinds: Kind, packet_id: int | None = None) -> Packet:
        """The next packet of a kind; others are left in the inbox."""
        for came in self.inbox:
            if came.kind in kinds and packet_id in (None, came.packet_id):
                self.inbox.remove(came)
                return came
        while True:
            came = read_packet(self.read_raw(), self.version)
            if came.kind in kinds and packet_id in (None, came.packet_id):
                return came
            self.inbox.append(came)

    def next_packet_id(self) -> int:
        """One that this client has not used."""
        return next(self._packet_ids)

    def send_connect(self, **fields: Any) -> None:
        """Send a CONNECT; the fields are those of `octets.connect`."""
        fields.setdefault("client_id", self.client_id)
        self.write(octets.connect(version=self.version, **fields))

    def connect(self, reason_code: int = 0, **fields: Any) -> Packet:
        """Send a CONNECT; the CONNACK, whose reason code must be this one."""
        self.send_connect(**fields)
        self.connack = self.read()
        assert self.connack.kind == Kind.CONNACK
        assert self.connack.reason_code == reason_code, f"0x{self.connack.reason_code:02X}"
        return self.connack

    def subscribe(
        self, *filters: str | tuple[str, int], qos: int = 0, props: Given = b"", **how: Any
    ) -> Packet:
        """Subscribe to filters, or pairs of filter and options; the SUBACK.

        Args:
            filters: topic filters.
            qos: of the filters that come without options.
            props: properties of the SUBSCRIBE.
            how: the rest of the options, as in `octets.options`.
        """
        octet = octets.options(qos, **how)
        pairs = [each if isinstance(each, tuple) else (each, octet) for each in filters]
        packet_id = self.next_packet_id()
        self.write(octets.subscribe(self.version, packet_id, pairs, props))
        return self.wait_for(Kind.SUBACK, packet_id=packet_id)

    def unsubscribe(self, *filters: str, props: Given = b"") -> Packet:
        """Unsubscribe; the UNSUBACK."""
        packet_id = self.next_packet_id()
        self.write(octets.unsubscribe(self.version, packet_id, filters, props))
        return self.wait_for(Kind.UNSUBACK, packet_id=packet_id)

    def send_publish(self, topic: str, payload: bytes = b"", qos: int = 0, **fields: Any) -> int:
        """Send a PUBLISH and wait for nothing; its packet identifier."""
        packet_id = int(fields.pop("packet_id", 0)) or (self.next_packet_id() if qos else 0)
        self.write(
            octets.publish(self.version, topic, payload, qos=qos, packet_id=packet_id, **fields)
        )
        return packet_id

    def publish(
        self, topic: str, payload: bytes = b"", qos: int = 0, **fields: Any
    ) -> Packet | None:
        """Publish, and wait until the broker has it; the last acknowledgement, None with QoS 0."""
        packet_id = self.send_publish(topic, payload, qos, **fields)
        if qos == 0:
            self.settle()
            return None
        answer = self.wait_for(Kind.PUBACK, Kind.PUBREC, packet_id=packet_id)
        assert answer.kind == (Kind.PUBACK if qos == 1 else Kind.PUBREC)
        if qos == 1 or answer.reason_code >= 0x80:
            return answer
        self.acknowledge(Kind.PUBREL, packet_id)
        return self.wait_for(Kind.PUBCOMP, packet_id=packet_id)

    def acknowledge(
        self, kind: Kind, packet_id: int, reason_code: int | None = None, props: Given = b""
    ) -> None:
        """Send a PUBACK, PUBREC, PUBREL or PUBCOMP."""
        self.write(octets.acknowledgement(kind, self.version, packet_id, reason_code, props))

    def take(self, acknowledged: bool = True) -> Packet:
        """The next packet, which must be a PUBLISH; acknowledged to the end unless told not to."""
        came = self.read()
        assert came.kind == Kind.PUBLISH, came
        if acknowledged and came.qos == 1:
            self.acknowledge(Kind.PUBACK, came.packet_id)
        elif acknowledged and came.qos == 2:
            self.acknowledge(Kind.PUBREC, came.packet_id)
            self.wait_for(Kind.PUBREL, packet_id=came.packet_id)
            self.acknowledge(Kind.PUBCOMP, came.packet_id)
        return came

    def settle(self) -> None:
        """Have the broker look at all that was sent; what it says meanwhile is in the inbox."""
        self.write(octets.PINGREQ)
        self.wait_for(Kind.PINGRESP)

    # What is to come, or not to come

    def take_all(self, acknowledged: bool = True) -> list[Packet]:
        """The PUBLISH packets that have come so far."""
        self.settle()
        taken: list[Packet] = []
        while self.inbox:
            taken.append(self.take(acknowledged))
        return taken

    def expect_nothing(self) -> None:
        """The broker has nothing to say, and the connection is open."""
        self.settle()
        assert not self.inbox, list(self.inbox)

    def expect_silence(self, wait_s: float = 0.1) -> None:
        """The broker says nothing for a while, where no PINGREQ may be sent."""
        assert not self.inbox, list(self.inbox)
        try:
            came = self.read_raw(wait_s)
        except TimeoutError:
            return
        raise AssertionError(came.hex())

    def expect_closed(
        self, *reason_codes: int, wait_s: float = WAIT_S_MAX, kinds: tuple[Kind, ...] = ()
    ) -> Packet | None:
        """The broker closes; in version 5 it may say why.

        Args:
            reason_codes: if any are given, then version 5 must have a DISCONNECT with one of them.
            wait_s: how long it may take.
            kinds: other packets that may come before.

        Returns:
            The DISCONNECT, if one came.
        """
        deadline_s, said = time.monotonic() + wait_s, None
        try:
            while True:
                came = self.read(max(deadline_s - time.monotonic(), 0.001))
                assert said is None, f"{came} after a DISCONNECT"
                if came.kind == Kind.DISCONNECT:
                    said = came
                else:
                    assert came.kind in kinds, came
        except Closed:
            self.close()
        if reason_codes and self.version == 5:
            assert said is not None, "closed without a DISCONNECT"
            assert said.reason_code in reason_codes, f"0x{said.reason_code:02X}"
        return said

    def expect_refused(self, *reason_codes: int) -> Packet | None:
        """The broker closes after a CONNECT, and may say why where the version lets it.

        A CONNECT that breaks the rules of 3.1.1 is not answered (MQTT 3.1.1, MQTT-3.1.4-1), one of
        version 5 may be (MQTT 5, 3.1.4).

        Args:
            reason_codes: what the CONNACK may say, if there is one.
        """
        came = None
        try:
            came = self.read()
            assert came.kind == Kind.CONNACK, came
            assert came.reason_code in reason_codes, f"0x{came.reason_code:02X}"
            assert not came.session_present
            self.read_raw()
        except Closed:
            self.close()
            return came
        raise AssertionError("still connected")

    # The end

    def disconnect(self, reason_code: int | None = None, props: Given = b"") -> None:
        """Send a DISCONNECT, and see the broker close."""
        self.write(octets.disconnect(self.version, reason_code, props))
        while True:
            try:
                self.read_raw()
            except Closed:
                break
        self.close()

    def lose(self) -> None:
        """Be gone without a DISCONNECT."""
        self.close()

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


_numbers = itertools.count(1)
_run = secrets.token_hex(3)  # a broker that is not started for this run may know older names


def unique(stem: str = "c") -> str:
    """A name that nobody else uses, for a client or a topic; of letters and digits only."""
    return f"{stem}{_run}x{next(_numbers)}"


class Broker:
    """The broker under test, seen from one test.

    Attributes:
        host, port: where it is.
        topic: a topic level for this test alone.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.topic = unique("t")
        self._clients: list[Client] = []

    def open(self, version: Version = 5, client_id: str | None = None) -> Client:
        """A client with a connection, that has not sent a CONNECT."""
        name = unique() if client_id is None else client_id
        self._clients.append(Client(self.host, self.port, version, name))
        return self._clients[-1]

    def connect(self, version: Version = 5, client_id: str | None = None, **fields: Any) -> Client:
        """A client that is connected; the fields are those of `octets.connect`."""
        client = self.open(version, client_id)
        client.connect(**fields)
        return client

    def close(self) -> None:
        """Close all that was opened here."""
        for client in self._clients:
            client.close()
        self._clients.clear()
