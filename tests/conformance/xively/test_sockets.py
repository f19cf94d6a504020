"""Xively's sockets, sentence by sentence, over TCP, WebSocket and SockJS against the whole server.

Source: Xively API v2, sockets (spec section 9.1).
"""

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
import requests
from tests.live_server import LiveServer, start_server
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

WAIT_S_MAX = 10.0
QUIET_S = 0.3
BIG_FEED_BYTES = 50_000


class Connection(Protocol):
    def send(self, message: dict[str, Any]) -> None: ...
    def receive(self) -> dict[str, Any]: ...
    def is_quiet(self) -> bool: ...
    def close(self) -> None: ...


class Tcp:
    """Sends without a line feed, as two clients do, and reads by lines."""

    def __init__(self, server: LiveServer) -> None:
        parts = urlsplit(server.sockets["socket"])
        self.socket = socket.create_connection((parts.hostname, parts.port), WAIT_S_MAX)
        self.reader = self.socket.makefile("rb")

    def send(self, message: dict[str, Any]) -> None:
        self.socket.sendall(json.dumps(message).encode())

    def receive(self) -> dict[str, Any]:
        line = self.reader.readline()
        assert line.endswith(b"\n"), line
        found: dict[str, Any] = json.loads(line)
        return found

    def is_quiet(self) -> bool:
        self.socket.settimeout(QUIET_S)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(WAIT_S_MAX)
        return False

    def close(self) -> None:
        self.reader.close()
        self.socket.close()


class WebSocket:
    def __init__(self, url: str) -> None:
        self.stack = contextlib.ExitStack()
        made = connect(url, open_timeout=WAIT_S_MAX, compression=None)
        self.socket = self.stack.enter_context(made)

    def send(self, message: dict[str, Any]) -> None:
        self.socket.send(json.dumps(message))

    def receive(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.socket.recv(timeout=WAIT_S_MAX))
        return found

    def is_quiet(self) -> bool:
        try:
            self.socket.recv(timeout=QUIET_S)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self.stack.close()


class XhrPolling:
    """SockJS where a browser has no WebSocket."""

    def __init__(self, server: LiveServer) -> None:
        self.url = f"{server.sockets['sockjs']}/000/{time.monotonic_ns()}"
        self.http = requests.Session()
        self.waiting: list[dict[str, Any]] = []
        assert self._poll(WAIT_S_MAX) == "o\n"

    def _poll(self, wait_s: float) -> str:
        return self.http.post(f"{self.url}/xhr", timeout=wait_s).text

    def send(self, message: dict[str, Any]) -> None:
        sent = self.http.post(
            f"{self.url}/xhr_send", data=json.dumps([json.dumps(message)]), timeout=WAIT_S_MAX
        )
        assert sent.status_code == 204

    def receive(self) -> dict[str, Any]:
        while not self.waiting:
            frame = self._poll(WAIT_S_MAX)
            if frame.startswith("a"):
                self.waiting += map(json.loads, json.loads(frame[1:]))
        return self.waiting.pop(0)

    def is_quiet(self) -> bool:
        try:
            return not self.waiting and self._poll(QUIET_S) == ""
        except requests.RequestException:  # nothing came in time
            return True

    def close(self) -> None:
        self.http.close()


WAYS = {
    "tcp": Tcp,
    "websocket": lambda server: WebSocket(server.sockets["websocket"]),
    "sockjs websocket": lambda server: WebSocket(
        server.sockets["sockjs"].replace("http", "ws", 1) + "/websocket"
    ),
    "sockjs xhr": XhrPolling,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("tank")) as started:
        yield started


@pytest.fixture(scope="module")
def narrow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    flags = ("--set", "socket.subscriptions_max=2", "--set", "socket.requests_max=1")
    with start_server(tmp_path_factory.mktemp("narrow"), *flags) as started:
        yield started


@pytest.fixture
def feed(server: LiveServer) -> str:
    """A resource of its own for each test."""
    made = requests.post(
        f"{server.url}/v2/feeds", json={"title": "Roof", "datastreams": [{"id": "a", "current_value": "1"}, {"id": "b"}]},
        headers={"X-ApiKey": server.master_key()}, timeout=WAIT_S_MAX,
    )  # fmt: skip
    assert made.status_code == 201, made.text
    return "/feeds/" + made.headers["Location"].rpartition("/")[2]


