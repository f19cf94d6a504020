"""What `thingtank mqtt sub` prints of a message: payload, topic and payload, or a format.

The formats of mosquitto_sub's `-F`: `%` begins what a message has, `@` what strftime knows, a
backslash what is hard to type.
"""

import datetime
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from thingtank.cli.json_text import escaped

WIDTH_MAX = 10_000
_ESCAPES = {
    "\\": b"\\", "0": b"\0", "a": b"\a", "e": b"\x1b", "n": b"\n", "r": b"\r", "t": b"\t",
    "v": b"\v",
}  # fmt: skip
_FIELD = re.compile(r"%([-0]*)(\d*)(?:\.(\d*))?(.?)", re.DOTALL)
_JSON_NAMES = (
    ("topic-alias", "TopicAlias"),
    ("content-type", "ContentType"),
    ("correlation-data", "CorrelationData"),
    ("payload-format-indicator", "PayloadFormatIndicator"),
    ("response-topic", "ResponseTopic"),
    ("user-properties", "UserProperty"),
    ("message-expiry-interval", "MessageExpiryInterval"),
    ("subscription-identifier", "SubscriptionIdentifier"),
)


@dataclass(frozen=True)
class Message:
    """One that came, and when.

    Attributes:
        properties: of MQTT 5, paho's; None for the older versions.
        at_ns: nanoseconds since the epoch.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    packet_id: int
    properties: Any
    at_ns: int

    def found(self, name: str) -> Any:
        """One that it has, else None."""
        return getattr(self.properties, name, None)

    @property
    def at(self) -> datetime.datetime:
        """When, in local time."""
        return datetime.datetime.fromtimestamp(self.at_ns // 10**9, datetime.UTC).astimezone()


class NotJson(Exception):
    """`%J` of a message whose payload is none."""


Part = Callable[[Message], bytes]


def printer_of(format_text: str | None, *, verbose: bool, ends_line: bool, pretty: bool) -> Part:
    """What makes octets of a message, blank for nothing to print.

    Raises:
        UsageError: the format is wrong.
    """
    end = b"\n" if ends_line else b""
    if format_text is not None:
        parts = parts_of(format_text, pretty=pretty)
        return lambda message: b"".join([part(message) for part in parts]) + end
    if verbose:
        return lambda message: message.topic.encode() + b" " + (message.payload or b"(null)") + end
    return lambda message: message.payload + end if message.payload else b""


def parts_of(text: str, *, pretty: bool = False) -> list[Part]:
    """The parts of a format.

    Raises:
        UsageError: it is wrong.
    """
    parts: list[Part] = []
    at = 0
    while at < len(text):
        match text[at]:
            case "%":
                part, at = _field_at(text, at, pretty)
            case "@":
                part, at = _time_of(_letter_after(text, at)), at + 2
            case "\\":
                letter = _letter_after(text, at)
                if letter not in _ESCAPES:
                    raise click.UsageError(f"-F has no \\{letter}")
                part, at = _constant(_ESCAPES[letter]), at + 2
            case _:
                end = re.compile(r"[%@\\]|\Z").search(text, at)
                assert end is not None, "there is always an end"
                octets = text[at : end.start()].encode(errors="surrogateescape")
                part, at = _constant(octets), end.start()
        parts.append(part)
    return parts


def _letter_after(text: str, at: int) -> str:
    if at + 1 == len(text):
        raise click.UsageError(f"-F ends with a single {text[at]}")
    return text[at + 1]


def _constant(octets: bytes) -> Part:
    return lambda _: octets


def _field_at(text: str, at: int, pretty: bool) -> tuple[Part, int]:
    found = _FIELD.match(text, at)
    assert found is not None, "it begins with %"
    flags, width_text, most_text, letter = found.groups()
    width = int(width_text or 0)
    if width > WIDTH_MAX:
        raise click.UsageError(f"-F takes widths up to {WIDTH_MAX:,}")
    most = int(most_text) if most_text else None
    if not letter:
        raise click.UsageError("-F ends within a field")
    if letter == "%":
        return _constant(b"%"), found.end()
    if letter in "jJ":
        return _json_part(letter == "J", pretty), found.end()
    if letter in _FIELDS:
        value = _FIELDS[letter]
        fill = b"0" if "0" in flags and "-" not in flags and letter in _ZERO_FILLED else b" "
        left = "-" in flags
        return lambda message: _fitted(value(message), width, most, left, fill), found.end()
    raise click.UsageError(f"-F has no %{letter}")


def _fitted(octets: bytes, width: int, most: int | None, left: bool, fill: bytes) -> bytes:
    octets = octets[:most]
    return octets.ljust(width) if left else octets.rjust(width, fill)


def _time_of(letter: str) -> Part:
    if letter == "@":
        return _constant(b"@")
    if letter == "N":
        return lambda message: b"%09d" % (message.at_ns % 10**9)
    return lambda message: message.at.strftime("%" + letter).encode()


def _octets(value: Any) -> bytes:
    if value is None:
        return b""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogateescape")


def _of(name: str) -> Part:
    return lambda message: _octets(message.found(name))


def _subscription_identifier(message: Message) -> bytes:
    found = message.found("SubscriptionIdentifier")
    return _octets(found[0]) if found else b""


def _user_properties(message: Message) -> bytes:
    return " ".join(f"{key}:{value}" for key, value in message.found("UserProperty") or ()).encode()


_ZERO_FILLED = frozenset("AEFlmSxX")
_FIELDS: dict[str, Part] = {
    "A": _of("TopicAlias"),
    "C": _of("ContentType"),
    "D": _of("CorrelationData"),
    "E": _of("MessageExpiryInterval"),
    "F": _of("PayloadFormatIndicator"),
    "I": lambda message: message.at.strftime("%Y-%m-%dT%H:%M:%S%z").encode(),
    "l": lambda message: b"%d" % len(message.payload),
    "m": lambda message: b"%d" % message.packet_id,
    "P": _user_properties,
    "p": lambda message: message.payload,
    "q": lambda message: b"%d" % message.qos,
    "R": _of("ResponseTopic"),
    "r": lambda message: b"%d" % message.retain,
    "S": _subscription_identifier,
    "t": lambda message: _octets(message.topic),
    "U": lambda message: b"%d.%09d" % divmod(message.at_ns, 10**9),
    "X": lambda message: message.payload.hex().upper().encode(),
    "x": lambda message: message.payload.hex().encode(),
}


def _json_part(has_json_payload: bool, pretty: bool) -> Part:
    def part(message: Message) -> bytes:
        if has_json_payload:
            payload = _json_payload(message)
        else:
            payload = message.payload.decode(errors="replace") if message.payload else None
        members = [*_members_of(message), ("payload", payload)]
        return _json_object(members, pretty, "").encode()

    return part


def _json_payload(message: Message) -> Any:
    if not message.payload:
        return None
    try:
        found = json.loads(message.payload)
        json.dumps(found, allow_nan=False)  # Python reads NaN, and 1e999 as infinite
    except (ValueError, RecursionError):
        raise NotJson from None
    return found


def _members_of(message: Message) -> list[tuple[str, Any]]:
    at = message.at
    fraction_us = message.at_ns // 1000 % 10**6
    members: list[tuple[str, Any]] = [
        ("tst", f"{at:%Y-%m-%dT%H:%M:%S}.{fraction_us:06d}{at:%z}"),
        ("topic", message.topic),
        ("qos", message.qos),
        ("retain", int(message.retain)),
        ("payloadlen", len(message.payload)),
    ]
    if message.qos:
        members.append(("mid", message.packet_id))
    properties = _Members(
        (name, _plain(name, value))
        for name, its in _JSON_NAMES
        if (value := message.found(its)) is not None
    )
    if properties:
        members.append(("properties", properties))
    return members


class _Members(list[tuple[str, Any]]):
    """An object's members in order; names may come again, as those of user properties do."""


def _plain(name: str, value: Any) -> Any:
    if name == "user-properties":
        return _Members(value)
    if name == "subscription-identifier":
        return value[0]
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _json_object(members: list[tuple[str, Any]], pretty: bool, indent: str) -> str:
    if not pretty:
        return "{" + ",".join(f"{_json(k)}:{_json(v)}" for k, v in members) + "}"
    inner = indent + "\t"
    lines = [f"{inner}{_json(k)}:\t{_json(v, True, inner)}" for k, v in members]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _json(value: Any, pretty: bool = False, indent: str = "") -> str:
    if isinstance(value, dict):
        value = _Members(value.items())
    if isinstance(value, _Members) and value:
        return _json_object(value, pretty, indent)
    if isinstance(value, _Members):
        return "{}"
    if isinstance(value, list):
        separator = ", " if pretty else ","
        return "[" + separator.join(_json(each, pretty, indent + "\t") for each in value) + "]"
    return escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
