"""What single clients of the time send and need; ids name the client as the wire reference does."""

import asyncio

import httpx
import pytest
from tests.conformance.xively.conftest import Xively

from thingtank.doors.xively.http import XivelyHttp
from thingtank.doors.xively.settings import XivelySettings
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.errors import StorageFailed

REPLY_BYTES_MAX = 512  # what libxively reads of a reply
HEADERS_MAX = 15
HEADER_VALUE_CHARS_MAX = 63


async def write_temp(xively: Xively, **members: object) -> None:
    document = {"datastreams": [{"id": "temp", "current_value": "21.5", **members}]}
    assert (await xively.ask("PUT", xively.feed, json=document)).status_code == 200


async def test_py_an_old_maximum_sent_along_does_not_cap_the_new_value(xively: Xively) -> None:
    await write_temp(xively, at="2023-11-14T22:00:00Z")
    url = f"{xively.feed}/datastreams/temp"
    read = (await xively.ask("GET", url)).json()
    echo = read | {"current_value": 35, "at": "2023-11-14T22:01:00Z"}
    assert (await xively.ask("PUT", url, json=echo)).status_code == 200
    now = (await xively.ask("GET", url)).json()
    assert (now["max_value"], now["min_value"]) == ("35.0", "21.5")


async def test_py_an_old_updated_neither_moves_the_feed_back_nor_its_values(xively: Xively) -> None:
    await write_temp(xively)
    before = (await xively.ask("GET", xively.feed)).json()
    old = {
        "updated": "2020-01-01T00:00:00Z",
        "status": "frozen",
        "creator": "x",
        "datastreams": [{"id": "temp", "current_value": "1"}],
    }
    assert (await xively.ask("PUT", xively.feed, json=old)).status_code == 200
    now = (await xively.ask("GET", xively.feed)).json()
    assert (now["updated"], now["status"]) == (before["updated"], "live")
    assert now["datastreams"][0]["current_value"] == "21.5"
    stamped = f"{xively.feed}/datastreams/temp/datapoints/2020-01-01T00:00:00Z"
    assert (await xively.ask("GET", stamped)).json()["value"] == "1"


@pytest.mark.parametrize(
    "path",
    [
        "FEED/datastreams/temp/datapoints/2023-11-14T22:00:00.000000Z.csv",
        "FEED/datastreams/temp/datapoints?start=2023-11-14T21:00:00Z&end=2023-11-14T23:00:00Z.csv",
        "FEED/datastreams/temp/datapoints.csv?start=2023-11-14T21:00:00Z",
        "FEED/datastreams/temp.csv",
        "FEED.csv",
    ],
)
async def test_lx_deletes_name_a_format_that_does_not_matter(xively: Xively, path: str) -> None:
    await write_temp(xively, at="2023-11-14T22:00:00Z")
    reply = await xively.ask("DELETE", path.replace("FEED", xively.feed))
    assert (reply.status_code, reply.content) == (200, b"")


async def test_lx_every_reply_to_a_write_fits_its_buffer(xively: Xively) -> None:
    await write_temp(xively)
    replies = [
        await xively.ask("PUT", f"{xively.feed}/datastreams/temp", json={"current_value": "1"}),
        await xively.ask("POST", "/v2/feeds", "master", json={"title": "New"}),
        await xively.ask("GET", f"{xively.feed}/datastreams/temp"),
        await xively.ask("GET", "/v2/feeds/1.csv"),
        await xively.ask("PUT", f"{xively.feed}/datastreams/none", json={"current_value": "1"}),
    ]
    for reply in replies:
        lines = [f"{name}: {value}" for name, value in reply.headers.items()]
        size = len("\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""])) + len(reply.content)
        # The server adds `date` (37 bytes) and may add `connection: close` (19 bytes).
        assert size + 56 <= REPLY_BYTES_MAX
        assert len(reply.headers) + 2 <= HEADERS_MAX
        assert max(len(value) for value in reply.headers.values()) <= HEADER_VALUE_CHARS_MAX
        assert "transfer-encoding" not in reply.headers


async def test_x4j_and_clj_find_the_location_of_a_name_in_any_script(xively: Xively) -> None:
    document = {"datastreams": [{"id": "température+1"}]}
    reply = await xively.ask("POST", f"{xively.feed}/datastreams", json=document)
    raw = dict(reply.headers.raw)
    assert raw[b"Location"].endswith(b"/datastreams/temp%C3%A9rature+1")
    where = raw[b"Location"].decode().removeprefix("http://tank.test")
    assert (await xively.ask("GET", where)).json()["id"] == "température+1"


ACCEPTED = [
    (None, 200),
    ("*/*", 200),
    ("application/json", 200),
    ("text/html", 200),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 200),
    ("application/xml, application/json", 200),
    ("nonsense", 200),
    ("application/xml", 200),
    ("application/csv", 200),
    ("image/png;q=1", 406),
]


