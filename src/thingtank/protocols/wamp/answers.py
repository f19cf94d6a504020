"""What a dealer answers, in forms that the receiver can take: nobody is left waiting.

A payload may have no form in the receiver's serializer, or be too long for it. Then a result is
replaced by an ERROR, and an ERROR loses its payload; its URI says more than ours could.

Source: WAMP, Message Definitions, ERROR; URIs, predefined; Payload Size Exceeded.
"""

from thingtank.protocols.wamp.errors import UnconvertiblePayload, WampError
from thingtank.protocols.wamp.messages import Error
from thingtank.protocols.wamp.options import ErrorDetails, InvocationDetails, ResultDetails
from thingtank.protocols.wamp.payloads import NO_PAYLOAD, Payload, payload_of
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.uris import is_uri

CANCELED = "wamp.error.canceled"
DISCLOSURE_DENIED = "wamp.error.option_disallowed.disclose_me"
FEATURE_NOT_SUPPORTED = "wamp.error.feature_not_supported"
INVALID_PAYLOAD = "wamp.error.invalid_payload"  # not of the text, but in use
INVALID_URI = "wamp.error.invalid_uri"
LIMIT_REACHED = "tank.error.limit_reached"
MAX_CONCURRENCY = "crossbar.error.max_concurrency_reached"
NO_AVAILABLE_CALLEE = "wamp.error.no_available_callee"
NO_SUCH_PROCEDURE = "wamp.error.no_such_procedure"
NOT_AUTHORIZED = "wamp.error.not_authorized"  # of the two in use, the one that Autobahn knows
NO_SUCH_REGISTRATION = "wamp.error.no_such_registration"
PAYLOAD_SIZE_EXCEEDED = "wamp.error.payload_size_exceeded"
PROCEDURE_EXISTS = "wamp.error.procedure_already_exists"
RUNTIME_ERROR = "wamp.error.runtime_error"  # not of the text, but in use
TIMEOUT = "wamp.error.timeout"
UNAVAILABLE = "wamp.error.unavailable"

NO_DETAILS = ErrorDetails()


class Refused(WampError):
    """A request is answered by an ERROR.

    Attributes:
        error: its URI.
    """

    def __init__(self, error: str, text: str) -> None:
        """Say why, in words for people."""
        super().__init__(text)
        self.error = error


def invocation_bytes(
    peer: Peer,
    request_id: int,
    registration_id: int,
    details: InvocationDetails | None,
    payload: Payload,
) -> bytes:
    """An INVOCATION that its receiver can take.

    Raises:
        Refused.
    """
    try:
        data = peer.serializer.encode_invocation(request_id, registration_id, details, payload)
    except UnconvertiblePayload as error:
        raise Refused(INVALID_PAYLOAD, f"the callee cannot be given this: {error}") from None
    if len(data) > peer.bytes_max:
        raise _too_long("callee", len(data), peer)
    return data


def result_bytes(
    peer: Peer, request_id: int, details: ResultDetails | None, payload: Payload
) -> bytes:
    """A RESULT that its receiver can take.

    Raises:
        Refused.
    """
    try:
        data = peer.serializer.encode_result(request_id, details, payload)
    except UnconvertiblePayload as error:
        raise Refused(INVALID_PAYLOAD, f"the caller cannot be given this: {error}") from None
    if len(data) > peer.bytes_max:
        raise _too_long("caller", len(data), peer)
    return data


def send_refusal(peer: Peer, message_type: int, request_id: int, refused: Refused) -> None:
    """Send an ERROR of the router's own."""
    payload = payload_of(peer.serializer, [str(refused)])
    send_error(peer, Error(message_type, request_id, NO_DETAILS, refused.error, payload))  # type: ignore[arg-type] # one of those it may be


def send_error(peer: Peer, error: Error) -> None:
    """Send an ERROR, with as much of it as its receiver can take."""
    if not is_uri(error.error):  # clients close on one that is malformed
        text = ErrorDetails(message=f"the callee's error was {error.error[:200]!r}")
        error = Error(error.request_type, error.request_id, text, INVALID_URI, error.payload)
    data = _fitting_bytes(peer, error)
    if data is None:
        text = ErrorDetails(message="the payload was left out: it has no form here or is too long")
        data = _fitting_bytes(peer, _without_payload(error, error.error, text))
    if data is None:
        shortest = _without_payload(error, PAYLOAD_SIZE_EXCEEDED, NO_DETAILS)
        data = peer.serializer.encode(shortest)
    peer.send_bytes(data)


def _fitting_bytes(peer: Peer, error: Error) -> bytes | None:
    try:
        data = peer.serializer.encode(error)
    except UnconvertiblePayload:
        return None
    return data if len(data) <= peer.bytes_max else None


def _without_payload(error: Error, uri: str, details: ErrorDetails) -> Error:
    return Error(error.request_type, error.request_id, details, uri, NO_PAYLOAD)


def _too_long(role: str, bytes_count: int, peer: Peer) -> Refused:
    text = f"{bytes_count} bytes, where the {role} takes {peer.bytes_max}"
    return Refused(PAYLOAD_SIZE_EXCEEDED, text)
