"""A broker and sessions that speak to it in bytes, as over a transport, and keep what they get.

On a real wire a whole realm is behind the door, and sessions come in by it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from tests.conformance.wamp import realms
from tests.conformance.wamp.wires import MEMORY, current

from thingtank.protocols.wamp.authorization import ALLOWED, Decision
from thingtank.protocols.wamp.broker import Broker
from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.messages import (
    Error,
    Event,
    Message,
    Publish,
    Published,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
)
from thingtank.protocols.wamp.meta_events import MetaEvent
from thingtank.protocols.wamp.options import EventDetails, PublishOptions, Role, SubscribeOptions
from thingtank.protocols.wamp.payloads import payload_of
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.publications import BY_OPTIONS, Publication, PublishPolicy
from thingtank.protocols.wamp.retained import RetainedEvents
from thingtank.protocols.wamp.serializer import MESSAGE_BYTES_MAX, Serializer
from thingtank.protocols.wamp.serializers import JSON, SERIALIZERS

NAMES = tuple(SERIALIZERS)


class Realm:
    """A broker, with everything that it hands out."""

    def __init__(self, *, retained: RetainedEvents | None = None, **bounds: Any) -> None:
        self.now_us = 1_700_000_000_123_456
        self.publication_id = 1000
        self.session_id = 0
        self.meta: list[tuple[Any, ...]] = []
        self.kept: list[tuple[Publication, list[int]]] = []
        self.world: realms.World | None = None
        if current.wire.transport != MEMORY.transport:
            self.world = realms.World(
                authorizer=self, history=self, retained=retained, request_ids="any", **bounds
            )
            self.broker = self.world.realm.broker
            self.policy = BY_OPTIONS
            self.world.number_sessions_from(1)
            ids = self.world.make_id
            self.world.make_id = lambda: self._remember(ids())
            return
        self.broker = Broker(
            self._make_id,
            lambda: self.now_us,
            self._on_meta,
            self._on_publication,
            retained,
            **bounds,
        )

    def join(
        self,
        serializer: Serializer | str | None = None,
        *,
        authid: str = "",
        authrole: str = "device",
        features: Mapping[str, list[str]] | None = None,
        bytes_max: int = MESSAGE_BYTES_MAX,
    ) -> "Session":
        """Open a session; `features` are by role."""
        if self.world is not None:
            return self._join_over_wire(
                self.world, serializer, authid, authrole, features or {}, bytes_max
            )
        serializer = serializer or JSON
        self.session_id += 1
        roles = {name: Role(dict.fromkeys(each, True)) for name, each in (features or {}).items()}
        if isinstance(serializer, str):
            serializer = SERIALIZERS[serializer]
        authid = authid or f"authid{self.session_id}"
        return Session(self, self.session_id, authid, authrole, roles, serializer, bytes_max)

    def _join_over_wire(
        self,
        world: realms.World,
        serializer: Serializer | str | None,
        authid: str,
        authrole: str,
        features: Mapping[str, list[str]],
        bytes_max: int,
    ) -> "Session":
        name = serializer.name if isinstance(serializer, Serializer) else serializer
        line = world.connect(name, bytes_max)
        roles = {**realms.PLAIN, **{role: set(names) for role, names in features.items()}}
        line.hello(roles, authid=authid or f"authid{self.session_id + 1}", authrole=authrole)
        self.session_id = line.id = line.take_one()[1]
        return WireSession(self, line, authid, authrole)

    def _remember(self, publication_id: int) -> int:
        self.publication_id = publication_id
        return publication_id

    def authorize(self, peer: Peer, action: str, uri: str, match: str) -> Decision:
        """As the authorizer of a realm behind a door: allow all, by the test's policy."""
        return Decision(is_allowed=True, publish=self.policy) if action == "publish" else ALLOWED

    def keep(self, publication: Publication, subscription_ids: list[int]) -> None:
        """As the history of a realm behind a door."""
        self._on_publication(publication, subscription_ids)

    def _make_id(self) -> int:
        self.publication_id += 1
        return self.publication_id

    def _on_meta(self, event: MetaEvent) -> None:
        self.meta.append((event.topic.removeprefix("wamp.subscription."), *event.args))

    def _on_publication(self, publication: Publication, subscription_ids: list[int]) -> None:
        self.kept.append((publication, subscription_ids))


