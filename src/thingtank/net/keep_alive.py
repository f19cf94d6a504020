"""Finds peers that are gone without a word: who is silent is asked, who does not answer is cut off.

All connections share one timer. Each belongs to one of SLOTS groups, which are looked at in turn,
so that no single look takes long.
"""

import asyncio
from typing import Protocol

SLOTS = 32


class Watched(Protocol):
    """A connection.

    Attributes:
        is_heard: set by the connection whenever its peer says something.
        is_asked: whether an answer is due; used here only.
    """

    is_heard: bool
    is_asked: bool

    def ping(self) -> None:
        """Ask for an answer."""

    def cut_off(self) -> None:
        """End the connection at once: its peer has not answered."""


class KeepAlive:
    """Watches connections."""

    def __init__(self, silence_s: float) -> None:
        """Watch nobody yet.

        Args:
            silence_s: who says nothing for so long, or up to twice as long, is asked, and has as
                long again to say anything.
        """
        self._pause_s = silence_s / SLOTS
        self._slots: list[set[Watched]] = [set() for _ in range(SLOTS)]
        self._slot_of: dict[Watched, int] = {}
        self._next_slot = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def count(self) -> int:
        """How many are watched."""
        return len(self._slot_of)

    def add(self, connection: Watched) -> None:
        """Watch one; its first look is as far away as can be."""
        slot = self._next_slot - 1
        self._slots[slot].add(connection)
        self._slot_of[connection] = slot
        if self._timer is None:
            self._wait()

    def remove(self, connection: Watched) -> None:
        """Watch one no more."""
        slot = self._slot_of.pop(connection, None)
        if slot is not None:
            self._slots[slot].discard(connection)
        if not self._slot_of and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._pause_s, self._look)

    def _look(self) -> None:
        self._wait()
        connections = self._slots[self._next_slot]
        self._next_slot = (self._next_slot + 1) % SLOTS
        for connection in list(connections):
            if connection.is_heard:
                connection.is_heard = connection.is_asked = False
            elif connection.is_asked:
                connection.cut_off()
            else:
                connection.is_asked = True
                connection.ping()
