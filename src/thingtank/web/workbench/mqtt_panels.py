"""What was sent and heard over MQTT, as pages show it."""

from collections.abc import Iterator
from typing import Any

import msgspec

from thingtank.protocols.mqtt.broker_facts import Answer, HeardMessage, SeenPacket, payload_text
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.web.workbench.outcomes import ShownOutcome, took

_BINARY_BYTES_MAX = 1000  # of a property

# What to do about it, where that can be said.
REMEDIES = {
    ReasonCode.NO_MATCHING_SUBSCRIBERS: "It arrived, and nobody has subscribed to this topic.",
    ReasonCode.NOT_AUTHORIZED: "Your account may not use this topic: see the setting `mqtt.acl`.",
    ReasonCode.QUOTA_EXCEEDED: "A limit of the settings is reached.",
    ReasonCode.TOPIC_NAME_INVALID: "The topic name has too many levels.",
    ReasonCode.TOPIC_FILTER_INVALID: "The topic filter is none.",
    ReasonCode.PAYLOAD_FORMAT_INVALID: "The payload is not what this topic takes.",
    ReasonCode.SERVER_BUSY: "It could not be kept on disk. Look at the log of the server.",
}


class ShownHeard(msgspec.Struct, frozen=True):
    """A line of a live list.

    Attributes:
        note: how it came, in a few words.
        details: more of it; blank for none.
    """

    topic: str
    at_ms: int
    note: str
    text: str
    details: str


def shown_answer(answer: Answer, unanswered: str) -> ShownOutcome:
    """An answer as the page shows it.

    Args:
        unanswered: what is said where no answer was asked for.
    """
    codes = answer.reason_codes
    is_bad = any(code >= ReasonCode.UNSPECIFIED_ERROR for code in codes)
    words = next((REMEDIES[code] for code in codes if code in REMEDIES), answer.reason_string)
    if answer.is_late:
        name, words = "No answer", "Nothing came back in time."
    elif answer.is_over and not answer.name:
        name, words = "Closed", "The broker has closed the connection."
    else:
        name, words = answer.name or "Sent", words if answer.name else unanswered
    return ShownOutcome(
        name,
        not (is_bad or answer.is_late or answer.is_over),
        ", ".join(f"0x{code:02X} {reason_text(code, answer.name)}" for code in codes),
        words,
        "",
        took(answer.duration_us),
    )


def reason_text(code: ReasonCode, packet_name: str) -> str:
    """A reason code's name in the standard: SUCCESS is `Success`, in SUBACK `Granted QoS 0`."""
    if packet_name == "SUBACK" and code is ReasonCode.SUCCESS:
        return "Granted QoS 0"
    return code.name.replace("_", " ").capitalize().replace("qos", "QoS")


def shown_message(message: HeardMessage) -> ShownHeard:
    """A message as the page shows it."""
    note = [f"QoS {message.qos}"]
    note += ["retained"] if message.is_retain else []
    note += ["dup"] if message.is_dup else []
    return ShownHeard(
        message.topic,
        message.at_us // 1000,
        ", ".join(note),
        message.text if message.size_bytes else "no payload",
        "\n".join(_property_lines(message.properties)),
    )


def shown_packet(packet: SeenPacket) -> ShownHeard:
    """A packet as the page shows it."""
    lines = [f"{name}: {_field_text(value)}" for name, value in packet.fields.items()]
    return ShownHeard(
        packet.name,
        packet.at_us // 1000,
        f"{'from the client' if packet.is_from_client else 'to the client'}, "
        f"{packet.size_bytes:,} bytes",
        "\n".join(lines),
        "",
    )


def _property_lines(properties: Properties) -> Iterator[str]:
    for field in properties.__struct_fields__:
        value = getattr(properties, field)
        name = field.replace("_", " ")
        if field == "user_properties":
            yield from (f"{key}: {text}" for key, text in value)
        elif isinstance(value, bytes):
            yield f"{name}: {payload_text(value, _BINARY_BYTES_MAX)}"
        elif value is not None and value != ():
            yield f"{name}: {_field_text(value)}"


def _field_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "; ".join(map(_field_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_field_text(each)}" for name, each in value.items())
    return str(value)
