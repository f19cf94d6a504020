"""Routes, documents and quirks of the Xively HTTP API; ids cite the section of the wire reference."""

import gzip

import pytest
from tests.conformance.xively.conftest import NOW_US, Xively

from thingtank.tank.events import RequestServed

AT = "2023-11-14T22:13:20.000000Z"


async def put_value(xively: Xively, value: object = "21.5", **members: object) -> None:
    document = {"datastreams": [{"id": "temp", "current_value": value, **members}]}
    reply = await xively.ask("PUT", xively.feed, json=document)
    assert (reply.status_code, reply.content) == (200, b"")


async def temp(xively: Xively) -> dict[str, object]:
    reply = await xively.ask("GET", f"{xively.feed}/datastreams/temp.json")
    assert reply.status_code == 200
    document: dict[str, object] = reply.json()
    return document


async def test_3_1_a_fresh_feed_has_the_members_of_the_service_in_its_order(xively: Xively) -> None:
    reply = await xively.ask("GET", f"{xively.feed}.json")
    feed_id = xively.made.device.device_id
    assert list(reply.json().items()) == [
        ("id", feed_id),
        ("title", "Roof station"),
        ("private", "true"),
        ("feed", f"http://tank.test/v2/feeds/{feed_id}.json"),
        ("status", "frozen"),
        ("updated", AT),
        ("created", AT),
        ("creator", "http://tank.test/users/alice"),
        ("version", "1.0.0"),
        ("location", {"domain": "physical"}),
    ]
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert reply.headers["content-length"] == str(len(reply.content))


async def test_3_4_a_feed_write_creates_the_datastream_and_sets_its_value(xively: Xively) -> None:
    await put_value(xively, tags="b, A", unit={"symbol": "C", "label": "Celsius"})
    assert await temp(xively) == {
        "id": "temp",
        "current_value": "21.5",
        "at": AT,
        "max_value": "21.5",
        "min_value": "21.5",
        "tags": ["A", "b"],
        "unit": {"symbol": "C", "label": "Celsius"},
        "version": "1.0.0",
    }
    assert (await xively.ask("GET", xively.feed)).json()["status"] == "live"


VALUES = [
    ("25", "25"),
    ("25.0", "25.0"),
    ("21.50", "21.50"),
    ("1e3", "1e3"),
    ('"0000017"', "0000017"),
    ('"+5"', "+5"),
    ('"on"', "on"),
    ('"\\u00e9"', "é"),
    ("true", "true"),
    ('""', ""),
    ("123456789012345678901234567890", "123456789012345678901234567890"),
]


@pytest.mark.parametrize(("written", "read"), VALUES)
async def test_4_4_a_value_keeps_its_text(xively: Xively, written: str, read: str) -> None:
    body = f'{{"datastreams":[{{"id":"temp","current_value":{written}}}]}}'
    assert (await xively.ask("PUT", xively.feed, content=body)).status_code == 200
    assert (await temp(xively))["current_value"] == read


TIMES = [
    ("2013-04-22T00:35:43Z", "2013-04-22T00:35:43.000000Z"),
    ("2013-04-22T00:35:43.125Z", "2013-04-22T00:35:43.125000Z"),
    ("2013-04-22T00:35:43.123456Z", "2013-04-22T00:35:43.123456Z"),
    ("2013-04-22T07:05:43+06:30", "2013-04-22T00:35:43.000000Z"),
    ("2013-04-22T00:35:43", "2013-04-22T00:35:43.000000Z"),
]


@pytest.mark.parametrize(("written", "read"), TIMES)
async def test_1_4_times_come_in_many_forms_and_leave_in_one(
    xively: Xively, written: str, read: str
) -> None:
    await put_value(xively, at=written)
    assert (await temp(xively))["at"] == read


async def test_4_4_an_older_value_goes_to_history_only(xively: Xively) -> None:
    await put_value(xively, "2")
    await put_value(xively, "1", at="2023-11-14T22:00:00Z")
    assert (await temp(xively))["current_value"] == "2"
    reply = await xively.ask("GET", f"{xively.feed}/datastreams/temp?duration=1hour")
    assert reply.json()["datapoints"] == [
        {"value": "1", "at": "2023-11-14T22:00:00.000000Z"},
        {"value": "2", "at": AT},
    ]


