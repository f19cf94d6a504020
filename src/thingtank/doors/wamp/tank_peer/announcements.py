"""Tells the realms what happens in the tank: events of the bus become events of WAMP topics.

Nothing is made unless somebody listens. Who listens is asked for their right before each event,
because keys are deleted, feeds made private and accounts closed without an event of their own; who
has lost it loses the subscription, and is told so. Within one turn of the loop nothing can change,
so there each is asked once for each thing.

What waits is bounded: the oldest is dropped and counted. A broker's own queues are bounded by its
transports.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, get_args

import msgspec
import structlog

from thingtank.doors.wamp.tank_peer.access import (
    READ,
    READ_AND_UPDATE,
    Needed,
    TankAccess,
    requests_needed,
)
from thingtank.doors.wamp.tank_peer.resources.triggers import trigger_document
from thingtank.doors.wamp.tank_peer.topics import (
    datastream_topic,
    device_topic,
    request_topic,
    scope_of,
    trigger_topic,
)
from thingtank.protocols.wamp.answers import NOT_AUTHORIZED
from thingtank.protocols.wamp.json_serializer import JSON
from thingtank.protocols.wamp.payloads import payload_of
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.router import Realm
from thingtank.protocols.wamp.serializer import Serializer
from thingtank.protocols.wamp.subscriptions import Subscription
from thingtank.protocols.xively.times import format_time, format_times
from thingtank.tank.access import Caller
from thingtank.tank.errors import TankError
from thingtank.tank.events import (
    DatapointsRecorded,
    DeviceCreated,
    DeviceDeleted,
    DeviceUpdated,
    Event,
    MessageSent,
    PresenceChanged,
    RequestServed,
    TriggerChanged,
    TriggerFired,
)
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

log = structlog.get_logger()

EVENTS_MAX = 10_000
DATAPOINTS_MAX = 1_000_000  # of all events that wait, together
DATAPOINTS_PER_EVENT_MAX = 500
DELIVERIES_PER_TURN = 2000

_KINDS: tuple[type[Any], ...] = get_args(Event)


class Announcements:
    """What waits to be announced. Lives in the loop's thread.

    Attributes:
        dropped_count: events that nobody was told of.
    """

    def __init__(self, tank: Tank, access: TankAccess, realms: Sequence[Realm]) -> None:
        """Listen to nothing yet.

        Args:
            realms: may become more.
        """
        self._tank = tank
        self._access = access
        self._realms = realms
        self._waiting: deque[Event] = deque()
        self._datapoint_count = 0
        self._turn: asyncio.Handle | None = None
        self._is_stopped = False
        self.dropped_count = 0

    def start(self) -> None:
        """Listen to the tank's bus."""
        for kind in _KINDS:
            self._tank.bus.react(kind, self._take)

    def stop(self) -> None:
        """Announce nothing more."""
        self._is_stopped = True
        self._waiting.clear()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _take(self, event: Event) -> None:
        """Have an event wait for its turn, if anybody listens."""
        if self._is_stopped or not self._is_awaited(event):
            return
        self._waiting.append(event)
        self._datapoint_count += _size(event)
        while len(self._waiting) > EVENTS_MAX or (
            self._datapoint_count > DATAPOINTS_MAX and len(self._waiting) > 1
        ):
            self._drop_oldest()
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._announce_some)

    def _is_awaited(self, event: Event) -> bool:
        # Loops, because this runs twice in every write, and `any` of a generator costs double.
        for topic in topics_of(event):
            for realm in self._realms:
                if realm.broker.is_awaited(topic):
                    return True
        return False

    def _drop_oldest(self) -> None:
        self._datapoint_count -= _size(self._waiting.popleft())
        if not self.dropped_count:
            log.warning("wamp_announcements_dropped", waiting_count=len(self._waiting))
        self.dropped_count += 1

    def _announce_some(self) -> None:
        """Announce some, then let others have a turn."""
        self._turn = None
        left_count = DELIVERIES_PER_TURN
        audience = _Audience(self._access)
        try:
            while self._waiting and left_count > 0:
                event = self._waiting.popleft()
                self._datapoint_count -= _size(event)
                left_count -= self._announce(event, audience)
        finally:  # whatever happened, the others are heard
            if self._waiting and not self._is_stopped:
                self._turn = asyncio.get_running_loop().call_soon(self._announce_some)

    def _announce(self, event: Event, audience: "_Audience") -> int:
        """Announce one event; how many times it was delivered, or looked at."""
        try:
            return 1 + sum(
                audience.tell(realm, told)
                for told in _announced(self._tank, event)
                for realm in self._realms
            )
        except TankError:  # the feed was deleted in the same turn
            return 1
        except Exception:
            log.exception("wamp_announcement_failed", event_kind=type(event).__name__)
            return 1