@pytest.mark.parametrize(("accept", "status"), ACCEPTED)
async def test_1_1_accept_counts_only_where_it_names_a_format(
    xively: Xively, accept: str | None, status: int
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    assert (await xively.ask("GET", xively.feed, headers=headers)).status_code == status
    assert (await xively.ask("GET", f"{xively.feed}.json", headers=headers)).status_code == 200


async def test_js_preflight_allows_the_headers_it_sends(xively: Xively) -> None:
    headers = {
        "Origin": "http://page.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "x-apikey,content-type",
    }
    reply = await xively.client.options(xively.feed, headers=headers)
    allowed = reply.headers["access-control-allow-headers"].lower()
    assert "x-apikey" in allowed
    assert "content-type" in allowed
    assert "PUT" in reply.headers["access-control-allow-methods"]
    assert (reply.headers["content-length"], reply.content) == ("0", b"")


async def test_tx_finds_the_words_not_found(xively: Xively) -> None:
    await write_temp(xively)
    url = f"{xively.feed}/datastreams/temp/datapoints/2001-01-01T00:00:00.000000Z.json"
    assert "Not found" in (await xively.ask("GET", url)).text


async def test_4_4_a_head_request_tells_the_length_without_the_body(xively: Xively) -> None:
    plain = await xively.ask("GET", xively.feed)
    head = await xively.ask("HEAD", xively.feed)
    assert head.headers["content-length"] == str(len(plain.content))
    assert head.content == b""


KEYLESS = [
    ("PUBLIC", 200),
    ("PUBLIC?duration=1hour", 200),
    ("PUBLIC/datastreams/temp", 200),
    ("PUBLIC/datastreams/temp?duration=1hour", 200),
    ("PUBLIC/datastreams/temp/datapoints/2023-11-14T22:13:20Z", 200),
    ("/v2/feeds", 200),
    ("FEED", 401),
    ("FEED/datastreams/temp", 401),
    ("PUBLIC?key=wrong", 401),
]


@pytest.mark.parametrize(("path", "status"), KEYLESS)
async def test_2_1_a_setting_lets_strangers_read_what_is_public(
    xively: Xively, path: str, status: int
) -> None:
    document = {"datastreams": [{"id": "temp", "current_value": "1"}]}
    await xively.ask("PUT", xively.public, "bob", json=document)
    await xively.ask("PUT", xively.feed, json=document)
    path = path.replace("PUBLIC", xively.public).replace("FEED", xively.feed)
    assert (await xively.ask("GET", path, "")).status_code == 401
    open_door = XivelyHttp(xively.tank, XivelySettings(public_reads_keyless=True))
    transport = httpx.ASGITransport(open_door)
    async with httpx.AsyncClient(transport=transport, base_url="http://tank.test") as stranger:
        assert (await stranger.get(path)).status_code == status
        assert (await stranger.put(xively.public, json={"title": "x"})).status_code == 401
        assert (await stranger.delete(xively.public)).status_code == 401
        if path == "/v2/feeds":
            titles = [feed["title"] for feed in (await stranger.get(path)).json()["results"]]
            assert titles == ["Open station"]


@pytest.fixture
def full_disk(xively: Xively, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(rows: DatapointRows) -> asyncio.Future[None]:
        refused = asyncio.get_running_loop().create_future()
        refused.set_exception(StorageFailed("the disk is full", retry_after_s=7))
        return refused

    monkeypatch.setattr(xively.tank.archive, "append", refuse)


@pytest.mark.usefixtures("full_disk")
async def test_1_3_a_write_that_cannot_be_kept_is_answered_503(xively: Xively) -> None:
    document = {"datastreams": [{"id": "temp", "current_value": "1"}]}
    reply = await xively.ask("PUT", xively.feed, json=document)
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "7")
    assert reply.json()["title"] == "Service Unavailable"


@pytest.mark.usefixtures("full_disk")
async def test_3_4_a_feed_whose_first_values_are_refused_is_not_made(xively: Xively) -> None:
    before = (await xively.ask("GET", "/v2/feeds", "master")).json()["totalResults"]
    document = {"title": "New", "datastreams": [{"id": "temp", "current_value": "1"}]}
    assert (await xively.ask("POST", "/v2/feeds", "master", json=document)).status_code == 503
    assert (await xively.ask("GET", "/v2/feeds", "master")).json()["totalResults"] == before


PY_MEMBERS = {
    "rc1": {"id", "title", "private", "tags", "feed", "status", "updated", "created", "creator"}
    | {"version", "datastreams", "location", "website", "description"},
}
PY_MEMBERS["rc2"] = PY_MEMBERS["rc1"] | {"email"}


@pytest.mark.parametrize("release", ["rc1", "rc2"])
async def test_py_a_feed_holds_only_members_that_the_release_knows(
    xively: Xively, release: str
) -> None:
    await write_temp(xively, tags="a", unit={"label": "Celsius"})
    members = {"description": "on the roof", "website": "http://a.example", "tags": "x,y"}
    if release == "rc2":
        members["email"] = "alice@a.example"
    await xively.ask("PUT", xively.feed, json=members)
    feed = (await xively.ask("GET", f"{xively.feed}?duration=1hour")).json()
    assert set(feed) == PY_MEMBERS[release]
    (datastream,) = feed["datastreams"]
    assert {"datapoints_function", "version"}.isdisjoint(datastream)
    assert {member for point in datastream["datapoints"] for member in point} == {"at", "value"}


async def test_py_rc2_sends_back_all_of_a_feed_and_changes_nothing(xively: Xively) -> None:
    await write_temp(xively, at="2023-11-14T22:00:00Z", tags="a", unit={"label": "Celsius"})
    members = {
        "email": "alice@a.example",
        "description": "on the roof",
        "location": {"lat": 51.5, "lon": -0.08, "exposure": "outdoor"},
    }
    await xively.ask("PUT", xively.feed, json=members)
    before = (await xively.ask("GET", xively.feed)).json()
    headers = {"Content-Type": "application/json"}
    reply = await xively.ask("PUT", xively.feed, json=before, headers=headers)
    assert (reply.status_code, reply.content) == (200, b"")
    assert (await xively.ask("GET", xively.feed)).json() == before
    history = await xively.ask("GET", f"{xively.feed}/datastreams/temp?duration=6hours")
    assert len(history.json()["datapoints"]) == 1
