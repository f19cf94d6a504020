"""The messages of WAMP, one type for each, named as the specification names them.

T: a client sends it, R: a client receives it.

| code | message | | code | message | | code | message | |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| 1 | HELLO | T | 17 | PUBLISHED | R | 64 | REGISTER | T |
| 2 | WELCOME | R | 32 | SUBSCRIBE | T | 65 | REGISTERED | R |
| 3 | ABORT | TR | 33 | SUBSCRIBED | R | 66 | UNREGISTER | T |
| 4 | CHALLENGE | R | 34 | UNSUBSCRIBE | T | 67 | UNREGISTERED | R |
| 5 | AUTHENTICATE | T | 35 | UNSUBSCRIBED | R | 68 | INVOCATION | R |
| 6 | GOODBYE | TR | 36 | EVENT | R | 69 | INTERRUPT | R |
| 8 | ERROR | TR | 48 | CALL | T | 70 | YIELD | T |
| 16 | PUBLISH | T | 49 | CANCEL | T | 337 | EVENT_RECEIVED | T |
| | | | 50 | RESULT | R | | | |

Fields stand in the order of the wire; the tag of a type is its code. Types and ranges are checked
when a message is read, not when one is made. URIs are not checked here: a malformed one is
answered by an ERROR that names the request (`uris.py`).

Source: WAMP, Message Definitions; EVENT_RECEIVED is an extension of Autobahn.
"""

import re
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import astuple

from thingtank.protocols.wamp.options import (
    CallOptions,
    CancelOptions,
    ClosingDetails,
    Count,
    ErrorDetails,
    EventDetails,
    HelloDetails,
    Id,
    InterruptOptions,
    InvocationDetails,
    PublishOptions,
    RegisterOptions,
    ResultDetails,
    RevocationDetails,
    SubscribeOptions,
    WelcomeDetails,
    YieldOptions,
)
from thingtank.protocols.wamp.payloads import NO_PAYLOAD, Payload


class Message(Struct, frozen=True, gc=False):
    """Any message."""

    @property
    def head(self) -> tuple[Any, ...]:
        """The elements on the wire, code first, without the payload."""
        return (code_of(type(self)), *astuple(self))


class PayloadMessage(Message, frozen=True, gc=False):
    """A message that ends with the application's part: its last field is `payload`."""

    @property
    def head(self) -> tuple[Any, ...]:
        """The elements on the wire, code first, without the payload."""
        return (code_of(type(self)), *astuple(self)[:-1])


def code_of(message_type: type[Message]) -> int:
    """The number that stands first on the wire."""
    code = message_type.__struct_config__.tag
    assert isinstance(code, int)
    return code


def name_of(message_type: type[Message]) -> str:
    """As the specification writes it, such as EVENT_RECEIVED."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", message_type.__name__).upper()


class Hello(Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=1):
    """HELLO (T): opens a session; the first message on a transport."""

    realm: str
    details: HelloDetails


class Welcome(Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=2):
    """WELCOME (R): the session is open."""

    session_id: Id
    details: WelcomeDetails


class Abort(PayloadMessage, frozen=True, gc=False, tag=3):
    """ABORT (TR): ends a session, or what was to become one; never answered."""

    details: ClosingDetails
    reason: str
    payload: Payload = NO_PAYLOAD


class Challenge(Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=4):
    """CHALLENGE (R): prove who you are."""

    authmethod: str
    extra: dict[str, Any]


class Authenticate(
    Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=5
):
    """AUTHENTICATE (T): the proof."""

    signature: str
    extra: dict[str, Any]


class Goodbye(Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=6):
    """GOODBYE (TR): ends a session; echoed."""

    details: ClosingDetails
    reason: str


class Error(PayloadMessage, frozen=True, gc=False, tag=8):
    """ERROR (TR): a request failed; from a client only 68, an invocation's."""

    request_type: Literal[16, 32, 34, 48, 64, 66, 68]
    request_id: Id
    details: ErrorDetails
    error: str
    payload: Payload = NO_PAYLOAD


class Publish(PayloadMessage, frozen=True, gc=False, tag=16):
    """PUBLISH (T): an event for the subscribers of a topic."""

    request_id: Id
    options: PublishOptions
    topic: str
    payload: Payload = NO_PAYLOAD


class Published(
    Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=17
):
    """PUBLISHED (R): where `acknowledge` was asked for."""

    request_id: Id
    publication_id: Id


