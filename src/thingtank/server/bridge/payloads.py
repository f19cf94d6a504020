"""What a WAMP payload is in MQTT, and the other way round.

| args, kwargs | octets | content type |
| --- | --- | --- |
| none | none | |
| one string | its UTF-8 | text/plain |
| one byte string | the same | application/octet-stream |
| one other value | its JSON | application/json |
| several args | a JSON array of them | application/json |
| kwargs alone | a JSON object of them | application/json |
| args and kwargs | `{"args": […], "kwargs": {…}}` | application/json |

And back, where the content type says JSON, or nothing:

| octets | args, kwargs |
| --- | --- |
| none | none |
| a JSON object of exactly the list `args` and the object `kwargs` | those |
| another JSON object, an array, number, `true`, `false` or `null` | one value |
| a JSON string, where the content type says JSON | one string |
| other UTF-8 | one string |
| other octets | one byte string |

A content type of `text/…` makes a string of them, any other one a byte string. MQTT before 5 has
no content types. Byte strings within JSON are as WAMP has them there: NUL and base64.
"""

from typing import Any

from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.properties import (
    Properties,
    forwarded_properties,
    parse_forwarded_properties,
)
from thingtank.protocols.wamp.errors import ProtocolViolation, UnconvertiblePayload
from thingtank.protocols.wamp.json_serializer import JSON
from thingtank.protocols.wamp.payloads import Payload, PayloadSerializer, payload_of

Arguments = tuple[list[Any], dict[str, Any]]
Octets = tuple[bytes, str]

TEXT, OCTETS, DOCUMENT = "text/plain", "application/octet-stream", "application/json"
_WHITESPACE = b" \t\r\n"
_BEGINNINGS = tuple(b"%c" % each for each in b"{[-0123456789tfn")  # of JSON but strings
_BOTH = {"args", "kwargs"}
_NOTHING: Arguments = ([], {})
_PROPERTIES = {
    content_type: forwarded_properties(
        Properties(
            payload_format_indicator=None if content_type == OCTETS else 1,
            content_type=content_type,
        )
    )
    for content_type in (TEXT, OCTETS, DOCUMENT)
}


def payload_from(message: Message, serializer: PayloadSerializer) -> Payload:
    """A message's payload for WAMP.

    Raises:
        UnconvertiblePayload: the serializer has no form for it.
    """
    content_type = ""
    if message.properties:
        content_type = parse_forwarded_properties(message.properties).content_type or ""
    return payload_of(serializer, *arguments_of(message.payload, content_type))


def octets_from(payload: Payload) -> tuple[bytes, bytes]:
    """A payload for MQTT: its octets, and the properties that tell of them.

    Raises:
        UnconvertiblePayload: it has no form there.
    """
    octets, content_type = octets_of(payload.args, payload.kwargs)
    return octets, _PROPERTIES[content_type] if content_type else b""


def arguments_of(octets: bytes, content_type: str = "") -> Arguments:
    """What octets are as arguments."""
    if not octets:
        return _NOTHING
    kind = content_type.partition(";")[0].strip().lower()
    if not kind or kind == DOCUMENT or kind.endswith("+json"):
        found = _arguments_of_document(octets, is_sure=bool(kind))
        if found is not None:
            return found
    elif not kind.startswith("text/"):
        return [octets], {}
    return [_text_or_octets(octets)], {}


def octets_of(args: list[Any], kwargs: dict[str, Any]) -> Octets:
    """What arguments are as octets, with their content type; both blank for none.

    Raises:
        UnconvertiblePayload: some value has no form in JSON.
    """
    if kwargs:
        return _json({"args": args, "kwargs": kwargs} if args or _is_both(kwargs) else kwargs)
    if not args:
        return b"", ""
    if len(args) > 1:
        return _json(args)
    value = args[0]
    if isinstance(value, bytes):
        return value, OCTETS
    if not isinstance(value, str):
        return _json(value)
    try:
        return value.encode(), TEXT
    except UnicodeEncodeError as error:
        raise UnconvertiblePayload(f"no form in UTF-8: {error}") from None


def _arguments_of_document(octets: bytes, *, is_sure: bool) -> Arguments | None:
    """What JSON is as arguments; None if it is none, or may as well be a text."""
    if not is_sure and not octets.lstrip(_WHITESPACE).startswith(_BEGINNINGS):
        return None
    try:
        value = JSON.parse_document(octets)
    except ProtocolViolation:
        return None
    return (value["args"], value["kwargs"]) if _is_both(value) else ([value], {})


def _is_both(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == _BOTH
        and isinstance(value["args"], list)
        and isinstance(value["kwargs"], dict)
    )


def _text_or_octets(octets: bytes) -> str | bytes:
    # WAMP in JSON takes a string that begins with NUL for octets.
    if octets[0] == 0:
        return octets
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets


def _json(value: Any) -> Octets:
    return JSON.serialize_elements([value]), DOCUMENT
