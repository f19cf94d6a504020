"""Who wants to hear of which feed, and pushes to all of them.

A push holds the whole feed (or the datastream) as this write left it. It is made once for each
update, and framed once for all that named the feed in the same words; then written to them in
turns, so that five thousand receivers do not hold up the loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
import structlog

from thingtank.documents.feeds import Bodies
from thingtank.doors.xively.authentication import Credentials, caller_of
from thingtank.protocols.xively import json_format
from thingtank.protocols.xively.socket_messages import Pushes
from thingtank.tank.access import may_reach
from thingtank.tank.errors import NoSuchDatastream, TankError
from thingtank.tank.events import DatapointsRecorded, DeviceDeleted
from thingtank.tank.tank import Tank
from thingtank.tank.told_values import Current, ToldValues

log = structlog.get_logger()

WRITES_PER_TURN = 200
UPDATES_MAX = 10_000  # not pushed yet; beyond either the oldest are dropped, and counted
UPDATES_BYTES_MAX = 64 * 1024 * 1024
_RECEIVER_BYTES = 8  # what an update holds for each of those it goes to


class Receiver(Protocol):
    """What a push is written to."""

    @property
    def address(self) -> str:
        """The other side's IP address."""
        ...

    def send(self, message: bytes) -> None:
        """Write one message."""
        ...

    def unread_bytes(self) -> int:
        """How much was written and not taken yet."""
        ...

    def abort(self) -> None:
        """End the connection at once; what was not taken yet is dropped."""
        ...


class Subscription:
    """One connection's wish to hear of a feed, or of one of its datastreams.

    Attributes:
        datastream: None for the whole feed.
        known_by: the resource and the token as the client wrote them.
        on_ended: called when pushes end without the client's doing: the key opens the feed no more,
            or the feed is gone.
    """

    __slots__ = (
        "credentials",
        "datastream",
        "feed_id",
        "known_by",
        "on_ended",
        "pushes",
        "receiver",
    )

    def __init__(
        self,
        feed_id: int,
        datastream: str | None,
        pushes: Pushes,
        known_by: tuple[str, bytes],
        credentials: Credentials,
        receiver: Receiver,
        on_ended: "Callable[[Subscription], None]",
    ) -> None:
        self.feed_id = feed_id
        self.datastream = datastream
        self.pushes = pushes
        self.known_by = known_by
        self.credentials = credentials
        self.receiver = receiver
        self.on_ended = on_ended


class _Update(msgspec.Struct):
    """One update on its way: bodies by datastream, None for the whole feed."""

    receivers: list[Subscription]
    bodies: dict[str | None, bytes]
    frames: dict[tuple[str, bytes], bytes] = {}
    allowed: dict[tuple[Credentials, str, str | None], bool] = {}
    size_bytes: int = 0


def json_bodies(tank: Tank, base_url: str, live_s: int) -> "BodyMaker":
    """Bodies as a GET without parameters answers them.

    Args:
        base_url: what links in them begin with.
    """
    bodies = Bodies(tank, base_url, None, live_s)

    def make(feed_id: int, datastream: str | None, current: Current) -> bytes:
        if datastream is None:
            device = tank.directory.get_device(feed_id)
            return json_format.serialize(bodies.feed(device, current=current))
        known = tank.directory.datastreams(feed_id).get(datastream)
        if known is None:
            raise NoSuchDatastream(f"feed {feed_id} has no datastream {datastream}")
        return json_format.serialize(bodies.datastream(known, current=current))

    return make


# Makes the JSON body of a feed, or of one of its datastreams, with the current values that the
# last argument finds; raises TankError when it is gone.
BodyMaker = Callable[[int, str | None, Current], bytes]


