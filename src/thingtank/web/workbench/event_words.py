"""What is in a device's event log, in words for people."""

from typing import Any

import msgspec

from thingtank.tank.device_events import StoredEvent
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.web.workbench.message_panels import json_text
from thingtank.web.workbench.permission_words import NameOf

BODY_CHARS_MAX = 8000
WHO_CHARS_MAX = 80

WORDS = {
    EventCode.CONNECTED: "Connected",
    EventCode.IDENTIFIED: "Came in with its token",
    EventCode.AUTHENTICATED: "Showed its token",
    EventCode.STATUS: "Asked for the server's state",
    EventCode.EVENTS_READ: "Event log read",
    EventCode.SUBSCRIBED: "Subscribed",
    EventCode.UNSUBSCRIBED: "Subscription ended",
    EventCode.MESSAGE: "Message",
    EventCode.REGISTERED: "Registered",
    EventCode.UPDATED: "Changed",
    EventCode.UNREGISTERED: "Unregistered a device",
    EventCode.QUERIED: "Looked for devices",
    EventCode.READ: "Record read",
    EventCode.GATEWAY_CONFIG: "Asked a gateway to be configured",
    EventCode.DATA_WRITTEN: "Sensor data written",
    EventCode.DATA_READ: "Sensor data read",
}

# What never leaves the log, should a program have put it there.
_SECRETS = frozenset({"token", "_id"})


class ShownEvent(msgspec.Struct, frozen=True):
    """One event.

    Attributes:
        code: the number that programs know it by.
        facts: who else has to do with it; blank for nobody.
        body: all that was noted, as JSON.
    """

    event_id: str
    at_us: int
    code: int
    words: str
    facts: str
    body: str


def shown_event(event: StoredEvent, uuid: str, name_of: NameOf) -> ShownEvent:
    """An event of the log of the device with this uuid."""
    body = _body(event.body)
    words, facts = _words(event.code, body, uuid, name_of)
    return ShownEvent(
        event.event_id, event.at_us, event.code, words, facts, json_text(body, BODY_CHARS_MAX)
    )


def _body(encoded: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(encoded)
    except msgspec.DecodeError:
        return {}
    if not isinstance(body, dict):
        return {}
    return {name: value for name, value in body.items() if name not in _SECRETS}


def _words(code: int, body: dict[str, Any], uuid: str, name_of: NameOf) -> tuple[str, str]:
    match code:
        case EventCode.MESSAGE:
            return _message_words(body, uuid, name_of)
        case EventCode.AUTHENTICATED if body.get("api") == "disconnect":
            return "Disconnected", ""
        case EventCode.SUBSCRIBED | EventCode.UNSUBSCRIBED:
            return WORDS[EventCode(code)], _subscription_facts(body, uuid, name_of)
        case EventCode.UNREGISTERED if body.get("uuid"):
            return WORDS[EventCode.UNREGISTERED], _who(body["uuid"], name_of)
        case EventCode.IDENTIFIED | EventCode.AUTHENTICATED:
            address = body.get("ipAddress")
            facts = f"from {_cut(address)}" if address else ""
            return WORDS[EventCode(code)], facts
    if code in WORDS:
        return WORDS[EventCode(code)], ""
    return f"Event {code}", ""


def _message_words(body: dict[str, Any], uuid: str, name_of: NameOf) -> tuple[str, str]:
    sender = body.get("fromUuid")
    topic = body.get("topic")
    about = f", topic {_cut(topic)}" if isinstance(topic, str) and topic else ""
    if sender == uuid:
        return "Message sent", f"to {_who(body.get('devices'), name_of)}{about}"
    who = _who(sender, name_of) if sender else "somebody without a uuid"
    return "Message came", f"from {who}{about}"


def _subscription_facts(body: dict[str, Any], uuid: str, name_of: NameOf) -> str:
    subscriber, subscribed = body.get("uuid"), body.get("subscribed")
    if subscribed and subscribed != uuid:
        return f"to {_who(subscribed, name_of)}"
    if subscriber and subscriber != uuid:
        return f"by {_who(subscriber, name_of)}"
    return ""


def _who(named: Any, name_of: NameOf) -> str:
    if isinstance(named, list):
        names = [_who(each, name_of) for each in named[:3]]
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        return ", ".join(names) + more
    if named in ("*", "all"):
        return "all who listen"
    return _cut(name_of(named) if isinstance(named, str) else named)


def _cut(named: Any) -> str:
    text = str(named)
    return text if len(text) <= WHO_CHARS_MAX else text[:WHO_CHARS_MAX] + "…"
