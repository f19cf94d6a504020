"""Acknowledgements that a message's recipient gives itself, as socket.io 0.9 let clients do.

The sender's callback gets what the recipient answers. One that never answers is not waited for
longer than Meshblu's own clients wait.

Source: SkyNet, sendMessage, 2014; Meshblu's client, `timeout`.
"""

from typing import Any, Protocol

from thingtank.protocols.socketio.events import AckId

ANSWER_US_MAX = 10_000_000
RELAYS_MAX = 100  # that one recipient may owe; of more the oldest is forgotten

_TIMED_OUT = {"error": f"timeout {ANSWER_US_MAX // 1000}"}


class Asker(Protocol):
    """Who is to get the answer."""

    def acknowledge(self, ack: AckId, args: tuple[Any, ...]) -> None:
        """Send the acknowledgement."""


class Relay:
    """The way back of one answer; called with it.

    Attributes:
        is_taken: somebody has been asked for it.
        due_tick: see `deadlines.Due`.
    """

    __slots__ = ("_ack", "_asker", "_due_us", "_is_done", "due_tick", "is_taken")

    def __init__(self, asker: Asker, ack: AckId, now_us: int) -> None:
        self._asker = asker
        self._ack = ack
        self._due_us = now_us + ANSWER_US_MAX
        self._is_done = False
        self.is_taken = False
        self.due_tick = 0

    def __call__(self, answer: Any) -> None:
        """Hand the answer over; only the first counts."""
        if not self._is_done:
            self._is_done = True
            self._asker.acknowledge(self._ack, (answer,))

    def next_due_us(self) -> int | None:
        """When nobody will answer any more."""
        return None if self._is_done else self._due_us

    def take_due(self, now_us: int) -> None:
        """Say that nobody has answered."""
        self(_TIMED_OUT)