async def test_3_4_an_echo_of_what_was_read_changes_nothing(xively: Xively) -> None:
    await put_value(xively)
    before = (await xively.ask("GET", xively.feed)).json()
    assert (await xively.ask("PUT", xively.feed, json=before)).status_code == 200
    assert (await xively.ask("GET", xively.feed)).json() == before


async def test_3_4_absent_members_stay_and_blank_ones_are_cleared(xively: Xively) -> None:
    first = {"website": "http://a.example", "email": "a@a.example", "tags": ["x"]}
    await xively.ask("PUT", xively.feed, json=first)
    await xively.ask("PUT", xively.feed, json={"website": "", "tags": ""})
    feed = (await xively.ask("GET", xively.feed)).json()
    assert (feed["email"], "website" in feed, "tags" in feed) == ("a@a.example", False, False)


ODD_MEMBERS = [
    ("null lists", {"datastreams": None, "tags": None}),
    ("a null time and no datapoints", {"datastreams": [{"id": "temp", "at": None, "datapoints": None}]}),
    ("numbers as tags", {"tags": [1, "b", True]}),
    ("a number as title", {"title": 7}),
    ("a number as id", {"datastreams": [{"id": 0, "current_value": 1}]}),
    ("private as a number", {"private": 1}),
    ("a blank unit", {"datastreams": [{"id": "temp", "unit": ""}]}),
    ("a blank location", {"location": ""}),
    ("waypoints", {"location": {"lat": 1, "lon": 2, "waypoints": [{"at": "x", "lat": 1}]}}),
    ("members nobody knows", {"version": 2, "secret": {}, "id": "other"}),
]  # fmt: skip


@pytest.mark.parametrize("members", [row[1] for row in ODD_MEMBERS], ids=[row[0] for row in ODD_MEMBERS])  # fmt: skip
async def test_3_4_what_old_clients_send_is_taken(
    xively: Xively, members: dict[str, object]
) -> None:
    assert (await xively.ask("PUT", xively.feed, json=members)).status_code == 200


async def test_3_4_tags_lose_quotes_and_commas(xively: Xively) -> None:
    await xively.ask("PUT", xively.feed, json={"tags": ["o'clock", 'a "b"', "c,d"]})
    assert (await xively.ask("GET", xively.feed)).json()["tags"] == ["a b", "cd", "oclock"]
    await xively.ask("PUT", xively.feed, json={"tags": '"big, red", plain'})
    assert (await xively.ask("GET", xively.feed)).json()["tags"] == ["big red", "plain"]


async def test_3_1_a_location_takes_strings_and_gives_numbers(xively: Xively) -> None:
    place = {"lat": "30.733315", "lon": 76.779418, "exposure": "outdoor", "ele": 12}
    await xively.ask("PUT", xively.feed, json={"location": place})
    await xively.ask("PUT", xively.feed, json={"location": {"name": "roof"}})
    assert (await xively.ask("GET", xively.feed)).json()["location"] == {
        "name": "roof",
        "exposure": "outdoor",
        "domain": "physical",
        "ele": "12",
        "lat": 30.733315,
        "lon": 76.779418,
    }


async def test_4_4_extremes_are_reset_by_null(xively: Xively) -> None:
    await put_value(xively, "333")
    url = f"{xively.feed}/datastreams/temp"
    assert (await temp(xively))["max_value"] == "333.0"
    await xively.ask("PUT", url, json={"max_value": None, "min_value": None})
    assert "max_value" not in await temp(xively)
    await xively.ask("PUT", url, json={"max_value": "400.0"})
    assert (await temp(xively))["max_value"] == "400.0"


