"""Every format through the door: XML, CSV, and the API v1, in and out, and refusals in each.

Source: Xively API v2, data formats; sections 1.1, 1.3, 3.3, 4.2, 5 and 8.2 of the spec.
"""

import gzip
from xml.etree.ElementTree import Element

import httpx
import pytest
from defusedxml.ElementTree import fromstring
from tests.conformance.xively.conftest import Xively

NAMESPACE = "{http://www.eeml.org/xsd/0.5.1}"
V1_NAMESPACE = "{http://www.eeml.org/xsd/005}"
AT = "2023-11-14T22:13:20.000000Z"
FEED_XML = """<?xml version="1.0" encoding="UTF-8"?>
<eeml xmlns="http://www.eeml.org/xsd/0.5.1" version="0.5.1"><environment>
<title>Greenhouse</title><tag>hot</tag><tag>wet</tag>
<location domain="physical" exposure="indoor" disposition="fixed"><name>Kew</name><lat>51.48</lat><lon>-0.29</lon></location>
<data id="temp"><tag>air</tag><current_value at="2023-11-14T22:00:00Z">21.50</current_value>
<unit type="derivedSI" symbol="C">Celsius</unit></data>
<data id="state"><current_value>on</current_value></data>
</environment></eeml>"""


def xml_of(reply: httpx.Response) -> Element:
    assert reply.headers["content-type"] == "application/xml; charset=utf-8"
    return fromstring(reply.content)


async def values_of(xively: Xively) -> dict[str, str]:
    feed = (await xively.ask("GET", xively.feed)).json()
    return {item["id"]: item.get("current_value", "") for item in feed.get("datastreams", ())}


async def test_3_3_a_feed_written_as_xml_is_read_as_json(xively: Xively) -> None:
    assert (await xively.ask("PUT", f"{xively.feed}.xml", content=FEED_XML)).content == b""
    feed = (await xively.ask("GET", xively.feed)).json()
    assert (feed["title"], feed["tags"]) == ("Greenhouse", ["hot", "wet"])
    assert (feed["location"]["name"], feed["location"]["lat"]) == ("Kew", 51.48)
    state, temp = feed["datastreams"]
    assert (state["current_value"], state["at"]) == ("on", AT)
    assert (temp["current_value"], temp["at"]) == ("21.50", "2023-11-14T22:00:00.000000Z")
    assert temp["unit"] == {"type": "derivedSI", "symbol": "C", "label": "Celsius"}


@pytest.mark.parametrize("how", ["extension", "accept"])
async def test_3_3_a_feed_is_read_as_xml(xively: Xively, how: str) -> None:
    await xively.ask("PUT", f"{xively.feed}.xml", content=FEED_XML)
    asked = ("", {"Accept": "application/xml"}) if how == "accept" else (".xml", {})
    root = xml_of(await xively.ask("GET", xively.feed + asked[0], headers=asked[1]))
    environment = root.find(f"{NAMESPACE}environment")
    assert environment is not None
    assert environment.findtext(f"{NAMESPACE}title") == "Greenhouse"
    streams = {item.get("id"): item for item in environment.iter(f"{NAMESPACE}data")}
    current = streams["temp"].find(f"{NAMESPACE}current_value")
    assert current is not None
    assert (current.text, current.get("at")) == ("21.50", "2023-11-14T22:00:00.000000Z")


async def test_3_4_a_feed_is_created_from_xml_and_from_csv(xively: Xively) -> None:
    made = await xively.ask("POST", "/v2/feeds.xml", "master", content=FEED_XML)
    assert (made.status_code, made.content) == (201, b"")
    assert made.headers["Location"].rpartition("/")[2].isdigit()
    refused = await xively.ask("POST", "/v2/feeds.csv", "master", content="a,1")
    assert refused.status_code == 422  # a feed needs a title, which CSV cannot say
    assert "Title can't be blank" in refused.text


async def test_3_3_csv_has_one_row_a_datastream_and_ends_without_a_line_feed(
    xively: Xively,
) -> None:
    written = await xively.ask("PUT", f"{xively.feed}.csv", content="temp,21.50\r\nstate,on\n")
    assert (written.status_code, written.content) == (200, b"")
    reply = await xively.ask("GET", f"{xively.feed}.csv")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.content == f"state,{AT},on\ntemp,{AT},21.50".encode()
    one = await xively.ask("GET", f"{xively.feed}/datastreams/temp.csv")
    assert one.content == f"{AT},21.50".encode()


