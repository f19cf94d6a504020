"""What a client has published, read."""

from typing import Any

import msgspec

from thingtank.protocols.json_bounds import has_more_items, is_deeper
from thingtank.protocols.skynet.parameters import JSON_DEPTH_MAX, JSON_ITEMS_MAX
from thingtank.tank.errors import ValidationFailed

CALLBACK_ID_CHARS_MAX = 256

# Topics whose payload is a text, whatever it looks like.
TEXTS = frozenset({"tb"})
# Topics whose `ack` is for the recipient, not for the tank.
RELAYED = frozenset({"message", "messageAck", "config", "gatewayConfig", "directText"})

_decoder: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


class Request(msgspec.Struct, frozen=True):
    """One request.

    Attributes:
        fields: what it says, without what its answer is matched by.
        callback_id: by which meshblu-mqtt matches the answer; blank for none.
        ack: by which skynet-mqtt does; 0 for none.
    """

    topic: str
    fields: dict[str, Any]
    callback_id: str = ""
    ack: int = 0

    def text(self, name: str) -> str:
        """A field that is a text; blank where there is none."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


def parse_request(topic: str, payload: bytes, bytes_max: int) -> Request:
    """Read a request.

    Raises:
        ValidationFailed: it is too large or too deep, or no JSON object.
    """
    if len(payload) > bytes_max:
        words = f"is too long ({len(payload)} bytes; {bytes_max} are allowed)"
        raise ValidationFailed([(topic, words)])
    if topic in TEXTS:
        return Request(topic, {"payload": _text(topic, payload)})
    try:
        fields = _decoder.decode(payload or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValidationFailed([(topic, "is not a JSON object")]) from None
    if is_deeper(payload, JSON_DEPTH_MAX) or has_more_items(payload, JSON_ITEMS_MAX):
        raise ValidationFailed([(topic, f"is nested deeper than {JSON_DEPTH_MAX}, or too large")])
    callback_id = fields.pop("callbackId", "")
    if not isinstance(callback_id, str) or len(callback_id) > CALLBACK_ID_CHARS_MAX:
        callback_id = ""
    fields.pop("fromUuid", None)
    fields.pop("_request", None)
    ack = fields.get("ack") if topic in RELAYED else fields.pop("ack", 0)
    return Request(topic, fields, callback_id, ack if type(ack) is int else 0)


def _text(topic: str, payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise ValidationFailed([(topic, "is not text")]) from None