async def test_5_1_datapoints_are_created_with_200_read_changed_and_deleted(xively: Xively) -> None:
    await put_value(xively)
    url = f"{xively.feed}/datastreams/temp/datapoints"
    points = [{"at": f"2023-11-14T22:0{minute}:00Z", "value": minute} for minute in range(5)]
    reply = await xively.ask("POST", url, json={"datapoints": points})
    assert (reply.status_code, reply.content) == (200, b"")
    one = f"{url}/2023-11-14T22:01:00Z"
    assert (await xively.ask("GET", f"{one}.json")).json() == {
        "value": "1",
        "at": "2023-11-14T22:01:00.000000Z",
    }
    assert (await xively.ask("PUT", one, json={"value": 11})).status_code == 200
    assert (await xively.ask("GET", one)).json()["value"] == "11"
    assert (await xively.ask("DELETE", one)).status_code == 200
    assert (await xively.ask("GET", one)).status_code == 404
    reply = await xively.ask("DELETE", f"{url}?start=2023-11-14T22:03:00Z&duration=1minute.csv")
    assert reply.status_code == 400
    reply = await xively.ask(
        "DELETE", f"{url}?start=2023-11-14T22:02:00Z&end=2023-11-14T22:03:00Z.csv"
    )
    assert reply.status_code == 200
    left = (await xively.ask("GET", f"{xively.feed}/datastreams/temp?duration=1hour")).json()
    assert [point["value"] for point in left["datapoints"]] == ["0", "4", "21.5"]


async def test_5_1_a_range_delete_may_stand_in_the_body_but_never_be_empty(xively: Xively) -> None:
    await put_value(xively)
    url = f"{xively.feed}/datastreams/temp/datapoints"
    for nothing in (b"", b"{}", b"[1]", b"nonsense", b"\xff\x00", b"start=", b"a=1&" * 200):
        assert (await xively.ask("DELETE", url, content=nothing)).status_code == 400
    assert (await temp(xively))["current_value"] == "21.5"
    for body in ('{"start":"2023-11-14T22:00:00Z"}', "start=2023-11-14T22%3A00%3A00Z&end=&_=17"):
        await put_value(xively)
        headers = {"Content-Type": "application/json"}  # says the JavaScript library of both
        reply = await xively.ask("DELETE", url, content=body, headers=headers)
        assert reply.status_code == 200
        assert "current_value" not in await temp(xively)


CREATES = [
    ("/v2/feeds", {"title": "New"}, "/v2/feeds/"),
    ("/v2/feeds/?key=K", {"title": "New", "datastreams": [{"id": "a", "current_value": 1}]}, "/v2/feeds/"),
    ("FEED/datastreams", {"version": "1.0.0", "datastreams": [{"id": "my.temp"}]}, "/datastreams/my.temp"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "document", "location"), CREATES)
async def test_1_2_creates_answer_201_with_a_location_and_no_body(
    xively: Xively, path: str, document: dict[str, object], location: str
) -> None:
    path = path.replace("FEED", xively.feed).replace("K", xively.keys["master"])
    reply = await xively.ask("POST", path, "master", json=document)
    assert (reply.status_code, reply.content) == (201, b"")
    assert b"Location" in [name for name, _ in reply.headers.raw]
    assert location in reply.headers["location"]
    where = reply.headers["location"].removeprefix("http://tank.test")
    assert (await xively.ask("GET", where, "master")).status_code == 200


async def test_3_6_the_list_holds_public_feeds_and_the_owners(xively: Xively) -> None:
    page = (await xively.ask("GET", "/v2/feeds/?per_page=1", "master")).json()
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (2, 0, 1)
    titles = [
        feed["title"]
        for number in (1, 2)
        for feed in (await xively.ask("GET", f"/v2/feeds?per_page=1&page={number}", "master")).json()["results"]
    ]  # fmt: skip
    assert sorted(titles) == ["Open station", "Roof station"]
    only = (await xively.ask("GET", "/v2/feeds", "device")).json()["results"]
    assert [feed["title"] for feed in only] == ["Roof station"]


PRESENTED = [
    ("X-ApiKey", lambda key: ({"X-ApiKey": key}, "")),
    ("x-apikey", lambda key: ({"x-apikey": key}, "")),
    ("X-PachubeApiKey", lambda key: ({"X-PachubeApiKey": key}, "")),
    ("query", lambda key: ({}, f"?key={key}")),
    ("oauth_token", lambda key: ({}, f"?oauth_token={key}")),
    ("Bearer", lambda key: ({"Authorization": f"Bearer {key}"}, "")),
]


