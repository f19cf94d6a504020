"""Every example of a feed, datastream, datapoint, trigger and key that the documentation shows.

Requests are read and say what they should; answers are read back by the same rules, and those whose
content the formats share are the same in each of them.

Source: Xively API v2, data formats, reading and writing data, historical data, triggers, keys.
"""

from typing import Any

import pytest

from thingtank.protocols.xively import csv_format, json_format, xml_format
from thingtank.protocols.xively.documents import (
    DatapointBody,
    DatapointDocument,
    DatastreamBody,
    FeedBody,
    FeedReference,
    FeedsBody,
    LocationBody,
)
from thingtank.protocols.xively.errors import MalformedBody, Unprocessable
from thingtank.protocols.xively.formats import FEED_CODECS, KEY_CODECS, TRIGGER_CODECS
from thingtank.protocols.xively.xml_reader import read_xml

EEML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<eeml xmlns="http://www.eeml.org/xsd/0.5.1" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="0.5.1" '
    'xsi:schemaLocation="http://www.eeml.org/xsd/0.5.1 http://www.eeml.org/xsd/0.5.1/0.5.1.xsd"'
)
TIMES = [f"2013-04-22T{time}:43Z" for time in ("00:35", "00:55", "01:15", "01:35")]
NUMBERS = ["42", "84", "41", "83"]
POINTS_XML = "".join(f'<value at="{at}">{v}</value>' for at, v in zip(TIMES, NUMBERS, strict=True))
POINTS_JSON = ",".join(
    f'{{"at":"{at}","value":"{v}"}}' for at, v in zip(TIMES, NUMBERS, strict=True)
)
POINTS = [DatapointDocument(v, at) for at, v in zip(TIMES, NUMBERS, strict=True)]

