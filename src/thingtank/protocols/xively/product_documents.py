"""Products, their devices and activation as they stand on the wire: JSON, activation also CSV.

What comes in is read leniently, as feeds are; members that only the server sets are ignored.

Source: Xively API v2, products, devices, provisioning.
"""

import csv
import io
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from thingtank.protocols.xively.documents import Tags, Text, UnitBody, UnitDocument
from thingtank.protocols.xively.errors import MalformedQuery
from thingtank.protocols.xively.json_format import decode, serialize, split_tags
from thingtank.protocols.xively.members import text_of_member, truth_of_member
from thingtank.protocols.xively.query import Parameters, first, page_of
from thingtank.protocols.xively.times import format_time

DEVICES_PER_PAGE = 30
STATES = ("develop", "deploy")
_ACTIVATED = {"": None, "all": None, "true": True, "false": False}


# --- what clients send --------------------------------------------------------------------------


class TemplateDatastreamDocument(msgspec.Struct, frozen=True):
    """A datastream of `feed_defaults`."""

    id: str
    tags: tuple[str, ...] = ()
    unit: UnitBody | None = None


class FeedDefaultsDocument(msgspec.Struct, frozen=True):
    """`feed_defaults` as a client sends it: UNSET members stay, blank ones are cleared."""

    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    private: bool | UnsetType = UNSET
    website: str | UnsetType = UNSET
    datastreams: tuple[TemplateDatastreamDocument, ...] | UnsetType = UNSET


