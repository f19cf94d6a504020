"""xively-js 1.0.4, Xively's library for web pages: each call, and what the server has then."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.official_clients.browser import (
    OTHER_HOST,
    OWN_HOST,
    SCRIPTS,
    WAIT_MS,
    LoadedPage,
    Pages,
    open_pages,
)
from tests.official_clients.checks import Check, Mismatch, expect, run_checks
from tests.official_clients.tank import at


def run(path: Path) -> int:
    """Load the library of a checkout, run all checks and give the exit code."""
    with open_pages(path) as pages:
        return run_checks(CHECKS, pages)


# --- HTTP


def id_of(feed: str) -> int:
    return int(feed.rpartition("/")[2])


def feed_new(pages: Pages) -> None:
    stream = {"id": "temp", "current_value": "21.5"}
    with pages.open() as page:
        made = page.write("feed.new", {"title": "From a page", "datastreams": [stream]}, status=201)
    expect("start of Location", str(made["location"]).rpartition("/")[0], f"http://{OWN_HOST}/v2/feeds")  # fmt: skip
    feed = f"/feeds/{made['location'].rpartition('/')[2]}"
    expect("title", pages.tank.read(feed)["title"], "From a page")
    expect("current values", pages.tank.values(feed), {"temp": "21.5"})


def feed_get(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="21.5")
    with pages.open() as page:
        got = page.read("feed.get", id_of(feed))
    expect("id and title", (got["id"], got["title"]), (id_of(feed), "Roof"))
    expect("value", got["datastreams"][0]["current_value"], "21.5")


def feed_update(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="1", hum="2")
    body = {"title": "Renamed", "datastreams": [{"id": "temp", "current_value": "Grüße ☂"}]}
    with pages.open() as page:
        page.write("feed.update", id_of(feed), body)
    expect("title", pages.tank.read(feed)["title"], "Renamed")
    expect("current values", pages.tank.values(feed), {"temp": "Grüße ☂", "hum": "2"})


def feed_delete(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="1")
    with pages.open() as page:
        page.write("feed.delete", id_of(feed))
    pages.tank.expect_gone(feed)


def feed_history(pages: Pages) -> None:
    feed = pages.tank.new_points()
    with pages.open() as page:
        got = page.read("feed.history", id_of(feed), {"start": at(1), "end": at(3)})
    expect("points", points_of(got["datastreams"][0]), points(1, 2, 3))


def feed_list(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="1")
    pages.tank.write("PUT", feed, {"title": "Needle in a list"})
    with pages.open() as page:
        got = page.read("feed.list", {"q": "needle in a list", "per_page": 3})
    found = (got["totalResults"], got["itemsPerPage"], [row["id"] for row in got["results"]])
    expect("total, page, ids", found, (1, 3, [id_of(feed)]))


def datastream_new(pages: Pages) -> None:
    feed = pages.tank.new_feed(hum="2")
    body = {"datastreams": [{"id": "temp", "current_value": "21.5"}]}
    with pages.open() as page:
        made = page.write("datastream.new", id_of(feed), body, status=201)
    expect("Location", made["location"], f"http://{OWN_HOST}/v2{feed}/datastreams/temp")
    expect("current values", pages.tank.values(feed), {"temp": "21.5", "hum": "2"})


def datastream_get(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="21.5")
    with pages.open() as page:
        got = page.read("datastream.get", id_of(feed), "temp")
    expect("id and value", (got["id"], got["current_value"]), ("temp", "21.5"))


def datastream_update(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="1", hum="2")
    with pages.open() as page:
        page.write("datastream.update", id_of(feed), "temp", {"current_value": "-3", "tags": ["a"]})
    expect("current values", pages.tank.values(feed), {"temp": "-3", "hum": "2"})
    expect("tags", pages.tank.read(f"{feed}/datastreams/temp").get("tags"), ["a"])


def datastream_delete(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="1", hum="2")
    with pages.open() as page:
        page.write("datastream.delete", id_of(feed), "temp")
    expect("current values", pages.tank.values(feed), {"hum": "2"})


def datastream_history(pages: Pages) -> None:
    feed = pages.tank.new_points()
    options = {"start": at(0), "duration": "3seconds"}
    with pages.open() as page:
        got = page.read("datastream.history", id_of(feed), "temp", options)
    expect("id", got["id"], "temp")
    expect("points", points_of(got), points(0, 1, 2, 3))


def datastream_list(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="1", hum="2")
    with pages.open() as page:
        got = page.read("datastream.list", id_of(feed))
    expect("ids", sorted(stream["id"] for stream in got), ["hum", "temp"])


def datapoint_new(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="1")
    body = {"datapoints": [{"at": at(n), "value": str(n)} for n in range(3)]}
    with pages.open() as page:
        page.write("datapoint.new", id_of(feed), "temp", body)
    expect("points", pages.tank.points(feed), points(0, 1, 2))


def datapoint_get(pages: Pages) -> None:
    feed = pages.tank.new_points()
    with pages.open() as page:
        got = page.read("datapoint.get", id_of(feed), "temp", at(2))
    expect("point", got, {"at": at(2), "value": "2"})


def datapoint_update(pages: Pages) -> None:
    feed = pages.tank.new_points(3)
    with pages.open() as page:
        page.write("datapoint.update", id_of(feed), "temp", at(1), "changed")
    wanted = [*points(0), (at(1), "changed"), *points(2)]
    expect("points", pages.tank.points(feed), wanted)


def datapoint_delete(pages: Pages) -> None:
    feed = pages.tank.new_points(3)
    with pages.open() as page:
        page.write("datapoint.delete", id_of(feed), "temp", at(1))
    expect("points", pages.tank.points(feed), points(0, 2))


def datapoint_delete_range(pages: Pages) -> None:
    feed = pages.tank.new_points()
    with pages.open() as page:
        page.write("datapoint.delete", id_of(feed), "temp", {"start": at(1), "end": at(3)})
    expect("points", pages.tank.points(feed), points(0, 4))


def datapoint_history(pages: Pages) -> None:
    feed = pages.tank.new_points()
    options = {"start": at(1), "end": at(2)}
    with pages.open() as page:
        got = page.read("datapoint.history", id_of(feed), "temp", options)
    expect("points", points_of({"datapoints": got}), points(1, 2))


def request(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="21.5")
    function = """(resource) => new Promise((resolve) => {
      const said = [];
      xively.request({
        url: xively.apiEndpoint + resource,
        done: (data) => said.push("done " + data.current_value),
        fail: () => said.push("fail"),
        always: () => resolve(said),
      });
    })"""
    with pages.open() as page:
        expect("apiEndpoint", page.js("() => xively.apiEndpoint"), f"http://{OWN_HOST}/v2")
        page.js("(ms) => $.ajaxSetup({timeout: ms})", WAIT_MS)
        said = page.js(function, f"{feed}/datastreams/temp")
    expect("callbacks", said, ["done 21.5"])


def other_host(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="21.5")
    with pages.open() as page:
        make = "([host, key]) => { window.other = new XivelyClient(host); other.setKey(key); }"
        page.js(make, [OTHER_HOST, pages.tank.key])
        got = page.call_of("other", "feed.get", id_of(feed))["data"]
    expect("feed", got["feed"], f"http://{OTHER_HOST}/v2{feed}.json")


def plugin_get(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="21.5")
    with pages.open() as page:
        options = {"feed": id_of(feed), "datastream": "temp"}
        page.js("(options) => { $('p').xively('get', options); }", options)
        page.wait_for_text("#a", "21.5")
        page.wait_for_text("#b", "21.5")


def refused_key(pages: Pages) -> None:
    feed = pages.tank.new_feed(temp="1")
    with pages.open() as page:
        page.js("() => xively.setKey('wrong')")
        got = page.call("feed.get", id_of(feed))
        put = page.call("datastream.update", id_of(feed), "temp", {"current_value": "2"})
    expect("statuses", (got["status"], put["status"]), (401, 401))
    expect("title", json.loads(got["text"])["title"], "Unauthorized")
    expect("current values", pages.tank.values(feed), {"temp": "1"})


def refused_missing(pages: Pages) -> None:
    feed = pages.tank.new_feed()
    with pages.open() as page:
        got = page.call("datastream.get", id_of(feed), "none")
    expect("status", got["status"], 404)
    expect("title", json.loads(got["text"])["title"], "Not found")


def points(*numbers: int) -> list[tuple[str, str]]:
    """Those of `Tank.new_points`."""
    return [(at(n), str(n)) for n in numbers]


def points_of(stream: dict[str, Any]) -> list[tuple[str, str]]:
    return [(point["at"], point["value"]) for point in stream["datapoints"]]


# --- Sockets. A push that should not come cannot be waited for: it would have come before the push
# of a resource that is still subscribed and was written later.


def expect_socket(page: LoadedPage, sockets: str) -> None:
    """The page has one socket, and it is of the kind it should be."""
    start = {"WebSocket": f"ws://{OWN_HOST}:8080/", "SockJS": f"ws://{OWN_HOST}:8082/sockjs/"}
    if len(page.socket_urls) != 1 or not page.socket_urls[0].startswith(start[sockets]):
        raise Mismatch(f"sockets: {page.socket_urls}, expected one at {start[sockets]}")


def feed_subscribe(pages: Pages, sockets: str) -> None:
    feed = pages.tank.new_feed(temp="1", hum="2")
    with pages.open(sockets) as page:
        page.subscribe("feed.subscribe", id_of(feed))
        page.wait_for_answer(feed)
        pages.tank.put(feed, temp="Grüße ☂")
        (body,) = page.heard(1)
        expect_socket(page, sockets)
    values = {stream["id"]: stream["current_value"] for stream in body["datastreams"]}
    expect("id", body["id"], id_of(feed))
    expect("values in the push", values, {"temp": "Grüße ☂", "hum": "2"})


def datastream_subscribe(pages: Pages, sockets: str) -> None:
    feed = pages.tank.new_feed(temp="1", hum="2")
    with pages.open(sockets) as page:
        page.subscribe("datastream.subscribe", id_of(feed), "temp")
        page.wait_for_answer(f"{feed}/datastreams/temp")
        pages.tank.put(feed, hum="not asked for")
        pages.tank.put(feed, temp="3")
        pages.tank.put(feed, temp="4")
        bodies = page.heard(2)
    found = [(body["id"], body["current_value"]) for body in bodies]
    expect("pushes", found, [("temp", "3"), ("temp", "4")])


def subscribe(pages: Pages, sockets: str) -> None:
    feeds = [pages.tank.new_feed(temp="1") for _ in range(2)]
    with pages.open(sockets) as page:
        for feed in feeds:  # both before the socket is open: the library keeps them until then
            page.subscribe("subscribe", feed)
        for feed in feeds:
            page.wait_for_answer(feed)
        for number, feed in enumerate(reversed(feeds), 1):
            pages.tank.put(feed, temp="2")
            page.heard(number)
        expect_socket(page, sockets)
        ids = [body["id"] for body in page.heard(2)]
    expect("ids of pushes", ids, [id_of(feed) for feed in reversed(feeds)])


def unsubscribe(path: str, pages: Pages, sockets: str) -> None:
    feed = pages.tank.new_feed(temp="1", hum="2")
    words: dict[str, tuple[object, ...]] = {
        "feed": (id_of(feed),), "datastream": (id_of(feed), "temp"), "": (f"{feed}/datastreams/temp",),
    }  # fmt: skip
    module, dot, _ = path.rpartition(".")
    resource = feed if module == "feed" else f"{feed}/datastreams/temp"
    with pages.open(sockets) as page:
        page.subscribe(f"{module}{dot}subscribe", *words[module])
        page.subscribe("datastream.subscribe", id_of(feed), "hum")
        page.wait_for_answer(resource)
        page.wait_for_answer(f"{feed}/datastreams/hum")
        pages.tank.put(feed, temp="3")
        page.heard(1)
        page.js(f"(words) => xively.{path}(...words)", list(words[module]))
        page.wait_for_answer(resource, 2)
        pages.tank.put(feed, temp="4")
        pages.tank.put(feed, hum="5")
        bodies = page.heard(2)
    expect("ids of pushes", [body["id"] for body in bodies], [bodies[0]["id"], "hum"])


def live_and_stop(start: str, stop: str, pages: Pages, sockets: str) -> None:
    """An element shows the value at once and each new one, until it is told to stop."""
    feed = pages.tank.new_feed(temp="21.5", hum="2")
    resource = f"{feed}/datastreams/temp"
    with pages.open(sockets) as page:
        page.js(f"([feed, resource]) => {{ {start}; }}", [id_of(feed), resource])
        page.wait_for_text("#a", "21.5")
        page.wait_for_answer(resource)
        pages.tank.put(feed, temp="22")
        page.wait_for_text("#a", "22")
        page.subscribe("datastream.subscribe", id_of(feed), "hum")
        page.wait_for_answer(f"{feed}/datastreams/hum")
        page.js(f"() => {{ {stop}; }}")
        page.wait_for_answer(resource, 2)
        pages.tank.put(feed, temp="23")
        pages.tank.put(feed, hum="3")
        page.heard(1)
        page.wait_for_text("#a", "22")
        expect_socket(page, sockets)


SocketCheck = Callable[[Pages, str], None]
SOCKET_CHECKS: list[tuple[str, SocketCheck]] = [
    ("feed.subscribe", feed_subscribe),
    ("feed.unsubscribe", partial(unsubscribe, "feed.unsubscribe")),
    ("datastream.subscribe", datastream_subscribe),
    ("datastream.unsubscribe", partial(unsubscribe, "datastream.unsubscribe")),
    ("subscribe, two at once", subscribe),
    ("unsubscribe", partial(unsubscribe, "unsubscribe")),
    ("datastream.live and stop", partial(live_and_stop, "xively.datastream.live('#a', feed, 'temp')", "xively.datastream.stop('#a')")),
    ("live and stop", partial(live_and_stop, "xively.live('#a', resource)", "xively.stop('#a')")),
    ("$(…).xively: live and stop", partial(live_and_stop, "$('#a').xively('live', {feed, datastream: 'temp'})", "$('#a').xively('stop')")),
]  # fmt: skip


def over(sockets: str, check: SocketCheck) -> Callable[[Pages], None]:
    return lambda pages: check(pages, sockets)


CHECKS: list[Check[Pages]] = [
    ("feed.new", feed_new),
    ("feed.get", feed_get),
    ("feed.update", feed_update),
    ("feed.delete", feed_delete),
    ("feed.history", feed_history),
    ("feed.list", feed_list),
    ("datastream.new", datastream_new),
    ("datastream.get", datastream_get),
    ("datastream.update", datastream_update),
    ("datastream.delete", datastream_delete),
    ("datastream.history", datastream_history),
    ("datastream.list", datastream_list),
    ("datapoint.new", datapoint_new),
    ("datapoint.get", datapoint_get),
    ("datapoint.update", datapoint_update),
    ("datapoint.delete", datapoint_delete),
    ("datapoint.delete of a range", datapoint_delete_range),
    ("datapoint.history", datapoint_history),
    ("request", request),
    ("new XivelyClient(host)", other_host),
    ("$(…).xively: get", plugin_get),
    ("refused: a wrong key", refused_key),
    ("refused: a datastream that is not there", refused_missing),
    *(
        (f"{name} over {sockets}", over(sockets, check))
        for sockets in SCRIPTS
        for name, check in SOCKET_CHECKS
    ),
]
