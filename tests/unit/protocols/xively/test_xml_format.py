"""XML: what is read, what is refused and where, and that nothing in it does harm."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from thingtank.protocols.xively import xml_format, xml_reader, xml_v1_format
from thingtank.protocols.xively.documents import (
    DatapointDocument,
    DatastreamBody,
    DatastreamDocument,
    FeedBody,
    FeedReference,
    LocationBody,
    LocationDocument,
    UnitBody,
    UnitDocument,
    WaypointBody,
)
from thingtank.protocols.xively.errors import ErrorBody, MalformedBody, MalformedXml
from thingtank.protocols.xively.xml_reader import read_xml
from thingtank.protocols.xively.xml_writer import add, document, root

T = "2012-02-22T11:22:31.130138Z"


def data(inner: str) -> bytes:
    return f"<eeml><environment><data id='a'>{inner}</data></environment></eeml>".encode()


def feed(inner: str) -> bytes:
    return f"<eeml><environment>{inner}</environment></eeml>".encode()


DATASTREAMS = [
    ("nothing", "", DatastreamDocument("a")),
    ("a value", "<current_value>5</current_value>", DatastreamDocument("a", "5")),
    ("a value and its time", f"<current_value at='{T}'> 5 </current_value>", DatastreamDocument("a", "5", T)),
    ("a blank value without a time is none", "<current_value/>", DatastreamDocument("a")),
    ("a blank value with a time", f"<current_value at='{T}'/>", DatastreamDocument("a", "", T)),
    ("python-eeml's attributes", "<current_value minValue='1' maxValue='9'>5</current_value>", DatastreamDocument("a", "5", min_value="1", max_value="9")),
    ("an element goes before an attribute", "<current_value maxValue='9'>5</current_value><max_value>8</max_value>", DatastreamDocument("a", "5", max_value="8")),
    ("EEML 5", "<value minValue='1' maxValue='9'>5</value>", DatastreamDocument("a", "5", min_value="1", max_value="9")),
    ("an extreme is reset", "<max_value/>", DatastreamDocument("a", max_value="")),
    ("tags", "<tag>x</tag><tag> y </tag><tag/>", DatastreamDocument("a", tags=["x", "y"])),
    ("no tags any more", "<tag/>", DatastreamDocument("a", tags=[])),
    ("a unit", "<unit type='basicSI' symbol='m'> metre </unit>", DatastreamDocument("a", unit=UnitDocument("basicSI", "m", "metre"))),
    ("a unit's label only", "<unit>metre</unit>", DatastreamDocument("a", unit=UnitDocument(label="metre"))),
    ("datapoints", f"<datapoints><value at='{T}'>1</value><value>2</value></datapoints>", DatastreamDocument("a", datapoints=[DatapointDocument("1", T), DatapointDocument("2")])),
    ("CDATA", "<current_value><![CDATA[<5&6>]]></current_value>", DatastreamDocument("a", "<5&6>")),
    ("character references", "<current_value>&lt;&#65;&#x42;</current_value>", DatastreamDocument("a", "<AB")),
    ("unknown elements", "<colour>red</colour><current_value>5</current_value>", DatastreamDocument("a", "5")),
    ("comments and instructions", "<!-- x --><?php y ?><current_value>5</current_value>", DatastreamDocument("a", "5")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("inner", "expected"), [row[1:] for row in DATASTREAMS], ids=[row[0] for row in DATASTREAMS]
)
def test_a_data_element_is_a_datastream(inner: str, expected: DatastreamDocument) -> None:
    assert xml_format.parse_datastream(data(inner)) == expected
    assert xml_format.parse_datastreams(data(inner)) == [expected]
    assert xml_format.parse_feed(data(inner)).datastreams == [expected]


def test_absent_members_stay_and_empty_ones_are_cleared() -> None:
    document = xml_format.parse_feed(feed("<title> Roof </title><description/>"))
    assert (document.title, document.description) == ("Roof", "")
    assert document.website is document.tags is document.location is UNSET


def test_a_location_is_attributes_and_elements() -> None:
    inner = "<location domain='physical' exposure=''><name>roof</name><lat>1.50</lat></location>"
    assert xml_format.parse_feed(feed(inner)).location == LocationDocument(
        name="roof", lat="1.50", exposure="", domain="physical"
    )


def test_an_empty_environment_is_a_feed_that_changes_nothing() -> None:
    assert xml_format.parse_feed(feed("")) == xml_format.parse_feed(b"<eeml><environment/></eeml>")
    assert xml_format.parse_feed(b"<eeml><environment/></eeml>").datastreams is None


@pytest.mark.parametrize(
    "namespace", ["http://www.eeml.org/xsd/0.5.1", "http://www.eeml.org/xsd/005", "urn:x"]
)
def test_a_namespace_makes_no_difference(namespace: str) -> None:
    written = data("<value>5</value>").replace(b"<eeml>", f"<eeml xmlns='{namespace}'>".encode())
    assert xml_format.parse_datastream(written).current_value == "5"
    prefixed = f"<e:eeml xmlns:e='{namespace}'><e:environment><e:title>x</e:title></e:environment></e:eeml>"
    assert xml_format.parse_feed(prefixed.encode()).title == "x"


ENCODED = [
    ("no declaration", "<a>é</a>".encode()),
    ("byte order mark", "\ufeff<a>é</a>".encode()),
    ("blank lines first", '\r\n\n <?xml version="1.0"?><a>é</a>'.encode()),
    ("line ends after it", "<a>é</a>\r\n\r\n".encode()),
    ("UTF-8 by name", '<?xml version="1.0" encoding="UTF-8"?><a>é</a>'.encode()),
    ("Latin-1", '<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>'.encode("latin-1")),
    ("Windows", '<?xml version="1.0" encoding="windows-1252"?><a>é</a>'.encode("cp1252")),
    ("UTF-16", '<?xml version="1.0" encoding="UTF-16"?><a>é</a>'.encode("utf-16")),
]


@pytest.mark.parametrize("body", [row[1] for row in ENCODED], ids=[row[0] for row in ENCODED])
def test_encodings_of_the_time_are_read(body: bytes) -> None:
    assert read_xml(body).text == "é"


BOMB = "<!DOCTYPE b [<!ENTITY a '{}'>{}]><eeml><environment><title>&z;</title></environment></eeml>"
LAUGHS = "".join(f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 10))
REFUSED = [
    ("nothing", b"", "no element found at 1:1"),
    ("text", b"temp 5", "syntax error at 1:1"),
    ("JSON", b'{"title":"x"}', "at 1:1"),
    ("a cut document", b"<eeml><environment>", "no element found at 1:20"),
    ("names that do not match", b"<eeml>\n<a>\n</b>", "element start and end names do not match at 3:3"),
    ("two roots", b"<eeml/><eeml/>", "junk after document element at 1:8"),
    ("an unknown entity", b"<eeml>&nbsp;</eeml>", "undefined entity"),
    ("an attribute twice", b"<eeml a='1' a='2'/>", "duplicate attribute"),
    ("a bare ampersand", feed("<title>a & b</title>"), "not well-formed"),
    ("a character XML lacks", feed("<title>&#0;</title>"), "at 1:"),
    ("a control character", feed("<title>\x01</title>"), "not well-formed"),
    ("an undeclared prefix", b"<x:eeml/>", "unbound prefix"),
    ("invalid UTF-8", b"<eeml>\xff</eeml>", "not well-formed (invalid token) at 1:7"),
    ("UTF-8 of a surrogate", b"<eeml>\xed\xa0\x80</eeml>", "not well-formed"),
    ("an encoding of Python's own", b'<?xml version="1.0" encoding="unicode_escape"?><a/>', "encoding unicode_escape is not read"),
    ("UTF-7", b'<?xml version="1.0" encoding="utf-7"?><a/>', "encoding utf-7 is not read"),
    ("an unknown encoding", b'<?xml version="1.0" encoding="klingon"?><a/>', "encoding klingon is not read"),
    ("XML 2.0", b'<?xml version="2.0" encoding="utf-8?><a/>', "at 1:"),
    ("a document type", b"<!DOCTYPE eeml><eeml/>", "document type declarations are not allowed at 1:"),
    ("an external document type", b"<!DOCTYPE eeml SYSTEM 'http://localhost/x.dtd'><eeml/>", "not allowed"),
    ("billion laughs", BOMB.format("ha", LAUGHS).encode(), "not allowed"),
    ("quadratic blow-up", BOMB.format("ha" * 10_000, "").replace("&z;", "&a;" * 1000).encode(), "not allowed"),
    ("an external entity", b"<!DOCTYPE b [<!ENTITY z SYSTEM 'file:///etc/passwd'>]><eeml><environment><title>&z;</title></environment></eeml>", "not allowed"),
    ("a parameter entity", b"<!DOCTYPE b [<!ENTITY % z SYSTEM 'http://localhost/'> %z;]><eeml/>", "not allowed"),
    ("an unparsed entity", b"<!DOCTYPE b [<!NOTATION n SYSTEM 'n'><!ENTITY z SYSTEM 'z' NDATA n>]><eeml/>", "not allowed"),
    ("deep nesting", b"<eeml>" + b"<a>" * 100_000, "nested more than 16 deep at 1:"),
    ("many elements", b"<eeml>" + b"<a/>" * 100_000, "more than 50000 elements"),
    ("many attributes", b"<eeml " + b" ".join(b"a%d='1'" % i for i in range(40)) + b"/>", "more than 32 attributes"),
    ("a huge text", feed(f"<title>{'x' * 100_000}</title>"), "a text has more than 65536 characters"),
    ("another root", b"<feed><environment/></feed>", "Missing 'environment' node from base node"),
    ("no environment", b"<eeml/>", "Missing 'environment' node from base node"),
    ("two environments", b"<eeml><environment/><environment/></eeml>", "Multiple 'environment' nodes"),
    ("two titles", feed("<title>a</title><title>b</title>"), "Multiple 'title' nodes are not permitted in 'environment'"),
    ("two values", data("<current_value>1</current_value><current_value>2</current_value>"), "Multiple 'current_value' nodes"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "text"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_is_no_feed_is_refused_with_the_place(body: bytes, text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(MalformedXml) as refusal:
        xml_format.parse_feed(body)
    assert text in str(refusal.value)
    assert len(str(refusal.value)) < 200
    assert time.perf_counter() - started < 5


def test_the_service_said_it_like_this() -> None:
    body = b"<eeml>\n  <environment>\n    <data>\n      <tag>a</tag>\n    </data>\n  </environmen>"
    with pytest.raises(MalformedBody) as refusal:
        xml_format.parse_feed(body)
    assert refusal.value.body == ErrorBody(
        "XML Parser Error",
        "invalid format, element start and end names do not match at 6:5",
    )


DATASTREAM_REFUSED = [
    (feed(""), "Missing 'data' node from source document"),
    (feed("<data/><data/>"), "Multiple 'data' nodes are not permitted for Datastream level XML"),
]


@pytest.mark.parametrize(("body", "text"), DATASTREAM_REFUSED)
def test_a_datastream_has_one_data_element(body: bytes, text: str) -> None:
    for parse in (xml_format.parse_datastream, xml_format.parse_datapoints):
        with pytest.raises(MalformedXml, match=text):
            parse(body)


def test_a_datapoint_is_one_value() -> None:
    body = data("<datapoints><value>1</value><value>2</value></datapoints>")
    with pytest.raises(MalformedXml, match="Multiple 'value' nodes"):
        xml_format.parse_datapoint(body)
    assert xml_format.parse_datapoint(data("")) == DatapointDocument()
    assert xml_format.parse_datapoints(data("")) == []


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text())
def test_every_text_is_written_well_formed(text: str, attribute: str) -> None:
    element = root("a", {"b": attribute})
    add(element, "c", text, {"d": text})
    read = read_xml(document(element))
    kept = "".join(mark if is_character(mark) else "\ufffd" for mark in text)
    assert (read.findtext("c"), read[0].get("d")) == (kept, kept)


def is_character(mark: str) -> bool:
    """XML 1.0, 2.2."""
    return (
        mark in "\t\n\r"
        or "\x20" <= mark <= "\ud7ff"
        or "\ue000" <= mark <= "\ufffd"
        or mark > "\uffff"
    )


def test_a_text_cannot_close_its_element() -> None:
    body = FeedBody(
        id=7,
        title="</title><private>false</private>]]><!--",
        private="true",
        feed="http://t/v2/feeds/7.json",
        status="live",
        updated=T,
        created=T,
        creator="http://t/users/a",
        version="1.0.0",
        location=LocationBody(domain="physical"),
        datastreams=[DatastreamBody('x"><data id="y', "1", T)],
    )
    for module in (xml_format, xml_v1_format):
        document = module.parse_feed(module.serialize_feed(body))
        assert document.title == body.title
        assert [item.id for item in document.datastreams or ()] == ['x"><data id="y']


def test_waypoints_stand_in_the_location_of_a_mobile_feed() -> None:
    location = LocationBody(domain="physical", disposition="mobile", lat=1.5, lon=2.5)
    body = FeedBody(
        id=7, title="x", private="true", feed="", status="live", updated=T, created=T,
        creator="", version="1.0.0", location=location,
    )  # fmt: skip
    assert b"<waypoints />" in xml_format.serialize_feed(body)
    location.waypoints = [WaypointBody(T, 1.5, 2.5)]
    read = read_xml(xml_format.serialize_feed(body))
    [waypoint] = read.iter("waypoint")
    assert (waypoint.get("at"), waypoint.findtext("lat"), waypoint.findtext("lon")) == (
        T,
        "1.5",
        "2.5",
    )
    location.disposition, location.waypoints = "fixed", []
    assert b"waypoints" not in xml_format.serialize_feed(body)


def test_an_error_has_its_title_first_and_its_text_second() -> None:
    read = read_xml(xml_format.serialize_error(ErrorBody("Not found", "no <feed> & no key")))
    assert (read[0].text, read[1].text) == ("Not found", "no <feed> & no key")
    several = read_xml(xml_format.serialize_error(ErrorBody("Bad", ["a", "b"])))
    assert [child.text for child in several] == ["Bad", "a", "b"]


def test_v1_is_written_as_eeml_5() -> None:
    body = DatastreamBody("0", "5", T, "9.0", "1.0", ("x",), UnitBody("basicSI", "m", "metre"))
    written = xml_v1_format.serialize_datastream(
        body, FeedReference(7, "http://t/users/a", T)
    ).decode()
    assert '<eeml xmlns="http://www.eeml.org/xsd/005"' in written
    assert 'version="5"' in written
    assert (
        '<environment updated="2012-02-22T11:22:31Z" id="7" creator="http://www.haque.co.uk">'
        in written
    )
    assert '<value minValue="1.0" maxValue="9.0">5</value>' in written
    assert "current_value" not in written


def test_an_elements_bound_is_above_what_a_write_may_hold() -> None:
    points = "<value>1</value>" * (xml_reader.NODES_MAX - 4)
    read = xml_format.parse_datapoints(data(f"<datapoints>{points}</datapoints>"))
    assert len(read) == xml_reader.NODES_MAX - 4
