"""Clients that say nothing for long stay: they answer when they are asked, or are not asked.

Over RawSocket some cannot be: Autobahn for Python, of both kinds, and swampyer take a PING for
something else and lose the connection.
"""

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.interop.wamp.clients import CLIENTS, ClientProcess
from tests.live_server import start_server

SILENCE_S = 0.2  # who is silent for twice as long is asked, and has as long again to answer


def test_silent_clients_keep_their_sessions(
    process_of: Callable[[str], ClientProcess], tmp_path: Path
) -> None:
    with start_server(tmp_path, "--set", f"wamp.silence_s={SILENCE_S}") as server:
        url = server.sockets["wamp"]
        addresses = {"ws": url, "rs": f"rs://{urlsplit(url).netloc}"}
        sessions = {
            (name, transport): process_of(name).join(addresses[transport], "realm1", "json")
            for name, client in CLIENTS.items()
            for transport in client.serializers
        }
        time.sleep(8 * SILENCE_S)
        for session in sessions.values():
            session.publish("com.example.topic", "still here")
            session.do("leave")
