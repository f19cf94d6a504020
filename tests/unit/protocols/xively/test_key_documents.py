"""Keys in JSON and XML: which members are read, and exactly which are written."""

import json
from typing import Any

import pytest
from msgspec import UNSET

from thingtank.protocols.xively.errors import MalformedBody, Unprocessable
from thingtank.protocols.xively.formats import KEY_CODECS
from thingtank.protocols.xively.key_documents import (
    KeyBody,
    KeyDocument,
    PermissionBody,
    PermissionDocument,
    ResourceBody,
    ResourceDocument,
    parse_json,
    parse_xml,
)

EXPIRES_US = 1_364_347_425_123_456


def in_json(**members: Any) -> bytes:
    return json.dumps({"key": members}).encode()


def in_xml(inner: str) -> bytes:
    return f"<key>{inner}</key>".encode()


def permission(**members: Any) -> dict[str, Any]:
    return {"permissions": [{"access_methods": ["get"]} | members]}


FULL = KeyDocument(
    "sharing key",
    True,
    EXPIRES_US,
    (
        PermissionDocument(
            ("put",), (ResourceDocument(504, "1"),), "128.44.98.129", "my-domain.com", 60, "write"
        ),
        PermissionDocument(("get", "delete")),
    ),
)


def test_2_3_all_members_in_json() -> None:
    body = in_json(
        label="sharing key",
        private_access=True,
        expires_at="2013-03-27T01:23:45.123456Z",
        permissions=[
            {
                "access_methods": ["PUT"],
                "source_ip": "128.44.98.129",
                "referer": "my-domain.com",
                "minimum_interval": 60,
                "label": "write",
                "resources": [{"feed_id": "504", "datastream_id": 1}],
            },
            {"access_methods": "get, delete"},
        ],
    )
    assert parse_json(body) == FULL


@pytest.mark.parametrize("mark", ["-", "_"])
def test_2_3_all_members_in_xml(mark: str) -> None:
    inner = (
        "<id>9</id><api-key>K</api-key><label>sharing key</label><private-access>true</private-access>"
        "<expires-at>2013-03-27T01:23:45.123456Z</expires-at><permissions><permission>"
        "<access-methods><access-method>PUT</access-method></access-methods>"
        "<source-ip>128.44.98.129</source-ip><referer>my-domain.com</referer>"
        "<minimum-interval>60</minimum-interval><label>write</label>"
        "<resources><resource><feed-id>504</feed-id><datastream-id>1</datastream-id>"
        "</resource></resources></permission><permission><access-methods>"
        "<access-method>get</access-method><access-method>delete</access-method>"
        "</access-methods></permission></permissions>"
    ).replace("-", mark)
    inner = inner.replace("my_domain", "my-domain").replace("2013_03_27", "2013-03-27")
    assert parse_xml(in_xml(inner)) == FULL


def test_absent_members_stay() -> None:
    assert parse_json(in_json()) == parse_xml(in_xml("")) == KeyDocument()


MEMBERS = [
    (in_json(private_access="false"), KeyDocument(private_access=False)),
    (in_json(private_access=None), KeyDocument()),
    (in_json(expires_at=None), KeyDocument(expires_us=None)),
    (in_json(expires_at=""), KeyDocument(expires_us=None)),
    (in_json(label=None), KeyDocument(label="")),
    (in_json(permissions=None), KeyDocument(permissions=())),
    (in_json(api_key="K", user="ada", id=7), KeyDocument()),
    (in_json(**permission(resources=None, source_ip=None, minimum_interval="")), KeyDocument(permissions=(PermissionDocument(("get",)),))),
    (in_json(**permission(resources=[{"datastream_trigger_id": 5}])), KeyDocument(permissions=(PermissionDocument(("get",), (ResourceDocument(datastream_trigger_id=5),)),))),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), MEMBERS)
def test_members_are_read_leniently(body: bytes, expected: KeyDocument) -> None:
    assert parse_json(body) == expected


def test_the_services_own_form_of_an_expiry_is_read() -> None:
    document = parse_xml(in_xml("<expires-at>2013-03-27 01:23:45 UTC</expires-at>"))
    assert document.expires_us == EXPIRES_US - 123_456


