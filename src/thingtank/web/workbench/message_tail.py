"""The newest messages, for pages that show them as they come. Lives in the loop's thread."""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import msgspec

from thingtank.tank.events import MessageSent, PresenceChanged
from thingtank.tank.messaging.messages import Message
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web.workbench.heard import Heard, among

KEPT_MAX = 100  # messages that a page shows when it is opened
KEPT_BYTES_MAX = 8192  # of one of these; larger ones are shown to pages that are open already
RECIPIENTS_KEPT_MAX = 20


class SeenMessage(msgspec.Struct, eq=False):
    """A message with all who were to get it.

    Attributes:
        number: rises with each.
        devices: the recipients, the first of them; of a broadcast, who sends.
        outcomes: of each of these.
        device_count: of recipients in all.
    """

    number: int
    message: Message
    is_broadcast: bool
    devices: list[Device]
    outcomes: list[str]
    device_count: int = 1


Wants = Callable[[Message, Device], bool]
"""Whether a page wants a message to a device, or a device's broadcast. It must be quick."""


class Hearing(Heard[SeenMessage]):
    """What one page hears."""

    def __init__(self, wants: Wants) -> None:
        super().__init__()
        self._wants = wants
        self._last_number = 0

    def offer(self, seen: SeenMessage, device: Device) -> None:
        """Take a message, if it is wanted and was not taken for another of its recipients."""
        if seen.number == self._last_number or not self._wants(seen.message, device):
            return
        self._last_number = seen.number
        self.add(seen)


class MessageTail:
    """Hears all messages, keeps the newest, and hands on what pages want.

    Attributes:
        presence_version: rises when a device comes or goes.
    """

    def __init__(self, tank: Tank) -> None:
        self._newest: deque[SeenMessage] = deque(maxlen=KEPT_MAX)
        self._last: SeenMessage | None = None
        self._hearings: list[Hearing] = []
        self.presence_version = 0
        tank.bus.react(MessageSent, self._take)
        tank.bus.react(PresenceChanged, self._note_presence)

    def newest(self, wants: Wants, count_max: int) -> Sequence[SeenMessage]:
        """The newest messages that somebody wants, newest first."""
        found: list[SeenMessage] = []
        for seen in reversed(self._newest):
            if len(found) < count_max and any(wants(seen.message, each) for each in seen.devices):
                found.append(seen)
        return found

    def hear(self, wants: Wants) -> AbstractContextManager[Hearing]:
        """What is sent until the end of the block."""
        return among(self._hearings, Hearing(wants))

    def _take(self, event: MessageSent) -> None:
        seen = self._last
        if seen is not None and seen.message is event.message and not event.is_broadcast:
            seen.device_count += 1
            if len(seen.devices) < RECIPIENTS_KEPT_MAX:
                seen.devices.append(event.device)
                seen.outcomes.append(event.outcome)
        else:
            number = 1 if seen is None else seen.number + 1
            seen = SeenMessage(
                number, event.message, event.is_broadcast, [event.device], [event.outcome]
            )
            self._last = seen
            if len(event.message.encoded("modern")) <= KEPT_BYTES_MAX:
                self._newest.append(seen)
        for hearing in self._hearings:
            hearing.offer(seen, event.device)

    def _note_presence(self, event: PresenceChanged) -> None:
        self.presence_version += 1


_tail: MessageTail | None = None


def attach(tail: MessageTail) -> None:
    """Give the pages what they show."""
    global _tail
    _tail = tail


def tail() -> MessageTail:
    """What was attached."""
    assert _tail is not None, "no messages are attached"
    return _tail
