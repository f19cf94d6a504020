"""Listen to devices."""

from collections.abc import Callable
from typing import Any

from thingtank.doors.skynet.operations.subscriptions import kinds_of, topics_of
from thingtank.doors.skynet.refusals import Refusal
from thingtank.doors.skynet.sockets.events.asking import (
    Answer,
    Asking,
    EventSpec,
    acting,
    text_of,
)
from thingtank.tank.errors import NoSuchDevice

_UNAUTHORIZED = "unauthorized access"


async def _subscribe(asking: Asking) -> Answer:
    """Listen to what a device broadcasts; with its token, to what it hears itself, too."""
    client, body = asking.client, asking.body
    party = acting(asking)
    kinds, topics = kinds_of(body.get("types")), topics_of(body.get("topics"))
    device = await client.subscribed.add(party, asking.uuid, kinds, topics)
    if not client.is_legacy:
        told = {"api": "subscribe", "socketid": client.socket_id, "fromUuid": client.party.uuid}
        return ({**told, "toUuid": device.uuid, "result": True},)
    if text_of(body, "token"):
        return (_own(asking, "subscribe", client.party.uuid or device.uuid),)
    return ({"api": "subscribe", "result": True},)


def _own(asking: Asking, api: str, uuid: str) -> dict[str, Any]:
    return {"api": api, "socketid": asking.client.socket_id, "uuid": uuid}


async def _unsubscribe(asking: Asking) -> Answer:
    client = asking.client
    if not asking.text("uuid"):
        raise NoSuchDevice("uuid is missing")
    kinds = kinds_of(asking.body.get("types"))
    await client.subscribed.remove(client.party, asking.text("uuid"), kinds)
    if client.is_legacy:
        return (_own(asking, "unsubscribe", asking.text("uuid")),)
    return ({"api": "unsubscribe", "uuid": asking.text("uuid")},)


def _refuse(api: str) -> Callable[[Asking, Refusal], Answer]:
    def refuse(asking: Asking, refusal: Refusal) -> Answer:
        is_forbidden = refusal.code in (401, 404)
        if not asking.client.is_legacy:
            return ({"error": _UNAUTHORIZED if is_forbidden else refusal.error()},)
        told: dict[str, Any] = {"api": api, "result": False}
        return (told if is_forbidden else {**told, "error": refusal.error()},)

    return refuse


SPECS = {
    "subscribe": EventSpec(_subscribe, _refuse("subscribe")),
    "unsubscribe": EventSpec(_unsubscribe, _refuse("unsubscribe")),
}
