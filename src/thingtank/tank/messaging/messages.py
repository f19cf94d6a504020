"""A message of a device, as it is delivered."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from thingtank.tank.errors import ValidationFailed

TARGETS_MAX = 1000
MESSAGE_BYTES_MAX = 131_072  # where the wire has no bound of its own that is lower
GROUPS_MAX = 10  # among them: each may have thousands of members
BROADCAST = frozenset({"*", "all"})
TAG = "tag:"
STATUS_TOPIC = "device-status"
DATA_TOPIC = "data"

# What a message never brings along: secrets, what only the tank says, and how it came.
_NOT_TAKEN = frozenset({"token", "fromUuid", "api", "eventCode", "timestamp", "protocol"})

_encode = msgspec.json.encode

Shape = Literal["modern", "legacy"]

# What a message is: one for people and programs, the recipient's answer to one that asked for it,
# a request to configure what a gateway stands for, a text.
EventName = Literal["message", "messageAck", "config", "tb"]


class Message:
    """One message, encoded once for all who receive it.

    Attributes:
        from_uuid: of the device that sends; blank for who has not said who it is.
        from_id: its number; 0 likewise.
        at_us: when it was sent.
        content: as it was sent (`devices`, `payload` or `message`, `topic`, …) and `fromUuid`.
        event: what it is.
        origin: what it and all copies that are forwarded of it have in common; blank until it is
            forwarded. The tank's own, which no client sees or sets.
    """

    __slots__ = ("_encoded", "at_us", "content", "event", "from_id", "from_uuid", "origin")

    def __init__(
        self,
        from_uuid: str,
        from_id: int,
        at_us: int,
        content: dict[str, Any],
        event: EventName = "message",
        origin: str = "",
    ) -> None:
        self.from_uuid = from_uuid
        self.from_id = from_id
        self.at_us = at_us
        self.content = content
        self.event: EventName = event
        self.origin = origin
        self._encoded: dict[str, bytes] = {}

    @property
    def topic(self) -> str:
        """What it is about; blank for nothing."""
        topic = self.content.get("topic")
        return topic if isinstance(topic, str) else ""

    @property
    def payload(self) -> Any:
        """What it says, by whichever of the two names it came."""
        content = self.content
        return content["payload"] if "payload" in content else content.get("message")

    def encoded(self, shape: Shape) -> bytes:
        """The message as JSON.

        Args:
            shape: `legacy` for wires of 2014, whose programs read `message`; `modern` for later
                ones, which read `payload`. Both get the name that was sent, too.
        """
        found = self._encoded.get(shape)
        if found is None:
            found = self._encoded[shape] = _encode(self._shaped(shape))
        return found

    def framed(self, wire: str, frame: Callable[["Message"], bytes]) -> bytes:
        """The message as a wire carries it, made by the first who needs it.

        Args:
            wire: names the frame; no shape's name.
        """
        found = self._encoded.get(wire)
        if found is None:
            found = self._encoded[wire] = frame(self)
        return found

    def _shaped(self, shape: Shape) -> dict[str, Any]:
        content = self.content
        if self.event != "message":
            return content
        if shape == "modern":
            if "payload" in content or "message" not in content:
                return content
            return {**content, "payload": content["message"]}
        legacy = {**content, "api": "message"}
        if "message" not in content and "payload" in content:
            legacy["message"] = content["payload"]
        legacy["timestamp"] = self.at_us // 1000
        legacy["eventCode"] = 300
        return legacy

    def encoded_payload(self) -> bytes:
        """Only what it says, as JSON, for devices that want no more (`payloadOnly`)."""
        found = self._encoded.get("payload")
        if found is None:
            found = self._encoded["payload"] = _encode(self.payload)
        return found

    def addressed(self, devices: Any) -> "Message":
        """The same message with other recipients in it."""
        content = {**self.content, "devices": devices}
        return Message(self.from_uuid, self.from_id, self.at_us, content, self.event, self.origin)


def message_of(
    asked: Any,
    from_uuid: str,
    from_id: int,
    at_us: int,
    event: EventName = "message",
    origin: str = "",
) -> Message:
    """A message that somebody asks to be sent.

    Who asks for an answer, by a number as `ack`, asks one recipient; of several none is asked.

    Raises:
        ValidationFailed: it is none.

    Source: Meshblu, messages: `devices`, `payload` (in 2014 `message`), and whatever else.
    """
    if not isinstance(asked, dict):
        raise ValidationFailed([("message", "is not a JSON object")])
    targets = targets_of(asked.get("devices"))
    content = {name: value for name, value in asked.items() if name not in _NOT_TAKEN}
    if "ack" in content and (len(targets) > 1 or is_for_many(targets[0])):
        del content["ack"]
    if from_uuid:
        content["fromUuid"] = from_uuid
    return Message(from_uuid, from_id, at_us, content, event, origin)


def is_for_many(target: str) -> bool:
    """Whether a target is no single device."""
    return target in BROADCAST or target.startswith(TAG)


def targets_of(devices: Any) -> Sequence[str]:
    """Whom `devices` names, each once: uuids, `*`, `all`, `tag:NAME`.

    Raises:
        ValidationFailed: nobody, or too many.
    """
    if isinstance(devices, str) and devices:
        return (devices,)
    if not isinstance(devices, list) or not devices:
        raise ValidationFailed([("devices", "must be a uuid, a list of uuids or *")])
    if len(devices) > TARGETS_MAX:
        raise ValidationFailed(
            [("devices", f"are too many ({len(devices)}; maximum is {TARGETS_MAX})")]
        )
    if not all(isinstance(device, str) and device for device in devices):
        raise ValidationFailed([("devices", "must be uuids")])
    targets = tuple(dict.fromkeys(devices))
    groups_count = sum(target.startswith(TAG) for target in targets)
    if groups_count > GROUPS_MAX:
        words = f"name too many groups ({groups_count}; maximum is {GROUPS_MAX})"
        raise ValidationFailed([("devices", words)])
    return targets
