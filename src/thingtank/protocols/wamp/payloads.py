"""The application's part of a message, kept as its sender serialized it until somebody looks.

A receiver that shares the sender's serializer gets these bytes copied; for another one they are
read into Python values and written anew. What becomes of values on the way:

| value | JSON | MessagePack | CBOR |
| --- | --- | --- | --- |
| bytes | string, NUL and base64 | bin | byte string |
| integer of more than 64 bits | its digits | refused | bignum (tags 2 and 3) |
| NaN, infinities | null | as they are | as they are |
| date and time | string of RFC 3339 | timestamp (extension -1) | tag 0 |
| undefined | null | nil | null |
| key of a map that is an integer | string, its digits | as it is | as it is |
| other key, no string | refused | lists and maps refused | those and tags refused |
| other extensions, tags, simple values | refused | refused | refused |
| number beyond a double, read from JSON | | refused | refused |

Refused means UnconvertiblePayload, for that receiver alone. Integers beyond 2^53 keep all their
digits in JSON; a JavaScript receiver rounds them. A JSON string that begins with NUL and is not
base64 stays a string.

Source: WAMP, Binary conversion of JSON Strings; Payload Passthru Mode.
"""

from typing import Any, Protocol

from msgspec import Struct


class PayloadSerializer(Protocol):
    """What a payload asks of a serializer."""

    def parse_elements(self, payload: "Payload") -> list[Any]:
        """Read its 1 or 2 elements into Python values."""

    def serialize_elements(self, elements: list[Any]) -> bytes:
        """Write them as a payload's `data`."""


class Payload(Struct, frozen=True, gc=False):
    """Arguments and ArgumentsKw, unread, as they stand at the end of a message.

    Attributes:
        serializer: what wrote `data`.
        count: 0 for no payload, 1 for Arguments or an opaque element, 2 for ArgumentsKw as well.
        data: the elements side by side, with what the serializer has between elements.
        is_opaque: a string or byte string stands in place of Arguments (payload transparency).
    """

    serializer: PayloadSerializer | None
    count: int
    data: bytes
    is_opaque: bool = False

    @property
    def elements(self) -> list[Any]:
        """Its 0 to 2 elements, read anew each time.

        Raises:
            UnconvertiblePayload.
        """
        return self.serializer.parse_elements(self) if self.serializer is not None else []

    @property
    def args(self) -> list[Any]:
        """Arguments, empty if there are none.

        Raises:
            UnconvertiblePayload.
        """
        return self.elements[0] if self.count and not self.is_opaque else []

    @property
    def kwargs(self) -> dict[str, Any]:
        """ArgumentsKw, empty if there are none.

        Raises:
            UnconvertiblePayload.
        """
        return self.elements[1] if self.count == 2 else {}

    def converted(self, serializer: PayloadSerializer) -> "Payload":
        """The same payload for a receiver of this serializer.

        Raises:
            UnconvertiblePayload: some value has no form there.
        """
        if self.serializer is serializer or self.serializer is None:
            return self
        data = serializer.serialize_elements(self.elements)
        return Payload(serializer, self.count, data, self.is_opaque)


NO_PAYLOAD = Payload(None, 0, b"")


def payload_of(
    serializer: PayloadSerializer, args: list[Any], kwargs: dict[str, Any] | None = None
) -> Payload:
    """A payload of the router's own; trailing empty elements are left out.

    Raises:
        UnconvertiblePayload: some value has no form there.
    """
    elements = [args, kwargs] if kwargs else [args] if args else []
    if not elements:
        return NO_PAYLOAD
    return Payload(serializer, len(elements), serializer.serialize_elements(elements))


def opaque_payload(serializer: PayloadSerializer, element: bytes | str) -> Payload:
    """One byte string in place of Arguments, which only its reader understands."""
    return Payload(serializer, 1, serializer.serialize_elements([element]), is_opaque=True)
