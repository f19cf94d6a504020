"""Triggers on the wire, in JSON and XML: what clients may send, and what is answered.

Read-only members (`id`, `user`, `notified_at`) are ignored; clients send back all that they read.

Source: Xively API v2, triggers; xively-rb, trigger.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import msgspec
from msgspec import UNSET, UnsetType

from thingtank.protocols.xively import xml_writer
from thingtank.protocols.xively.documents import Text, Value
from thingtank.protocols.xively.errors import MalformedXml
from thingtank.protocols.xively.json_format import decode, serialize, value_of
from thingtank.protocols.xively.members import number_of_member, text_of_member
from thingtank.protocols.xively.xml_reader import read_xml, text_of
from thingtank.protocols.xively.xml_writer import add


class TriggerDocument(msgspec.Struct, frozen=True, gc=False):
    """A trigger as a client sends it: UNSET members stay, blank texts are blank.

    Attributes:
        threshold_value: the text of a number or of a value; None to take it away.
        environment_id: the feed; None when it is null or blank.
        stream_id: the datastream.
    """

    url: str | UnsetType = UNSET
    trigger_type: str | UnsetType = UNSET
    threshold_value: str | UnsetType | None = UNSET
    environment_id: int | UnsetType | None = UNSET
    stream_id: str | UnsetType = UNSET


class TriggerBody(msgspec.Struct, omit_defaults=True, gc=False):
    """A trigger in an answer: these members only, one client refuses more."""

    id: int
    url: str
    trigger_type: str
    user: str
    environment_id: int
    stream_id: str
    threshold_value: str = ""
    notified_at: str = ""


class _Wire(msgspec.Struct, gc=False):
    url: Text = UNSET
    trigger_type: Text = UNSET
    threshold_value: Value = UNSET
    environment_id: Text = UNSET
    stream_id: Text = UNSET


_DECODER = msgspec.json.Decoder(_Wire, float_hook=str)


def parse_json(body: bytes) -> TriggerDocument:
    """Read a trigger document; raises MalformedBody, Unprocessable."""
    return _document(decode(_DECODER, body))


def parse_xml(body: bytes) -> TriggerDocument:
    """Read a `datastream-trigger` document; raises MalformedXml, Unprocessable."""
    root = read_xml(body)
    if root.tag != "datastream-trigger":
        raise MalformedXml("Missing 'datastream-trigger' node")
    return _document(_Wire(**{name: _xml_member(root, name) for name in _Wire.__struct_fields__}))


def _xml_member(root: Element, name: str) -> str | UnsetType:
    text = text_of(root, name.replace("_", "-"))
    return UNSET if text is None else text


def _document(wire: _Wire) -> TriggerDocument:
    threshold = wire.threshold_value
    return TriggerDocument(
        url=text_of_member(wire.url),
        trigger_type=text_of_member(wire.trigger_type),
        threshold_value=UNSET if threshold is UNSET else _threshold(threshold),
        environment_id=number_of_member(wire.environment_id, "environment_id"),
        stream_id=text_of_member(wire.stream_id),
    )


def _threshold(value: Value) -> str | None:
    text = value_of(value, "threshold_value")
    return text.strip() or None if text else None


def serialize_json(body: TriggerBody) -> bytes:
    """Write a trigger, flat."""
    return serialize(body)


def serialize_list_json(bodies: Sequence[TriggerBody]) -> bytes:
    """Write triggers as a bare array."""
    return serialize(bodies)


def serialize_xml(body: TriggerBody) -> bytes:
    """Write a `datastream-trigger`."""
    root = xml_writer.root("datastream-trigger")
    _add_members(root, body)
    return xml_writer.document(root)


def serialize_list_xml(bodies: Sequence[TriggerBody]) -> bytes:
    """Write `datastream-triggers`."""
    root = xml_writer.root("datastream-triggers", {"type": "array"})
    for body in bodies:
        _add_members(add(root, "datastream-trigger"), body)
    return xml_writer.document(root)


def _add_members(trigger: Element, body: TriggerBody) -> None:
    add(trigger, "id", str(body.id), {"type": "integer"})
    add(trigger, "url", body.url)
    add(trigger, "trigger-type", body.trigger_type)
    if body.threshold_value:
        add(trigger, "threshold-value", body.threshold_value, {"type": "float"})
    if body.notified_at:
        add(trigger, "notified-at", body.notified_at, {"type": "datetime"})
    add(trigger, "user", body.user)
    add(trigger, "environment-id", str(body.environment_id), {"type": "integer"})
    add(trigger, "stream-id", body.stream_id)
