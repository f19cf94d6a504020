"""A realm and clients: octets of any serializer in and out, in memory or over the wires."""

from collections.abc import Callable, Iterable, Mapping
from itertools import count
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace
from tests.conformance.wamp.octets import READ, octets
from tests.conformance.wamp.wires import MEMORY, Door, Line, Wire, current

from thingtank.protocols.wamp.authentication import (
    Accepted,
    Answer,
    Attempt,
    Authenticator,
    TransportFacts,
)
from thingtank.protocols.wamp.calls import DealerBounds
from thingtank.protocols.wamp.later import Later
from thingtank.protocols.wamp.reception import Reception, SessionBounds
from thingtank.protocols.wamp.registrations import ChooseBelow
from thingtank.protocols.wamp.router import Randomness, Realm, SessionIds
from thingtank.protocols.wamp.serializers import SERIALIZERS
from thingtank.protocols.wamp.session import Session

AT_US = 1_700_000_000_123_456  # 2023-11-14T22:13:20.123456Z
NAMES = tuple(SERIALIZERS)
REALM = "realm1"
ALL_ROLES: dict[str, set[str]] = {
    "publisher": {"payload_passthru_mode"},
    "subscriber": {"subscription_revocation"},
    "caller": {"call_canceling", "progressive_call_invocations"},
    "callee": {"call_canceling", "progressive_call_invocations", "registration_revocation"},
}
PLAIN: dict[str, set[str]] = {
    "publisher": set(),
    "subscriber": set(),
    "caller": set(),
    "callee": set(),
}


class ByAuthid:
    """Believes what a client says that it is, which only tests do."""

    def hello(self, attempt: Attempt) -> Answer | Later[Answer]:
        authid, authrole = attempt.details.authid or "someone", attempt.details.authrole or "device"
        extra = attempt.details.authextra
        is_hidden = authrole == "router"
        return Accepted(authid, authrole, "test", "tests", extra, is_hidden=is_hidden)


class World:
    """A router with one realm, and a clock that only tests move.

    Attributes:
        settings: of the door for clients on real wires.
    """

    settings: Mapping[str, Any] = MappingProxyType({})

    def __init__(
        self,
        *,
        authenticator: Authenticator | None = None,
        bounds: SessionBounds | None = None,
        request_ids: Any = "increasing",
        agent: str = "tank",
        choose_below: ChooseBelow = lambda below: 0,
        dealer_bounds: DealerBounds | None = None,
        **options: Any,
    ) -> None:
        self.now_us = AT_US
        ids = count(7001)
        self.make_id: Callable[[], int] = lambda: next(ids)
        self.realm = Realm(
            REALM,
            Randomness(lambda: self.make_id(), choose_below),
            lambda: self.now_us,
            bounds=dealer_bounds,
            **options,
        )
        self.session_ids = SessionIds(lambda: self.make_id())
        self.realms = {REALM: self.realm}
        self.reception = Reception(
            self.realms.get,
            authenticator or ByAuthid(),
            self.session_ids,
            lambda: self.now_us,
            agent,
            request_ids,
            bounds or SessionBounds(),
        )

        self._door: Door | None = None

    @property
    def door(self) -> Door:
        """Where clients come in that are on real wires."""
        if self._door is None:
            self._door = Door(
                self.realms, self.reception.authenticator, lambda: self.now_us, **self.settings
            )
        self._door.wamp.reception = self.reception
        return self._door

    def connect(self, serializer: str | None = None, bytes_max: int = 2**24) -> "Client":
        """A client on the wire of the test that runs, with its serializer if none is named."""
        wire = current.wire
        name = serializer or wire.serializer
        if wire.transport == MEMORY.transport:
            return Client(self, name, bytes_max)
        return WireClient(self, Wire(wire.transport, name), bytes_max)

    def join(
        self,
        serializer: str | None = None,
        features: dict[str, set[str]] | None = None,
        **details: Any,
    ) -> "Client":
        client = self.connect(serializer)
        client.hello(features, **details)
        welcome = client.take_one()
        assert welcome[0] == 2
        client.id = welcome[1]
        return client

    def number_sessions_from(self, first: int) -> None:
        """Have sessions numbered for themselves."""
        ids = count(first)
        self.session_ids = SessionIds(lambda: next(ids))
        self.reception = replace(self.reception, session_ids=self.session_ids)

    def holds_nothing_of(self, session_id: int) -> bool:
        """Whether realm, broker and dealer have forgotten a session."""
        broker, dealer = self.realm.broker, self.realm.dealer
        callees = [
            callee
            for ids in dealer.registrations.list_ids().values()
            for each in ids
            for callee in dealer.registrations.list_callees(each)
        ]
        subscribers = [
            each
            for ids in broker.subscriptions.list_ids().values()
            for each_id in ids
            for each in broker.subscriptions.list_subscribers(each_id)
        ]
        return (
            session_id not in self.realm.members
            and session_id not in callees
            and session_id not in subscribers
            and broker.subscriptions.count_held(session_id) == 0
            and all(peer.session_id != session_id for peer in dealer._parties)
            and all(
                call.caller.peer.session_id != session_id
                for party in dealer._parties.values()
                for call in party.invocations.values()
            )
        )


