"""Debian's Mosquitto as a bridge to us: topics go both ways, and it says whether it is there.

In MQTT 3.1.1 it asks at first for a version of its own (`try_private`), is told that there is none
such, and comes again by the standard's.
"""

import contextlib
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.interop.mqtt.client import Client, Publication, Received
from tests.interop.mqtt.ways import Way
from tests.live_server import LiveServer, start_server
from tests.needed import needed_program
from tests.ports import free_port
from tests.waiting import wait_until

Open = Callable[..., Client]
PAHO = Way("paho", "tcp", 4)
STATE = "$SYS/broker/connection/office/state"
SETTINGS = """
[[mqtt.users]]
name = "bridge"
password = "a password for the bridge"

[[mqtt.acl]]
topic = "$SYS/broker/connection/#"
principals = ["bridge"]
allow = "publish"
"""
BRIDGE = """
user root
listener {port} 127.0.0.1
allow_anonymous true
connection house
address {address}
bridge_protocol_version {version}
remote_clientid office
remote_username bridge
remote_password a password for the bridge
cleansession false
restart_timeout 1
try_private true
notifications true
topic up/# out 2 local/ remote/
topic down/# in 2 local/ remote/
{both}
"""
BOTH = "topic both/# both 1"


@pytest.fixture(scope="module")
def bridged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("bridged")
    (folder / "thingtank.toml").write_text(SETTINGS)
    with start_server(folder) as running:
        yield running


@pytest.mark.parametrize("version", ["mqttv311", "mqttv50"])
def test_bridge_carries_messages_both_ways_and_says_whether_it_is_there(
    open_at: Open, bridged: LiveServer, tmp_path: Path, version: str
) -> None:
    url = bridged.sockets["mqtt"]
    port = free_port()
    (tmp_path / "mosquitto.conf").write_text(
        BRIDGE.format(
            port=port,
            address=url.removeprefix("mqtt://"),
            version=version,
            both="" if version == "mqttv311" else BOTH,
        )
    )
    here = open_at(PAHO, url, filters=((STATE, 1), ("remote/up/#", 2), ("both/#", 1)))
    command = [needed_program("mosquitto"), "-c", str(tmp_path / "mosquitto.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as mosquitto:
        try:
            while here.received(1)[0].payload != b"1":
                pass  # what the last one left
            there = open_at(PAHO, _listening(port), filters=(("local/down/#", 2), ("both/#", 1)))
            # The bridge subscribes after it has said that it is there.
            probe = Publication("remote/down/probe", b"", 1)
            here.publish(probe)
            there.publish(Publication("local/up/a", bytes(range(256)), 2))
            assert here.received(1) == [Received("remote/up/a", bytes(range(256)), 2, False)]
            here.publish(Publication("remote/down/a", b"down", 2))
            got = there.received(1)
            if got[0].topic.endswith("probe"):
                got = there.received(1)
            assert got == [Received("local/down/a", b"down", 2, False)]
            if version == "mqttv50":
                check_both_ways(here, there)
            there.close()
        finally:
            mosquitto.kill()
    assert here.received(1) == [Received(STATE, b"0", 1, False)]


def check_both_ways(here: Client, there: Client) -> None:
    """One topic both ways needs that nobody is sent what it has sent: "no local" of MQTT 5."""
    there.publish(Publication("both/x", b"from there", 1))
    here.publish(Publication("both/y", b"from here", 1))
    for _ in range(2):
        there.publish(Publication("both/x", b"again", 1))
    for client in (here, there):
        got = sorted(each.payload for each in client.received(4))
        assert got == [b"again", b"again", b"from here", b"from there"]


def _listening(port: int) -> str:
    def is_open() -> bool:
        with (
            contextlib.suppress(ConnectionRefusedError),
            socket.create_connection(("127.0.0.1", port), 1),
        ):
            return True
        return False

    wait_until(is_open)
    return f"mqtt://127.0.0.1:{port}"
