"""What is wrong with a message that was refused, in words for people: it and its element are named.

This is looked for anew, in what msgspec has refused already; good messages pay nothing for it.
"""

from collections.abc import Callable
from typing import Any

from msgspec import DecodeError, Raw, ValidationError
from msgspec.structs import fields

from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.messages import BARE_MESSAGES, Message, code_of, name_of
from thingtank.protocols.wamp.serializer import DEPTH_MAX, PAYLOAD_MESSAGE_OF, out_of_bounds
from thingtank.validation_words import IN_JSON, validation_words

NO_MESSAGE = "a message is a list that begins with its code, a whole number"
_ON_WIRE: dict[int, tuple[type[Any], type[Message]]] = {
    **{code_of(each): (each, each) for each in BARE_MESSAGES},
    **{code_of(message): (on_wire, message) for on_wire, message in PAYLOAD_MESSAGE_OF.items()},
}
"""A message's form on the wire, and its own, by code."""


def malformed(
    error: Exception, data: bytes, decode: Callable[..., Any], serializer_name: str
) -> ProtocolViolation:
    """What is raised for a message that msgspec has refused.

    Args:
        error: as it was raised: DecodeError, UnicodeDecodeError or RecursionError.
        decode: `msgspec.json.decode`, or MessagePack's.
    """
    if isinstance(error, RecursionError):  # msgspec goes down further than DEPTH_MAX
        return out_of_bounds(DEPTH_MAX + 1)
    if not isinstance(error, ValidationError):
        return _not_well_formed(error, serializer_name)
    try:
        elements = decode(data, type=list[Raw])
        code = decode(elements[0], type=int)
    except (ValidationError, IndexError):
        return ProtocolViolation(NO_MESSAGE)
    except (DecodeError, UnicodeDecodeError, RecursionError) as another:
        return malformed(another, data, decode, serializer_name)
    if code not in _ON_WIRE:
        return ProtocolViolation(f"no message has the code {code}")
    on_wire, message = _ON_WIRE[code]
    if wrong_count := _wrong_count(on_wire, message, len(elements)):
        return wrong_count
    return ProtocolViolation(f"{name_of(message)}: {validation_words(error, on_wire, IN_JSON)}")


def wrong_element_count(code: int, count: int) -> ProtocolViolation | None:
    """What is raised for a known message of too few or too many elements; None if it has not."""
    return _wrong_count(*_ON_WIRE[code], count)


def _wrong_count(
    on_wire: type[Any], message: type[Message], count: int
) -> ProtocolViolation | None:
    known = fields(on_wire)
    least, most = 1 + sum(field.required for field in known), 1 + len(known)
    if least <= count <= most:
        return None
    bounds = f"{least}" if least == most else f"{least} to {most}"
    return ProtocolViolation(f"{name_of(message)} has {bounds} elements, not {count}")


def _not_well_formed(error: Exception, serializer_name: str) -> ProtocolViolation:
    words = str(error)
    if isinstance(error, UnicodeDecodeError):
        words = "it has text that is not UTF-8"
    elif words == "Input data was truncated":
        words = "it ends too early"
    return ProtocolViolation(f"not a WAMP message in {serializer_name}: {words}")
