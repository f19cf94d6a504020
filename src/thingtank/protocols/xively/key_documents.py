"""API keys on the wire, in JSON and XML: what clients may send, and what is answered.

Read-only members (`api_key`, `id`, `user`) are ignored. XML writes names with `-`; the service's
own example has one with `_`, so both are read.

Source: Xively API v2, keys; xively-rb, key, permission and resource.
"""

from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

import msgspec
from msgspec import UNSET, UnsetType

from thingtank.protocols.xively import xml_writer
from thingtank.protocols.xively.documents import Text
from thingtank.protocols.xively.errors import MalformedXml, Unprocessable
from thingtank.protocols.xively.json_format import decode, serialize
from thingtank.protocols.xively.members import number_of_member, text_of_member, truth_of_member
from thingtank.protocols.xively.times import MalformedTime, parse_time
from thingtank.protocols.xively.xml_reader import child_of, own_text, read_xml
from thingtank.protocols.xively.xml_writer import add, add_named

PERMISSIONS_MAX = 100
RESOURCES_MAX = 1000  # of one permission

_NO_RESOURCE = (
    "Must supply at least one of feed_id (optionally with a datastream_id) or datastream_trigger_id"
)
_NO_FEED = "can't be blank if we have supplied a datastream_id"


class ResourceDocument(msgspec.Struct, frozen=True, gc=False):
    """What a permission is limited to: a feed, a datastream of it, or a trigger."""

    feed_id: int | None = None
    datastream_id: str | None = None
    datastream_trigger_id: int | None = None


class PermissionDocument(msgspec.Struct, frozen=True, gc=False):
    """One way in.

    Attributes:
        access_methods: lower case, as they were sent; which there are, the tank knows.
        minimum_interval: seconds; 0 when there is none.
    """

    access_methods: tuple[str, ...] = ()
    resources: tuple[ResourceDocument, ...] = ()
    source_ip: str = ""
    referer: str = ""
    minimum_interval: int = 0
    label: str = ""


class KeyDocument(msgspec.Struct, frozen=True, gc=False):
    """A key as a client sends it: UNSET members stay.

    Attributes:
        expires_us: microseconds since the epoch, UTC; None for never.
    """

    label: str | UnsetType = UNSET
    private_access: bool | UnsetType = UNSET
    expires_us: int | UnsetType | None = UNSET
    permissions: tuple[PermissionDocument, ...] | UnsetType = UNSET


class ResourceBody(msgspec.Struct, omit_defaults=True, gc=False):
    """What a permission is limited to, in an answer."""

    feed_id: int
    datastream_id: str = ""


class PermissionBody(msgspec.Struct, omit_defaults=True, gc=False):
    """One way in, in an answer."""

    access_methods: tuple[str, ...]
    label: str = ""
    referer: str = ""
    source_ip: str = ""
    minimum_interval: int = 0
    resources: list[ResourceBody] = []


