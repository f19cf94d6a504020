"""QoS 2 messages of sessions that outlive the process, from when they were taken until recorded.

The packet id is in one file and the datapoint in another, and no crash may come between them. So
the message is kept beside its packet id, with the instant it came at, before it is recorded: what
is found at a start is recorded once more, at the same instant, which changes nothing where it was.

Source: MQTT 5, 4.3.3 QoS 2: Exactly once delivery.
"""

from collections.abc import Callable, Iterator

import msgspec

from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.keeping import Found, FoundSession, KeptDelivery, KeptSession
from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.session import NEVER_EXPIRES

# Of the session whose deliveries they are kept as; no client's, which has no U+0000 (1.5.4).
CLIENT_ID = "\0tank"
_PRINCIPAL = "tank"
_INSTANT_BYTES = 8

Kept = Callable[[Exception | None], None]


class TakenMessage(msgspec.Struct, frozen=True, gc=False):
    """One that the last process took.

    Attributes:
        at_us: when it came, since the epoch.
    """

    number: int
    topic: str
    payload: bytes
    at_us: int


class TakenMessages:
    """Keeps them, by the broker's keeper of sessions."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._last_number = 0
        self._has_session = False

    def restore(self, found: Found) -> tuple[Found, list[TakenMessage]]:
        """What the last process had taken, and what else it left."""
        others, taken = [], list[TakenMessage]()
        for each in found.sessions:
            if each.session.client_id == CLIENT_ID:
                self._has_session = True
                taken += _taken(each)
            else:
                others.append(each)
        if taken:
            self._last_number = taken[-1].number
        return msgspec.structs.replace(found, sessions=others), taken

    def keep(self, topic: str, payload: bytes, at_us: int, kept: Kept) -> int:
        """Keep a message; `kept` is called with None once it is on disk, or with why it is not.

        Returns:
            Its number.
        """
        keeper = self._broker.keeper
        if not self._has_session:
            self._has_session = True
            keeper.keep_session(
                KeptSession(CLIENT_ID, _PRINCIPAL, 5, NEVER_EXPIRES, False, 0, None)
            )
        self._last_number += 1
        instant = at_us.to_bytes(_INSTANT_BYTES, "big", signed=True)
        message = Message(topic, payload, 2, properties=instant)
        keeper.keep_delivery(CLIENT_ID, KeptDelivery(self._last_number, message, 2))
        self._broker.awaiting.append(_Keeping(kept))
        return self._last_number

    def drop(self, number: int) -> None:
        """It is recorded, or refused."""
        self._broker.keeper.drop_delivery(CLIENT_ID, number)


class _Keeping:
    """Waits for the disk."""

    __slots__ = ("_kept",)

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def settle(self, error: Exception | None) -> None:
        """It is on disk, or cannot be."""
        self._kept(error)


def _taken(session: FoundSession) -> Iterator[TakenMessage]:
    for each in session.deliveries:
        message = each.message
        at_us = int.from_bytes(message.properties[:_INSTANT_BYTES], "big", signed=True)
        yield TakenMessage(each.number, message.topic, message.payload, at_us)
