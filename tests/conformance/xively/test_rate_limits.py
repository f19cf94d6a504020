"""Who asks too often is told so in Xively's words and when to come back; nothing half-done.

Source: Xively API v2, HTTP status codes, usage limits (403; in v1 503); spec sections 1.3, 8.2, 10.
"""

import json
import time
from collections.abc import Iterator

import httpx
import pytest
import requests
from tests.conformance.xively.conftest import Xively
from tests.conformance.xively.test_sockets import Tcp
from tests.live_server import LiveServer, start_server

from thingtank.tank.limits import Limits
from thingtank.tank.request_rates import RequestRates

WAIT_S_MAX = 10.0
TITLE = "Rate limit exceeded"
SLOW = Limits(
    requests_per_key_s=0.05,
    requests_per_key_burst=1,
    requests_per_address_s=0.05,
    requests_per_address_burst=1,
)
JSON, XML, CSV = "application/json", "application/xml", "text/plain"

REFUSED = [
    ("a read", "GET", "/v2/feeds/ID", 403, JSON),
    ("a read as JSON", "GET", "/v2/feeds/ID.json", 403, JSON),
    ("a read as XML", "GET", "/v2/feeds/ID.xml", 403, XML),
    ("a read as CSV", "GET", "/v2/feeds/ID.csv", 403, CSV),
    ("history", "GET", "/v2/feeds/ID/datastreams/temp.json?duration=1hour", 403, JSON),
    ("a list", "GET", "/v2/feeds", 403, JSON),
    ("a write", "PUT", "/v2/feeds/ID", 403, JSON),
    ("a write as XML", "PUT", "/v2/feeds/ID.xml", 403, XML),
    ("a creation", "POST", "/v2/feeds", 403, JSON),
    ("a deletion", "DELETE", "/v2/feeds/ID", 403, JSON),
    ("what is not there", "GET", "/v2/feeds/999999999", 403, JSON),
    ("a read of v1", "GET", "/v1/feeds/ID", 503, XML),
    ("a read of v1 as JSON", "GET", "/v1/feeds/ID.json", 503, JSON),
    ("a read of the oldest path", "GET", "/api/ID.csv", 503, CSV),
    ("a write of v1", "PUT", "/v1/feeds/ID.csv", 503, CSV),
]  # fmt: skip
ROWS = pytest.mark.parametrize(
    ("method", "path", "status", "content_type"),
    [row[1:] for row in REFUSED],
    ids=[row[0] for row in REFUSED],
)


def limit(xively: Xively, limits: Limits = SLOW) -> None:
    xively.tank.request_rates = RequestRates(limits)


def assert_refused(reply: httpx.Response, status: int, content_type: str) -> None:
    assert reply.status_code == status
    assert 1 <= int(reply.headers["Retry-After"]) <= 20
    assert reply.headers["Content-Type"] == f"{content_type}; charset=utf-8"
    assert TITLE in reply.text
    assert "0.05 times a second" in reply.text
    if content_type == JSON:
        assert set(reply.json()) == {"title", "errors"}


@ROWS
async def test_a_key_that_asks_too_often_is_refused_in_the_requests_format(
    xively: Xively, method: str, path: str, status: int, content_type: str
) -> None:
    limit(xively)
    assert (await xively.ask("GET", xively.feed)).status_code == 200
    path = path.replace("ID", xively.feed.rpartition("/")[2])
    assert_refused(await xively.ask(method, path, content=b"{}"), status, content_type)


@ROWS
@pytest.mark.parametrize("key", [{}, {"X-ApiKey": "guessed"}], ids=["no key", "a wrong key"])
async def test_who_has_no_key_is_counted_by_address(
    xively: Xively, method: str, path: str, status: int, content_type: str, key: dict[str, str]
) -> None:
    limit(xively)
    assert (await xively.ask("GET", xively.feed, "", headers=key)).status_code == 401
    path = path.replace("ID", xively.feed.rpartition("/")[2])
    reply = await xively.ask(method, path, "", headers=key, content=b"{}")
    assert_refused(reply, status, content_type)


async def test_guessing_keys_is_counted_whatever_the_guess(xively: Xively) -> None:
    limit(xively)
    answers = [
        (await xively.ask("GET", xively.feed, "", headers={"X-ApiKey": f"guess {n}"})).status_code
        for n in range(5)
    ]
    assert answers == [401, 403, 403, 403, 403]


async def test_a_right_key_is_let_in_from_where_others_guess(xively: Xively) -> None:
    limit(xively)
    for _ in range(3):
        await xively.ask("GET", xively.feed, "", headers={"X-ApiKey": "guess"})
    assert (await xively.ask("GET", xively.feed)).status_code == 200


async def test_one_busy_key_leaves_the_others_alone(xively: Xively) -> None:
    limit(xively)
    answers = [(await xively.ask("GET", xively.feed)).status_code for _ in range(3)]
    assert answers == [200, 403, 403]
    assert (await xively.ask("GET", xively.feed, "master")).status_code == 200