class Client:
    """One transport; as a transport it collects octets, as a client it reads and writes lists."""

    def __init__(self, world: World, serializer: str, bytes_max: int) -> None:
        self.is_read_on = False
        self.serializer = SERIALIZERS[serializer]
        self.bytes_max = bytes_max
        self.facts = TransportFacts("memory", "here")
        self.received: list[bytes] = []
        self.is_closed = False
        self.id = 0
        self.request_ids = count(1)
        self.session = Session(self, world.reception)

    def send_bytes(self, data: bytes) -> None:
        assert not self.is_closed
        assert len(data) <= self.bytes_max
        self.received.append(data)

    def send_event(self, data: bytes) -> None:
        self.send_bytes(data)

    def read_on(self) -> None:
        self.is_read_on = True

    def close(self) -> None:
        assert not self.is_closed
        self.is_closed = True

    def send(self, *elements: Any) -> None:
        self.session.receive_data(octets(self.serializer.name, list(elements)))

    def take(self) -> list[Any]:
        messages = [READ[self.serializer.name](data) for data in self.received]
        self.received.clear()
        return messages

    def take_one(self) -> Any:
        (message,) = self.take()
        return message

    def hello(
        self, features: dict[str, set[str]] | None = None, realm: str = REALM, **details: Any
    ) -> None:
        self.request_ids = count(1)
        self.send(1, realm, {"roles": roles(features or ALL_ROLES), **details})

    def ask(self, code: int, *elements: Any, **options: Any) -> int:
        """Send a request; its id."""
        request_id = next(self.request_ids)
        self.send(code, request_id, *([options] if code not in (34, 66) else []), *elements)
        return request_id

    def subscribe(self, topic: str, **options: Any) -> int:
        request_id = self.ask(32, topic, **options)
        code, answered_id, subscription_id = self.take_one()
        assert (code, answered_id) == (33, request_id)
        return subscription_id

    def register(self, procedure: str, **options: Any) -> int:
        request_id = self.ask(64, procedure, **options)
        code, answered_id, registration_id = self.take_one()
        assert (code, answered_id) == (65, request_id)
        return registration_id

    def publish(self, topic: str, *payload: Any, **options: Any) -> None:
        self.ask(16, topic, *payload, **options)

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call, and give the only result, or the error's URI without `wamp.error.`."""
        request_id = self.ask(48, procedure, list(args), kwargs)
        *others, answer = self.take()
        self.received += [octets(self.serializer.name, each) for each in others]
        if answer[0] == 8:
            assert answer[1:3] == [48, request_id]
            return answer[4].removeprefix("wamp.error.")
        assert answer[:2] == [50, request_id]
        return answer[3][0] if len(answer) > 3 else "nothing"

    def events(self) -> list[tuple[int, Any]]:
        """What came, all events: subscription and arguments."""
        messages = self.take()
        assert all(each[0] == 36 for each in messages)
        return [(each[1], each[4] if len(each) > 4 else []) for each in messages]

    def assert_aborted(self, reason: str = "wamp.error.protocol_violation") -> None:
        """It got nothing but ABORT, and was closed."""
        code, _, given, *_ = self.take_one()
        assert (code, given) == (3, reason)
        assert self.is_closed


class WireClient(Client):
    """The same on a real transport; what was sent has been read when `send` returns."""

    def __init__(self, world: World, wire: Wire, bytes_max: int) -> None:
        self.line = Line(world.door, wire, bytes_max)
        self.serializer = SERIALIZERS[wire.serializer]
        self.bytes_max = bytes_max
        self.facts = self.line.connection.facts
        self.id = 0
        self.request_ids = count(1)
        self.session: Any = WireSession(self.line)
        self._received: list[bytes] = []

    @property
    def received(self) -> list[bytes]:  # type: ignore[override] # a value there, a property here
        self._received += self.line.take()
        return self._received

    @received.setter
    def received(self, messages: list[bytes]) -> None:
        self._received = messages

    @property
    def is_closed(self) -> bool:  # type: ignore[override] # a value there, a property here
        if not self.line.is_closed:
            self.line.settle()
        return self.line.is_closed


class WireSession:
    """The door's session of a wire; what a client does to it is done over the wire."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def receive_data(self, data: bytes) -> None:
        self._line.send(data)

    def lose(self) -> None:
        self._line.lose()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line.connection.session, name)


def roles(features: dict[str, Iterable[str]] | dict[str, set[str]]) -> dict[str, Any]:
    """As HELLO has them."""
    return {
        role: {"features": dict.fromkeys(sorted(names), True)} for role, names in features.items()
    }