class _Told(msgspec.Struct, frozen=True):
    """An event of a topic.

    Attributes:
        make: its args and kwargs, made only if somebody listens.
    """

    topic: str
    needed: Needed
    make: Callable[[], Sequence[tuple[list[Any], dict[str, Any]]]]


class _Audience:
    """Who may hear what, within one turn of the loop."""

    def __init__(self, access: TankAccess) -> None:
        self._access = access
        self._callers: dict[Peer, Caller | None] = {}
        self._answers: dict[tuple[Peer, tuple[str, ...], int, str | None], bool] = {}

    def tell(self, realm: Realm, told: _Told) -> int:
        """Announce an event to those who may hear it; how many there are."""
        broker = realm.broker
        for subscription in broker.subscriptions.matching(told.topic):
            self._end_those_without_right(realm, subscription, told.needed)
        left = broker.subscriptions.matching(told.topic)
        if not left:
            return 0
        count = sum(len(subscription.peers) for subscription in left)
        serializer = _commonest(left)
        for args, kwargs in told.make():
            broker.announce(told.topic, payload_of(serializer, args, kwargs))
        return count

    def _end_those_without_right(
        self, realm: Realm, subscription: Subscription, needed: Needed
    ) -> None:
        if subscription.is_pattern and needed.methods == READ:
            scope = scope_of(subscription.uri, subscription.match)
            if scope is not None and scope.word is None:
                # Who asked for all of a feed gets all of it, or nothing.
                needed = Needed(needed.methods, needed.device)
        for peer in list(subscription.peers.values()):
            if not self._may_hear(peer, needed):
                realm.broker.revoke(subscription.id, peer.session_id, NOT_AUTHORIZED)

    def _may_hear(self, peer: Peer, needed: Needed) -> bool:
        asked = (peer, needed.methods, needed.device.device_id, needed.datastream)
        answer = self._answers.get(asked)
        if answer is None:
            if peer not in self._callers:
                self._callers[peer] = self._access.find_caller(peer)
            caller = self._callers[peer]
            answer = self._answers[asked] = caller is not None and needed.is_of(caller)
        return answer


def _commonest(subscriptions: Sequence[Subscription]) -> Serializer:
    """A serializer that need not be converted for the first receivers; often for none."""
    for subscription in subscriptions:
        if subscription.groups:
            return subscription.groups[0][0]
    return JSON


def topics_of(event: Event) -> Sequence[str]:
    """The topics that an event of the bus becomes events of."""
    match event:
        case DatapointsRecorded():
            return [datastream_topic(event.device_id, name) for name in event.names.values()]
        case RequestServed():
            return (request_topic(event.device_id),)
        case DeviceCreated():
            return (device_topic(event.device.uuid, "created"),)
        case DeviceUpdated():
            return (device_topic(event.device.uuid, "updated"),)
        case DeviceDeleted():
            return (device_topic(event.device.uuid, "deleted"),)
        case PresenceChanged():
            return (device_topic(event.device.uuid, "presence"),)
        case MessageSent():
            word = "broadcast" if event.is_broadcast else "message"
            return (device_topic(event.device.uuid, word),)
        case TriggerFired():
            return (trigger_topic(event.trigger.trigger_id, "fired"),)
        case TriggerChanged():
            word = "deleted" if event.is_deleted else "changed"
            return (trigger_topic(event.trigger.trigger_id, word),)