WRITES: list[tuple[str, str, str, list[tuple[Any, ...]]]] = [
    ("each datastream", "json", '{"version":"1.0.0","datastreams":[{"id":"example","current_value":"333"},{"id":"key","current_value":"value"},{"id":"datastream","current_value":"1337"}]}', [("example", "333", None), ("key", "value", None), ("datastream", "1337", None)]),
    ("each datastream", "xml", '<?xml version="1.0" encoding="UTF-8"?>\n<eeml>\n<environment>\n<data id="example">\n<current_value>333</current_value>\n</data><data id="key"><current_value>value</current_value></data><data id="datastream"><current_value>-1337</current_value></data>\n</environment>\n</eeml>\n', [("example", "333", None), ("key", "value", None), ("datastream", "-1337", None)]),
    ("each datastream", "csv", "example, 333\nkey, value\ndatastream, 1337 \n", [("example", "333", None), ("key", "value", None), ("datastream", "1337", None)]),
    ("many datapoints", "json", f'{{"version":"1.0.0","datastreams":[{{"id":"example","datapoints":[{POINTS_JSON}],"current_value":"333"}}]}}', [("example", "333", POINTS)]),
    ("many datapoints", "xml", f'<?xml version="1.0" encoding="UTF-8"?><eeml><environment><data id="example"><datapoints>{POINTS_XML}</datapoints><current_value>333</current_value></data></environment></eeml>', [("example", "333", POINTS)]),
    ("many datapoints", "csv", "\n".join(f"example,{at},{v}" for at, v in zip(TIMES, NUMBERS, strict=True)), [("example", None, POINTS)]),
    ("structured data", "xml", f'<eeml><environment><data id="key"><datapoints><value at="{TIMES[0]}">{{structured data}}</value></datapoints></data></environment></eeml>', [("key", None, [DatapointDocument("{structured data}", TIMES[0])])]),
    ("a topic's payload", "csv", "0,29", [("0", "29", None)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [row[1:] for row in WRITES],
    ids=[f"{r[0]}-{r[1]}" for r in WRITES],
)
def test_writes(name: str, body: str, expected: list[tuple[Any, ...]]) -> None:
    codec = FEED_CODECS[2, name]
    for read in (
        codec.parse_feed(body.encode()).datastreams,
        codec.parse_datastreams(body.encode()),
    ):
        assert [(item.id, item.current_value, item.datapoints) for item in read or ()] == expected


DEMO = FeedBody(
    id=121601,
    title="Demo",
    private="false",
    feed="https://api.xively.com/v2/feeds/121601.json",
    status="frozen",
    updated="2013-05-05T07:37:54.582681Z",
    created="2013-03-29T15:50:43.398788Z",
    creator="https://xively.com/users/calumbarnes",
    version="1.0.0",
    datastreams=[
        DatastreamBody("example", "333", "2013-05-05T07:37:54.465267Z", "333.0", "41.0"),
        DatastreamBody("key", "value", "2013-04-23T00:40:34.032979Z"),
        DatastreamBody("temp"),
    ],
    location=LocationBody(domain="physical"),
)
DEMO_JSON = (
    '{"id":121601,"title":"Demo","private":"false","feed":"https://api.xively.com/v2/feeds/121601.json",'
    '"status":"frozen","updated":"2013-05-05T07:37:54.582681Z","created":"2013-03-29T15:50:43.398788Z",'
    '"creator":"https://xively.com/users/calumbarnes","version":"1.0.0","datastreams":[{"id":"example",'
    '"current_value":"333","at":"2013-05-05T07:37:54.465267Z","max_value":"333.0","min_value":"41.0"},'
    '{"id":"key","current_value":"value","at":"2013-04-23T00:40:34.032979Z"},{"id":"temp"}],'
    '"location":{"domain":"physical"}}'
)
DEMO_XML = (
    f'{EEML}><environment updated="2013-05-05T07:37:54.582681Z" created="2013-03-29T15:50:43.398788Z" '
    'id="121601" creator="https://xively.com/users/calumbarnes"><title>Demo</title>'
    "<feed>https://api.xively.com/v2/feeds/121601.xml</feed><status>frozen</status>"
    '<private>false</private><location domain="physical" exposure="" disposition="" />'
    '<data id="example"><current_value at="2013-05-05T07:37:54.465267Z">333</current_value>'
    "<max_value>333.0</max_value><min_value>41.0</min_value></data>"
    '<data id="key"><current_value at="2013-04-23T00:40:34.032979Z">value</current_value></data>'
    '<data id="temp" /></environment></eeml>'
)
DEMO_CSV = (
    'example,2013-05-05T07:37:54.465267Z,333\nkey,2013-04-23T00:40:34.032979Z,value\ntemp,,""'
)


@pytest.mark.parametrize(
    ("name", "text"), [("json", DEMO_JSON), ("xml", DEMO_XML), ("csv", DEMO_CSV)]
)
def test_a_feed_is_written_as_documented(name: str, text: str) -> None:
    assert FEED_CODECS[2, name].serialize_feed(DEMO).decode() == text


HISTORY = FeedBody(
    id=121601,
    title="Demo",
    private="false",
    feed="https://api.xively.com/v2/feeds/121601.json",
    status="live",
    updated="2013-05-10T00:18:07.703576Z",
    created="2013-03-29T15:50:43.398788Z",
    creator="https://xively.com/users/calumbarnes",
    version="1.0.0",
    datastreams=[
        DatastreamBody(
            name, points[-1][0], points[-1][1], datapoints=[DatapointBody(*point) for point in points]
        )
        for name, points in {
            "datastream": [("1338", "2013-05-21T20:12:09.995317Z"), ("1015", "2013-05-21T20:12:38.633984Z")],
            "example": [("666", "2013-05-21T20:12:01.902763Z"), ("332", "2013-05-21T20:12:28.838561Z")],
            "key": [("value", "2013-05-21T20:12:16.900568Z"), ("val", "2013-05-21T20:12:21.946859Z")],
        }.items()
    ]
    + [DatastreamBody("temp")],
    location=LocationBody(disposition="mobile", domain="physical", lat=17.0567846099426, lon=-88.59375),
)  # fmt: skip


def test_a_history_is_written_as_documented() -> None:
    assert csv_format.serialize_feed(HISTORY).decode() == (
        "example,2013-05-21T20:12:01.902763Z,666\n"
        "datastream,2013-05-21T20:12:09.995317Z,1338\n"
        "key,2013-05-21T20:12:16.900568Z,value\n"
        "key,2013-05-21T20:12:21.946859Z,val\n"
        "example,2013-05-21T20:12:28.838561Z,332\n"
        "datastream,2013-05-21T20:12:38.633984Z,1015"
    )
    written = xml_format.serialize_feed(HISTORY).decode()
    assert (
        '<location domain="physical" exposure="" disposition="mobile"><lat>17.0567846099426</lat>'
        "<lon>-88.59375</lon><waypoints /></location>" in written
    )
    assert (
        '<datapoints><value at="2013-05-21T20:12:01.902763Z">666</value>'
        '<value at="2013-05-21T20:12:28.838561Z">332</value></datapoints>' in written
    )
    assert '<data id="temp" />' in written


def test_a_datastream_is_written_as_documented() -> None:
    body = DatastreamBody(
        "example", "500", "2013-05-06T00:30:45.694188Z", "500.0", "333.0", version="1.0.0"
    )
    feed = FeedReference(
        121601,
        "https://xively.com/users/calumbarnes",
        "2013-05-05T19:40:08.859383Z",
        "2013-03-29T15:50:43.398788Z",
    )
    assert json_format.serialize_datastream(body, feed).decode() == (
        '{"id":"example","current_value":"500","at":"2013-05-06T00:30:45.694188Z",'
        '"max_value":"500.0","min_value":"333.0","version":"1.0.0"}'
    )
    assert xml_format.serialize_datastream(body, feed).decode() == (
        f'{EEML}><environment updated="2013-05-05T19:40:08.859383Z" '
        'created="2013-03-29T15:50:43.398788Z" id="121601" '
        'creator="https://xively.com/users/calumbarnes"><data id="example">'
        '<current_value at="2013-05-06T00:30:45.694188Z">500</current_value>'
        "<max_value>500.0</max_value><min_value>333.0</min_value></data></environment></eeml>"
    )
    assert csv_format.serialize_datastream(body, feed) == b"2013-05-06T00:30:45.694188Z,500"


def test_a_page_of_feeds_is_written_as_documented() -> None:
    page = FeedsBody(4299, 0, 50, [DEMO])
    written = xml_format.serialize_feeds(page).decode()
    assert written.startswith(EEML + ' xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">')
    assert (
        "<opensearch:totalResults>4299</opensearch:totalResults>"
        "<opensearch:startIndex>0</opensearch:startIndex>"
        "<opensearch:itemsPerPage>50</opensearch:itemsPerPage><environment " in written
    )
    assert read_xml(written.encode()).findtext("totalResults") == "4299"
    assert csv_format.serialize_feeds(page).decode().split("\n")[0] == (
        "121601,example,2013-05-05T07:37:54.465267Z,333"
    )


def test_a_place_is_read_as_documented() -> None:
    in_json = json_format.parse_feed(
        b'{"location":{"disposition":"mobile","name":"Monuriki Island","exposure":"outdoor",'
        b'"domain":"physical","ele":"0","lat":17.609991828964787,"lon":177.03402996826173}}'
    ).location
    in_xml = xml_format.parse_feed(
        b'<?xml version="1.0" encoding="UTF-8"?><eeml><environment><location domain="physical" '
        b'exposure="outdoor" disposition="mobile"><name>Monuriki Island</name>'
        b"<lat>17.609991828964787</lat><lon>177.03402996826173</lon><ele>0</ele></location>"
        b"</environment></eeml>"
    ).location
    for name in ("disposition", "name", "exposure", "domain", "ele", "lat", "lon"):
        assert str(getattr(in_json, name)) == getattr(in_xml, name)


TRIGGERS = [
    ("json", '{"url":"http://requestb.in/131tsul1","trigger_type":"lt","threshold_value":"15.0","environment_id":121601,"stream_id":"example"}'),
    ("xml", '<?xml version="1.0" encoding="UTF-8"?>\n<datastream-trigger>\n<url>http://requestb.in/131tsul1</url>\n<trigger-type>lt</trigger-type>\n<threshold-value type="float">15.0</threshold-value>\n<environment-id type="integer">121601</environment-id>\n<stream-id>example</stream-id>\n</datastream-trigger>'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), TRIGGERS)
def test_a_trigger_is_read_as_documented(name: str, text: str) -> None:
    read = TRIGGER_CODECS[name].parse(text.encode())
    assert (read.url, read.trigger_type, read.threshold_value, read.environment_id, read.stream_id) == (
        "http://requestb.in/131tsul1", "lt", "15.0", 121601, "example",
    )  # fmt: skip


KEYS = [
    ("json", '{"key":{"label":"sharing key","private_access":true,"expires_at":"2013-03-27T01:23:45.123456Z","permissions":[{"access_methods":["put"],"source_ip":"128.44.98.129","referer":"my-domain.com","resources":[{"feed_id":504}]},{"access_methods":["get"]}]}}'),
    ("xml", "<key><label>sharing key</label><private-access>true</private-access><expires_at>2013-03-27T01:23:45.123456Z</expires_at><permissions><permission><access-methods><access-method>put</access-method></access-methods><source-ip>128.44.98.129</source-ip><referer>my-domain.com</referer><resources><resource><feed-id>504</feed-id></resource></resources></permission><permission><access-methods><access-method>get</access-method></access-methods></permission></permissions></key>"),
]  # fmt: skip


def test_a_key_is_read_as_documented() -> None:
    in_json, in_xml = (KEY_CODECS[name].parse(text.encode()) for name, text in KEYS)
    assert in_json == in_xml
    assert in_json.label == "sharing key"


EXAMPLES: list[tuple[Any, bytes]] = [
    *((FEED_CODECS[2, row[1]].parse_feed, row[2].encode()) for row in WRITES),
    (json_format.parse_feed, DEMO_JSON.encode()),
    (xml_format.parse_feed, DEMO_XML.encode()),
    (csv_format.parse_feed, DEMO_CSV.encode()),
    *((TRIGGER_CODECS[name].parse, text.encode()) for name, text in TRIGGERS),
    *((KEY_CODECS[name].parse, text.encode()) for name, text in KEYS),
]


@pytest.mark.parametrize(("parse", "body"), EXAMPLES, ids=[str(i) for i in range(len(EXAMPLES))])
def test_a_cut_or_a_wound_anywhere_is_read_or_refused(parse: Any, body: bytes) -> None:
    parse(body)
    for at in range(len(body)):
        for wounded in (
            body[:at],
            body[:at] + b"\xff" + body[at + 1 :],
            body[:at] + b"<" + body[at:],
        ):
            try:
                parse(wounded)
            except (MalformedBody, Unprocessable) as refusal:
                assert refusal.body.errors  # noqa: PT017 - the refusal may or may not come
