"""A process that keeps MQTT's sessions and says what is on disk, until it is killed.

`python -m tests.faults.mqtt_store_child FOLDER FIRST`: each writer has a session of its own, and
says all that belongs to a number in one go, FIRST upwards, one after another: it gives up its
oldest delivery, keeps and sends a new one, takes a QoS 2 message instead of the last one, retains,
and has a message passed to a group. A line `kept WRITER NUMBER GROUP_NUMBER` is printed the
instant that this is said to be on disk.
"""

import asyncio
import sys
from collections import deque
from pathlib import Path

from tests.unit.stores.mqtt_samples import WILL, session

from thingtank.protocols.mqtt.keeping import DeliveryState, FoundSession, KeptDelivery
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.stores.mqtt_sessions import MqttSessions

WRITERS = [f"writer{each}" for each in range(6)]
GROUP = [f"group{each}" for each in range(4)]
CHURNING = "churning"
UNDER_WAY = 5


class Group:
    """Clients that all get the same."""

    def __init__(self, sessions: MqttSessions, numbers: list[int]) -> None:
        self.sessions = sessions
        self.numbers = deque(numbers)
        self.number = max(numbers, default=0)

    def pass_on(self) -> None:
        """A message to each, and away with the oldest."""
        self.number += 1
        self.numbers.append(self.number)
        message = Message("group", b"%d" % self.number)
        for client_id in GROUP:
            self.sessions.keep_delivery(client_id, KeptDelivery(self.number, message, 1))
        while len(self.numbers) > UNDER_WAY:
            number = self.numbers.popleft()
            for client_id in GROUP:
                self.sessions.drop_delivery(client_id, number)


class Writer:
    """Keeps the next number when the last one is on disk."""

    def __init__(
        self,
        sessions: MqttSessions,
        client_id: str,
        found: FoundSession | None,
        first: int,
        group: Group,
    ) -> None:
        self.sessions = sessions
        self.client_id = client_id
        self.numbers = deque([] if found is None else [each.number for each in found.deliveries])
        self.received = [] if found is None else list(found.received)
        self.number = first
        self.group = group
        sessions.keep_session(session(client_id, WILL))
        self.say()

    def say(self) -> None:
        """All that belongs to a number."""
        sessions, client_id, number = self.sessions, self.client_id, self.number
        while len(self.numbers) > UNDER_WAY:
            sessions.drop_delivery(client_id, self.numbers.popleft())
        self.numbers.append(number)
        message = Message(client_id, b"%d" % number)
        sessions.keep_delivery(client_id, KeptDelivery(number, message, 2))
        sessions.set_delivery(client_id, number, packet_id_of(number), DeliveryState.SENT)
        for packet_id in self.received:
            sessions.drop_received(client_id, packet_id)
        self.received = [packet_id_of(number)]
        sessions.keep_received(client_id, packet_id_of(number))
        sessions.retain(message)
        self.group.pass_on()
        if client_id == WRITERS[0]:
            self.churn(message)
        group_number = self.group.number
        sessions.when_kept(lambda error: self.kept(number, group_number, error))

    def churn(self, message: Message) -> None:
        """A session that begins anew each time."""
        self.sessions.drop_session(CHURNING)
        self.sessions.keep_session(session(CHURNING))
        self.sessions.keep_subscription(CHURNING, Subscription(f"{CHURNING}/{self.number}"))
        self.sessions.keep_delivery(CHURNING, KeptDelivery(self.number, message, 1))

    def kept(self, number: int, group_number: int, error: Exception | None) -> None:
        """It is on disk."""
        assert error is None
        print(f"kept {self.client_id} {number} {group_number}", flush=True)
        self.number += 1
        self.say()


def packet_id_of(number: int) -> int:
    """Any."""
    return number % 65_535 + 1


async def main(folder: Path, first: int) -> None:
    """Write with all writers at once."""
    sessions = await MqttSessions.open(folder)
    found = {each.session.client_id: each for each in (await sessions.found()).sessions}
    for client_id in GROUP:
        sessions.keep_session(session(client_id))
    numbers = [each.number for each in found[GROUP[0]].deliveries] if GROUP[0] in found else []
    group = Group(sessions, numbers)
    for client_id in WRITERS:
        Writer(sessions, client_id, found.get(client_id), first, group)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