async def test_a_refused_write_is_refused_whole(xively: Xively) -> None:
    streams = [{"id": f"s{n}", "current_value": n} for n in range(50)]
    limit(xively)
    await xively.ask("GET", xively.feed)
    reply = await xively.ask("PUT", xively.feed, json={"title": "New", "datastreams": streams})
    assert reply.status_code == 403
    limit(xively, Limits())
    kept = (await xively.ask("GET", xively.feed)).json()
    assert (kept["title"], "datastreams" in kept) == ("Roof station", False)


async def test_a_write_past_the_points_limit_is_refused_whole_and_a_read_clipped(
    xively: Xively,
) -> None:
    points = [{"at": f"2023-11-14T22:{n // 60:02}:{n % 60:02}Z", "value": n} for n in range(501)]
    await xively.ask("POST", f"{xively.feed}/datastreams", json={"datastreams": [{"id": "t"}]})
    url = f"{xively.feed}/datastreams/t"
    refused = await xively.ask("POST", f"{url}/datapoints", json={"datapoints": points})
    assert refused.status_code == 422
    read = f"{url}?duration=6hours&limit=5000"
    assert "datapoints" not in (await xively.ask("GET", read)).json()
    for part in (points[:300], points[300:]):
        await xively.ask("POST", f"{url}/datapoints", json={"datapoints": part})
    xively.tank.limits = Limits(datapoints_per_read_max=400)
    assert len((await xively.ask("GET", read)).json()["datapoints"]) == 400


async def test_a_preflight_is_not_counted(xively: Xively) -> None:
    limit(xively)
    for _ in range(5):
        assert (await xively.ask("OPTIONS", xively.feed, "")).status_code == 200


async def test_the_defaults_leave_a_busy_device_alone(xively: Xively) -> None:
    limit(xively, Limits())
    for _ in range(1500):
        assert (await xively.ask("GET", f"{xively.feed}.csv")).status_code == 200


# --- against the whole server --------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    settings = ("key_s=0.5", "key_burst=3", "address_s=0.5", "address_burst=3")
    flags = [word for each in settings for word in ("--set", f"limits.requests_per_{each}")]
    with start_server(tmp_path_factory.mktemp("tank"), *flags) as started:
        yield started


@pytest.fixture
def key(server: LiveServer) -> dict[str, str]:
    """A key that nobody has asked with yet."""
    return {"X-ApiKey": str(server.command("key", "create", "fresh")["api_key"])}


def test_a_server_refuses_a_key_and_lets_it_in_again_when_it_said_it_would(
    server: LiveServer, key: dict[str, str]
) -> None:
    url = f"{server.url}/v2/feeds/{server.feed_id}.json"
    with requests.Session() as session:
        replies = [session.get(url, headers=key, timeout=WAIT_S_MAX) for _ in range(5)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 403, 403]
        assert replies[3].json()["title"] == TITLE
        time.sleep(int(replies[4].headers["Retry-After"]))
        assert session.get(url, headers=key, timeout=WAIT_S_MAX).status_code == 200


def test_http_and_the_sockets_share_a_keys_bucket_and_subscribing_counts(
    server: LiveServer, key: dict[str, str]
) -> None:
    resource = f"/feeds/{server.feed_id}"
    tcp = Tcp(server)
    message = {"resource": resource, "headers": key}
    tcp.send({**message, "method": "subscribe"})
    assert tcp.receive() == {"resource": resource, "status": 200}
    url = f"{server.url}/v2{resource}"
    assert requests.get(url, headers=key, timeout=WAIT_S_MAX).status_code == 200
    for method, status in (("get", 200), ("get", 403), ("subscribe", 403)):
        tcp.send({**message, "method": method, "token": "t"})
        answer = tcp.receive()
        assert answer["status"] == status
    assert answer["headers"]["RETRY_AFTER"] in ("1", "2")
    assert answer["body"]["title"] == TITLE
    tcp.close()


def test_pushes_are_not_counted(server: LiveServer, key: dict[str, str]) -> None:
    resource = f"/feeds/{server.feed_id}"
    tcp = Tcp(server)
    tcp.send({"resource": resource, "headers": key, "method": "subscribe"})
    assert tcp.receive()["status"] == 200
    writers = [str(server.command("key", "create", "writer")["api_key"]) for _ in range(2)]
    for number in range(6):
        body = json.dumps({"datastreams": [{"id": "a", "current_value": number}]})
        headers = {"X-ApiKey": writers[number % 2]}
        done = requests.put(
            f"{server.url}/v2{resource}", data=body, headers=headers, timeout=WAIT_S_MAX
        )
        assert done.status_code == 200
        assert tcp.receive()["body"]["id"] == server.feed_id
    tcp.close()


def test_wrong_keys_are_counted_over_http_and_the_sockets_together(server: LiveServer) -> None:
    resource, wrong = f"/feeds/{server.feed_id}", {"X-ApiKey": "guess"}
    tcp = Tcp(server)
    statuses = []
    for _ in range(2):
        reply = requests.get(f"{server.url}/v2{resource}", headers=wrong, timeout=WAIT_S_MAX)
        statuses.append(reply.status_code)
        tcp.send({"method": "subscribe", "resource": resource, "headers": wrong})
        statuses.append(tcp.receive()["status"])
    assert statuses == [401, 401, 401, 403]
    tcp.close()