def _size(event: Event) -> int:
    return len(event.rows) if isinstance(event, DatapointsRecorded) else 1


def _announced(tank: Tank, event: Event) -> Iterator[_Told]:
    """What is told of an event of the bus. Raises NoSuchDevice."""
    match event:
        case DatapointsRecorded():
            device = tank.directory.get_device(event.device_id)
            for stream_id, name in event.names.items():
                topic = datastream_topic(event.device_id, name)
                yield _Told(topic, Needed(READ, device, name), partial(_values, event, stream_id))
        case DeviceCreated() | DeviceUpdated() | DeviceDeleted():
            device = event.device
            for topic in topics_of(event):
                yield _Told(topic, Needed(READ, device), lambda: [([_device(device)], {})])
        case PresenceChanged():
            device = event.device
            for topic in topics_of(event):
                yield _Told(topic, Needed(READ, device), lambda: [([event.is_online], {})])
        case MessageSent():
            # Messages to a device are its own; what it broadcasts is for who may read it.
            methods = READ if event.is_broadcast else READ_AND_UPDATE
            for topic in topics_of(event):
                yield _Told(
                    topic, Needed(methods, event.device), lambda: [([event.message.content], {})]
                )
        case TriggerChanged() | TriggerFired():
            device = tank.directory.get_device(event.trigger.device_id)
            needed = Needed(READ_AND_UPDATE, device, event.trigger.name)
            for topic in topics_of(event):
                yield _Told(topic, needed, lambda: [([_trigger(tank, event)], {})])
        case RequestServed():
            needed = requests_needed(tank.directory.get_device(event.device_id))
            yield _Told(request_topic(event.device_id), needed, lambda: [([_request(event)], {})])


def _values(
    event: DatapointsRecorded, stream_id: int
) -> Sequence[tuple[list[Any], dict[str, Any]]]:
    """The values of one datastream: nearly always one, else some at a time."""
    rows = event.rows
    if len(rows) == 1:
        return [([rows.values[0], format_time(rows.at_us[0])], {})]
    own = [
        (at_us, value)
        for owner, at_us, value in zip(rows.stream_ids, rows.at_us, rows.values, strict=True)
        if owner == stream_id
    ]
    step = DATAPOINTS_PER_EVENT_MAX
    return [_some_values(own[first : first + step]) for first in range(0, len(own), step)]


def _some_values(rows: Sequence[tuple[int, str]]) -> tuple[list[Any], dict[str, Any]]:
    times = format_times([at_us for at_us, _ in rows])
    # Of equal times the later one was written over the other.
    newest = max(range(len(rows)), key=lambda row: (rows[row][0], row))
    args = [rows[newest][1], times[newest]]
    if len(rows) == 1:
        return args, {}
    datapoints = [{"value": row[1], "at": at} for row, at in zip(rows, times, strict=True)]
    return args, {"datapoints": datapoints}


def _device(device: Device) -> dict[str, Any]:
    return {
        "uuid": device.uuid,
        "feed_id": device.device_id,
        "title": device.title,
        "private": device.private,
        "updated": format_time(device.updated_us),
    }


def _trigger(tank: Tank, event: TriggerChanged | TriggerFired) -> dict[str, Any]:
    document = trigger_document(tank, event.trigger)
    if isinstance(event, TriggerFired):
        firing = event.firing
        at_us = firing.value_at_us
        document["fired_at"] = format_time(firing.at_us)
        document["value"] = firing.value
        document["value_at"] = None if at_us is None else format_time(at_us)
        document["debug"] = event.is_test
    return document


def _request(event: RequestServed) -> dict[str, Any]:
    asked = event.asked
    return {
        "at": format_time(event.at_us),
        "door": asked.door,
        "method": asked.method,
        "path": asked.path,
        "address": asked.address,
        "user_agent": asked.user_agent.decode("utf-8", "replace"),
        "status": event.status,
        "duration_us": event.duration_us,
        "reason": event.reason,
        "request_body": event.request_body.decode("utf-8", "replace"),
        "response_body": event.response_body.decode("utf-8", "replace"),
    }