async def test_4_2_a_datastream_is_written_as_csv_value_and_as_rows(xively: Xively) -> None:
    await xively.ask("PUT", f"{xively.feed}.csv", content="temp,1")
    for body in ("5", "2023-11-14T22:00:00Z,4\n2023-11-14T22:13:20Z,6"):
        done = await xively.ask("PUT", f"{xively.feed}/datastreams/temp.csv", content=body)
        assert done.status_code == 200
    history = await xively.ask("GET", f"{xively.feed}/datastreams/temp.csv?duration=6hours")
    assert history.text == f"2023-11-14T22:00:00.000000Z,4\n{AT},6"


async def test_5_1_datapoints_in_xml_and_csv(xively: Xively) -> None:
    await xively.ask("PUT", f"{xively.feed}.csv", content="temp,1")
    xml = '<eeml><environment><data id="temp"><datapoints><value at="2023-11-14T21:00:00Z">3</value></datapoints></data></environment></eeml>'
    points = f"{xively.feed}/datastreams/temp/datapoints"
    assert (await xively.ask("POST", f"{points}.xml", content=xml)).status_code == 200
    csv = "2023-11-14T21:30:00Z,4"
    assert (await xively.ask("POST", f"{points}.csv", content=csv)).status_code == 200
    one = await xively.ask("GET", f"{points}/2023-11-14T21:30:00Z.csv")
    assert one.text == "2023-11-14T21:30:00.000000Z,4"
    root = xml_of(await xively.ask("GET", f"{points}.xml?duration=6hours"))
    assert [value.text for value in root.iter(f"{NAMESPACE}value")] == ["3", "4", "1"]


async def test_3_6_lists_in_xml_and_csv(xively: Xively) -> None:
    await xively.ask("PUT", f"{xively.feed}.csv", content="temp,1")
    root = xml_of(await xively.ask("GET", "/v2/feeds.xml", "master"))
    search = "{http://a9.com/-/spec/opensearch/1.1/}"
    assert root.findtext(f"{search}totalResults") == "2"
    assert root.findtext(f"{search}startIndex") == "0"
    rows = (await xively.ask("GET", "/v2/feeds.csv", "master")).text.splitlines()
    assert f"{xively.made.device.device_id},temp,{AT},1" in rows


async def test_1_2_answers_in_every_format_are_compressed_and_json_alone_is_padded(
    xively: Xively,
) -> None:
    rows = "\n".join(f"stream{number},{number}" for number in range(50))
    await xively.ask(
        "PUT",
        f"{xively.feed}.csv",
        content=gzip.compress(rows.encode()),
        headers={"Content-Encoding": "gzip"},
    )
    for extension in ("json", "xml", "csv"):
        reply = await xively.ask(
            "GET", f"{xively.feed}.{extension}?callback=f", headers={"Accept-Encoding": "gzip"}
        )
        assert reply.headers["content-encoding"] == "gzip"
        assert reply.text.startswith("f(") == (extension == "json")


REFUSED = [
    # method, path, body, status, what XML says twice, and CSV in one line
    ("PUT", "FEED.xml", "<eeml><environment></eeml>", 400, "XML Parser Error"),
    ("PUT", "FEED.xml", "<eeml/>", 400, "Missing 'environment' node from base node"),
    ("PUT", "FEED.xml", '<!DOCTYPE a [<!ENTITY x "y">]><eeml>&x;</eeml>', 400, "XML Parser Error"),
    ("PUT", "FEED.xml", '<!DOCTYPE a SYSTEM "file:///etc/passwd"><eeml/>', 400, "XML Parser Error"),
    ("PUT", "FEED.xml", b"\xff\xfe\x00", 400, "XML Parser Error"),
    ("PUT", "FEED.csv", "", 400, "Submitted CSV is empty."),
    ("PUT", "FEED.csv", "a,b,c,d", 400, "CSV is invalid. Incorrect number of fields"),
    ("PUT", "FEED.csv", "a,1\na,2", 400, "they must include a timestamp for all values"),
    ("PUT", "FEED.csv", b"a,\xff", 400, "CSV Parser Error"),
    ("PUT", "FEED.csv", "a b,1", 422, "is invalid"),
    ("PUT", "FEED.csv", "a,1\n" * 200_000, 400, "CSV Parser Error"),
    ("GET", "/v2/feeds/999999999.xml", None, 404, "Not found"),
    ("GET", "/v2/feeds/999999999.csv", None, 404, "Not found"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "text"), REFUSED)