NO_RESOURCE = (
    "Must supply at least one of feed_id (optionally with a datastream_id) or datastream_trigger_id"
)
REFUSED = [
    (b"{", MalformedBody, "parse error"),
    (b"[]", Unprocessable, "JSON doesn't appear to be a hash"),
    (b"{}", Unprocessable, "`key` is missing"),
    (b'{"key":7}', Unprocessable, "not of the expected shape"),
    (in_json(private_access="maybe"), Unprocessable, "Private access must be true or false"),
    (in_json(expires_at=12345), Unprocessable, "Expires at is not an ISO 8601 time"),
    (in_json(permissions={}), Unprocessable, "not of the expected shape"),
    (in_json(**permission(resources=[{}])), Unprocessable, NO_RESOURCE),
    (in_json(**permission(resources=[{"datastream_id": "1"}])), Unprocessable, "can't be blank if we have supplied a datastream_id"),
    (in_json(**permission(resources=[{"feed_id": "FEED"}])), Unprocessable, "Permissions resources feed id is not a number"),
    (in_json(**permission(minimum_interval=-1)), Unprocessable, "Permissions minimum interval must not be negative"),
    (in_json(**permission(minimum_interval="1" * 19)), Unprocessable, "Permissions minimum interval is too large"),
    (in_json(**permission(resources=[{"feed_id": 1}] * 1001)), Unprocessable, "can't be more than 1000"),
    (in_json(permissions=[{}] * 101), Unprocessable, "can't be more than 100"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "refusal", "text"), REFUSED)
def test_what_is_no_key_is_refused(body: bytes, refusal: type[Exception], text: str) -> None:
    with pytest.raises(refusal) as raised:
        parse_json(body)
    assert text in str(raised.value)


def test_xml_of_something_else_is_refused() -> None:
    with pytest.raises(MalformedBody, match="Missing 'key' node"):
        parse_xml(b"<keys/>")


KEY = KeyBody(
    api_key="K1",
    label="sharing <key>",
    private_access=False,
    expires_at="2013-03-27T01:23:45.123456Z",
    permissions=[
        PermissionBody(("put",), referer="my-domain.com", resources=[ResourceBody(504, "1")]),
        PermissionBody(("get",)),
    ],
)
PLAIN = KeyBody(
    api_key="K2", label="x", private_access=True, permissions=[PermissionBody(("get",))]
)


def test_2_3_json_has_no_more_members_than_clients_know() -> None:
    written = {
        "api_key": "K1",
        "expires_at": "2013-03-27T01:23:45.123456Z",
        "label": "sharing <key>",
        "private_access": False,
        "permissions": [
            {
                "access_methods": ["put"],
                "referer": "my-domain.com",
                "resources": [{"feed_id": 504, "datastream_id": "1"}],
            },
            {"access_methods": ["get"]},
        ],
    }
    codec = KEY_CODECS["json"]
    assert json.loads(codec.serialize(KEY)) == {"key": written}
    listed = json.loads(codec.serialize_list([KEY, PLAIN]))
    assert listed["keys"][0] == written  # flat
    assert "expires_at" not in listed["keys"][1]
    assert codec.serialize_list([]) == b'{"keys":[]}'


def test_2_3_xml_lists_show_expiries_as_ruby_did() -> None:
    codec = KEY_CODECS["xml"]
    assert codec.serialize(KEY).decode().partition("\n")[2] == (
        "<key><api-key>K1</api-key><label>sharing &lt;key&gt;</label>"
        "<expires-at>2013-03-27T01:23:45.123456Z</expires-at><private-access>false</private-access>"
        "<permissions><permission><referer>my-domain.com</referer>"
        "<access-methods><access-method>put</access-method></access-methods><resources><resource>"
        "<feed-id>504</feed-id><datastream-id>1</datastream-id></resource></resources></permission>"
        "<permission><access-methods><access-method>get</access-method></access-methods>"
        "</permission></permissions></key>"
    )
    listed = codec.serialize_list([KEY, PLAIN]).decode()
    assert '<keys type="array"><key><api-key>K1</api-key>' in listed
    assert "<expires-at>2013-03-27 01:23:45 UTC</expires-at>" in listed
    assert listed.count("<expires-at>") == 1


def test_what_was_read_may_be_sent_back_in_either_format() -> None:
    read = [codec.parse(codec.serialize(KEY)) for codec in KEY_CODECS.values()]
    assert read[0] == read[1]
    assert read[0].expires_us == EXPIRES_US
    assert read[0].permissions is not UNSET
