"""MQTT clients that are slow, many, broken or hostile: the others go on, and memory is bounded."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Kind
from tests.conformance.mqtt.wire import Broker, Client, Closed
from tests.live_server import LiveServer, start_server
from tests.waiting import wait_until

MB = 10**6
CONNECTIONS_MAX = 300
DROPPED = "$SYS/broker/publish/messages/dropped"
SETTINGS = """
[mqtt]
connect_s_max = 0.5
connections_max = 300
queue_messages_max = 10
inflight_max = 5
unread_bytes_max = 262144
slow_s_max = 1.5
sys_interval_s = 1
queue_overflow = "{overflow}"

[[mqtt.users]]
name = "lamp"
password = "a password"
"""


@pytest.fixture(scope="module", params=["drop_oldest"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("mqtt")
    (folder / "thingtank.toml").write_text(SETTINGS.format(overflow=request.param))
    with start_server(folder) as running:
        yield running


@pytest.fixture
def broker(server: LiveServer) -> Iterator[Broker]:
    host, _, port = server.sockets["mqtt"].removeprefix("mqtt://").rpartition(":")
    seen = Broker(host, int(port))
    yield seen
    seen.close()


def resident_mb(server: LiveServer) -> float:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def plug(client: Client) -> None:
    """Have the system take little of what is sent to a client that reads nothing."""
    client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


def test_subscriber_that_reads_nothing_delays_nobody_and_is_ended(
    broker: Broker, server: LiveServer
) -> None:
    slow, polite, publisher = broker.open(), broker.connect(), broker.connect()
    plug(slow)
    slow.connect()
    for subscriber in (slow, polite):
        subscriber.subscribe("load", qos=0)
    before_mb, slowest_s = resident_mb(server), 0.0
    for number in range(1500):
        publisher.send_publish("load", b"%08d" % number + b"x" * 20_000)
        started_s = time.monotonic()
        assert polite.take().payload[:8] == b"%08d" % number
        slowest_s = max(slowest_s, time.monotonic() - started_s)
    assert slowest_s < 1.0
    assert resident_mb(server) - before_mb < 10
    wait_until(lambda: "mqtt_client_too_slow" in server.output(), s_max=10.0)
    witness = broker.connect()

    def is_counted() -> bool:
        witness.subscribe(DROPPED)
        return int(witness.take().payload) > 500

    wait_until(is_counted)


def test_large_messages_to_many_that_read_nothing_take_bounded_memory(
    broker: Broker, server: LiveServer
) -> None:
    crowd = [broker.open() for _ in range(40)]
    for each in crowd:
        plug(each)
        each.connect()
        each.subscribe("load", qos=0)
    publisher = broker.connect()
    before_mb = resident_mb(server)
    for _ in range(30):
        publisher.publish("load", b"x" * 900_000)
    # Of each at most what may be unread and the message that passed the mark; not 1,080 MB.
    assert resident_mb(server) - before_mb < 40 * 1.4


def test_connections_that_say_nothing_or_half_are_ended_and_make_room(broker: Broker) -> None:
    half = octets.connect("half")[:9]
    rude = [broker.open() for _ in range(CONNECTIONS_MAX)]
    for each in rude[::2]:
        each.write(half)
    over = broker.open()
    over.send_connect()
    with pytest.raises(Closed):
        over.read_raw()
    started_s = time.monotonic()
    for each in rude:
        with pytest.raises(Closed):
            each.read_raw()
    assert time.monotonic() - started_s < 5
    broker.connect().settle()


@pytest.mark.parametrize("version", [3, 4, 5])
def test_first_packet_that_is_not_connect_ends_the_connection(broker: Broker, version: int) -> None:
    for first in (
        octets.PINGREQ,
        octets.publish(version, "a", b"x", qos=1, packet_id=1),
        octets.subscribe(version, 1, [("#", 0)]),
        octets.disconnect(version),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client that is wrong here
        b"\x00" * 20,
        b"\xff" * 20,
    ):
        client = broker.open(version)
        client.write(first)
        client.expect_closed(kinds=(Kind.DISCONNECT,) if version == 5 else ())


@pytest.mark.parametrize("version", [4, 5])
def test_names_of_65535_bytes_are_taken_or_refused_as_the_bounds_say(
    broker: Broker, version: int
) -> None:
    longest = "t" * 65_535
    client = broker.connect(version)
    client.subscribe(longest, qos=1)
    client.publish(longest, b"x", 1)
    assert client.take().topic == longest
    client.publish(longest, b"kept", 1, retain=True)
    client.take()
    client.publish(longest, b"", 1, retain=True)
    deep = broker.connect(version)
    deep.send_publish("/" * 65_535, b"x", 1)
    deep.expect_closed(0x90)
    named = broker.open(version, client_id="c" * 65_535)
    named.send_connect()
    named.expect_refused(0x85, 0x02)
    user = broker.open(version)
    user.send_connect(user_name="u" * 65_535, password=b"p" * 65_535)
    user.expect_refused(0x86, 0x04)


def test_nobody_steals_a_client_id(broker: Broker) -> None:
    owner = broker.connect(5, "owned", user_name="lamp", password=b"a password")
    for version in (3, 4, 5):
        for clean in (True, False):
            thief = broker.open(version, "owned")
            thief.send_connect(clean=clean)
            thief.expect_refused(0x85, 0x02)
    owner.settle()
    again = broker.connect(5, "owned", user_name="lamp", password=b"a password")
    owner.expect_closed(0x8E)
    again.settle()


def test_messages_of_qos_2_that_are_never_released_are_bounded(broker: Broker) -> None:
    client = broker.connect(5)
    for _ in range(101):
        client.send_publish(broker.topic, b"x", 2)
    client.expect_closed(0x93, kinds=(Kind.PUBREC,))
    older = broker.connect(4)
    older.write(
        b"".join(
            octets.publish(4, broker.topic, b"x", qos=2, packet_id=number)
            for number in range(1, 10_002)
        )
    )
    older.expect_closed(kinds=(Kind.PUBREC,))


@pytest.mark.parametrize(
    ("server", "kept"),
    [("drop_oldest", range(15, 25)), ("drop_newest", range(5, 15))],
    indirect=["server"],
)
@pytest.mark.parametrize("qos", [1, 2])
def test_client_that_acknowledges_nothing_has_so_many_on_the_way_and_waiting(
    broker: Broker, kept: range, qos: int
) -> None:
    props = {"session_expiry_interval": 600}
    lazy = broker.connect(5, f"lazy {qos} {broker.topic}", clean=False, props=props)
    lazy.subscribe(broker.topic, qos=qos)
    publisher = broker.connect(5)
    for number in range(25):
        publisher.publish(broker.topic, b"%d" % number, qos)
    first = lazy.take_all(acknowledged=False)
    assert [int(each.payload) for each in first] == list(range(5))
    lazy.lose()
    again = broker.open(5, lazy.client_id)
    again.connect(clean=False, props=props)
    got = []
    while len(got) < 15:
        got.append(again.take())
    again.expect_nothing()
    assert [int(each.payload) for each in got] == [*range(5), *kept]
    assert [each.dup for each in got] == [True] * 5 + [False] * 10


def test_none_of_this_was_a_fault_of_ours(server: LiveServer) -> None:
    assert "Traceback" not in server.output()
