"""Owns the topics of messages between devices, for the broker."""

from asyncio import Future, get_running_loop
from collections.abc import Callable
from typing import Protocol

import structlog

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.mqtt_topics.asking import Asking, ClosedIntake, RequestIntake
from thingtank.doors.skynet.mqtt_topics.hearing import KINDS, Hearing
from thingtank.doors.skynet.mqtt_topics.names import REQUESTS, UUID_CHARS, MessageNames, heard_of
from thingtank.doors.skynet.mqtt_topics.visits import Visits
from thingtank.doors.skynet.operations.messages import log_not_given
from thingtank.net.eager import run_eagerly
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.intake import Intake
from thingtank.protocols.mqtt.messages import Message as Publication
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.outgoing import Outgoing
from thingtank.protocols.mqtt.session import Session
from thingtank.tank.errors import StorageFailed, Unavailable
from thingtank.tank.events import DeviceCreated, DeviceDeleted
from thingtank.tank.messaging.hub import GiveKept
from thingtank.tank.messaging.messages import Message
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.messaging.presence import Presence
from thingtank.tank.things import Device
from thingtank.tank.tokens import uuid_key

log = structlog.get_logger()


class Visitors(Protocol):
    """Who the broker's sessions belong to: the MQTT door knows."""

    def is_device(self, session: Session) -> bool:
        """Whether it is one of a client that came in as a device."""

    def find_party(self, session: Session) -> Party | None:
        """Who acts through a session; None if its rights are gone."""

    def find_owner(self, session: Session) -> Party | None:
        """Who a session belongs to that is away; None if there is no such one any more."""

    def is_alive(self, session: Session) -> bool:
        """Whether its client still has what it came in by."""

    def renew(self, session: Session, token: str) -> None:
        """Let a device that has replaced the token that it came in by stay by the new one."""

    def is_secure(self, session: Session) -> bool:
        """Whether its connection is encrypted."""


