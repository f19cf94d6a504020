"""How an item is put into bytes: as JSON, or as a rule's template says.

A template is text with names in double braces, such as `{{device}} {{value}}`. `{{value|json}}`
puts a value as JSON does, in quotes and with escapes, so that it may stand in a JSON text.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from thingtank.protocols.xively.times import format_time
from thingtank.sinks.engine import Item, TopicFacts

TEMPLATE_CHARS_MAX = 4000
_TIMES_MAX = 4096
_WHOLE_MAX = 2**53  # up to this a float tells all whole numbers apart

Render = Callable[[Item], bytes]

# What one write has is of one time, and all rules put it into words at about the same moment.
time_text = lru_cache(_TIMES_MAX)(format_time)

# Where something is put in: its name, and the form that is asked for.
PLACE = re.compile(r"\{\{\s*(\w+)\s*(?:\|\s*(\w+)\s*)?\}\}")
_VALUES: dict[str, Callable[[Item], Any]] = {
    "id": lambda item: item.item_id,
    "kind": lambda item: item.kind,
    "feed": lambda item: item.device_id,
    "device": lambda item: item.order_key,
    "datastream": lambda item: item.datastream,
    "at": lambda item: time_text(item.at_us),
    "at_us": lambda item: item.at_us,
    "value": lambda item: item.value,
    "number": lambda item: _plain(item.number),
    "topic": lambda item: item.topic,
    "payload": lambda item: item.value,
    "encoding": lambda item: encoding_of(item.facts),
    "qos": lambda item: item.facts and item.facts.qos,
    "retain": lambda item: item.facts and item.facts.is_retain,
    "content_type": lambda item: item.facts.content_type if item.facts else "",
    "user_properties": lambda item: item.facts.user_properties if item.facts else (),
}
NAMES = tuple(_VALUES)
_ALWAYS_JSON = ("number", "qos", "retain", "user_properties")
_encode = msgspec.json.encode


def _plain(number: float | None) -> float | int | None:
    """A number as people write it: 2400, and not 2400.0."""
    if number is None or not number.is_integer() or abs(number) > _WHOLE_MAX:
        return number
    return int(number)


class BadTemplate(ValueError):
    """A template cannot be used; the message says why."""


class _Reading(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An item as JSON where there is no template."""

    id: str
    feed: int
    device: str
    datastream: str
    at: str
    value: str
    number: float | None = None
    topic: str = ""


class _Publication(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A topic's message as JSON where there is no template."""

    id: str
    topic: str
    at: str
    payload: str
    qos: int
    retain: bool
    encoding: str = ""
    number: float | None = None
    content_type: str = ""
    user_properties: tuple[tuple[str, str], ...] = ()
    expires_at: str = ""


def as_json(item: Item) -> bytes:
    """An item as one line of JSON."""
    if item.facts is not None:
        return _encode(_publication(item, item.facts))
    return _encode(
        _Reading(
            item.item_id,
            item.device_id,
            item.uuid,
            item.datastream,
            time_text(item.at_us),
            item.value,
            item.number,
            item.topic,
        )
    )


def _publication(item: Item, facts: TopicFacts) -> _Publication:
    return _Publication(
        item.item_id,
        item.topic,
        time_text(item.at_us),
        item.value,
        facts.qos,
        facts.is_retain,
        encoding_of(facts),
        item.number,
        facts.content_type,
        facts.user_properties,
        expiry_of(facts),
    )


def encoding_of(facts: TopicFacts | None) -> str:
    """How a topic's payload is put into text; blank where it is as it was."""
    return "base64" if facts is not None and facts.is_base64 else ""


def user_properties_json(facts: TopicFacts) -> str:
    """User properties as a JSON array of pairs, as a name may be there twice; blank for none."""
    return _encode(facts.user_properties).decode() if facts.user_properties else ""


def expiry_of(facts: TopicFacts) -> str:
    """When a topic's message has no meaning any more; blank for never."""
    return format_time(facts.expires_at_us) if facts.expires_at_us else ""


def compile_template(text: str) -> Render:
    """What puts items as a template says; a blank one is JSON.

    Raises:
        BadTemplate.
    """
    if not text:
        return as_json
    render = compile_text(text)
    return lambda item: render(item).encode("utf-8", "surrogatepass")


def compile_text(text: str) -> Callable[[Item], str]:
    """What makes texts of items, as a template says that is not blank.

    Raises:
        BadTemplate.
    """
    if len(text) > TEMPLATE_CHARS_MAX:
        raise BadTemplate(f"a template has at most {TEMPLATE_CHARS_MAX:,} characters")
    words, values = [], []
    end = 0
    for place in PLACE.finditer(text):
        words.append(_literal(text[end : place.start()]))
        values.append(_value(place[1], place[2]))
        end = place.end()
    words.append(_literal(text[end:]))
    put = "{}".join(words).format
    return lambda item: put(*[value(item) for value in values])


def _literal(text: str) -> str:
    """Text between two places, as `str.format` wants it."""
    if "{{" in text or "}}" in text:
        raise BadTemplate("double braces hold one name each, such as {{value}} or {{value|json}}")
    text.encode()  # refuses half a surrogate pair
    return text.replace("{", "{{").replace("}", "}}")


def _value(name: str, form: str | None) -> Callable[[Item], Any]:
    value = _VALUES.get(name)
    if value is None:
        raise BadTemplate(f"there is no {{{{{name}}}}}; there are {', '.join(NAMES)}")
    if form not in (None, "json"):
        raise BadTemplate(f"there is no |{form}; there is |json")
    if form == "json" or name in _ALWAYS_JSON:
        return lambda item: _encode(value(item)).decode()
    return value