@pytest.mark.parametrize(
    "present", [row[1] for row in PRESENTED], ids=[row[0] for row in PRESENTED]
)
async def test_2_1_a_key_may_be_presented_in_each_way(xively: Xively, present: object) -> None:
    headers, query = present(xively.keys["device"])  # type: ignore[operator] # a lambda of the table
    reply = await xively.ask("GET", xively.feed + query, "", headers=headers)
    assert reply.status_code == 200


async def test_1_1_content_type_is_never_believed(xively: Xively) -> None:
    body = b'{"datastreams":[{"id":"temp","current_value":"1"}]}'
    for kind in ("application/x-www-form-urlencoded", "text/csv", "text/plain", "nonsense"):
        reply = await xively.ask("PUT", xively.feed, content=body, headers={"Content-Type": kind})
        assert reply.status_code == 200


async def test_1_2_gzip_is_read_and_written(xively: Xively) -> None:
    body = gzip.compress(b'{"datastreams":[{"id":"temp","current_value":"7"}]}')
    reply = await xively.ask("PUT", xively.feed, content=body, headers={"Content-Encoding": "gzip"})
    assert reply.status_code == 200
    await xively.ask("PUT", xively.feed, json={"description": "long " * 200})
    reply = await xively.ask("GET", xively.feed, headers={"Accept-Encoding": "gzip"})
    assert reply.headers["content-encoding"] == "gzip"
    assert reply.json()["datastreams"][0]["current_value"] == "7"


async def test_1_2_jsonp_wraps_and_strips_the_name(xively: Xively) -> None:
    reply = await xively.ask("GET", f"{xively.feed}?callback=my.fn%28x")
    assert reply.text.startswith('myfnx({"id":')
    assert reply.headers["content-type"].startswith("application/javascript")


async def test_1_2_browsers_may_ask_from_any_page(xively: Xively) -> None:
    reply = await xively.client.options(xively.feed)
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "X-ApiKey" in reply.headers["access-control-allow-headers"]
    assert (await xively.ask("GET", f"{xively.feed}?_=123")).headers[
        "access-control-allow-origin"
    ] == "*"


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("-3.5", "2023-11-14T18:43:20.000000-03:30"), ("Kathmandu", "2023-11-15T03:58:20.000000+05:45"), ("UTC", AT)],
)  # fmt: skip
async def test_1_4_times_are_shown_in_the_zone_asked_for(
    xively: Xively, zone: str, shown: str
) -> None:
    assert (await xively.ask("GET", f"{xively.feed}?timezone={zone}")).json()["created"] == shown


async def test_5_2_steps_count_from_midnight_as_it_was_where_the_range_starts(
    xively: Xively,
) -> None:
    """Asked in November, of July: London was an hour ahead of UTC."""
    point = {"value": "1", "at": "2013-07-09T00:00:00Z"}
    await put_value(xively, datapoints=[point])
    query = "start=2013-07-10T00:00:00Z&duration=2days&interval=43200&interval_type=discrete"
    path = f"{xively.feed}/datastreams/temp?{query}&timezone=London"
    found = (await xively.ask("GET", path)).json()["datapoints"]
    assert [each["at"] for each in found] == [
        "2013-07-10T12:00:00.000000+01:00",
        "2013-07-11T00:00:00.000000+01:00",
        "2013-07-11T12:00:00.000000+01:00",
        "2013-07-12T00:00:00.000000+01:00",
    ]


async def test_7_2_a_datastreams_xml_tells_the_feed_as_its_own_does(xively: Xively) -> None:
    await put_value(xively, at="2023-11-14T22:30:00Z")
    both = [
        (await xively.ask("GET", f"{xively.feed}{path}.xml")).text
        for path in ("", "/datastreams/temp")
    ]
    for text in both:
        assert 'updated="2023-11-14T22:30:00.000000Z"' in text