class KeyBody(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """A key in an answer: these members only, one client refuses more."""

    api_key: str
    expires_at: str = ""
    label: str
    private_access: bool
    permissions: list[PermissionBody]


class _KeyEnvelope(msgspec.Struct, gc=False):
    key: KeyBody


class _KeysEnvelope(msgspec.Struct, gc=False):
    keys: Sequence[KeyBody]


# --- in ------------------------------------------------------------------------------------------


class _ResourceWire(msgspec.Struct, gc=False):
    feed_id: Text = UNSET
    datastream_id: Text = UNSET
    datastream_trigger_id: Text = UNSET


class _PermissionWire(msgspec.Struct, gc=False):
    access_methods: list[str] | str | None = None
    resources: list[_ResourceWire] | None = None
    source_ip: Text = UNSET
    referer: Text = UNSET
    minimum_interval: Text = UNSET
    label: Text = UNSET


class _KeyWire(msgspec.Struct, gc=False):
    label: Text = UNSET
    private_access: Text = UNSET
    expires_at: Text = UNSET
    permissions: list[_PermissionWire] | UnsetType | None = UNSET


class _Wrapped(msgspec.Struct, gc=False):
    key: _KeyWire


_DECODER = msgspec.json.Decoder(_Wrapped, float_hook=str)


def parse_json(body: bytes) -> KeyDocument:
    """Read a key document, an object with `key`; raises MalformedBody, Unprocessable."""
    return _document(decode(_DECODER, body).key)


def parse_xml(body: bytes) -> KeyDocument:
    """Read a `key` document; raises MalformedXml, Unprocessable."""
    root = read_xml(body)
    if root.tag != "key":
        raise MalformedXml("Missing 'key' node")
    for element in root.iter():
        element.tag = element.tag.replace("-", "_")
    permissions = child_of(root, "permissions")
    wire = _KeyWire(**_texts(root, ("label", "private_access", "expires_at")))
    if permissions is not None:
        wire.permissions = [_xml_permission(item) for item in permissions.findall("permission")]
    return _document(wire)


def _xml_permission(permission: Element) -> _PermissionWire:
    resources = child_of(permission, "resources")
    return _PermissionWire(
        access_methods=[
            own_text(method)
            for methods in permission.findall("access_methods")
            for method in methods.findall("access_method")
        ],
        resources=[
            _ResourceWire(**_texts(resource, _ResourceWire.__struct_fields__))
            for resource in resources.findall("resource")
        ]
        if resources is not None
        else None,
        **_texts(permission, ("source_ip", "referer", "minimum_interval", "label")),
    )


def _texts(parent: Element, names: Sequence[str]) -> dict[str, Any]:
    """The texts of children that are there."""
    found = {name: child_of(parent, name) for name in names}
    return {name: own_text(child) for name, child in found.items() if child is not None}


def _document(wire: _KeyWire) -> KeyDocument:
    return KeyDocument(
        label=text_of_member(wire.label),
        private_access=truth_of_member(wire.private_access, "private_access"),
        expires_us=_expires_us(text_of_member(wire.expires_at)),
        permissions=UNSET if wire.permissions is UNSET else _permissions(wire.permissions or []),
    )


def _expires_us(text: str | UnsetType) -> int | UnsetType | None:
    if text is UNSET:
        return UNSET
    if text == "":
        return None
    try:
        # `2013-03-27 01:23:45 UTC` is how the service's own list in XML has it.
        return parse_time(f"{text[:-4]}Z" if text.endswith(" UTC") else text)
    except (MalformedTime, OverflowError):
        raise Unprocessable([("expires_at", "is not an ISO 8601 time")]) from None


def _permissions(wires: list[_PermissionWire]) -> tuple[PermissionDocument, ...]:
    if len(wires) > PERMISSIONS_MAX:
        raise Unprocessable([("permissions", f"can't be more than {PERMISSIONS_MAX}")])
    return tuple(map(_permission, wires))


def _permission(wire: _PermissionWire) -> PermissionDocument:
    if wire.resources == []:
        # Left out it means everything: a program that filtered its list down to nothing means less.
        raise Unprocessable([("permissions_resources", "can't be blank; leave it out for all")])
    resources = wire.resources or []
    if len(resources) > RESOURCES_MAX:
        raise Unprocessable([("permissions_resources", f"can't be more than {RESOURCES_MAX}")])
    methods = wire.access_methods or []
    methods = methods.split(",") if isinstance(methods, str) else methods
    return PermissionDocument(
        access_methods=tuple(method.strip().lower() for method in methods),
        resources=tuple(map(_resource, resources)),
        source_ip=text_of_member(wire.source_ip) or "",
        referer=text_of_member(wire.referer) or "",
        minimum_interval=number_of_member(wire.minimum_interval, "permissions_minimum_interval")
        or 0,
        label=text_of_member(wire.label) or "",
    )


def _resource(wire: _ResourceWire) -> ResourceDocument:
    resource = ResourceDocument(
        feed_id=number_of_member(wire.feed_id, "permissions_resources_feed_id") or None,
        datastream_id=text_of_member(wire.datastream_id) or None,
        datastream_trigger_id=number_of_member(
            wire.datastream_trigger_id, "permissions_resources_datastream_trigger_id"
        )
        or None,
    )
    if resource.feed_id is None and resource.datastream_id is not None:
        raise Unprocessable([("permissions_resources_feed_id", _NO_FEED)])
    if resource == ResourceDocument():
        raise Unprocessable([("", _NO_RESOURCE)])
    return resource


# --- out -----------------------------------------------------------------------------------------


def serialize_json(body: KeyBody) -> bytes:
    """Write a key, wrapped in `key`."""
    return serialize(_KeyEnvelope(body))


def serialize_list_json(bodies: Sequence[KeyBody]) -> bytes:
    """Write keys as a list of flat objects in `keys`."""
    return serialize(_KeysEnvelope(bodies))


def serialize_xml(body: KeyBody) -> bytes:
    """Write a `key`."""
    root = xml_writer.root("key")
    _add_members(root, body, body.expires_at)
    return xml_writer.document(root)


def serialize_list_xml(bodies: Sequence[KeyBody]) -> bytes:
    """Write `keys`; here times of expiry have the form that Ruby gave them."""
    root = xml_writer.root("keys", {"type": "array"})
    for body in bodies:
        expires = f"{body.expires_at[:10]} {body.expires_at[11:19]} UTC" if body.expires_at else ""
        _add_members(add(root, "key"), body, expires)
    return xml_writer.document(root)


def _add_members(key: Element, body: KeyBody, expires_at: str) -> None:
    add_named(key, {"api-key": body.api_key, "label": body.label, "expires-at": expires_at})
    add(key, "private-access", "true" if body.private_access else "false")
    permissions = add(key, "permissions")
    for permission in body.permissions:
        _add_permission(add(permissions, "permission"), permission)


def _add_permission(element: Element, body: PermissionBody) -> None:
    interval = str(body.minimum_interval) if body.minimum_interval else ""
    add_named(
        element,
        {
            "label": body.label,
            "referer": body.referer,
            "source-ip": body.source_ip,
            "minimum-interval": interval,
        },
    )
    methods = add(element, "access-methods")
    for method in body.access_methods:
        add(methods, "access-method", method)
    if body.resources:
        resources = add(element, "resources")
        for item in body.resources:
            resource = add(resources, "resource")
            add(resource, "feed-id", str(item.feed_id))
            add_named(resource, {"datastream-id": item.datastream_id})
