"""The in-process bus: events to whoever listens, never waiting for anyone.

Owned by the event loop's thread. A listener has a bounded queue; when it is full the oldest event
is dropped and counted,
so that a listener can say what it missed and read the state anew.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, TypeVar

from thingtank.tank.events import Event, device_id_of

Kind = TypeVar("Kind")

LISTENER_EVENTS_MAX = 1000


class Listener:
    """One receiver's bounded queue. Iterate with `await listener.next()`; leave with `close()`."""

    def __init__(
        self,
        bus: "Bus",
        kinds: tuple[type[Event], ...],
        device_ids: tuple[int, ...] | None,
        events_max: int,
    ) -> None:
        self._bus = bus
        self._kinds = kinds
        self.device_ids = device_ids
        self._queue: deque[Event] = deque(maxlen=events_max)
        self._wake = asyncio.Event()
        self.dropped_count = 0

    def offer(self, event: Event) -> None:
        """Queue an event if it is of a kind asked for."""
        if not isinstance(event, self._kinds):
            return
        if len(self._queue) == self._queue.maxlen:
            self.dropped_count += 1
        self._queue.append(event)
        self._wake.set()

    async def next(self) -> Event:
        """Wait for the next event."""
        while not self._queue:
            self._wake.clear()
            await self._wake.wait()
        return self._queue.popleft()

    def take_all(self) -> list[Event]:
        """All events queued now, without waiting; maybe none."""
        events = list(self._queue)
        self._queue.clear()
        return events

    def close(self) -> None:
        """Stop listening."""
        self._bus.forget(self)

    def __enter__(self) -> "Listener":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Bus:
    """Where actions announce and doors, pages and sinks listen."""

    def __init__(self) -> None:
        self._of_all: list[Listener] = []
        self._of_device: dict[int, list[Listener]] = {}
        self._reactions: dict[type, list[Callable[[Any], None]]] = {}
        self._dropped_count = 0

    @property
    def dropped_count(self) -> int:
        """Events that were dropped since the start, as their listener was slow."""
        listeners = {*self._of_all, *(x for each in self._of_device.values() for x in each)}
        return self._dropped_count + sum(listener.dropped_count for listener in listeners)

    def publish(self, event: Event) -> None:
        """Give an event to each listener it concerns; from the loop's thread, after the change."""
        for reaction in self._reactions.get(type(event), ()):
            reaction(event)
        for listener in self._of_all:
            listener.offer(event)
        if self._of_device:
            for listener in self._of_device.get(device_id_of(event), ()):
                listener.offer(event)

    def react(self, kind: type[Kind], reaction: Callable[[Kind], None]) -> None:
        """Have `reaction` called at once with every event of a kind; it must be quick."""
        self._reactions.setdefault(kind, []).append(reaction)

    def listen(
        self,
        *kinds: type[Event],
        device_id: int | None = None,
        device_ids: Collection[int] | None = None,
        events_max: int = LISTENER_EVENTS_MAX,
    ) -> Listener:
        """Start a listener for events of these kinds, of one device, of some, or of all."""
        if device_id is not None:
            device_ids = (device_id,)
        of_devices = None if device_ids is None else tuple(dict.fromkeys(device_ids))
        listener = Listener(self, kinds, of_devices, events_max)
        if of_devices is None:
            self._of_all.append(listener)
            return listener
        for own_id in of_devices:
            self._of_device.setdefault(own_id, []).append(listener)
        return listener

    def forget(self, listener: Listener) -> None:
        """Drop a listener; it gets nothing more."""
        is_known = listener in self._of_all
        if listener.device_ids is None:
            self._of_all = [other for other in self._of_all if other is not listener]
        for device_id in listener.device_ids or ():
            before = self._of_device.get(device_id, [])
            is_known |= listener in before
            rest = [other for other in before if other is not listener]
            if rest:
                self._of_device[device_id] = rest
            else:
                self._of_device.pop(device_id, None)
        if is_known:  # not closed once more
            self._dropped_count += listener.dropped_count