class SkynetTopics:
    """One of the broker's owners of topics; `start`, when its sessions are restored."""

    def __init__(self, door: SkynetDoor, broker: Broker, visitors: Visitors) -> None:
        """Tell nobody of anything yet."""
        self.door = door
        self._broker = broker
        self._visitors = visitors
        self._visits = Visits(door, visitors)
        self._intakes: dict[str, Intake] = {topic: RequestIntake(self, topic) for topic in REQUESTS}
        self._asking: dict[Session, Asking] = {}
        self._hearings: dict[Session, dict[str, Hearing]] = {}
        self._by_uuid: dict[str, dict[Hearing, None]] = {}
        self._names = MessageNames()
        self._closed = ClosedIntake()
        self._last: tuple[Message, str, Outgoing] | None = None

    def start(self) -> None:
        """Listen on behalf of sessions that the broker has restored."""
        bus = self.door.tank.bus
        bus.react(DeviceCreated, self._device_created)
        bus.react(DeviceDeleted, self._device_deleted)
        for session in self._broker.sessions.values():
            for subscription in session.subscriptions.values():
                self.subscribed(session, subscription)

    @property
    def presence(self) -> Presence:
        """Which devices are there."""
        return self.door.tank.messaging.presence

    def find_party(self, session: Session) -> Party | None:
        """Who acts through a session; None if its rights are gone."""
        return self._visitors.find_party(session)

    # --- as the broker's ---

    def find_intake(self, topic: str) -> Intake | None:
        """Who takes what is published where only the tank tells of a device: nobody.

        Not even another door then passes on what is not from the device. Where the uuid has 36
        characters, who may update the device may publish to it as before.
        """
        if "/" in topic or len(topic) == UUID_CHARS:
            return None
        is_device = self.door.tank.directory.find_device_by_uuid(topic) is not None
        return self._closed if is_device or self._names.is_broadcast(topic) else None

    def find_intake_of(self, session: Session, topic: str) -> Intake | None:
        """Who takes what a device asks for."""
        intake = self._intakes.get(topic)
        if intake is None or not self._visitors.is_device(session):
            return None
        return intake

    def connected(self, session: Session) -> None:
        """A client is there: give it what was kept, and show that it is."""
        self._visits.begin(session)
        for hearing in self._hearings.get(session, {}).values():
            self._listen(hearing)

    def disconnected(self, session: Session) -> None:
        """It is gone: only what waits in its session is heard on."""
        for hearing in self._hearings.get(session, {}).values():
            self._hear_no_more(hearing)
            if hearing.is_heard_while_away:
                self._listen(hearing)
        self._asking.pop(session, None)
        self._visits.end(session)

    def subscribed(self, session: Session, subscription: Subscription) -> None:
        """Have it hear a device, if that is what the topic filter is about."""
        heard = heard_of(subscription.topic_filter)
        if heard is None:
            return
        hearings = self._hearings.setdefault(session, {})
        before = hearings.get(subscription.topic_filter)
        if before is not None:
            self._forget(before)
        hearing = Hearing(self, session, subscription, *heard)
        hearings[subscription.topic_filter] = hearing
        self._by_uuid.setdefault(uuid_key(heard.uuid), {})[hearing] = None
        if session.connection is not None or hearing.is_heard_while_away:
            self._listen(hearing)

    def unsubscribed(self, session: Session, subscription: Subscription) -> None:
        """Have it hear that no more."""
        hearings = self._hearings.get(session)
        hearing = hearings.pop(subscription.topic_filter, None) if hearings else None
        if hearing is None:
            return
        self._forget(hearing)
        if not hearings:
            self._hearings.pop(session, None)

    # --- listening ---

    def _listen(self, hearing: Hearing) -> None:
        """Have it hear its device from now on, if there is one; rights are the switchboard's."""
        session, visitors = hearing.session, self._visitors
        is_there = session.connection is not None
        device = self.door.tank.directory.find_device_by_uuid(hearing.uuid)
        party = visitors.find_party(session) if is_there else visitors.find_owner(session)
        if device is None or party is None:
            return
        hearing.device_id, hearing.party = device.device_id, party
        if is_there and hearing.what == "own" and party.device_id == device.device_id:
            run_eagerly(self._hear_after_kept(hearing, party, device))
        else:
            self._add(hearing, party, device)

    def _add(self, hearing: Hearing, party: Party, device: Device) -> None:
        board = self.door.tank.messaging.switchboard
        board.add(hearing, party, device, KINDS[hearing.what])

    async def _hear_after_kept(self, hearing: Hearing, party: Party, device: Device) -> None:
        """Hear new messages after those that were kept."""

        def is_there() -> bool:
            return hearing.party is party

        messaging = self.door.tank.messaging
        await self._give(messaging.give_kept, hearing, device, is_there)
        if is_there():
            self._add(hearing, party, device)
            await self._give(messaging.give_rest, hearing, device, is_there)

    async def _give(
        self, give: GiveKept, hearing: Hearing, device: Device, is_there: Callable[[], bool]
    ) -> None:
        try:
            await give(device, hearing, is_there)
        except Unavailable as error:
            log_not_given(device, error)
        except Exception:
            log.exception("skynet_kept_messages_not_given", device_id=device.device_id)

    def _hear_no_more(self, hearing: Hearing) -> None:
        hearing.party = None
        if hearing.device_id:
            board = self.door.tank.messaging.switchboard
            board.remove(hearing, hearing.device_id, KINDS[hearing.what])

    def _forget(self, hearing: Hearing) -> None:
        self._hear_no_more(hearing)
        key = uuid_key(hearing.uuid)
        hearings = self._by_uuid.get(key, {})
        hearings.pop(hearing, None)
        if not hearings:
            self._by_uuid.pop(key, None)

    def _device_created(self, event: DeviceCreated) -> None:
        """There is a device that some listen to already."""
        for hearing in list(self._by_uuid.get(uuid_key(event.device.uuid), ())):
            if hearing.session.connection is not None or hearing.is_heard_while_away:
                self._listen(hearing)

    def _device_deleted(self, event: DeviceDeleted) -> None:
        for hearing in list(self._by_uuid.get(uuid_key(event.device.uuid), ())):
            if hearing.device_id == event.device.device_id:
                self._hear_no_more(hearing)
                hearing.device_id = 0

    # --- towards the client ---

    def may_be_sent(self, session: Session) -> bool:
        """Whether a client that is there has lost no rights that nobody has told it of yet."""
        return session.connection is None or self._visitors.is_alive(session)

    def send(self, hearing: Hearing, payload: bytes, qos: int) -> bool:
        """Publish something to one client, by its subscription; whether its session keeps it."""
        topic = hearing.subscription.topic_filter
        outgoing = self._outgoing(topic, payload)
        return self._deliver(hearing.session, hearing.subscription, outgoing, qos)

    def when_kept(self) -> Future[None]:
        """What is done when all is on disk that sessions keep so far."""
        future: Future[None] = get_running_loop().create_future()
        # Nobody need wait for it: what is never asked for is not to be complained of.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

        def settle(error: Exception | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(StorageFailed("the message could not be kept", details=error))

        self._broker.keeper.when_kept(settle)
        return future

    def send_broadcast(self, hearing: Hearing, message: Message, qos: int) -> None:
        """The same of a message that many get, encoded once."""
        topic, last = hearing.subscription.topic_filter, self._last
        if last is not None and last[0] is message and last[1] == topic:
            outgoing = last[2]
        else:
            outgoing = self._outgoing(topic, hearing.broadcast_payload(message))
            self._last = (message, topic, outgoing)
        self._deliver(hearing.session, hearing.subscription, outgoing, qos)

    def answer(self, session: Session, payload: bytes, qos: int) -> None:
        """Publish an answer to who has asked, on its device's topic, if it listens there."""
        for hearing in self._hearings.get(session, {}).values():
            party = hearing.party
            if hearing.what == "own" and party is not None and party.is_of(hearing.device_id):
                self.send(hearing, payload, min(qos, hearing.subscription.qos))
                return

    def _outgoing(self, topic: str, payload: bytes) -> Outgoing:
        return Outgoing(Publication(topic, payload, 2), topic.encode(), self._broker.now_us())

    def _deliver(
        self, session: Session, subscription: Subscription, outgoing: Outgoing, qos: int
    ) -> bool:
        identifier = subscription.identifier
        is_kept = session.deliver(outgoing, qos, False, (identifier,) if identifier else ())
        self._broker.wake()
        return is_kept

    # --- what it asks ---

    def renew(self, session: Session, token: str) -> None:
        """A device has another root token by what it asked: it stays, and hears on."""
        self._visitors.renew(session, token)
        for hearing in self._hearings.get(session, {}).values():
            self._listen(hearing)

    def asking_of(self, session: Session) -> Asking:
        """What a client asks."""
        asking = self._asking.get(session)
        if asking is None:
            asking = Asking(self, session)
            if session.connection is not None:  # else it is a will
                self._asking[session] = asking
        return asking

    def read_on(self, connection: Connection) -> None:
        """Take more of a client, at the end of this turn."""
        self._broker.resuming.append(connection)
        self._broker.wake()
