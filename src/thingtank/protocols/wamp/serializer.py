"""What the three serializers have in common: the messages' forms on the wire, and limits.

A message is read in two steps: code, ids, options and URI into values of their types, which
msgspec checks; the payload only as far as it takes to know that it is well-formed and within
the limits, so that nobody can have a router pass on what its receivers choke on.

Source: WAMP, Serializations.
"""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, ClassVar, Union

from msgspec import Raw, defstruct, to_builtins
from msgspec.structs import astuple, fields

from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.messages import (
    BARE_MESSAGES,
    PAYLOAD_MESSAGES,
    Message,
    PayloadMessage,
    code_of,
)
from thingtank.protocols.wamp.options import EventDetails, InvocationDetails, ResultDetails
from thingtank.protocols.wamp.payloads import NO_PAYLOAD, Payload

MESSAGE_BYTES_MAX = 2**24  # the most that RawSocket carries; transports set lower limits
DEPTH_MAX = 128  # containers in each other, the message's own list among them
ITEMS_MAX = 250_000  # elements of lists and members of maps, together

LIST, MAP, TEXT, OTHER = range(4)
"""What the first byte of an element says of it. TEXT is a string or a byte string."""


def _with_raw_payload(message_type: type[PayloadMessage]) -> type[Any]:
    """The same message as it is on the wire, its payload left raw."""
    head = [(field.name, field.type) for field in fields(message_type)[:-1]]
    return defstruct(
        f"{message_type.__name__}OnWire",
        [*head, ("args", Raw, Raw()), ("kwargs", Raw, Raw())],
        tag=code_of(message_type),
        array_like=True,
        forbid_unknown_fields=True,
        frozen=True,
        gc=False,
    )


PAYLOAD_MESSAGE_OF: dict[type[Any], type[PayloadMessage]] = {
    _with_raw_payload(message_type): message_type for message_type in PAYLOAD_MESSAGES
}
ANY_ON_WIRE: Any = Union[(*BARE_MESSAGES, *PAYLOAD_MESSAGE_OF)]
HEAD_ELEMENTS: dict[int, int] = {
    code_of(message_type): len(fields(message_type)) for message_type in PAYLOAD_MESSAGES
}
"""How many elements stand before the payload, by code."""


class Serializer(ABC):
    """Reads and writes messages in one format. It has no state; there is one of each.

    Attributes:
        name: as in `wamp.2.json`.
        is_binary: needs binary WebSocket frames.
        rawsocket_id: what RawSocket calls it.
    """

    name: ClassVar[str]
    is_binary: ClassVar[bool]
    rawsocket_id: ClassVar[int]

    _kinds: ClassVar[bytes]
    _between: ClassVar[bytes]

    @abstractmethod
    def decode(self, data: bytes) -> Message:
        """Read one message.

        Raises:
            ProtocolViolation: it is none, or larger, deeper or of more parts than is taken.
        """

    @abstractmethod
    def encode_with(self, head: tuple[Any, ...], payload: Payload) -> bytes:
        """Write a message's head and its payload, which is converted if need be.

        Args:
            head: numbers, strings, lists and dicts.

        Raises:
            UnconvertiblePayload.
        """

    @abstractmethod
    def parse_elements(self, payload: Payload) -> list[Any]:
        """Read a payload's 1 or 2 elements into Python values."""

    @abstractmethod
    def serialize_elements(self, elements: list[Any]) -> bytes:
        """Write a payload's 1 or 2 elements."""

    @abstractmethod
    def _is_empty(self, element: bytes) -> bool:
        """Whether this list or map has nothing in it."""

    def encode(self, message: Message) -> bytes:
        """Write one message; its payload is converted if it came in another serializer.

        Raises:
            UnconvertiblePayload.
        """
        payload = astuple(message)[-1] if isinstance(message, PayloadMessage) else NO_PAYLOAD
        return self.encode_with(_plain(message.head), payload)

    def encode_event(
        self,
        subscription_id: int,
        publication_id: int,
        details: EventDetails | None,
        payload: Payload,
    ) -> bytes:
        """An EVENT, the same bytes for all receivers of the subscription.

        Args:
            details: None for none, which is what most events have.

        Raises:
            UnconvertiblePayload.
        """
        return self.encode_with((36, subscription_id, publication_id, _plain(details)), payload)

    def encode_invocation(
        self,
        request_id: int,
        registration_id: int,
        details: InvocationDetails | None,
        payload: Payload,
    ) -> bytes:
        """An INVOCATION.

        Args:
            details: None for none.

        Raises:
            UnconvertiblePayload.
        """
        return self.encode_with((68, request_id, registration_id, _plain(details)), payload)

    def encode_result(
        self, request_id: int, details: ResultDetails | None, payload: Payload
    ) -> bytes:
        """A RESULT.

        Args:
            details: None for none.

        Raises:
            UnconvertiblePayload.
        """
        return self.encode_with((50, request_id, _plain(details)), payload)

    def payload(self, args: bytes, kwargs: bytes) -> Payload:
        """A payload of well-formed elements, blank if absent, without trailing empty ones.

        Raises:
            ProtocolViolation: they are not of the types for this place.
        """
        if not args:
            return NO_PAYLOAD
        kind = self._kinds[args[0]]
        if kind == LIST:
            if kwargs:
                if self._kinds[kwargs[0]] != MAP:
                    raise ProtocolViolation("ArgumentsKw must be a dict with string keys")
                if not self._is_empty(kwargs):
                    return Payload(self, 2, args + self._between + kwargs)
            return NO_PAYLOAD if self._is_empty(args) else Payload(self, 1, args)
        if kind == TEXT and not kwargs:
            return Payload(self, 1, args, True)
        raise ProtocolViolation("Arguments must be a list, or one string and nothing after it")


def _plain(value: Any) -> Any:
    """Values that each serializer knows."""
    return {} if value is None else to_builtins(value, builtin_types=(bytes, datetime))


def too_long() -> ProtocolViolation:
    """What is raised for more than MESSAGE_BYTES_MAX."""
    return ProtocolViolation(f"a message may have at most {MESSAGE_BYTES_MAX} bytes")


def out_of_bounds(depth: int) -> ProtocolViolation:
    """What is raised for more than DEPTH_MAX, and otherwise for more than ITEMS_MAX."""
    if depth > DEPTH_MAX:
        return ProtocolViolation(f"nested deeper than {DEPTH_MAX}")
    return ProtocolViolation(f"more than {ITEMS_MAX} elements and members")