async def test_1_4_the_end_of_a_day_and_a_leap_second_are_the_next_ones_begin(
    xively: Xively,
) -> None:
    points = [
        {"value": "leap", "at": "2012-06-30T23:59:60Z"},
        {"value": "midnight", "at": "2013-01-01T24:00:00Z"},
    ]
    await put_value(xively, datapoints=points * 5)  # many are read at once, where they can be
    for at, value in (("2012-07-01", "leap"), ("2013-01-02", "midnight")):
        path = f"{xively.feed}/datastreams/temp/datapoints/{at}T00:00:00Z"
        assert (await xively.ask("GET", path)).json()["value"] == value


async def test_3_7_datastreams_are_chosen_by_list_or_by_repeating(xively: Xively) -> None:
    items = [{"id": name, "current_value": "1"} for name in "abc"]
    await xively.ask("PUT", xively.feed, json={"datastreams": items})
    for query in ("datastreams=a,c", "datastreams=a&datastreams=c"):
        feed = (await xively.ask("GET", f"{xively.feed}/?{query}")).json()
        assert [stream["id"] for stream in feed["datastreams"]] == ["a", "c"]


async def test_5_2_feed_history_gives_each_datastream_its_datapoints(xively: Xively) -> None:
    await put_value(xively)
    feed = (await xively.ask("GET", f"{xively.feed}?duration=6hours&interval=0")).json()
    assert feed["datastreams"][0]["datapoints"] == [{"value": "21.5", "at": AT}]
    quiet = (await xively.ask("GET", f"{xively.feed}?end=2020-01-01T00:00:00Z")).json()
    assert "datapoints" not in quiet["datastreams"][0]


async def test_10_the_request_log_remembers_what_was_refused_and_why(xively: Xively) -> None:
    await xively.ask("PUT", f"{xively.feed}?key=sesame&k%65y=sesame", "read", json={"title": "x"})
    (request,) = xively.tank.request_log.of_device(xively.made.device.device_id)
    assert (request.asked.method, request.status) == ("PUT", 403)
    assert request.reason == f"key “read” lacks put on feed {xively.made.device.device_id}"
    assert "sesame" not in request.asked.path
    assert request.at_us == NOW_US


async def test_10_the_request_log_never_holds_a_keys_secret(xively: Xively) -> None:
    feed_id = xively.made.device.device_id
    secrets = set(xively.keys.values())
    draft = {"key": {"label": "new", "permissions": [{"access_methods": ["get"]}]}}
    with xively.tank.bus.listen(RequestServed) as listener:
        for path in (f"{xively.feed}/keys", "/v2/keys", f"/v2/keys?feed_id={feed_id}"):
            for end in ("", ".json", ".xml"):
                where, _, query = path.partition("?")
                reply = await xively.ask("GET", f"{where}{end}?{query}", "master")
                assert xively.keys["device"] in reply.text
        made = await xively.ask("POST", "/v2/keys", "master", json=draft)
        secrets.add(made.headers["location"].rpartition("/")[2])
        for secret in sorted(secrets):
            await xively.ask("GET", f"/v2/keys/{secret}", "master")
        await xively.ask("PUT", f"/v2/keys/{xively.keys['read']}", "master", json=draft)
        renewed = await xively.ask("POST", f"/v2/keys/{xively.keys['read']}/regenerate", "master")
        secrets.add(renewed.headers["location"].rpartition("/")[2])
        await xively.ask("DELETE", f"/v2/keys/{xively.keys['write']}", "master")
        await xively.ask("GET", xively.feed, "master")  # what is recorded, so that we do listen
        events = listener.take_all()
    assert xively.feed in [event.asked.path for event in events if isinstance(event, RequestServed)]
    told = repr(events)
    assert [secret for secret in secrets if secret in told] == []


async def test_3_4_a_deleted_feed_is_gone(xively: Xively) -> None:
    assert (await xively.ask("DELETE", xively.feed, "master")).status_code == 200
    assert (await xively.ask("DELETE", xively.feed, "master")).status_code == 404


async def test_4_2_a_deleted_datastream_is_gone(xively: Xively) -> None:
    await put_value(xively)
    url = f"{xively.feed}/datastreams/temp"
    assert (await xively.ask("DELETE", url)).status_code == 200
    assert (await xively.ask("GET", url)).status_code == 404
