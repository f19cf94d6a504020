"""A realm with a dealer and clients: what clients send goes through octets, and what they get too.

On a real wire a whole realm is behind the door, and clients have sessions of their own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from tests.conformance.wamp import realms
from tests.conformance.wamp.octets import READ, octets
from tests.conformance.wamp.wires import MEMORY, current

from thingtank.protocols.wamp.authorization import ALLOWED, Decision
from thingtank.protocols.wamp.calls import CallPolicy, DealerBounds
from thingtank.protocols.wamp.dealer import Dealer
from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.messages import (
    Call,
    Cancel,
    Error,
    Message,
    Register,
    Unregister,
    Yield,
)
from thingtank.protocols.wamp.meta_events import MetaEvent
from thingtank.protocols.wamp.options import Role
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.serializers import SERIALIZERS

AT_US = 1_700_000_000_123_456  # 2023-11-14T22:13:20.123456Z
MIXED = [("json", "msgpack"), ("msgpack", "cbor"), ("cbor", "json"), ("json", "json")]

CANCELING = {"callee": {"call_canceling"}}
EVERYTHING = {
    "caller": {
        "call_canceling",
        "progressive_call_results",
        "progressive_call_invocations",
        "payload_passthru_mode",
    },
    "callee": {
        "call_canceling",
        "call_reroute",
        "call_timeout",
        "progressive_call_results",
        "progressive_call_invocations",
        "registration_revocation",
        "payload_passthru_mode",
    },
}


class FakePeer(Peer):
    """Collects the octets that are sent to it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.received: list[bytes] = []

    def send_bytes(self, data: bytes) -> None:
        assert len(data) <= self.bytes_max
        self.received.append(data)

    def send_event(self, data: bytes) -> None:
        raise AssertionError("a dealer sends no events")


class Realm:
    """A dealer, a clock that only tests move, and what the realm hears."""

    def __init__(self, bounds: DealerBounds | None = None, **options: Any) -> None:
        self.now_us = AT_US
        self.heard: list[MetaEvent] = []
        self.on_meta: Callable[[MetaEvent], object] = self.heard.append
        self.choices: list[int] = []
        self._session_ids = count(1001)
        self._world: realms.World | None = None
        if current.wire.transport != MEMORY.transport:
            self.authorizer = _Fixed()
            world = realms.World(
                choose_below=self._choose_below,
                dealer_bounds=bounds,
                request_ids="any",
                authorizer=self.authorizer,
                **options,
            )
            self._world, self.dealer = world, world.realm.dealer
            return
        self.dealer = Dealer(
            lambda: self.now_us,
            self._choose_below,
            lambda event: self.on_meta(event),
            bounds or DealerBounds(),
            **options,
        )

    def _choose_below(self, end: int) -> int:
        choice = self.choices.pop(0) if self.choices else 0
        assert choice < end
        return choice

    def join(
        self,
        serializer: str | None = None,
        features: dict[str, set[str]] | None = None,
        *,
        bytes_max: int = 2**24,
    ) -> "Client":
        if self._world is not None:
            return self._join_over_wire(self._world, serializer, features, bytes_max)
        serializer = serializer or "json"
        roles = {
            role: Role(features=dict.fromkeys(names, True))
            for role, names in (EVERYTHING if features is None else features).items()
        }
        number = next(self._session_ids)
        peer = FakePeer(
            number, f"authid{number}", "device", roles, SERIALIZERS[serializer], bytes_max
        )
        return Client(self, peer)

    def _join_over_wire(
        self,
        world: realms.World,
        serializer: str | None,
        features: dict[str, set[str]] | None,
        bytes_max: int,
    ) -> "Client":
        line = world.connect(serializer, bytes_max)
        line.hello({**realms.PLAIN, **(EVERYTHING if features is None else features)})
        line.id = line.take_one()[1]
        return WireClient(self, line)

    def wait_ms(self, ms: int) -> None:
        self.now_us += ms * 1000
        if self._world is not None:
            self._world.now_us = self.now_us
        self.dealer.take_due(self.now_us)