class Session(Peer):
    """A session; `inbox` has what it was sent and did not take yet."""

    def __init__(self, realm: Realm, *about: Any) -> None:
        super().__init__(*about)
        self.realm = realm
        self.request_id = 0
        self.inbox: list[Message] = []
        self.events_sent: list[bytes] = []

    def send_bytes(self, data: bytes) -> None:
        assert len(data) <= self.bytes_max
        self.inbox.append(self.serializer.decode(data))

    def send_event(self, data: bytes) -> None:
        self.events_sent.append(data)
        self.send_bytes(data)
        assert isinstance(self.inbox[-1], Event)

    def subscribe(self, topic: str, match: str = "exact", **options: Any) -> Message:
        """The answer; events that come with it stay in the inbox."""
        asked = Subscribe(self._next_id(), SubscribeOptions(match=match, **options), topic)
        self._ask(asked)
        return self._answer(asked.request_id, 32)

    def subscribed(self, topic: str, match: str = "exact", **options: Any) -> int:
        """The id of the subscription."""
        answer = self.subscribe(topic, match, **options)
        assert isinstance(answer, Subscribed)
        return answer.subscription_id

    def unsubscribe(self, subscription_id: int) -> Message:
        """The answer."""
        asked = Unsubscribe(self._next_id(), subscription_id)
        self._ask(asked)
        return self._answer(asked.request_id, 34)

    def publish(
        self,
        topic: str,
        *args: Any,
        kwargs: dict[str, Any] | None = None,
        policy: PublishPolicy = BY_OPTIONS,
        **options: Any,
    ) -> int | None:
        """What the broker returns; an answer is left in the inbox."""
        payload = payload_of(self.serializer, list(args), kwargs)
        asked = Publish(self._next_id(), PublishOptions(**options), topic, payload)
        return self._publish(asked, policy)

    def _ask(self, asked: Subscribe | Unsubscribe) -> None:
        broker, message = self.realm.broker, self._over_the_wire(asked)
        if isinstance(message, Subscribe):
            broker.subscribe(self, message)
        else:
            broker.unsubscribe(self, message)

    def _publish(self, asked: Publish, policy: PublishPolicy) -> int | None:
        return self.realm.broker.publish(self, self._over_the_wire(asked), policy)

    def taken(self) -> list[Message]:
        """What has come since, in order."""
        taken, self.inbox = self.inbox, []
        return taken

    def take_first(self) -> Message:
        """The first of what has come; the rest stays."""
        self.inbox = self.taken()
        return self.inbox.pop(0)

    @contextmanager
    def violating(self) -> Iterator[None]:
        """What is done here is a protocol violation; on a wire it ends the session."""
        with pytest.raises(ProtocolViolation):
            yield

    def events(self) -> list[tuple[int, int, dict[str, Any], list[Any], dict[str, Any]]]:
        """The same, where all are events: subscription, publication, details, args, kwargs."""
        return [plain(event) for event in self.taken()]

    def values(self) -> list[Any]:
        """The first argument of each event."""
        return [args[0] if args else None for _, _, _, args, _ in self.events()]

    def _next_id(self) -> int:
        self.request_id += 1
        return self.request_id

    def _over_the_wire(self, message: Any) -> Any:
        return self.serializer.decode(self.serializer.encode(message))

    def _answer(self, request_id: int, request_type: int) -> Message:
        """It comes first."""
        answer = self.inbox.pop(0)
        if isinstance(answer, Error):
            assert answer.request_type == request_type
        else:
            assert isinstance(answer, (Subscribed, Unsubscribed, Published))
        assert answer.request_id == request_id
        return answer


class WireSession(Session):
    """The same on a real wire."""

    def __init__(self, realm: Realm, line: realms.Client, authid: str, authrole: str) -> None:
        super().__init__(realm, line.id, authid, authrole, {}, line.serializer, line.bytes_max)
        self.line = line

    def taken(self) -> list[Message]:
        self.inbox += map(self.serializer.decode, self.line.received)
        self.line.received = []
        return super().taken()

    def _ask(self, asked: Subscribe | Unsubscribe) -> None:
        self._send(asked)
        self.inbox = self.taken()

    def _publish(self, asked: Publish, policy: PublishPolicy) -> int | None:
        self.realm.policy, before = policy, self.realm.publication_id
        self._send(asked)
        made = self.realm.publication_id
        return made if made != before else None

    @contextmanager
    def violating(self) -> Iterator[None]:
        yield
        self.line.assert_aborted()

    def _send(self, asked: Publish | Subscribe | Unsubscribe) -> None:
        self.line.session.receive_data(self.serializer.encode(asked))


def plain(event: Message) -> tuple[int, int, dict[str, Any], list[Any], dict[str, Any]]:
    """An event in Python values, with the details that are set."""
    assert isinstance(event, Event)
    payload = event.payload
    details = {
        name: value
        for name in EventDetails.__struct_fields__
        if (value := getattr(event.details, name)) != getattr(EventDetails(), name)
    }
    return event.subscription_id, event.publication_id, details, payload.args, payload.kwargs


def error_of(message: Message) -> str:
    """The error's URI, without `wamp.error.`."""
    assert isinstance(message, Error)
    assert len(message.payload.args) == 1
    return message.error.removeprefix("wamp.error.")
