"""What a server of its own shows: how it stops, and what it does with who takes nothing."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import requests
from tests.conformance.mqtt.octets import Will
from tests.conformance.mqtt.wire import WAIT_S_MAX, Broker, Client
from tests.live_server import LiveServer, start_server

SERVER_SHUTTING_DOWN = 0x8B
PAYLOAD = bytes(100_000)
PAYLOADS_COUNT = 200


@contextmanager
def broker_of(server: LiveServer) -> Iterator[Broker]:
    """Its broker, all connections to which are closed at the end."""
    place = urlsplit(server.sockets["mqtt"])
    assert place.hostname
    assert place.port
    broker = Broker(place.hostname, place.port)
    try:
        yield broker
    finally:
        broker.close()


def status_of_websocket(server: LiveServer) -> int:
    """What is answered to a request for one."""
    head = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol": "mqtt",
    }
    answer = requests.get(f"{server.url}/mqtt", headers=head, timeout=WAIT_S_MAX)
    return answer.status_code


def is_ended(client: Client, wait_s: float) -> bool:
    """Whether the server ends a connection, seen without taking anything from it."""
    deadline_s = time.monotonic() + wait_s
    while time.monotonic() < deadline_s:
        try:
            client._socket.sendall(b"\xc0\0")
        except ConnectionError:
            return True
        time.sleep(0.05)
    return False


def test_who_says_or_takes_nothing_is_cut_off_and_a_stop_publishes_wills(
    tmp_path: Path,
) -> None:
    settings = (
        "mqtt.connections_max=3",
        "mqtt.unread_bytes_max=65536",
        "mqtt.slow_s_max=1",
        "mqtt.connect_s_max=2",
    )
    flags = [word for setting in settings for word in ("--set", setting)]
    with start_server(tmp_path, *flags) as server, broker_of(server) as broker:
        mute = broker.open(5)
        slow, publisher = broker.open(5), broker.connect(5)
        slow._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect()
        slow.subscribe("flood")
        for _ in range(PAYLOADS_COUNT):  # more than the buffers of both ends hold
            publisher.send_publish("flood", PAYLOAD)
        publisher.settle()
        assert is_ended(slow, WAIT_S_MAX)
        assert "mqtt_client_too_slow" in server.output()
        mute.expect_closed()
        clients = (
            broker.connect(5, will=Will("wills/new", b"gone", 1, True)),
            broker.connect(4, will=Will("wills/old", b"gone too", 0, True)),
        )
        broker.open(5).expect_closed()
        assert status_of_websocket(server) == HTTPStatus.SERVICE_UNAVAILABLE
        server.stop()
        for client in clients:
            client.expect_closed(SERVER_SHUTTING_DOWN)
    with start_server(tmp_path, *flags) as server, broker_of(server) as broker:
        reader = broker.connect(5)
        reader.subscribe("wills/#")
        found = {each.topic: each.payload for each in reader.take_all()}
        assert found == {"wills/new": b"gone", "wills/old": b"gone too"}