class Subscriptions:
    """All subscriptions of a door. Lives in the loop's thread."""

    def __init__(
        self, tank: Tank, make_body: BodyMaker, unread_bytes_max: int, reads_public: bool = False
    ) -> None:
        self._tank = tank
        self._make_body = make_body
        self._unread_bytes_max = unread_bytes_max
        self._reads_public = reads_public
        self._of_feed: dict[int, dict[Subscription, None]] = {}
        self._told = ToldValues(tank.directory, tank.archive)
        self._updates: deque[_Update] = deque()
        self._updates_bytes = 0
        self._turn: asyncio.Handle | None = None
        self.dropped_count = 0
        tank.bus.react(DatapointsRecorded, self._recorded)
        tank.bus.react(DeviceDeleted, lambda event: self._forget(event.device.device_id))

    def add(self, subscription: Subscription) -> None:
        """Begin to push."""
        of_feed = self._of_feed.get(subscription.feed_id)
        if of_feed is None:
            of_feed = self._of_feed[subscription.feed_id] = {}
            self._told.follow(subscription.feed_id)
        of_feed[subscription] = None

    def remove(self, subscription: Subscription) -> None:
        """Push no more."""
        of_feed = self._of_feed.get(subscription.feed_id)
        if of_feed is not None:
            of_feed.pop(subscription, None)
            if not of_feed:
                del self._of_feed[subscription.feed_id]
                self._told.leave(subscription.feed_id)

    def _end(self, subscription: Subscription) -> None:
        self.remove(subscription)
        subscription.on_ended(subscription)

    def _forget(self, feed_id: int) -> None:
        self._told.leave(feed_id)
        for subscription in self._of_feed.pop(feed_id, ()):
            subscription.on_ended(subscription)

    def _recorded(self, event: DatapointsRecorded) -> None:
        of_feed = self._of_feed.get(event.device_id)
        if of_feed is None:
            return
        current = self._told.after(event)
        names = set(event.names.values())
        receivers = [s for s in of_feed if s.datastream is None or s.datastream in names]
        if not receivers:
            return
        try:
            bodies = {
                name: self._make_body(event.device_id, name, current)
                for name in {subscription.datastream for subscription in receivers}
            }
        except TankError:  # deleted in the same turn
            return
        size_bytes = sum(map(len, bodies.values())) + len(receivers) * _RECEIVER_BYTES
        self._updates.append(_Update(receivers, bodies, size_bytes=size_bytes))
        self._updates_bytes += size_bytes
        while len(self._updates) > 1 and (
            len(self._updates) > UPDATES_MAX or self._updates_bytes > UPDATES_BYTES_MAX
        ):
            self._drop_oldest()
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._push)

    def _drop_oldest(self) -> None:
        self._updates_bytes -= self._updates.popleft().size_bytes
        if not self.dropped_count:
            log.warning("xively_pushes_dropped", waiting_count=len(self._updates))
        self.dropped_count += 1

    def _push(self) -> None:
        """Write some pushes, then let others have a turn."""
        left_count = WRITES_PER_TURN
        self._turn = None
        try:
            while self._updates and left_count > 0:
                update = self._updates[0]
                turn, update.receivers = (
                    update.receivers[:left_count],
                    update.receivers[left_count:],
                )
                left_count -= len(turn)
                self._push_to(turn, update)
                if not update.receivers:
                    self._updates.popleft()
                    self._updates_bytes -= update.size_bytes
        finally:  # whatever happened, the others are heard
            if self._updates:
                self._turn = asyncio.get_running_loop().call_soon(self._push)

    def _push_to(self, receivers: Iterable[Subscription], update: _Update) -> None:
        for subscription in receivers:
            of_feed = self._of_feed.get(subscription.feed_id)
            if of_feed is None or subscription not in of_feed:
                continue  # unsubscribed, or gone, meanwhile
            try:
                if not self._may_still(subscription, update):
                    self._end(subscription)
                    continue
                frame = update.frames.get(subscription.known_by)
                if frame is None:
                    body = update.bodies[subscription.datastream]
                    frame = update.frames[subscription.known_by] = subscription.pushes.frame(body)
                receiver = subscription.receiver
                if receiver.unread_bytes() <= self._unread_bytes_max:
                    receiver.send(frame)
                    continue
                log.info("xively_socket_reads_too_slowly", address=receiver.address)
                receiver.abort()
            except Exception:
                log.exception("xively_push_failed", feed_id=subscription.feed_id)
                self._cut_off(subscription)

    def _cut_off(self, subscription: Subscription) -> None:
        """End a connection that cannot be written to; no other may suffer from it."""
        self._end(subscription)
        try:
            subscription.receiver.abort()
        except Exception:
            log.exception("xively_socket_abort_failed", feed_id=subscription.feed_id)

    def _may_still(self, subscription: Subscription, update: _Update) -> bool:
        """Whether the key opens the feed still; asked once for each key and update."""
        address = subscription.receiver.address
        asked = (subscription.credentials, address, subscription.datastream)
        answer = update.allowed.get(asked)
        if answer is None:
            answer = update.allowed[asked] = self._is_allowed(subscription, address)
        return answer

    def _is_allowed(self, subscription: Subscription, address: str) -> bool:
        try:
            caller = caller_of(
                self._tank, subscription.credentials, address, self._reads_public, is_counted=False
            )
            device = self._tank.directory.get_device(subscription.feed_id)
        except TankError:
            return False
        return may_reach(caller, "get", device, subscription.datastream)
