"""Products, devices and activation on the wire, case by case."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from thingtank.protocols.xively.documents import UnitBody
from thingtank.protocols.xively.errors import MalformedBody, MalformedQuery, Unprocessable
from thingtank.protocols.xively.product_documents import (
    ActivationBody,
    FeedDefaultsBody,
    FeedDefaultsDocument,
    ProductBody,
    ProductDeviceBody,
    ProductDevicesQuery,
    ProductDocument,
    TemplateDatastreamBody,
    TemplateDatastreamDocument,
    format_second,
    parse_device,
    parse_devices,
    parse_devices_query,
    parse_product,
    parse_state,
    serialize_activation_csv,
    serialize_activation_json,
    serialize_device,
    serialize_devices,
    serialize_product,
    serialize_products,
)
from thingtank.protocols.xively.query import parse_parameters


def body_of(document: object) -> bytes:
    return json.dumps(document).encode()


PRODUCTS: list[tuple[str, Any, ProductDocument]] = [
    (
        "all of it, as the documentation has it",
        {
            "name": "Sensor",
            "description": "d",
            "user": "ignored",
            "secret": "ignored",
            "feed_defaults": {
                "title": "Greenhouse",
                "description": "fd",
                "tags": ["a", "b"],
                "private": "false",
                "website": "http://e.example",
                "datastreams": [
                    {
                        "id": "t",
                        "tags": "x, y",
                        "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
                    },
                    {"id": 0},
                ],
            },
        },
        ProductDocument(
            "Sensor",
            "d",
            FeedDefaultsDocument(
                "Greenhouse",
                "fd",
                ("a", "b"),
                False,
                "http://e.example",
                (
                    TemplateDatastreamDocument(
                        "t", ("x", "y"), UnitBody("derivedSI", "C", "Celsius")
                    ),
                    TemplateDatastreamDocument("0"),
                ),
            ),
        ),
    ),
    ("nothing", {}, ProductDocument()),
    ("a number as a name", {"name": 7}, ProductDocument("7")),
    ("null clears", {"name": None, "description": None}, ProductDocument("", "")),
    ("no template", {"feed_defaults": None}, ProductDocument()),
    ("a template of a truth", {"feed_defaults": {"private": True}}, ProductDocument(feed_defaults=FeedDefaultsDocument(private=True))),
    ("a template of no truth", {"feed_defaults": {"private": None}}, ProductDocument(feed_defaults=FeedDefaultsDocument(private=UNSET))),
    ("no datastreams any more", {"feed_defaults": {"datastreams": None, "tags": None}}, ProductDocument(feed_defaults=FeedDefaultsDocument(tags=(), datastreams=()))),
    ("a datastream of nothing", {"feed_defaults": {"datastreams": [{"unit": None, "tags": None}]}}, ProductDocument(feed_defaults=FeedDefaultsDocument(datastreams=(TemplateDatastreamDocument(""),)))),
    ("tags of texts and numbers", {"feed_defaults": {"tags": ["a", 1]}}, ProductDocument(feed_defaults=FeedDefaultsDocument(tags=("a", "1")))),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "document"), [row[1:] for row in PRODUCTS], ids=[row[0] for row in PRODUCTS])  # fmt: skip
def test_products_are_read(sent: Any, document: ProductDocument) -> None:
    assert parse_product(body_of({"product": sent})) == document


BAD = [
    (parse_product, b"", MalformedBody, "parse error"),
    (parse_product, b"{", MalformedBody, "parse error"),
    (parse_product, b"\xff\xfe", MalformedBody, "parse error"),
    (parse_product, b"[" * 100_000, (MalformedBody, Unprocessable), ""),
    (parse_product, b"[]", Unprocessable, "JSON doesn't appear to be a hash"),
    (parse_product, b"{}", Unprocessable, "`product` is missing"),
    (parse_product, b'{"product": []}', Unprocessable, "`product` must be an object, not a list"),
    (parse_product, b'{"product": {"name": {}}}', Unprocessable, r"`product\.name` must be a string"),
    (parse_product, b'{"product": {"feed_defaults": "x"}}', Unprocessable, r"feed_defaults"),
    (parse_product, b'{"product": {"feed_defaults": {"private": "maybe"}}}', Unprocessable, "feed defaults private must be true or false"),
    (parse_product, b'{"product": {"feed_defaults": {"datastreams": {}}}}', Unprocessable, r"datastreams"),
    (parse_product, b'{"product": {"feed_defaults": {"tags": [[]]}}}', Unprocessable, r"tags"),
    (parse_device, b"{}", Unprocessable, "`device` is missing"),
    (parse_device, b'{"device": {"serial": []}}', Unprocessable, r"serial"),
    (parse_devices, b'{"devices": null}', Unprocessable, "`devices` must be a list of these: an object, .*, not null"),
    (parse_devices, b'{"devices": {}}', Unprocessable, "`devices` must be a list of these: an object, .*, not an object"),
    (parse_devices, b'{"devices": [null]}', Unprocessable, r"`devices\[0\]` must be an object, a string or .*, not null"),
    (parse_devices, b'[{"serial": "A"}]', Unprocessable, "JSON doesn't appear to be a hash"),
]  # fmt: skip


@pytest.mark.parametrize(("parse", "body", "error", "message"), BAD, ids=[f"{row[0].__name__} {row[1][:40]!r}" for row in BAD])  # fmt: skip
def test_bodies_that_are_no_documents_are_refused(
    parse: Any, body: bytes, error: Any, message: str
) -> None:
    with pytest.raises(error, match=f"(?i){message}"):
        parse(body)


SERIALS = [
    ([{"serial": "A"}, {"serial": "B"}], ["A", "B"]),
    (["A", "B"], ["A", "B"]),
    ([{"serial": 1}, 2], ["1", "2"]),
    ([{"serial": " A "}, {"serial": None}, {}], ["A", "", ""]),
    ([{"serial": "A", "activation_code": "x", "feed_id": 1}], ["A"]),
    ([], []),
]


@pytest.mark.parametrize(("sent", "serials"), SERIALS)
def test_serials_are_read_in_their_order(sent: Any, serials: list[str]) -> None:
    assert parse_devices(body_of({"devices": sent})) == serials


def test_a_new_serial_is_read() -> None:
    assert parse_device(b'{"device": {"serial": " N1 "}}') == "N1"
    assert parse_device(b'{"device": {}}') == ""


@given(st.binary() | st.text().map(str.encode))
def test_any_body_is_a_document_or_refused(body: bytes) -> None:
    for parse in (parse_product, parse_device, parse_devices):
        with pytest.raises((MalformedBody, Unprocessable)):
            parse(body)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["name", "feed_defaults", "tags", "private", "datastreams", "id", "unit", "serial"]), inner
    ),
)  # fmt: skip


@given(anything)
def test_any_content_is_read_or_refused(sent: Any) -> None:
    for parse, name in ((parse_product, "product"), (parse_device, "device"), (parse_devices, "devices")):  # fmt: skip
        try:
            parse(body_of({name: sent}))
        except (MalformedBody, Unprocessable):
            continue


QUERIES = [
    (b"", ProductDevicesQuery("", None, 1, 30)),
    (b"page=2&per_page=1000&serial=ab&activated=true", ProductDevicesQuery("ab", True, 2, 1000)),
    (b"activated=False", ProductDevicesQuery("", False, 1, 30)),
    (b"activated=all&per_page=5000", ProductDevicesQuery("", None, 1, 1000)),
    (b"serial=a%2Bb", ProductDevicesQuery("a+b", None, 1, 30)),
]


@pytest.mark.parametrize(("query", "terms"), QUERIES)
def test_list_terms_are_read(query: bytes, terms: ProductDevicesQuery) -> None:
    assert parse_devices_query(parse_parameters(query)) == terms


@pytest.mark.parametrize("query", [b"activated=maybe", b"page=x", b"per_page=-1", b"page=1e3"])
def test_list_terms_that_cannot_be_read_are_refused(query: bytes) -> None:
    with pytest.raises(MalformedQuery):
        parse_devices_query(parse_parameters(query))


def test_a_list_of_products_may_be_of_one_state() -> None:
    states = [
        parse_state(parse_parameters(query)) for query in (b"", b"state=Develop", b"state=deploy")
    ]
    assert states == ["", "develop", "deploy"]
    with pytest.raises(MalformedQuery, match="develop, deploy"):
        parse_state(parse_parameters(b"state=done"))


PRODUCT = ProductBody(
    name="Sensor",
    description="",
    product_id="AbCdEfGhIjKlMnOpQrSt",
    secret="836842cd3b57dce99afef7805c078a0821a88725",
    state="deploy",
    devices_count=2,
    activated_devices_count=1,
    user="alice",
    feed_defaults=FeedDefaultsBody(
        title="Greenhouse",
        tags=("a",),
        private="false",
        datastreams=[TemplateDatastreamBody("t", ("x",), UnitBody("", "C", "Celsius")), TemplateDatastreamBody("h")],
    ),
)  # fmt: skip
FLAT = {
    "name": "Sensor",
    "description": "",
    "product_id": "AbCdEfGhIjKlMnOpQrSt",
    "secret": "836842cd3b57dce99afef7805c078a0821a88725",
    "state": "deploy",
    "devices_count": 2,
    "activated_devices_count": 1,
    "user": "alice",
    "feed_defaults": {
        "title": "Greenhouse",
        "tags": ["a"],
        "private": "false",
        "datastreams": [
            {"id": "t", "tags": ["x"], "unit": {"symbol": "C", "label": "Celsius"}},
            {"id": "h"},
        ],
    },
}


def test_products_are_written_alone_wrapped_and_in_lists_flat() -> None:
    assert json.loads(serialize_product(PRODUCT)) == {"product": FLAT}
    assert json.loads(serialize_products([PRODUCT], 31, 2, 30)) == {
        "totalResults": 31,
        "itemsPerPage": 30,
        "startIndex": 31,
        "products": [FLAT],
    }


def test_what_is_written_of_a_product_can_be_sent_back() -> None:
    document = parse_product(serialize_product(PRODUCT))
    assert document == ProductDocument(
        "Sensor",
        "",
        FeedDefaultsDocument(
            title="Greenhouse",
            tags=("a",),
            private=False,
            datastreams=(
                TemplateDatastreamDocument("t", ("x",), UnitBody("", "C", "Celsius")),
                TemplateDatastreamDocument("h"),
            ),
        ),
    )


def test_devices_are_written_with_null_before_their_activation() -> None:
    created = format_second(1_351_705_301_999_999)
    assert created == "2012-10-31T17:41:41Z"
    waiting = ProductDeviceBody("A", "c0de", created, None)
    active = ProductDeviceBody("B", "c1de", created, created, 1001, "key")
    flat = {"serial": "A", "activation_code": "c0de", "created_at": created, "activated_at": None}
    assert json.loads(serialize_device(waiting)) == {"device": flat}
    assert json.loads(serialize_devices([waiting, active], 2, 1, 30)) == {
        "totalResults": 2,
        "itemsPerPage": 30,
        "startIndex": 1,
        "devices": [
            flat,
            {
                "serial": "B",
                "activation_code": "c1de",
                "created_at": created,
                "activated_at": created,
                "feed_id": 1001,
                "api_key": "key",
            },
        ],
    }


def test_an_activation_is_written_in_json_and_on_one_line_of_csv() -> None:
    body = ActivationBody("key", 1001, ["h", "t"])
    assert serialize_activation_json(body) == b'{"apikey":"key","feed_id":1001,"datastreams":["h","t"]}'  # fmt: skip
    assert serialize_activation_csv(body) == b"key,1001,2,h,t"
    assert serialize_activation_csv(ActivationBody("key", 1001, [])) == b"key,1001,0"
    assert serialize_activation_csv(ActivationBody("key", 1, ["ü"])) == "key,1,1,ü".encode()