class Subscribe(
    Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=32
):
    """SUBSCRIBE (T): events of a topic, or of all that match."""

    request_id: Id
    options: SubscribeOptions
    topic: str


class Subscribed(
    Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=33
):
    """SUBSCRIBED (R)."""

    request_id: Id
    subscription_id: Id


class Unsubscribe(
    Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=34
):
    """UNSUBSCRIBE (T): no more of these events."""

    request_id: Id
    subscription_id: Id


class Unsubscribed(
    Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=35
):
    """UNSUBSCRIBED (R): `details` only where the router took it away, and `request_id` is 0."""

    request_id: Count
    details: RevocationDetails | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse details of an answer, and a revocation without."""
        _check_revocation(self.request_id, self.details)

    @property
    def head(self) -> tuple[Any, ...]:
        """The elements on the wire, code first."""
        return _without_unset(35, self.request_id, self.details)


class Event(PayloadMessage, frozen=True, gc=False, tag=36):
    """EVENT (R): what was published, once for each subscription that it matches."""

    subscription_id: Id
    publication_id: Id
    details: EventDetails
    payload: Payload = NO_PAYLOAD


class Call(PayloadMessage, frozen=True, gc=False, tag=48):
    """CALL (T): a procedure, to whoever registered it."""

    request_id: Id
    options: CallOptions
    procedure: str
    payload: Payload = NO_PAYLOAD


class Cancel(Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=49):
    """CANCEL (T): of a call, by its id."""

    request_id: Id
    options: CancelOptions


class Result(PayloadMessage, frozen=True, gc=False, tag=50):
    """RESULT (R): of a call; several where they are progressive."""

    request_id: Id
    details: ResultDetails
    payload: Payload = NO_PAYLOAD


class Register(Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=64):
    """REGISTER (T): a procedure that this client carries out."""

    request_id: Id
    options: RegisterOptions
    procedure: str


class Registered(
    Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=65
):
    """REGISTERED (R)."""

    request_id: Id
    registration_id: Id


class Unregister(
    Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=66
):
    """UNREGISTER (T): no more of these invocations."""

    request_id: Id
    registration_id: Id


class Unregistered(
    Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=67
):
    """UNREGISTERED (R): `details` only where the router took it away, and `request_id` is 0."""

    request_id: Count
    details: RevocationDetails | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse details of an answer, and a revocation without."""
        _check_revocation(self.request_id, self.details)

    @property
    def head(self) -> tuple[Any, ...]:
        """The elements on the wire, code first."""
        return _without_unset(67, self.request_id, self.details)


class Invocation(PayloadMessage, frozen=True, gc=False, tag=68):
    """INVOCATION (R): carry out a procedure; numbered by callee session from 1."""

    request_id: Id
    registration_id: Id
    details: InvocationDetails
    payload: Payload = NO_PAYLOAD


class Interrupt(
    Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=69
):
    """INTERRUPT (R): stop an invocation, by its id."""

    request_id: Id
    options: InterruptOptions


class Yield(PayloadMessage, frozen=True, gc=False, tag=70):
    """YIELD (T): result of an invocation; several where they are progressive."""

    request_id: Id
    options: YieldOptions
    payload: Payload = NO_PAYLOAD


class EventReceived(
    Message, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True, tag=337
):
    """EVENT_RECEIVED (T): where EVENT asked for it."""

    publication_id: Id


def _check_revocation(request_id: int, details: RevocationDetails | UnsetType) -> None:
    if (request_id == 0) != (details is not UNSET):
        raise ValueError("details belong to a revocation, whose request id is 0")


def _without_unset(*elements: Any) -> tuple[Any, ...]:
    return elements if elements[-1] is not UNSET else elements[:-1]


BARE_MESSAGES: tuple[type[Message], ...] = (
    Hello,
    Welcome,
    Challenge,
    Authenticate,
    Goodbye,
    Published,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    Cancel,
    Register,
    Registered,
    Unregister,
    Unregistered,
    Interrupt,
    EventReceived,
)
PAYLOAD_MESSAGES: tuple[type[PayloadMessage], ...] = (
    Abort,
    Error,
    Publish,
    Event,
    Call,
    Result,
    Invocation,
    Yield,
)
FROM_CLIENTS: frozenset[type[Message]] = frozenset(
    {
        Hello,
        Abort,
        Authenticate,
        Goodbye,
        Error,
        Publish,
        Subscribe,
        Unsubscribe,
        EventReceived,
        Call,
        Cancel,
        Register,
        Unregister,
        Yield,
    }
)
