"""`-D COMMAND IDENTIFIER VALUE`: properties of MQTT 5 by the words that mosquitto has for them."""

from collections.abc import Iterable
from typing import Any

import click

SESSION_NEVER_EXPIRES = 0xFFFF_FFFF
USER_PROPERTY = "user-property"

_TEXT, _BYTES = "text", "bytes"
_SIZES = {"byte": 0xFF, "two": 0xFFFF, "four": 0xFFFF_FFFF, "variable": 268_435_455}
_KINDS = {  # identifier: kind of value, least value
    "authentication-data": (_BYTES, 0),
    "authentication-method": (_TEXT, 0),
    "content-type": (_TEXT, 0),
    "correlation-data": (_BYTES, 0),
    "maximum-packet-size": ("variable", 1),
    "message-expiry-interval": ("four", 0),
    "payload-format-indicator": ("byte", 0),
    "receive-maximum": ("two", 1),
    "request-problem-information": ("byte", 0),
    "request-response-information": ("byte", 0),
    "response-topic": (_TEXT, 0),
    "session-expiry-interval": ("four", 0),
    "subscription-identifier": ("variable", 1),
    "topic-alias": ("two", 1),
    "topic-alias-maximum": ("two", 0),
    "will-delay-interval": ("four", 0),
}
_FLAGS = frozenset(
    {
        "payload-format-indicator",
        "request-problem-information",
        "request-response-information",
    }
)
_MESSAGE = (
    "content-type", "correlation-data", "message-expiry-interval", "payload-format-indicator",
    "response-topic",
)  # fmt: skip
COMMANDS = {
    "connect": (
        "authentication-data", "authentication-method", "maximum-packet-size", "receive-maximum",
        "request-problem-information", "request-response-information", "session-expiry-interval",
        "topic-alias-maximum",
    ),
    "publish": (*_MESSAGE, "topic-alias"),
    "subscribe": ("subscription-identifier",),
    "unsubscribe": (),
    "disconnect": ("session-expiry-interval",),
    "will": (*_MESSAGE, "will-delay-interval"),
}  # fmt: skip

Given = dict[str, list[tuple[str, Any]]]
"""Properties by command, in the order given: identifier and value."""


def parsed(triples: Iterable[list[str]]) -> Given:
    """Read what `-D` was given, each as the words after it.

    Raises:
        UsageError: a command, identifier or value is wrong.
    """
    found: Given = {}
    for command, identifier, *values in triples:
        name = command.lower()
        if name not in COMMANDS:
            raise click.UsageError(f"-D has no command {command!r}; it has {', '.join(COMMANDS)}")
        if identifier == USER_PROPERTY:
            value: Any = (values[0], values[1])
        elif identifier not in COMMANDS[name]:
            known = ", ".join((*COMMANDS[name], USER_PROPERTY))
            raise click.UsageError(f"-D {name} has no property {identifier!r}; it has {known}")
        else:
            value = _value_of(identifier, values[0])
            if any(identifier == other for other, _ in found.get(name, [])):
                raise click.UsageError(f"-D {name} {identifier} is given twice")
        found.setdefault(name, []).append((identifier, value))
    return found


def _value_of(identifier: str, word: str) -> Any:
    kind, least = _KINDS[identifier]
    if kind == _TEXT:
        return word
    if kind == _BYTES:
        return word.encode(errors="surrogateescape")
    most = 1 if identifier in _FLAGS else _SIZES[kind]
    if not (word.isascii() and word.isdecimal() and least <= int(word[:11]) <= most):
        raise click.UsageError(f"{identifier} takes a number from {least} to {most}, not {word!r}")
    return int(word)


def properties_of(command: str, given: Given) -> Any:
    """What paho takes for a command; None without any."""
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    if command not in given:
        return None
    packet = "WILLMESSAGE" if command == "will" else command.upper()
    found = Properties(getattr(PacketTypes, packet))  # type: ignore[no-untyped-call] # paho's
    for identifier, value in given[command]:
        setattr(found, "".join(word.capitalize() for word in identifier.split("-")), value)
    return found
