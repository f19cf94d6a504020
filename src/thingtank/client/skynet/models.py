"""What clients of SkyNet send and hear, as values."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from thingtank.client.errors import UnreadableAnswer

Outcome = Literal["delivered", "kept", "away", "undeliverable"]
Kind = Literal["broadcast", "received", "sent", "config", "data"]

# What a message has members of its own for here.
_KNOWN = frozenset({"devices", "payload", "message", "topic", "fromUuid", "kept"})


class Identity(msgspec.Struct, frozen=True):
    """A device and the secret that opens it, which a print does not show."""

    uuid: str
    token: str

    def __repr__(self) -> str:
        return f"Identity(uuid={self.uuid!r})"


class Receipt(msgspec.Struct, frozen=True):
    """What became of a message to one target.

    Attributes:
        devices: the target as it was named.
        outcome: `delivered` to it; `kept` for when it comes back; `away`, and not kept;
            `undeliverable`, because there is no such device or it may not be sent to.
        count: how many a broadcast, or a message to a group, was delivered to.
    """

    devices: str
    outcome: Outcome
    count: int = 1


class Message(msgspec.Struct, frozen=True):
    """Something that was heard.

    Attributes:
        event: `message`; or `config`, `data` or `unregistered`, with the record as payload.
        from_uuid: of the device that sent it; blank for who did not say.
        topic: blank for none.
        devices: whom it was sent to, as the sender named them.
        kept_id: of one that was kept while its device was away; blank for all others.
        others: what else the sender put into it.
    """

    event: str
    payload: Any
    from_uuid: str = ""
    topic: str = ""
    devices: Any = None
    kept_id: str = ""
    others: Mapping[str, Any] = {}


class DataRecord(msgspec.Struct, frozen=True):
    """Values that a device recorded at one time.

    Attributes:
        at: with its time zone, UTC.
        values: name to value, as text.
    """

    at: datetime
    values: Mapping[str, str]


def message_of(event: str, body: Any) -> Message:
    """What was heard, whatever it is."""
    if event != "message" or not isinstance(body, dict):
        return Message(event, body)
    kept = body.get("kept")
    return Message(
        event,
        body["payload"] if "payload" in body else body.get("message"),
        _text(body.get("fromUuid")),
        _text(body.get("topic")),
        body.get("devices"),
        _text(kept.get("id")) if isinstance(kept, dict) else "",
        {name: value for name, value in body.items() if name not in _KNOWN},
    )


def receipts_of(answer: Any) -> list[Receipt]:
    """What became of a message. Raise UnreadableAnswer."""
    try:
        return msgspec.convert(answer["receipts"], list[Receipt])
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise UnreadableAnswer(f"no receipts: {error}") from None


def records_of(answer: Any) -> list[DataRecord]:
    """Recorded values, as the server lists them. Raise UnreadableAnswer."""
    try:
        return [_record_of(given) for given in answer["data"]]
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableAnswer(f"no recorded values: {error}") from None


def _record_of(given: Mapping[str, Any]) -> DataRecord:
    at = datetime.fromisoformat(given["timestamp"]).astimezone(UTC)
    values = {
        name: value
        for name, value in given.items()
        if name not in ("timestamp", "uuid", "id") and isinstance(value, str)
    }
    return DataRecord(at, values)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
