"""Gateways: where they are, and requests to configure what they stand for."""

import asyncio
from typing import Any

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations import devices
from thingtank.doors.skynet.operations.messages import send
from thingtank.doors.skynet.rest.error_table import RestRefusal
from thingtank.doors.skynet.rest.local_addresses import local_url
from thingtank.doors.skynet.rest.replies import Reply, answer
from thingtank.doors.skynet.rest.requests import Request, Words
from thingtank.doors.skynet.sockets.relays import ANSWER_US_MAX, Relay
from thingtank.protocols.socketio.events import AckId
from thingtank.tank.errors import NoSuchDevice, ValidationFailed
from thingtank.tank.messaging.event_codes import EventCode

WORDS = Words("Gateway not found", int(EventCode.GATEWAY_CONFIG))

_NOT_SENT = frozenset({"uuid", "token"})


async def get_gateway(door: SkynetDoor, request: Request) -> Reply:
    """`GET /gateway/:uuid`: where the gateway itself can be reached, on its own network."""
    url = ""
    try:
        device = await devices.read(door, request.party, request.uuid, is_legacy=False)
        url = local_url(device.properties.get("localhost"), device.properties.get("port"))
    except NoSuchDevice:
        pass
    return Reply(302, location=url or "/")


class _Answered:
    """Takes a gateway's answer, or that it has given none."""

    def __init__(self) -> None:
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def acknowledge(self, _ack: AckId, args: tuple[Any, ...]) -> None:
        if not self.future.done():  # who has asked may be gone
            self.future.set_result(args[0])


async def post_config(door: SkynetDoor, request: Request) -> Reply:
    """`POST /gatewayConfig`: answered by the gateway itself, where its wire lets it."""
    uuid = request.text("uuid")
    if not uuid:
        raise ValidationFailed([("uuid", "can't be blank")])
    content = {n: value for n, value in request.parameters.items() if n not in _NOT_SENT}
    content["devices"] = uuid
    answered = _Answered()
    relay = Relay(answered, AckId(0), door.now_us())
    sent = await send(door, request.party, content, reply=relay, event="config")
    outcome = sent.receipts[0].outcome
    if outcome != "delivered":
        text = "Gateway offline" if outcome == "away" else "Gateway not found"
        raise RestRefusal(answer({"error": {"message": text, "code": 404}}, 404), text)
    if not relay.is_taken:
        return answer({"uuid": uuid})
    timer = asyncio.get_running_loop().call_later(ANSWER_US_MAX / 1e6, relay.take_due, 0)
    try:
        return answer(await answered.future)
    finally:
        timer.cancel()
