"""Clients that connect again by themselves, to a server that was killed in between."""

import time
from pathlib import Path
from typing import Any

from tests.interop.mqtt.client import WAIT_S_MAX, Publication
from tests.interop.mqtt.ways import Way
from tests.live_server import start_server
from tests.ports import free_port

# aiomqtt leaves connecting again to its user.
THOSE_THAT_DO = [
    Way("paho", "tcp", 4), Way("paho", "tcp", 5), Way("mqtt_js", "tcp", 4),
    Way("mqtt_js", "tcp", 5), Way("mosquitto", "tcp", 4), Way("mosquitto", "tcp", 5),
]  # fmt: skip


def test_killed_server_loses_no_session_and_clients_find_back(open_at: Any, tmp_path: Path) -> None:
    port = free_port()
    url = f"mqtt://127.0.0.1:{port}"
    server = start_server(tmp_path / "data", "--mqtt", str(port))
    try:
        clients = [
            open_at(way, url, client_id=str(way), session_s=3600, filters=(("news/#", 2),))
            for way in THOSE_THAT_DO
        ]
        away = open_at(
            THOSE_THAT_DO[0], url, client_id="away", session_s=3600, filters=(("news/#", 2),)
        )
        away.close()
        source = open_at(Way("paho", "tcp", 5), url)
        source.publish(Publication("news/before", b"1", 2, True))
        server.kill()
        source.close()
        server = start_server(tmp_path / "data", "--mqtt", str(port))
        source = open_at(Way("paho", "tcp", 5), url)
        source.publish(Publication("news/after", b"2", 1))
        away = open_at(THOSE_THAT_DO[0], url, client_id="away", session_s=3600)
        for client in (*clients, away):
            got = {}
            deadline_s = time.monotonic() + WAIT_S_MAX
            while len(got) < 2 and time.monotonic() < deadline_s:
                (message,) = client.received(1)
                got[message.topic] = message.payload
            assert got == {"news/before": b"1", "news/after": b"2"}
        newcomer = open_at(Way("paho", "tcp", 5), url, filters=(("news/#", 2),))
        assert newcomer.received(1)[0].is_retain
        for client in (*clients, away, source, newcomer):
            client.close()
        server.stop()
    finally:
        if server.process.poll() is None:
            server.kill()