class Client:
    """One session. Its ways to ask return the request's id; `take` gives what it received."""

    def __init__(self, realm: Realm, peer: FakePeer) -> None:
        self.realm = realm
        self.peer = peer
        self.id = peer.session_id
        self.authid = peer.authid
        self._request_ids = count(1)

    def take(self) -> list[Any]:
        messages = [READ[self.peer.serializer.name](data) for data in self.peer.received]
        self.peer.received.clear()
        return messages

    def take_one(self) -> Any:
        (message,) = self.take()
        return message

    def send(self, *elements: Any) -> None:
        name = self.peer.serializer.name
        message = SERIALIZERS[name].decode(octets(name, list(elements)))
        self._handlers()[type(message)](self.peer, message)

    def _handlers(self) -> dict[type[Message], Callable[[Peer, Any], None]]:
        dealer = self.realm.dealer
        return {
            Register: dealer.register,
            Unregister: dealer.unregister,
            Call: dealer.call,
            Cancel: dealer.cancel,
            Yield: dealer.yield_result,
            Error: dealer.error,
        }

    def register(self, procedure: str, **options: Any) -> int:
        """Register and give the registration's id."""
        request_id = next(self._request_ids)
        self.send(64, request_id, options, procedure)
        code, answered_id, registration_id = self.take()[-1]
        assert (code, answered_id) == (65, request_id)
        return registration_id

    def fail_to_register(self, procedure: str, **options: Any) -> str:
        """Register and give the error's URI."""
        request_id = next(self._request_ids)
        self.send(64, request_id, options, procedure)
        return self.take_error(64, request_id)

    def unregister(self, registration_id: int) -> int:
        request_id = next(self._request_ids)
        self.send(66, request_id, registration_id)
        return request_id

    def call(
        self,
        procedure: str,
        *payload: Any,
        policy: CallPolicy | None = None,
        again: int | None = None,
        **options: Any,
    ) -> int:
        """Call.

        Args:
            payload: Arguments, or those and ArgumentsKw.
            again: the id of an earlier call that this continues.
        """
        request_id = next(self._request_ids) if again is None else again
        self._call(again is not None, policy, [48, request_id, options, procedure, *payload])
        return request_id

    def _call(self, is_more: bool, policy: CallPolicy | None, elements: list[Any]) -> None:
        name = self.peer.serializer.name
        message = SERIALIZERS[name].decode(octets(name, elements))
        assert isinstance(message, Call)
        if is_more:
            self.realm.dealer.continue_call(self.peer, message)
        elif policy is not None:
            self.realm.dealer.call(self.peer, message, policy)
        else:
            self.realm.dealer.call(self.peer, message)

    def cancel(self, request_id: int, **options: Any) -> None:
        self.send(49, request_id, options)

    def give(self, invocation_id: int, *payload: Any, **options: Any) -> None:
        """Answer an invocation by YIELD."""
        self.send(70, invocation_id, options, *payload)

    def fail(self, invocation_id: int, error: str, *payload: Any, **details: Any) -> None:
        """Answer an invocation by ERROR."""
        self.send(8, 68, invocation_id, details, error, *payload)

    def take_invocation(self) -> int:
        """The id of the only message there is, an INVOCATION."""
        message = self.take_one()
        assert message[0] == 68
        return message[1]

    def take_error(self, request_type: int, request_id: int) -> str:
        """The URI of the only message there is, an ERROR for this request."""
        message = self.take_one()
        assert message[:3] == [8, request_type, request_id]
        return message[4]

    def leave(self) -> None:
        self.take()
        self.realm.dealer.drop(self.peer)

    def count_received(self) -> int:
        return len(self.peer.received)

    @contextmanager
    def violating(self) -> Iterator[None]:
        """What is done here is a protocol violation; on a wire it ends the session."""
        with pytest.raises(ProtocolViolation):
            yield


class _Fixed:
    """Decides everything in one way."""

    decision = ALLOWED

    def authorize(self, *asked: object) -> Decision:
        return self.decision


class WireClient(Client):
    """The same with a session on a real wire."""

    def __init__(self, realm: Realm, line: realms.Client) -> None:
        self.realm = realm
        self.line = line
        self.id = line.id
        self.authid = "someone"
        self._request_ids = count(1)

    def take(self) -> list[Any]:
        return self.line.take()

    def send(self, *elements: Any) -> None:
        self.line.send(*elements)

    def _call(self, is_more: bool, policy: CallPolicy | None, elements: list[Any]) -> None:
        if policy is not None:
            self.realm.authorizer.decision = Decision(is_allowed=True, call=policy)
        self.line.send(*elements)

    def count_received(self) -> int:
        return len(self.line.received)

    @contextmanager
    def violating(self) -> Iterator[None]:
        yield
        code, _, reason, *_ = self.line.take()[-1]
        assert (code, reason) == (3, "wamp.error.protocol_violation")
        assert self.line.is_closed

    def leave(self) -> None:
        self.take()
        self.line.session.lose()
