"""MQTT over WebSocket. Source: MQTT 5 and 3.1.1, chapter 6."""

from collections.abc import Iterator

import pytest
from tests.conformance.mqtt.keeping import each_version
from tests.conformance.mqtt.octets import (
    PINGREQ,
    PINGRESP,
    Kind,
    connect,
    disconnect,
    publish,
    subscribe,
)
from tests.conformance.mqtt.reading import Packet, read_packet
from tests.conformance.mqtt.wire import Broker, Will, unique
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_websocket
from websockets.typing import Subprotocol

MQTT = Subprotocol("mqtt")
WAIT_S_MAX = 10.0


class WebSocketClient:
    """Octets in binary frames, and packets out of them."""

    def __init__(self, socket: ClientConnection, version: int) -> None:
        self.version = version
        self.socket = socket
        self._data = b""

    def read(self) -> Packet:
        """The next packet."""
        while (size := _packet_size(self._data)) is None:
            data = self.socket.recv(WAIT_S_MAX)
            assert isinstance(data, bytes), "[MQTT-6.0.0-1]: binary frames"
            self._data += data
        raw, self._data = self._data[:size], self._data[size:]
        return read_packet(raw, self.version)

    def expect_closed(self) -> None:
        for _ in range(10):
            try:
                self.socket.recv(WAIT_S_MAX)
            except ConnectionClosed:
                return
        raise AssertionError("it goes on sending")

    def connect(self) -> None:
        self.socket.send(connect(unique(), self.version))
        came = self.read()
        assert (came.kind, came.reason_code) == (Kind.CONNACK, 0)


def _packet_size(data: bytes) -> int | None:
    length = 0
    for at, octet in enumerate(data[1:5]):
        length |= (octet & 127) << 7 * at
        if not octet & 128:
            size = 2 + at + length
            return size if len(data) >= size else None
    return None


@pytest.fixture
def client(websocket_url: str, version: int) -> Iterator[WebSocketClient]:
    with open_websocket(
        websocket_url, subprotocols=[MQTT], compression=None, max_size=None
    ) as socket:
        yield WebSocketClient(socket, version)


@each_version
def test_the_server_selects_the_protocol_mqtt(client: WebSocketClient, version: int) -> None:
    """[MQTT-6.0.0-4]; [MQTT-6.0.0-1] of what comes."""
    assert client.socket.subprotocol == "mqtt"
    client.connect()
    client.socket.send(PINGREQ)
    assert client.read().raw == PINGRESP


@each_version
def test_messages_go_to_and_from_clients_of_tcp(
    client: WebSocketClient, broker: Broker, version: int
) -> None:
    """Chapter 6: it is the same server; large ones as well."""
    other = broker.connect(version)
    other.subscribe(f"{broker.topic}/a", qos=1)
    client.connect()
    client.socket.send(subscribe(version, 1, [(f"{broker.topic}/b", 1)]))
    assert client.read().reason_codes == [1]
    for size in (0, 200, 70_000, 500_000):
        client.socket.send(publish(version, f"{broker.topic}/a", bytes(size), qos=1, packet_id=2))
        assert client.read().kind == Kind.PUBACK
        assert other.take().payload == bytes(size)
        other.publish(f"{broker.topic}/b", bytes(size), qos=0)
        assert client.read().payload == bytes(size)


@each_version
def test_packets_may_be_split_over_frames_and_be_several_in_one(
    client: WebSocketClient, broker: Broker, version: int
) -> None:
    """[MQTT-6.0.0-2]."""
    data = connect(unique(), version) + subscribe(version, 1, [(broker.topic, 0)])
    data += publish(version, broker.topic, b"x" * 200) + PINGREQ
    for octet in data:
        client.socket.send(bytes((octet,)))
    kinds = [Kind.CONNACK, Kind.SUBACK, Kind.PUBLISH, Kind.PINGRESP]
    assert [client.read().kind for _ in kinds] == kinds
    more = publish(version, broker.topic, b"y") + PINGREQ
    client.socket.send(more * 20 + more[:3])
    client.socket.send(more[3:] + b"")
    taken = [client.read().kind for _ in range(42)]
    assert taken == [Kind.PUBLISH, Kind.PINGRESP] * 21


@each_version
def test_a_packet_in_fragments_of_one_message_is_one_packet(
    client: WebSocketClient, broker: Broker, version: int
) -> None:
    """[MQTT-6.0.0-2] with fragmentation of WebSocket itself."""
    data = connect(unique(), version)
    client.socket.send([data[:1], data[1:5], b"", data[5:] + PINGREQ[:1], PINGREQ[1:]])
    assert [client.read().kind for _ in range(2)] == [Kind.CONNACK, Kind.PINGRESP]


@each_version
def test_an_empty_frame_is_nothing(client: WebSocketClient, version: int) -> None:
    """[MQTT-6.0.0-2]."""
    client.socket.send(b"")
    client.connect()
    client.socket.send(b"")
    client.socket.send(PINGREQ)
    assert client.read().kind == Kind.PINGRESP


@each_version
@pytest.mark.parametrize("is_connected", [False, True])
def test_a_text_frame_ends_the_connection(
    client: WebSocketClient, version: int, is_connected: bool
) -> None:
    """[MQTT-6.0.0-1]."""
    if is_connected:
        client.connect()
    client.socket.send("\x0c\x00" if is_connected else connect("x", 4).decode())
    client.expect_closed()


@each_version
def test_disconnect_ends_the_websocket(client: WebSocketClient, version: int) -> None:
    """[MQTT-3.14.4-2]."""
    client.connect()
    client.socket.send(disconnect(version))
    client.expect_closed()


@each_version
def test_what_is_malformed_ends_the_websocket(client: WebSocketClient, version: int) -> None:
    """[MQTT-4.13.1-1]; what comes before is answered."""
    client.connect()
    client.socket.send(PINGREQ + b"\x00\x00")
    assert client.read().kind == Kind.PINGRESP
    if version == 5:
        assert client.read().reason_code in (0x81, 0x82)
    client.expect_closed()


@each_version
def test_the_end_of_the_websocket_without_disconnect_publishes_the_will(
    client: WebSocketClient, broker: Broker, version: int
) -> None:
    """[MQTT-3.1.2-8]."""
    witness = broker.connect(version)
    witness.subscribe(broker.topic)
    client.socket.send(connect(unique(), version, will=Will(broker.topic, b"will")))
    assert client.read().reason_code == 0
    client.socket.close()
    assert witness.take().payload == b"will"


@pytest.mark.parametrize("offered", [None, ["mqttv9"], ["wamp.2.json"]])
def test_a_client_that_does_not_offer_mqtt_is_refused_or_gets_no_protocol(
    websocket_url: str, offered: list[str] | None
) -> None:
    """[MQTT-6.0.0-3] [MQTT-6.0.0-4]: nothing but `mqtt` may be selected."""
    protocols = [Subprotocol(each) for each in offered] if offered else None
    try:
        with open_websocket(websocket_url, subprotocols=protocols) as socket:
            assert socket.subprotocol is None
    except InvalidStatus as refusal:
        assert refusal.response.status_code == 400  # noqa: PT017 - it may or may not come


def test_mqtt_is_selected_out_of_several(websocket_url: str) -> None:
    """[MQTT-6.0.0-3] [MQTT-6.0.0-4]."""
    offered = [Subprotocol("other"), MQTT, Subprotocol("another")]
    with open_websocket(websocket_url, subprotocols=offered) as socket:
        assert socket.subprotocol == "mqtt"
