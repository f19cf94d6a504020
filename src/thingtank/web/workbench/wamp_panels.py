"""What was sent and heard over WAMP, as pages show it: JSON that people can read."""

import base64
import json
import math
from datetime import datetime
from typing import Any

import msgspec

from thingtank.protocols.wamp.router_facts import HeardEvent, Outcome, Payloaded
from thingtank.web.workbench.outcomes import ShownOutcome, took

SHOWN_CHARS_MAX = 100_000  # of an answer
EVENT_CHARS_MAX = 4_000  # of an event, of which there may be many
LINE_CHARS_MAX = 72  # what is not longer stands on one line

_NUMBERS_BEYOND_JSON = {math.inf: "Infinity", -math.inf: "-Infinity"}


class ShownEvent(msgspec.Struct, frozen=True):
    """An event as a line of a live list."""

    topic: str
    publication: str
    at_ms: int
    text: str
    details: str


def shown_outcome(outcome: Outcome, unanswered: str) -> ShownOutcome:
    """An outcome as the page shows it.

    Args:
        unanswered: what is said where no answer was asked for.
    """
    args, kwargs = _texts(outcome.payload, SHOWN_CHARS_MAX)
    is_good = not outcome.is_late and outcome.name not in ("ERROR", "ABORT", "GOODBYE")
    words = "" if outcome.name else unanswered
    return ShownOutcome(
        "No answer" if outcome.is_late else outcome.name or "Sent",
        is_good,
        outcome.uri,
        "Nothing came back in time." if outcome.is_late else words,
        ", ".join(f"{name} {number}" for name, number in outcome.ids.items()),
        took(outcome.duration_us),
        args,
        kwargs,
        [one_text(payload, EVENT_CHARS_MAX) for payload in outcome.progress],
    )


def shown_event(event: HeardEvent) -> ShownEvent:
    """An event as the page shows it."""
    text = one_text(event.payload, EVENT_CHARS_MAX)
    if event.left_out_bytes:
        text = f"{event.left_out_bytes} bytes, too many to show here"
    return ShownEvent(
        event.topic,
        str(event.publication_id),
        event.at_us // 1000,
        text,
        pretty(event.details) if event.details else "",
    )


def one_text(payload: Payloaded, chars_max: int) -> str:
    """A payload as one text: positional arguments, then keyword arguments."""
    return "\n".join(text for text in _texts(payload, chars_max) if text) or "no arguments"


def _texts(payload: Payloaded, chars_max: int) -> tuple[str, str]:
    args = _cut(pretty(payload.args), chars_max) if payload.args else ""
    kwargs = _cut(pretty(payload.kwargs), chars_max) if payload.kwargs else ""
    return args, kwargs


def pretty(value: Any) -> str:
    """JSON for people: on one line where it fits.

    Byte strings are `{"base64": "…"}`, and numbers that JSON does not have are their names.
    """
    plain = _plain(value)
    line = json.dumps(plain, ensure_ascii=False)
    return line if len(line) <= LINE_CHARS_MAX else json.dumps(plain, ensure_ascii=False, indent=2)


def _cut(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else f"{text[:chars_max]}\n… {len(text):,} characters"


def _plain(value: Any) -> Any:
    """The same value of what JSON has."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(element) for element in value]
    if isinstance(value, float) and not math.isfinite(value):
        return _NUMBERS_BEYOND_JSON.get(value, "NaN")
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
