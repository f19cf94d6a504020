"""A broker and sessions that speak to it in bytes, as over a transport, and keep what they get."""

from collections.abc import Mapping
from typing import Any

from thingtank.protocols.wamp.broker import Broker
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
        serializer: Serializer | str = JSON,
        *,
        authid: str = "",
        authrole: str = "device",
        features: Mapping[str, list[str]] | None = None,
        bytes_max: int = MESSAGE_BYTES_MAX,
    ) -> "Session":
        """Open a session; `features` are by role."""
        self.session_id += 1
        roles = {name: Role(dict.fromkeys(each, True)) for name, each in (features or {}).items()}
        if isinstance(serializer, str):
            serializer = SERIALIZERS[serializer]
        authid = authid or f"authid{self.session_id}"
        return Session(self, self.session_id, authid, authrole, roles, serializer, bytes_max)

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
        self.realm.broker.subscribe(self, self._over_the_wire(asked))
        return self._answer(asked.request_id, 32)

    def subscribed(self, topic: str, match: str = "exact", **options: Any) -> int:
        """The id of the subscription."""
        answer = self.subscribe(topic, match, **options)
        assert isinstance(answer, Subscribed)
        return answer.subscription_id

    def unsubscribe(self, subscription_id: int) -> Message:
        """The answer."""
        asked = Unsubscribe(self._next_id(), subscription_id)
        self.realm.broker.unsubscribe(self, self._over_the_wire(asked))
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
        return self.realm.broker.publish(self, self._over_the_wire(asked), policy)

    def taken(self) -> list[Message]:
        """What has come since, in order."""
        taken, self.inbox = self.inbox, []
        return taken

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