@pytest.fixture(params=WAYS)
def connection(request: pytest.FixtureRequest, server: LiveServer) -> Iterator[Connection]:
    made: Connection = WAYS[request.param](server)
    yield made
    made.close()


@pytest.fixture
def key(server: LiveServer) -> dict[str, str]:
    return {"X-ApiKey": server.master_key()}


@pytest.fixture
def big_feed(server: LiveServer) -> str:
    """A resource whose body fills what a connection may leave unread some twenty times over."""
    streams = [{"id": "a", "current_value": "1"}]
    streams += [{"id": f"s{n}", "tags": ["x" * 200]} for n in range(BIG_FEED_BYTES // 250)]
    made = requests.post(
        f"{server.url}/v2/feeds", json={"title": "Big", "datastreams": streams},
        headers={"X-ApiKey": server.master_key()}, timeout=WAIT_S_MAX,
    )  # fmt: skip
    assert made.status_code == 201, made.text
    return "/feeds/" + made.headers["Location"].rpartition("/")[2]


def put(server: LiveServer, feed: str, **values: str) -> None:
    streams = [{"id": name, "current_value": value} for name, value in values.items()]
    done = requests.put(
        f"{server.url}/v2{feed}", json={"datastreams": streams}, headers={"X-ApiKey": server.master_key()}, timeout=WAIT_S_MAX
    )  # fmt: skip
    assert done.status_code == 200


def test_a_get_is_answered_with_token_resource_status_headers_and_body(
    connection: Connection, feed: str, key: dict[str, str]
) -> None:
    connection.send({"method": "get", "resource": feed, "headers": key, "token": "0x12"})
    answer = connection.receive()
    assert (answer["token"], answer["resource"], answer["status"]) == ("0x12", feed, 200)
    assert answer["headers"] == {"CONTENT_TYPE": "application/json; charset=utf-8"}
    assert answer["body"]["title"] == "Roof"


def test_a_put_with_body_as_object_or_as_text_is_written(
    connection: Connection, feed: str, key: dict[str, str]
) -> None:
    body = {"version": "1.0.0", "datastreams": [{"id": "a", "current_value": "7"}]}
    for number, sent in enumerate((body, json.dumps(body))):
        connection.send(
            {"method": "put", "resource": feed, "headers": key, "body": sent, "token": number}
        )
        assert connection.receive() == {"token": number, "resource": feed, "status": 200}
    connection.send({"method": "GET", "resource": f"{feed}/datastreams/a.json", "headers": key})
    assert connection.receive()["body"]["current_value"] == "7"


def test_params_are_the_query(connection: Connection, feed: str, key: dict[str, str]) -> None:
    for name in ("params", "parameters"):
        connection.send(
            {"method": "get", "resource": feed, "headers": key, name: {"datastreams": "b"}}
        )
        streams = connection.receive()["body"]["datastreams"]
        assert [stream["id"] for stream in streams] == ["b"]


def test_a_feed_subscription_pushes_the_whole_feed_without_status(
    connection: Connection, server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    connection.send({"method": "subscribe", "resource": feed, "headers": key, "token": "t"})
    assert connection.receive() == {"token": "t", "resource": feed, "status": 200}
    put(server, feed, b="5")
    push = connection.receive()
    assert (set(push), push["token"], push["resource"]) == (
        {"token", "resource", "body"},
        "t",
        feed,
    )
    values = {stream["id"]: stream["current_value"] for stream in push["body"]["datastreams"]}
    assert values == {"a": "1", "b": "5"}


def test_a_datastream_subscription_hears_of_that_datastream_only(
    connection: Connection, server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    resource = f"{feed}/datastreams/a"
    connection.send({"method": "subscribe", "resource": resource, "headers": key})
    assert connection.receive()["status"] == 200
    put(server, feed, b="5")
    put(server, feed, a="6")
    push = connection.receive()
    assert (push["resource"], push["body"]["id"], push["body"]["current_value"]) == (
        resource,
        "a",
        "6",
    )


def test_subscribing_again_is_one_subscription_and_other_tokens_are_others(
    connection: Connection, server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    for token in ("one", "one", "two"):
        connection.send({"method": "subscribe", "resource": feed, "headers": key, "token": token})
        assert connection.receive()["status"] == 200
    put(server, feed, a="2")
    assert {connection.receive()["token"] for _ in range(2)} == {"one", "two"}
    connection.send({"method": "unsubscribe", "resource": feed, "headers": key, "token": "two"})
    assert connection.receive() == {"token": "two", "resource": feed, "status": 200}
    put(server, feed, a="3")
    assert connection.receive()["token"] == "one"
    assert connection.is_quiet()


def test_unsubscribing_what_was_not_subscribed_is_200(
    connection: Connection, feed: str, key: dict[str, str]
) -> None:
    connection.send({"method": "unsubscribe", "resource": feed, "headers": key})
    assert connection.receive() == {"resource": feed, "status": 200}


def test_a_refused_subscription_says_so_in_the_recorded_words(
    connection: Connection, feed: str
) -> None:
    message = {"method": "subscribe", "resource": feed, "token": "x", "headers": {"X-ApiKey": "no"}}
    connection.send(message)
    assert connection.receive() == {
        "token": "x", "resource": feed, "status": 401, "body": "Forbidden: You are not authorized",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ({"method": "subscribe", "resource": "/feeds/999999999"}, 404),
        ({"method": "subscribe", "resource": "/triggers"}, 404),
        ({"method": "subscribe", "resource": "FEED/datastreams/none"}, 404),
        ({"method": "get", "resource": "/nonsense"}, 404),
        ({"method": "get", "resource": "FEED/datastreams/a.png"}, 406),
        ({"method": "get", "resource": "feeds/1"}, 400),
        ({"method": "dance", "resource": "FEED"}, 400),
        ({"method": "put", "resource": "FEED", "body": {"title": ""}}, 422),
        ({"method": "put", "resource": "FEED", "body": "{"}, 400),
        ({"resource": "FEED", "method": "get", "token": {"an": "object"}}, 400),
    ],
)
def test_bad_requests_are_refused_and_the_connection_goes_on(
    connection: Connection, feed: str, key: dict[str, str], message: dict[str, Any], status: int
) -> None:
    resource = str(message["resource"]).replace("FEED", feed)
    connection.send({**message, "resource": resource, "headers": key})
    assert connection.receive()["status"] == status
    connection.send({"method": "get", "resource": feed, "headers": key})
    assert connection.receive()["status"] == 200


def test_a_key_that_is_deleted_hears_nothing_more(
    connection: Connection, server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    short = server.command("key", "create", "short")
    headers = {"X-ApiKey": short["api_key"]}
    other = Tcp(server)
    connection.send({"method": "subscribe", "resource": feed, "headers": headers})
    other.send({"method": "subscribe", "resource": feed, "headers": key})
    assert connection.receive()["status"] == other.receive()["status"] == 200
    put(server, feed, a="2")
    assert connection.receive()["resource"] == other.receive()["resource"] == feed
    server.command("key", "delete", str(short["key_id"]), "--yes")
    put(server, feed, a="3")
    assert other.receive()["resource"] == feed  # so it was pushed
    assert connection.is_quiet()
    other.close()


def test_after_its_key_was_deleted_a_subscription_is_renewed_with_another(
    connection: Connection, server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    short = server.command("key", "create", "short")
    message = {"method": "subscribe", "resource": feed, "token": "t"}
    connection.send({**message, "headers": {"X-ApiKey": short["api_key"]}})
    assert connection.receive()["status"] == 200
    server.command("key", "delete", str(short["key_id"]), "--yes")
    other = Tcp(server)
    other.send({**message, "headers": key})
    assert other.receive()["status"] == 200
    put(server, feed, a="2")  # ends the subscription
    assert other.receive()["resource"] == feed  # by now
    other.close()
    connection.send({**message, "headers": key})
    assert connection.receive() == {"token": "t", "resource": feed, "status": 200}
    put(server, feed, a="3")
    assert connection.receive()["body"]["datastreams"][0]["current_value"] == "3"


def test_the_newest_key_of_a_subscription_counts(
    connection: Connection, server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    short = server.command("key", "create", "short")
    for headers in ({"X-ApiKey": short["api_key"]}, key):
        connection.send({"method": "subscribe", "resource": feed, "headers": headers})
        assert connection.receive()["status"] == 200
    server.command("key", "delete", str(short["key_id"]), "--yes")
    put(server, feed, a="2")
    assert connection.receive()["body"]["datastreams"][0]["current_value"] == "2"
    assert connection.is_quiet()


def test_subscriptions_to_deleted_feeds_are_not_counted(narrow_server: LiveServer) -> None:
    headers = {"X-ApiKey": narrow_server.master_key()}
    tcp = Tcp(narrow_server)
    for number in range(3):  # one more than a connection may have
        tcp.send(
            {"method": "post", "resource": "/feeds", "headers": headers, "body": {"title": "F"}}
        )
        feed = "/feeds/" + tcp.receive()["headers"]["LOCATION"].rpartition("/")[2]
        tcp.send({"method": "subscribe", "resource": feed, "headers": headers, "token": number})
        assert tcp.receive()["status"] == 200
        tcp.send({"method": "delete", "resource": feed, "headers": headers})
        assert tcp.receive()["status"] == 200
    for number, status in enumerate((200, 200, 400)):
        feed = f"/feeds/{narrow_server.feed_id}"
        tcp.send({"method": "subscribe", "resource": feed, "headers": headers, "token": number})
        assert tcp.receive()["status"] == status
    tcp.close()


def test_a_feed_deleted_over_a_socket_is_gone_over_http(
    connection: Connection, server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    connection.send({"method": "delete", "resource": feed, "headers": key, "token": "last"})
    assert connection.receive() == {"token": "last", "resource": feed, "status": 200}
    assert (
        requests.get(f"{server.url}/v2{feed}", headers=key, timeout=WAIT_S_MAX).status_code == 404
    )


@pytest.mark.parametrize("count", [1, 300])
def test_one_that_has_said_all_is_answered_and_then_left(
    server: LiveServer, feed: str, key: dict[str, str], count: int
) -> None:
    tcp = Tcp(server)
    for number in range(count):
        body = {"datastreams": [{"id": "said", "current_value": str(number)}]}
        tcp.send({"method": "put", "resource": feed, "headers": key, "body": body, "token": number})
    tcp.socket.shutdown(socket.SHUT_WR)
    answers = [json.loads(line) for line in tcp.reader]
    assert [answer["status"] for answer in answers] == [200] * count
    tcp.close()


# --- slow readers -------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_one_that_reads_nothing_hurts_nobody_else(
    server: LiveServer, big_feed: str, key: dict[str, str], way: str
) -> None:
    lazy, keen = WAYS[way](server), Tcp(server)
    for connection in (lazy, keen):
        connection.send({"method": "subscribe", "resource": big_feed, "headers": key})
    assert keen.receive()["status"] == 200
    for update in range(150):  # 8 MB and more; the kernel takes some 4 MB
        put(server, big_feed, a=str(update))
        push = keen.receive()["body"]
        assert {"a": str(update)}.items() <= {
            stream["id"]: stream.get("current_value") for stream in push["datastreams"]
        }.items()
    lazy.close()
    keen.close()


def resident_bytes(server: LiveServer) -> int:
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_one_that_asks_and_does_not_read_is_asked_for_no_more_until_it_does(
    connection: Connection, server: LiveServer, big_feed: str, key: dict[str, str]
) -> None:
    asked_count = 1600  # 80 MB of answers
    message = {"method": "get", "resource": big_feed, "headers": key}

    def ask() -> None:
        for number in range(asked_count):
            connection.send({**message, "token": number})

    connection.send(message)
    assert connection.receive()["status"] == 200
    resident_before = resident_bytes(server)
    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(3)
    other = Tcp(server)
    started_s = time.monotonic()
    other.send({"method": "get", "resource": "/feeds/0", "headers": key})
    assert other.receive()["status"] == 404
    assert time.monotonic() - started_s < 1
    assert resident_bytes(server) - resident_before < 30_000_000
    answered = sorted(connection.receive()["token"] for _ in range(asked_count))
    assert answered == list(range(asked_count))
    asking.join(WAIT_S_MAX)
    other.close()


def test_with_one_request_at_a_time_all_are_answered(narrow_server: LiveServer) -> None:
    tcp = Tcp(narrow_server)
    message = {
        "method": "put",
        "resource": f"/feeds/{narrow_server.feed_id}",
        "headers": {"X-ApiKey": narrow_server.master_key()},
        "body": {"datastreams": [{"id": "a", "current_value": "1"}]},
    }
    tcp.socket.sendall(b"".join(json.dumps({**message, "token": n}).encode() for n in range(50)))
    assert [tcp.receive()["token"] for _ in range(50)] == list(range(50))
    tcp.close()


def test_what_waits_for_a_sockjs_session_ends_with_it(
    server: LiveServer, big_feed: str, key: dict[str, str]
) -> None:
    polling = XhrPolling(server)
    message = json.dumps({"method": "get", "resource": big_feed, "headers": key})
    sent = requests.post(  # never polled: so it is not read to its end, and the session expires
        f"{polling.url}/xhr_send", data=json.dumps([message] * 100), timeout=30
    )
    assert sent.status_code in (204, 404)
    polling.close()


def test_a_sockjs_session_that_sends_on_and_on_without_polling_is_ended(
    narrow_server: LiveServer,
) -> None:
    polling = XhrPolling(narrow_server)
    headers = {"X-ApiKey": narrow_server.master_key()}
    message = {"method": "get", "resource": "/feeds", "headers": headers, "params": {"q": "x" * 9}}
    asked = json.dumps([json.dumps({**message, "token": "t" * 400})] * 1500)

    def send() -> None:
        requests.post(f"{polling.url}/xhr_send", data=asked, timeout=WAIT_S_MAX)

    threads = [threading.Thread(target=send) for _ in range(3)]  # one may wait
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S_MAX)
    assert polling._poll(WAIT_S_MAX).startswith("c[")
    polling.close()


# --- what only a stream of bytes can do ---------------------------------------------------------


def test_requests_behind_each_other_without_line_feeds_are_all_answered(
    server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    tcp = Tcp(server)
    message = {"method": "get", "resource": feed, "headers": key}
    tcp.socket.sendall(b"".join(json.dumps({**message, "token": n}).encode() for n in range(300)))
    assert sorted(tcp.receive()["token"] for _ in range(300)) == list(range(300))
    tcp.close()


def test_a_request_cut_into_single_bytes_is_answered(
    server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    tcp = Tcp(server)
    for byte in json.dumps({"method": "get", "resource": feed, "headers": key}).encode():
        tcp.socket.sendall(bytes([byte]))
    assert tcp.receive()["status"] == 200
    tcp.close()


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"{" * 100, b"[]"]
)
def test_garbage_is_refused_and_the_connection_closed(server: LiveServer, garbage: bytes) -> None:
    tcp = Tcp(server)
    tcp.socket.sendall(garbage)
    assert tcp.receive()["status"] == 400
    assert tcp.reader.read() == b""
    tcp.close()


def test_a_message_too_large_is_refused(server: LiveServer) -> None:
    tcp = Tcp(server)
    try:
        tcp.socket.sendall(b'{"a":"' + b"x" * 2_000_000)
        assert tcp.receive()["status"] == 400
    except (ConnectionResetError, BrokenPipeError):
        pass  # it was closed before all was sent
    tcp.close()


def test_a_subscriber_that_reads_nothing_is_dropped_and_others_go_on(
    server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    lazy, keen = Tcp(server), Tcp(server)
    for connection in (lazy, keen):
        for token in range(200):  # so that each update is many pushes
            connection.send(
                {"method": "subscribe", "resource": feed, "headers": key, "token": token}
            )
    for _ in range(200):
        assert keen.receive()["status"] == 200
    for update in range(150):  # 11 MB; the kernel takes some 4 MB
        put(server, feed, a=str(update))
        assert len({keen.receive()["token"] for _ in range(200)}) == 200
    read_bytes = 0
    with contextlib.suppress(ConnectionResetError):
        while chunk := lazy.socket.recv(1_000_000):
            read_bytes += len(chunk)
    assert read_bytes < 150 * 200 * 300  # cut off before the last
    lazy.close()
    keen.close()


@pytest.mark.parametrize("path", ["", "/info", "/000/abc/xhr", "/000/none/xhr_send"])
def test_pages_from_anywhere_may_ask_sockjs(server: LiveServer, path: str) -> None:
    url, origin = server.sockets["sockjs"] + path, "http://dashboard.example"
    headers = {"Origin": origin, "Access-Control-Request-Headers": "content-type"}
    preflight = requests.options(url, headers=headers, timeout=WAIT_S_MAX)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Headers"] == "content-type"
    method = "POST" if "xhr" in path else "GET"
    asked = requests.request(method, url, headers={"Origin": origin}, timeout=WAIT_S_MAX)
    for reply in (preflight, asked):  # refusals too, or a page does not learn that it was refused
        assert reply.headers["Access-Control-Allow-Origin"] == origin
        assert reply.headers["Access-Control-Allow-Credentials"] == "true"
        assert reply.headers["Vary"] == "Origin"
    another_session = url.replace("abc", "def")
    plain = requests.request(method, another_session, timeout=WAIT_S_MAX)
    assert "Access-Control-Allow-Origin" not in plain.headers


def test_a_websocket_elsewhere_is_not_found(server: LiveServer) -> None:
    url = server.sockets["websocket"] + "elsewhere"
    with pytest.raises(InvalidStatus, match="404"), connect(url, open_timeout=WAIT_S_MAX):
        pass


# --- bursts: what is acknowledged together is pushed one by one ---------------------------------

BURST = 40


def put_all(server: LiveServer, resource: str, documents: list[dict[str, Any]]) -> None:
    """One `put` behind the other in one piece; returns when all are acknowledged."""
    tcp = Tcp(server)
    message = {"method": "put", "resource": resource, "headers": {"X-ApiKey": server.master_key()}}
    tcp.socket.sendall(
        b"".join(json.dumps({**message, "body": each}).encode() for each in documents)
    )
    assert [tcp.receive()["status"] for _ in documents] == [200] * len(documents)
    tcp.close()


def test_each_of_many_puts_is_pushed_with_its_own_value(
    connection: Connection, server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    resource = f"{feed}/datastreams/a"
    connection.send({"method": "subscribe", "resource": resource, "headers": key})
    assert connection.receive()["status"] == 200
    values = [f"v{number}" for number in range(BURST)]
    put_all(server, resource, [{"current_value": value} for value in values])
    bodies = [connection.receive()["body"] for _ in values]
    assert [body["current_value"] for body in bodies] == values
    history = requests.get(
        f"{server.url}/v2{resource}?duration=1hour&interval=0&limit=1000",
        headers=key,
        timeout=WAIT_S_MAX,
    ).json()["datapoints"]
    assert [(body["at"], body["current_value"]) for body in bodies] == [
        (point["at"], point["value"]) for point in history if point["value"] != "1"
    ]


def test_who_writes_many_and_listens_is_pushed_each_of_them(
    connection: Connection, feed: str, key: dict[str, str]
) -> None:
    resource = f"{feed}/datastreams/a"
    connection.send({"method": "subscribe", "resource": resource, "headers": key})
    assert connection.receive()["status"] == 200
    values = [f"v{number}" for number in range(BURST)]
    for value in values:
        body = {"current_value": value}
        connection.send({"method": "put", "resource": resource, "headers": key, "body": body})
    came = [connection.receive() for _ in range(2 * BURST)]
    pushed = [message["body"]["current_value"] for message in came if "status" not in message]
    assert pushed == values


def test_a_feeds_pushes_show_one_write_after_the_other(
    connection: Connection, server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    connection.send({"method": "subscribe", "resource": feed, "headers": key})
    assert connection.receive()["status"] == 200
    writes = [{"id": "ab"[number % 2], "current_value": f"v{number}"} for number in range(BURST)]
    put_all(server, feed, [{"datastreams": [write]} for write in writes])
    shown = {"a": "1", "b": None}
    for write in writes:
        shown[str(write["id"])] = str(write["current_value"])
        streams = connection.receive()["body"]["datastreams"]
        assert {each["id"]: each.get("current_value") for each in streams} == shown


def test_a_write_of_the_past_is_pushed_with_the_current_value_as_it_stays(
    connection: Connection, server: LiveServer, feed: str, key: dict[str, str]
) -> None:
    resource = f"{feed}/datastreams/a"
    connection.send({"method": "subscribe", "resource": resource, "headers": key})
    assert connection.receive()["status"] == 200
    past = {"at": "2020-01-02T03:04:05Z", "current_value": "past"}
    new = [{"current_value": "n0"}, {"current_value": "n1"}]
    put_all(server, resource, [past, new[0], past | {"current_value": "more"}, new[1]])
    shown = [connection.receive()["body"]["current_value"] for _ in range(4)]
    assert shown == ["1", "n0", "n0", "n1"]
