"""Messages between devices, on their way to rules that send them on.

A message is acknowledged to its sender when it is on disk for each rule that wants it, as its
hooks' deliveries are. One that a rule has no room for is left out for that rule, and counted.
"""

import asyncio
import secrets
from asyncio import Future

import msgspec

from thingtank.server.sinks.selection import Selection
from thingtank.server.sinks.waiting_items import WaitingItems
from thingtank.sinks.engine import Item
from thingtank.tank.events import MessageSent
from thingtank.tank.messaging.hub import Messaging


class SinkMessages:
    """Takes them; lives in the loop's thread.

    Attributes:
        selections: what each rule wants that sends messages, by its name.
    """

    def __init__(self, messaging: Messaging) -> None:
        self._messaging = messaging
        self.selections: dict[str, Selection] = {}

    def take(self, event: MessageSent, waiting: WaitingItems) -> None:
        """A message was sent."""
        wanting = [
            name for name, selection in self.selections.items() if selection.wants(event.device)
        ]
        if not wanting:
            return
        stored: Future[None] = asyncio.get_running_loop().create_future()
        stored.add_done_callback(_look_at)

        def recorded(error: Exception | None) -> None:
            if stored.cancelled():
                return
            if error is None:
                stored.set_result(None)
            else:
                stored.set_exception(error)

        waiting.put(wanting, _item(event, waiting.origin), recorded)
        if (to_store := self._messaging.to_store) is not None:
            to_store.append(stored)


def _item(event: MessageSent, origin: str) -> Item:
    device, message = event.device, event.message
    item_id = f"{origin}-m-{secrets.token_hex(8)}"
    value = msgspec.json.encode(message.content).decode()
    return Item(
        item_id, "message", device.device_id, device.uuid, "", message.at_us, value, None,
        message.topic,
    )  # fmt: skip


def _look_at(stored: Future[None]) -> None:
    """Nobody has to wait for it."""
    if not stored.cancelled():
        stored.exception()