class ProductDocument(msgspec.Struct, frozen=True):
    """A product as a client sends it: UNSET members stay."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    feed_defaults: FeedDefaultsDocument | UnsetType = UNSET


class ProductDevicesQuery(msgspec.Struct, frozen=True):
    """Which devices of a product a list asks for.

    Attributes:
        serial: a serial or a part of one; blank for all.
        activated: None for all.
    """

    serial: str
    activated: bool | None
    page: int
    per_page: int


class _StreamWire(msgspec.Struct, gc=False):
    id: Text = UNSET
    tags: Tags = UNSET
    unit: UnitDocument | None = None


class _DefaultsWire(msgspec.Struct, gc=False):
    title: Text = UNSET
    description: Text = UNSET
    tags: Tags = UNSET
    private: Text = UNSET
    website: Text = UNSET
    datastreams: list[_StreamWire] | UnsetType | None = UNSET


class _ProductWire(msgspec.Struct, gc=False):
    name: Text = UNSET
    description: Text = UNSET
    feed_defaults: _DefaultsWire | UnsetType | None = UNSET


class _WrappedProduct(msgspec.Struct, gc=False):
    product: _ProductWire


class _SerialWire(msgspec.Struct, gc=False):
    serial: Text = UNSET


class _WrappedDevice(msgspec.Struct, gc=False):
    device: _SerialWire


class _WrappedDevices(msgspec.Struct, gc=False):
    devices: list[_SerialWire | str | int]


_PRODUCT = msgspec.json.Decoder(_WrappedProduct, float_hook=str)
_DEVICE = msgspec.json.Decoder(_WrappedDevice, float_hook=str)
_DEVICES = msgspec.json.Decoder(_WrappedDevices, float_hook=str)


def parse_product(body: bytes) -> ProductDocument:
    """Read a product, an object with `product`.

    Raises:
        MalformedBody, Unprocessable.
    """
    wire = decode(_PRODUCT, body).product
    return ProductDocument(
        name=text_of_member(wire.name),
        description=text_of_member(wire.description),
        feed_defaults=UNSET if not wire.feed_defaults else _defaults(wire.feed_defaults),
    )


def _defaults(wire: _DefaultsWire) -> FeedDefaultsDocument:
    streams = wire.datastreams
    return FeedDefaultsDocument(
        title=text_of_member(wire.title),
        description=text_of_member(wire.description),
        tags=_tags(wire.tags),
        private=truth_of_member(wire.private, "feed_defaults_private"),
        website=text_of_member(wire.website),
        datastreams=UNSET if streams is UNSET else tuple(map(_stream, streams or ())),
    )


def _tags(value: Tags) -> tuple[str, ...] | UnsetType:
    if value is UNSET:
        return UNSET
    if isinstance(value, str):
        return tuple(split_tags(value))
    return tuple(text_of_member(tag) or "" for tag in value or ())


def _stream(wire: _StreamWire) -> TemplateDatastreamDocument:
    unit = wire.unit
    return TemplateDatastreamDocument(
        id=text_of_member(wire.id) or "",
        tags=_tags(wire.tags) or (),
        unit=None
        if unit is None
        else UnitBody(
            text_of_member(unit.type) or "",
            text_of_member(unit.symbol) or "",
            text_of_member(unit.label) or "",
        ),
    )


def parse_device(body: bytes) -> str:
    """Read the new serial of a device, an object with `device`; blank when there is none.

    Raises:
        MalformedBody, Unprocessable.
    """
    return text_of_member(decode(_DEVICE, body).device.serial) or ""


def parse_devices(body: bytes) -> list[str]:
    """Read the serials of `devices`, in their order and not yet checked.

    Each is an object with `serial`, as documented, or the serial itself.

    Raises:
        MalformedBody, Unprocessable.
    """
    return [
        text_of_member(item.serial if isinstance(item, _SerialWire) else item) or ""
        for item in decode(_DEVICES, body).devices
    ]


def parse_devices_query(parameters: Parameters) -> ProductDevicesQuery:
    """Read the terms of a list of devices; `per_page` is clipped to what is allowed.

    Raises:
        MalformedQuery.
    """
    activated = first(parameters, "activated").strip().lower()
    if activated not in _ACTIVATED:
        raise MalformedQuery("activated must be true, false or all")
    page, per_page = page_of(parameters, DEVICES_PER_PAGE)
    serial = first(parameters, "serial").strip()
    return ProductDevicesQuery(serial, _ACTIVATED[activated], page, per_page)


def parse_state(parameters: Parameters) -> Literal["", "develop", "deploy"]:
    """Read the `state` that a list of products is limited to; blank for all.

    Raises:
        MalformedQuery.
    """
    match first(parameters, "state").strip().lower():
        case "":
            return ""
        case "develop":
            return "develop"
        case "deploy":
            return "deploy"
    raise MalformedQuery(f"state must be one of {', '.join(STATES)}")


# --- what is answered ---------------------------------------------------------------------------


class TemplateDatastreamBody(msgspec.Struct, omit_defaults=True, gc=False):
    """A datastream of `feed_defaults` in an answer."""

    id: str
    tags: tuple[str, ...] = ()
    unit: UnitBody | None = None


class FeedDefaultsBody(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """`feed_defaults` in an answer; blanks are left out.

    Attributes:
        private: `true` or `false`, as a text.
    """

    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    private: str
    website: str = ""
    datastreams: Sequence[TemplateDatastreamBody] = ()


class ProductBody(msgspec.Struct, gc=False):
    """A product in an answer.

    Attributes:
        user: its owner's login.
    """

    name: str
    description: str
    product_id: str
    secret: str
    state: str
    devices_count: int
    activated_devices_count: int
    user: str
    feed_defaults: FeedDefaultsBody


class ProductDeviceBody(msgspec.Struct, gc=False):
    """A product's device in an answer: `feed_id` and `api_key` only where there are some.

    Attributes:
        created_at, activated_at: to the second, as `format_second` writes them.
    """

    serial: str
    activation_code: str
    created_at: str
    activated_at: str | None
    feed_id: int | UnsetType = UNSET
    api_key: str | UnsetType = UNSET


class ActivationBody(msgspec.Struct, gc=False):
    """What an activated device is told. Members are spelled as on the wire.

    Attributes:
        datastreams: names.
    """

    apikey: str
    feed_id: int
    datastreams: Sequence[str]


class _ProductEnvelope(msgspec.Struct, gc=False):
    product: ProductBody


class _ProductsPage(msgspec.Struct, gc=False):
    totalResults: int
    itemsPerPage: int
    startIndex: int
    products: Sequence[ProductBody]


class _DeviceEnvelope(msgspec.Struct, gc=False):
    device: ProductDeviceBody


class _DevicesPage(msgspec.Struct, gc=False):
    totalResults: int
    itemsPerPage: int
    startIndex: int
    devices: Sequence[ProductDeviceBody]


def format_second(at_us: int) -> str:
    """A time to the second, as devices' times are shown."""
    return format_time(at_us)[:19] + "Z"


def serialize_product(body: ProductBody) -> bytes:
    """Write a product, wrapped in `product`."""
    return serialize(_ProductEnvelope(body))


def serialize_products(
    bodies: Sequence[ProductBody], total_count: int, page: int, per_page: int
) -> bytes:
    """Write one page of products; each is a flat object."""
    return serialize(_ProductsPage(total_count, per_page, _start_index(page, per_page), bodies))


def serialize_device(body: ProductDeviceBody) -> bytes:
    """Write a product's device, wrapped in `device`."""
    return serialize(_DeviceEnvelope(body))


def serialize_devices(
    bodies: Sequence[ProductDeviceBody], total_count: int, page: int, per_page: int
) -> bytes:
    """Write one page of a product's devices; each is a flat object."""
    return serialize(_DevicesPage(total_count, per_page, _start_index(page, per_page), bodies))


def _start_index(page: int, per_page: int) -> int:
    return (page - 1) * per_page + 1


def serialize_activation_json(body: ActivationBody) -> bytes:
    """Write what an activated device is told."""
    return serialize(body)


def serialize_activation_csv(body: ActivationBody) -> bytes:
    """Write what an activated device is told as one line: key, feed, count of names, names.

    There is no end of line: small clients take the last name to the very end of the body.

    Source: Xively API v2, "Activate a device".
    """
    line = io.StringIO()
    cells = (body.apikey, body.feed_id, len(body.datastreams), *body.datastreams)
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue().encode()
