"""What the tank publishes: `{"topic": …, "data": …}`, and to answer a request `_request` besides.

Clients take `topic` for the name of an event, so nothing else may be on a device's topic.
"""

from typing import Any

import msgspec

from thingtank.tank.messaging.messages import Message

WIRE = "mqtt"

_encode = msgspec.json.encode


def frame(topic: str, data: bytes) -> bytes:
    """An event.

    Args:
        data: JSON.
    """
    return b'{"topic":%b,"data":%b}' % (_encode(topic), data)


def message_frame(message: Message) -> bytes:
    """A message, made once for all who get it."""
    return message.framed(WIRE, _frame_of)


def _frame_of(message: Message) -> bytes:
    if message.event == "tb":
        return frame("tb", message.encoded_payload())
    return frame(message.event, message.encoded("modern"))


def payload_frame(message: Message) -> bytes:
    """A message to a device that wants only what it says."""
    return frame(message.event, message.encoded_payload())


def text_of(message: Message) -> bytes:
    """A text that is broadcast: it alone, as it was given."""
    payload = message.payload
    return payload.encode() if isinstance(payload, str) else _encode(payload)


def answer_frame(topic: str, data: Any, callback_id: str) -> bytes:
    """An answer to a request of meshblu-mqtt."""
    return _encode({"topic": topic, "data": data, "_request": {"callbackId": callback_id}})


def ack_frame(ack: int, payload: Any) -> bytes:
    """An answer to a request of skynet-mqtt."""
    return frame("messageAck", _encode({"ack": ack, "payload": payload}))


def event_frame(topic: str, data: Any) -> bytes:
    """An answer to a request that has no number."""
    return frame(topic, _encode(data))
