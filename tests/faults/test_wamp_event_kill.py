"""A server that is killed has the WAMP events that it acknowledged, when it starts again."""

import json
from pathlib import Path
from typing import Any

from tests.live_server import start_server
from websockets.sync.client import ClientConnection, connect

SETTINGS = """
[[wamp.realms]]
name = "realm1"
history = [{ uri = "com.example.", match = "prefix" }]
"""
EVENTS = 200


class Client:
    """A session over WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.request_id = 0
        self.send(1, "realm1", {"roles": {"publisher": {}, "subscriber": {}, "caller": {}}})
        self.features = self.receive()[2]["roles"]["broker"]["features"]

    def send(self, *message: Any) -> None:
        self.connection.send(json.dumps(message))

    def receive(self) -> Any:
        return json.loads(self.connection.recv(timeout=10))

    def ask(self, code: int, *message: Any, **options: Any) -> int:
        self.request_id += 1
        self.send(code, self.request_id, options, *message)
        return self.request_id

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        self.ask(48, procedure, args, kwargs)
        answer = self.receive()
        assert answer[0] == 50, answer
        return answer[3][0]


def test_killed_server_has_the_events_it_acknowledged(tmp_path: Path) -> None:
    (tmp_path / "thingtank.toml").write_text(SETTINGS)
    server = start_server(tmp_path)
    with connect(server.sockets["wamp"], subprotocols=["wamp.2.json"]) as connection:  # type: ignore[list-item] # a str
        client = Client(connection)
        for number in range(EVENTS):
            client.ask(16, "com.example.a", [number], acknowledge=True, retain=True)
        published = {}
        for _ in range(EVENTS):
            code, request_id, publication_id = client.receive()
            assert code == 17
            published[request_id] = publication_id
        server.kill()
    with (
        start_server(tmp_path) as server,
        connect(server.sockets["wamp"], subprotocols=["wamp.2.json"]) as connection,  # type: ignore[list-item] # a str
    ):
        client = Client(connection)
        assert client.features["event_history"] is True
        options = {"match": "prefix"}
        subscription_id = client.call("wamp.subscription.lookup", "com.example.", options)
        events = client.call("wamp.subscription.get_events", subscription_id)
        assert [event["args"] for event in events] == [[number] for number in range(EVENTS)]
        assert [event["publication"] for event in events] == list(published.values())
        client.ask(32, "com.example.a", get_retained=True)
        assert client.receive()[0] == 33
        assert client.receive()[3:] == [{"retained": True}, [EVENTS - 1]]