async def test_1_3_refusals_come_in_the_format_asked_for(
    xively: Xively, method: str, path: str, body: str | bytes | None, status: int, text: str
) -> None:
    before = await values_of(xively)
    reply = await xively.ask(method, path.replace("FEED", xively.feed), "master", content=body)
    assert reply.status_code == status, reply.text
    if path.endswith(".xml"):
        title, error = xml_of(reply)
        assert text in f"{title.text} {error.text}"
    else:
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
        assert text in reply.text
        assert "\n" not in reply.text
    assert await values_of(xively) == before


async def test_a_zip_bomb_is_refused_however_small_it_arrives(xively: Xively) -> None:
    bomb = gzip.compress(b"a,1\n" * 20_000_000)
    assert len(bomb) < 200_000
    reply = await xively.ask(
        "PUT", f"{xively.feed}.csv", content=bomb, headers={"Content-Encoding": "gzip"}
    )
    assert reply.status_code == 413


async def test_11_the_c_librarys_answers_fit_its_buffer(xively: Xively) -> None:
    headers = {"User-Agent": "libxively", "Content-Type": "text/plain"}
    await xively.ask("PUT", f"{xively.feed}.csv", content="temp,21.5", headers=headers)
    for path in (f"{xively.feed}.csv", f"{xively.feed}/datastreams/temp.csv"):
        reply = await xively.ask("GET", path, headers=headers)
        head = b"HTTP/1.1 200 OK\r\n" + b"".join(b"%b: %b\r\n" % item for item in reply.headers.raw)
        assert len(head) + 40 + len(reply.content) < 512  # 40 for the date that the server adds
        assert len(reply.headers) < 15
        assert max(map(len, reply.headers.values())) <= 63
        assert "transfer-encoding" not in reply.headers


# --- API v1 -------------------------------------------------------------------------------------


async def test_8_2_v1_reads_xml_by_default(xively: Xively) -> None:
    await xively.ask("PUT", f"{xively.feed}.csv", content="0,5")
    for path in (f"/v1{xively.feed[3:]}", f"/api/{xively.made.device.device_id}"):
        root = xml_of(await xively.ask("GET", path))
        assert root.get("version") == "5"
        assert [item.text for item in root.iter(f"{V1_NAMESPACE}value")] == ["5"]


async def test_8_2_v1_csv_is_one_row_by_position_and_replaces_the_datastreams(
    xively: Xively,
) -> None:
    legacy = f"/api/{xively.made.device.device_id}.csv"
    assert (await xively.ask("PUT", legacy, content="1,2,3")).status_code == 200
    assert await values_of(xively) == {"0": "1", "1": "2", "2": "3"}
    assert (await xively.ask("PUT", legacy, content="7,8")).status_code == 200
    assert await values_of(xively) == {"0": "7", "1": "8"}
    assert (await xively.ask("GET", legacy)).text == "7,8"
    bare = await xively.ask("GET", f"/v1{xively.feed[3:]}/datastreams/1.csv")
    assert bare.text == "8"
    refused = await xively.ask("PUT", legacy, content="1,2\n3,4")
    assert (refused.status_code, "You have submitted 2 rows of data" in refused.text) == (400, True)


async def test_8_2_v1_creates_with_a_location_that_ends_in_its_format(xively: Xively) -> None:
    xml = '<eeml xmlns="http://www.eeml.org/xsd/005" version="5"><environment><title>Old</title></environment></eeml>'
    for path in ("/api.xml", "/v1/feeds"):
        made = await xively.ask("POST", path, "master", content=xml)
        assert made.status_code == 201
        assert made.headers["Location"].endswith(".xml")
