"""What `wamp.subscription.get_events` answers: one argument, the list of events.

An event has `timestamp`, `subscription`, `publication`, `details`, `args` and `kwargs`. Details are
those that a subscriber would have been told. What stands in place of `args` unread (payload
transparency) stands there here, too.

An answer ends before the event with which it would be longer than ANSWER_BYTES_MAX; its first
event may be as long as the caller takes. One that is longer even alone, or whose payload has no
form in the caller's serializer, is there without `args` and `kwargs`; its details say why by
`payload_limit_exceeded` or `_payload_unconvertible`. So whoever asks again after the last event of
each answer, until there is none, has seen all.

The text has the events as the result's Arguments. Clients have no way to read it so: it is one
argument, as with Crossbar.io.

Source: WAMP, Event History.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import to_builtins

from thingtank.protocols.wamp.answers import PAYLOAD_SIZE_EXCEEDED, Refused
from thingtank.protocols.wamp.errors import UnconvertiblePayload
from thingtank.protocols.wamp.history_query import time_text
from thingtank.protocols.wamp.payloads import Payload, payload_of
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.serializer import Serializer

ANSWER_BYTES_MAX = 2**20
_ENVELOPE_BYTES = 128  # RESULT around the list, and what may stand between events


def events_payload(
    publications: Iterable[Publication],
    subscription_id: int,
    *,
    is_pattern: bool,
    serializer: Serializer,
    bytes_max: int,
) -> Payload:
    """The payload of the RESULT. It may be written in any thread.

    Args:
        publications: read only as far as they fit.
        serializer, bytes_max: of the caller.

    Raises:
        Refused: the caller takes messages too short for any event.
    """
    events: list[dict[str, Any]] = []
    size_bytes = 0
    for publication in publications:
        event, event_bytes = _event(publication, subscription_id, is_pattern, serializer)
        if event_bytes > bytes_max - _ENVELOPE_BYTES:
            event = _without_payload(event, "payload_limit_exceeded")
            event_bytes = _size_bytes(event, serializer)
        if event_bytes > bytes_max - _ENVELOPE_BYTES and not events:
            text = f"an event takes {event_bytes} bytes, and this session {bytes_max} in all"
            raise Refused(PAYLOAD_SIZE_EXCEEDED, text)
        size_bytes += event_bytes
        if events and size_bytes > min(ANSWER_BYTES_MAX, bytes_max - _ENVELOPE_BYTES):
            break
        events.append(event)
    return payload_of(serializer, [events])


def _event(
    publication: Publication, subscription_id: int, is_pattern: bool, serializer: Serializer
) -> tuple[dict[str, Any], int]:
    """One event, and how long it is."""
    details = to_builtins(publication.details)
    if is_pattern:
        details["topic"] = publication.topic
    event = {
        "timestamp": time_text(publication.at_us),
        "subscription": subscription_id,
        "publication": publication.publication_id,
        "details": details,
    }
    payload = publication.payload
    try:
        elements = payload.elements
        whole = {
            **event,
            "args": elements[0] if elements else [],
            "kwargs": elements[1] if len(elements) == 2 else {},
        }
        return whole, _size_bytes(whole, serializer)
    except UnconvertiblePayload:
        event = _without_payload(event, "_payload_unconvertible")
        return event, _size_bytes(event, serializer)


def _without_payload(event: dict[str, Any], why: str) -> dict[str, Any]:
    kept = {name: value for name, value in event.items() if name not in ("args", "kwargs")}
    return {**kept, "details": {**event["details"], why: True}}


def _size_bytes(event: dict[str, Any], serializer: Serializer) -> int:
    return len(serializer.serialize_elements([event])) + 1  # and a comma
