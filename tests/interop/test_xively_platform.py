"""The whole server as an old Xively device and its owner use it: graphs, triggers, provisioning."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
import requests
from standardwebhooks.webhooks import Webhook
from tests.live_server import LiveServer, start_server
from tests.waiting import wait_until

WAIT_S_MAX = 20.0


class Receiver:
    """A web server that keeps what is posted to it."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        kept = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with start_server(tmp_path, "--set", "webhooks.allow_private=true") as started:
        yield started


def ask(
    server: LiveServer, method: str, path: str, key: str = "", **request: Any
) -> requests.Response:
    headers = {"X-ApiKey": key or server.master_key(), **request.pop("headers", {})}
    return requests.request(
        method, server.url + path, headers=headers, timeout=WAIT_S_MAX, **request
    )


def put(server: LiveServer, value: str) -> None:
    document = {"datastreams": [{"id": "temp", "current_value": value}]}
    done = ask(server, "PUT", f"/v2/feeds/{server.feed_id}", json=document)
    assert done.status_code == 200, done.text


def test_a_trigger_tells_its_receiver_of_each_crossing_once(
    server: LiveServer, receiver: Receiver
) -> None:
    put(server, "10")
    document = {
        "environment_id": server.feed_id, "stream_id": "temp", "url": receiver.url,
        "trigger_type": "gt", "threshold_value": "15.0",
    }  # fmt: skip
    made = ask(server, "POST", "/v2/triggers.json", json=document)
    assert made.status_code == 201, made.text
    trigger_id = int(made.headers["Location"].rpartition("/")[2])
    for value in ("14", "16", "17"):
        put(server, value)
    wait_until(lambda: len(receiver.requests) == 1)
    headers, body = receiver.requests[0]
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert body.startswith(b"body=")
    assert b"+" not in body
    told = json.loads(unquote_to_bytes(body[5:]))
    assert (told["id"], told["type"], told["threshold_value"]) == (trigger_id, "gt", "15.0")
    value = told["triggering_datastream"]["value"]
    assert (value["value"], value["current_value"]) == ("16", "16")
    assert told["environment"]["id"] == server.feed_id
    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} <= headers.keys()
    with pytest.raises(Exception, match="signature"):
        Webhook("whsec_" + "A" * 32).verify(body, headers)
    time.sleep(0.3)
    assert len(receiver.requests) == 1  # 17 is no second crossing
    found = ask(server, "GET", f"/v2/triggers/{trigger_id}").json()
    assert found["notified_at"].endswith("Z")


def test_what_fired_before_a_kill_is_delivered_after_it(tmp_path: Path) -> None:
    gone = Receiver()
    port, url = gone.server.server_address[1], gone.url
    gone.close()
    flags = ("--set", "webhooks.allow_private=true", "--set", "delivery.retry_s=[1, 1, 1, 1]")
    with start_server(tmp_path, *flags) as first:
        put(first, "10")
        document = {
            "environment_id": first.feed_id, "stream_id": "temp", "trigger_type": "gt",
            "threshold_value": "15", "url": url,
        }  # fmt: skip
        assert ask(first, "POST", "/v2/triggers", json=document).status_code == 201
        put(first, "16")
        first.kill()
    back = Receiver(port)
    try:
        with start_server(tmp_path, *flags):
            wait_until(lambda: len(back.requests) == 1)
            time.sleep(0.5)
            assert len(back.requests) == 1
    finally:
        back.close()
    told = json.loads(unquote_to_bytes(back.requests[0][1][5:]))
    assert told["triggering_datastream"]["value"]["value"] == "16"


def test_a_graph_is_a_picture_and_is_read_without_a_key_where_the_feed_is_public(
    server: LiveServer,
) -> None:
    for value in ("1", "2", "3"):
        put(server, value)
    path = f"/v2/feeds/{server.feed_id}/datastreams/temp.png?w=300&h=200&t=Roof&duration=1hour"

    def drawn() -> requests.Response | None:
        found = ask(server, "GET", path)
        return None if found.status_code == 503 else found  # who draws is starting yet, and is slow

    reply = wait_until(drawn)
    assert reply is not None
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/png")
    assert reply.content.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(reply.content[16:20]) == 300
    assert int.from_bytes(reply.content[20:24]) == 200
    assert requests.get(server.url + path, timeout=WAIT_S_MAX).status_code in (401, 403)
    ask(server, "PUT", f"/v2/feeds/{server.feed_id}", json={"private": "false"})
    assert requests.get(server.url + path, timeout=WAIT_S_MAX).status_code == 200
    legacy = f"{server.url}/feeds/{server.feed_id}/datastreams/temp/history.png"
    assert requests.get(legacy, timeout=WAIT_S_MAX).content.startswith(b"\x89PNG")
    bad = ask(server, "GET", path.replace("w=300", "w=99999"))
    assert (bad.status_code, bad.headers["content-type"]) == (
        400,
        "application/json; charset=utf-8",
    )


def test_a_device_from_the_shelf_activates_itself_and_writes(server: LiveServer) -> None:
    product = {"product": {"name": "Lamp", "feed_defaults": {"datastreams": [{"id": "watts"}]}}}
    made = ask(server, "POST", "/v2/products", json=product)
    where = "/v2/products/" + made.headers["Location"].rpartition("/")[2]
    serials = {"devices": [{"serial": f"L{number}"} for number in range(3)]}
    assert ask(server, "POST", f"{where}/devices", json=serials).status_code == 201
    listed = ask(server, "GET", f"{where}/devices").json()["devices"]
    code = listed[1]["activation_code"]
    told = requests.get(f"{server.url}/v2/devices/{code}/activate", timeout=WAIT_S_MAX).json()
    write = ask(server, "PUT", f"/v2/feeds/{told['feed_id']}.csv", told["apikey"], data="watts,5")
    assert write.status_code == 200
    assert ask(
        server, "GET", f"/v2/feeds/{told['feed_id']}/datastreams/watts.csv", told["apikey"]
    ).text.endswith(",5")
    again = requests.get(f"{server.url}/v2/devices/{code}/activate", timeout=WAIT_S_MAX)
    assert again.status_code == 403
