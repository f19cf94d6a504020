"""Triggers in JSON and XML: which members are read, and exactly which are written."""

import json

import pytest
from msgspec import UNSET

from thingtank.protocols.xively.errors import MalformedBody, Unprocessable
from thingtank.protocols.xively.formats import TRIGGER_CODECS
from thingtank.protocols.xively.trigger_documents import (
    TriggerBody,
    TriggerDocument,
    parse_json,
    parse_xml,
)

CREATE = TriggerDocument("http://requestb.in/131tsul1", "lt", "15.0", 121601, "example")
DOCUMENTS = [
    ("all", {"url": "http://requestb.in/131tsul1", "trigger_type": "lt", "threshold_value": "15.0", "environment_id": 121601, "stream_id": "example"}, CREATE),
    ("numbers as texts, texts as numbers", {"threshold_value": 15.50, "environment_id": "7", "stream_id": 0}, TriggerDocument(threshold_value="15.5", environment_id=7, stream_id="0")),
    ("what only the server sets", {"id": 9, "user": "a", "notified_at": "", "url": "u"}, TriggerDocument(url="u")),
    ("unknown members", {"colour": "red"}, TriggerDocument()),
    ("blanks", {"url": " ", "threshold_value": "", "environment_id": "", "stream_id": ""}, TriggerDocument("", UNSET, None, None, "")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("members", "expected"), [row[1:] for row in DOCUMENTS], ids=[row[0] for row in DOCUMENTS]
)
def test_6_1_both_formats_say_the_same(
    members: dict[str, object], expected: TriggerDocument
) -> None:
    assert parse_json(json.dumps(members).encode()) == expected
    elements = "".join(
        f"<{n.replace('_', '-')}>{v}</{n.replace('_', '-')}>" for n, v in members.items()
    )
    assert parse_xml(f"<datastream-trigger>{elements}</datastream-trigger>".encode()) == expected


def test_null_takes_a_threshold_away() -> None:
    assert parse_json(b'{"threshold_value":null}').threshold_value is None
    assert parse_json(b"{}").threshold_value is UNSET


REFUSED = [
    ("json", b"", MalformedBody, "parse error"),
    ("json", b"[]", Unprocessable, "JSON doesn't appear to be a hash"),
    ("json", b'{"url":{}}', Unprocessable, "not of the expected shape"),
    ("json", b'{"environment_id":"roof"}', Unprocessable, "Environment id is not a number"),
    ("json", b'{"environment_id":-7}', Unprocessable, "Environment id must not be negative"),
    ("json", b'{"environment_id":1.5}', Unprocessable, "Environment id is not a number"),
    ("json", b'{"threshold_value":[1]}', Unprocessable, "Threshold value must be a string or a number"),
    ("xml", b"", MalformedBody, "at 1:1"),
    ("xml", b"<trigger/>", MalformedBody, "Missing 'datastream-trigger' node"),
    ("xml", b"<datastream-trigger><url/><url/></datastream-trigger>", MalformedBody, "Multiple 'url' nodes"),
    ("xml", b"<datastream-trigger><environment-id>x</environment-id></datastream-trigger>", Unprocessable, "is not a number"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "refusal", "text"), REFUSED)
def test_what_is_no_trigger_is_refused(
    name: str, body: bytes, refusal: type[Exception], text: str
) -> None:
    with pytest.raises(refusal) as raised:
        TRIGGER_CODECS[name].parse(body)
    assert text in str(raised.value)


FIRED = TriggerBody(
    21962,
    "http://r/?a=1&b=2",
    "lt",
    "ada",
    121601,
    "example",
    "15.0",
    "2013-05-06T20:08:17.000000Z",
)
FRESH = TriggerBody(21955, "http://r/", "change", "ada", 121601, "example")


def test_json_is_flat_and_a_list_is_a_bare_array() -> None:
    codec = TRIGGER_CODECS["json"]
    written = json.loads(codec.serialize(FIRED))
    assert written == {
        "id": 21962,
        "url": "http://r/?a=1&b=2",
        "trigger_type": "lt",
        "user": "ada",
        "environment_id": 121601,
        "stream_id": "example",
        "threshold_value": "15.0",
        "notified_at": "2013-05-06T20:08:17.000000Z",
    }
    assert "threshold_value" not in json.loads(codec.serialize(FRESH))
    assert json.loads(codec.serialize_list([FIRED]))[0] == written
    assert codec.serialize_list([]) == b"[]"


def test_xml_names_have_dashes_and_types() -> None:
    codec = TRIGGER_CODECS["xml"]
    written = codec.serialize(FIRED).decode()
    assert written.partition("\n")[2] == (
        '<datastream-trigger><id type="integer">21962</id><url>http://r/?a=1&amp;b=2</url>'
        "<trigger-type>lt</trigger-type>"
        '<threshold-value type="float">15.0</threshold-value>'
        '<notified-at type="datetime">2013-05-06T20:08:17.000000Z</notified-at><user>ada</user>'
        '<environment-id type="integer">121601</environment-id><stream-id>example</stream-id>'
        "</datastream-trigger>"
    )
    listed = codec.serialize_list([FIRED, FRESH]).decode()
    assert (
        '<datastream-triggers type="array"><datastream-trigger><id type="integer">21962' in listed
    )
    assert listed.count("<threshold-value") == listed.count("<notified-at") == 1


@pytest.mark.parametrize("codec", TRIGGER_CODECS.values(), ids=TRIGGER_CODECS)
def test_what_was_read_may_be_sent_back(codec) -> None:  # type: ignore[no-untyped-def] # a codec of either format
    document = codec.parse(codec.serialize(FIRED))
    assert document == TriggerDocument("http://r/?a=1&b=2", "lt", "15.0", 121601, "example")
