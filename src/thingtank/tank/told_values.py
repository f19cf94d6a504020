"""What each datastream's current value is after each write, for those who tell of every write.

Writes that come together reach the disk together, and the archive has all of them before the first
is announced. Who then shows what the archive has shows the last of them, as often as there are
writes. So the feeds that somebody listens to are followed here, announcement by announcement.

Between two bursts both agree. Where they do not, either more announcements are on their way, or
none will come: of a deletion, or of a write whose request was given up. Two turns of the loop later
the former have come, and what the archive has is taken over.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from thingtank.tank.datapoints import CurrentValue, Datapoint
from thingtank.tank.events import DatapointsRecorded
from thingtank.tank.interfaces import Archive, Directory

# Finds a datastream's current value; None when it has none.
Current: TypeAlias = Callable[[int], CurrentValue | None]


class ToldValues:
    """Current values of the feeds that are followed. Lives in the loop's thread."""

    def __init__(self, directory: Directory, archive: Archive) -> None:
        """Follow nothing yet."""
        self._directory = directory
        self._archive = archive
        self._of_feed: dict[int, dict[int, Datapoint]] = {}
        self._unsettled: set[tuple[int, int]] = set()
        self._is_settling = False

    def follow(self, feed_id: int) -> None:
        """Begin with what is current now."""
        told = self._of_feed[feed_id] = {}
        for datastream in self._directory.datastreams(feed_id).values():
            self._take_over(told, datastream.stream_id)

    def leave(self, feed_id: int) -> None:
        """Nobody is told of it any more."""
        self._of_feed.pop(feed_id, None)

    def after(self, event: DatapointsRecorded) -> Current:
        """What is current after a write of a feed that is followed, and before those behind it.

        Args:
            event: the write; of each feed, all of them in their order.
        """
        told = self._of_feed[event.device_id]
        for stream_id in event.names:
            self._notice_deletion(told, event.device_id, stream_id)
        rows = event.rows
        for stream_id, at_us, value in zip(rows.stream_ids, rows.at_us, rows.values, strict=True):
            last = told.get(stream_id)
            if last is None or at_us >= last.at_us:
                told[stream_id] = Datapoint(at_us, value)
        return partial(self._current, event.device_id, told)

    def _current(
        self, feed_id: int, told: dict[int, Datapoint], stream_id: int
    ) -> CurrentValue | None:
        stored, last = self._archive.current(stream_id), told.get(stream_id)
        if stored is None or stored.at_us is None:
            return stored
        if last is not None and last.at_us == stored.at_us and last.value == stored.value:
            return stored
        self._settle_soon(feed_id, stream_id)
        if last is None:  # its first value will be told of soon
            return None
        if last.at_us > stored.at_us:  # deleted
            return stored
        return CurrentValue(last.at_us, last.value, stored.minimum, stored.maximum)

    def _notice_deletion(self, told: dict[int, Datapoint], feed_id: int, stream_id: int) -> None:
        last = told.get(stream_id)
        if last is None:
            if len(told) > len(self._directory.datastreams(feed_id)):
                self._forget_deleted(told, feed_id)
            return
        at_us = self._archive.current_at_us(stream_id)
        if at_us is None or at_us < last.at_us:
            self._take_over(told, stream_id)

    def _forget_deleted(self, told: dict[int, Datapoint], feed_id: int) -> None:
        known = {each.stream_id for each in self._directory.datastreams(feed_id).values()}
        for stream_id in told.keys() - known:
            del told[stream_id]

    def _take_over(self, told: dict[int, Datapoint], stream_id: int) -> None:
        """From now on it is what the archive has."""
        stored = self._archive.current(stream_id)
        if stored is None or stored.at_us is None or stored.value is None:
            told.pop(stream_id, None)
        else:
            told[stream_id] = Datapoint(stored.at_us, stored.value)

    def _settle_soon(self, feed_id: int, stream_id: int) -> None:
        self._unsettled.add((feed_id, stream_id))
        if not self._is_settling:
            self._is_settling = True
            # This turn is of those who are called back at the commit, the next of tasks it wakes.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._settle)

    def _settle(self) -> None:
        self._is_settling = False
        for feed_id, stream_id in self._unsettled:
            told = self._of_feed.get(feed_id)
            if told is not None:
                self._take_over(told, stream_id)
        self._unsettled.clear()
