"""Send messages, answers to them, texts, and requests to gateways."""

from typing import Any

from thingtank.doors.skynet.operations import messages
from thingtank.doors.skynet.refusals import Refusal
from thingtank.doors.skynet.sockets.events.asking import (
    Answer,
    Asking,
    EventSpec,
    check_is_known,
    refuse_plainly,
)
from thingtank.doors.skynet.sockets.relays import Relay
from thingtank.tank.actions.messages import Sent
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.messaging.messages import EventName

# Members of messages whose sender wants to know what became of them; they are not delivered.
WANT_RECEIPTS = frozenset({"receipts", "receipt"})
_MOST_MEMBERS = 50  # of a gateway's request
_NO_GATEWAY = "Gateway not found"
_ARRIVED = ("delivered", "kept")
_OF_ANSWERS = ("devices", "ack", "payload")


async def _message(asking: Asking) -> Answer:
    """Early: acknowledged by the recipient. Later: once it is accepted."""
    client = asking.client
    check_is_known(client)
    body, wants_receipts = _without_wish(asking.body)
    if not client.is_legacy or asking.ack is None:
        sent = await messages.send(client.door, client.party, body)
        return _receipts(sent) if wants_receipts else ()
    relay = Relay(client, asking.ack, client.door.now_us())
    sent = await messages.send(client.door, client.party, body, reply=relay)
    if relay.is_taken:
        client.sockets.deadlines.watch(relay)
        return None
    if wants_receipts:
        return _receipts(sent)
    return ({"api": "message", "result": all(_has_arrived(sent))},)


def _without_wish(body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A message, and whether its sender wants to know what became of it."""
    if WANT_RECEIPTS.isdisjoint(body):
        return body, False
    message = {name: value for name, value in body.items() if name not in WANT_RECEIPTS}
    return message, any(body.get(name) for name in WANT_RECEIPTS)


def _has_arrived(sent: Sent) -> list[bool]:
    return [receipt.outcome in _ARRIVED for receipt in sent.receipts]


def _receipts(sent: Sent) -> Answer:
    return ({"receipts": sent.receipts},)


def _refuse_message(asking: Asking, refusal: Refusal) -> Answer:
    if refusal.code == 422:
        return ({"error": "Invalid Message Format", "problems": [refusal.message]},)
    return ({"error": refusal.error()},)


async def _message_ack(asking: Asking) -> Answer:
    """Hand a recipient's answer on to who asked for it, if it is there."""
    body = asking.body
    answer = {name: value for name, value in body.items() if name in _OF_ANSWERS}
    await _relay(asking, answer, "messageAck")
    return ()


async def _relay(
    asking: Asking, content: dict[str, Any], event: EventName, reply: Relay | None = None
) -> Sent:
    client = asking.client
    check_is_known(client)
    return await messages.send(client.door, client.party, content, reply=reply, event=event)


async def _gateway_config(asking: Asking) -> Answer:
    """Ask a gateway to configure what it stands for; its answer is the acknowledgement."""
    client, body = asking.client, asking.body
    if len(body) > _MOST_MEMBERS:
        raise ValidationFailed([("options", f"are too many (maximum is {_MOST_MEMBERS})")])
    content = {name: value for name, value in body.items() if name not in ("uuid", "token")}
    content["devices"] = asking.uuid
    relay = None if asking.ack is None else Relay(client, asking.ack, client.door.now_us())
    sent = await _relay(asking, content, "config", relay)
    outcome = sent.receipts[0].outcome
    if outcome != "delivered":
        words = "Gateway offline" if outcome == "away" else _NO_GATEWAY
        return ({"error": Refusal(404, words).error()},)
    if relay is not None and relay.is_taken:
        client.sockets.deadlines.watch(relay)
        return None
    return ()


def _refuse_gateway_config(asking: Asking, refusal: Refusal) -> Answer:
    if refusal.code in (401, 404):
        refusal = Refusal(404, _NO_GATEWAY)
    return ({"error": refusal.error()},)


async def _text(asking: Asking) -> Answer:
    """Broadcast a text as it is."""
    text = asking.args[0] if asking.args else ""
    if not isinstance(text, str):
        raise ValidationFailed([("text", "must be a text")])
    await _relay(asking, {"devices": "*", "payload": text}, "tb")
    return ()


SPECS = {
    "message": EventSpec(_message, _refuse_message),
    "messageAck": EventSpec(_message_ack, refuse_plainly),
    "gatewayConfig": EventSpec(_gateway_config, _refuse_gateway_config),
    "gatewayConfigAck": EventSpec(_message_ack, refuse_plainly),
    "tb": EventSpec(_text, refuse_plainly),
}
