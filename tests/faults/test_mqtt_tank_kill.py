"""Devices write to their feeds over MQTT while the server is killed again and again.

QoS 1: what was acknowledged is there. QoS 2: what was completed is there once, though no message
names a time, and each is sent until it is completed.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import requests
from tests.conformance.mqtt.octets import Kind
from tests.conformance.mqtt.wire import Client, Closed
from tests.faults.kills import printed_seed, rounds
from tests.live_server import LiveServer, start_server
from tests.waiting import WAIT_S_MAX, wait_until

DEVICES = {f"once{number}": 2 for number in range(6)} | {f"least{number}": 1 for number in range(2)}


class Device:
    """Writes 1, 2, 3, … to a datastream, one after another, and never gives one up.

    Attributes:
        written: the last number that the server has said it has.
    """

    def __init__(self, name: str, qos: int) -> None:
        self.name = name
        self.qos = qos
        self.written = 0
        self._sent = 0  # the number that is on its way
        self._is_received = False  # PUBREC has come, so PUBREL is what is sent again

    def work(self, server: LiveServer, key: str) -> None:
        """Until the server is gone."""
        host, _, port = server.sockets["mqtt"].removeprefix("mqtt://").rpartition(":")
        try:
            client = Client(host, int(port), 4, self.name)
            with closing(client):
                client.connect(user_name=key, password=b"x", clean=False)
                topic = f"/v2/feeds/{server.feed_id}/datastreams/{self.name}.csv"
                while True:
                    self._write(client, topic)
        except (Closed, OSError):
            return

    def _write(self, client: Client, topic: str) -> None:
        is_again = self._sent > self.written
        self._sent = self.written + 1
        packet_id = self._sent % 60_000 + 1
        if not self._is_received:
            payload = b"%d" % self._sent
            client.send_publish(topic, payload, self.qos, packet_id=packet_id, dup=is_again)
            if self.qos == 1:
                client.wait_for(Kind.PUBACK, packet_id=packet_id)
                self.written = self._sent
                return
            client.wait_for(Kind.PUBREC, packet_id=packet_id)
            self._is_received = True
        client.acknowledge(Kind.PUBREL, packet_id)
        client.wait_for(Kind.PUBCOMP, packet_id=packet_id)
        self._is_received = False
        self.written = self._sent


@contextmanager
def closing(client: Client) -> Iterator[None]:
    try:
        yield
    finally:
        client.close()


def test_no_acknowledged_value_is_lost_and_none_of_qos_2_is_there_twice(tmp_path: Path) -> None:
    chance = random.Random(printed_seed())
    devices = [Device(name, qos) for name, qos in DEVICES.items()]
    folder = tmp_path / "data"
    began_at = datetime.now(UTC)
    key = ""
    for _ in range(rounds(3)):
        with start_server(folder) as server:
            key = key or server.api_key
            threads = [
                threading.Thread(target=device.work, args=(server, key)) for device in devices
            ]
            before = sum(device.written for device in devices)
            for thread in threads:
                thread.start()
            wait_until_written(devices, before + len(devices))
            time.sleep(chance.uniform(0.0, 0.3))
            server.kill()
            for thread in threads:
                thread.join(WAIT_S_MAX)
                assert not thread.is_alive()
    with start_server(folder) as server:
        for device in devices:
            seen = stored(server, key, device.name, began_at)
            if device.qos == 2:
                # The one on its way when it ended may be there.
                assert seen in ([*range(1, device.written + 1)], [*range(1, device.written + 2)])
            else:
                assert set(range(1, device.written + 1)) <= set(seen)


def wait_until_written(devices: list[Device], count: int) -> None:
    wait_until(
        lambda: sum(device.written for device in devices) >= count,
        lambda: [device.written for device in devices],
    )


def stored(server: LiveServer, key: str, datastream: str, since: datetime) -> list[int]:
    """All values of a datastream, in the order of their times."""
    values: list[int] = []
    start = since.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    url = f"{server.url}/v2/feeds/{server.feed_id}/datastreams/{datastream}.csv"
    for page in range(1, 100):
        asked = {"start": start, "interval": "0", "limit": "1000", "page": str(page)}
        reply = requests.get(url, params=asked, headers={"X-ApiKey": key}, timeout=WAIT_S_MAX)
        rows = reply.text.splitlines()
        values += [int(row.rpartition(",")[2]) for row in rows]
        if len(rows) < 1000:
            break
    return values
