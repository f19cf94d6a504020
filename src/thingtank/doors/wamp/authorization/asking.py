"""Asks a procedure of the realm what a session may do, as the dealer calls any procedure.

It is called with `(session, uri, action, options)`: details of the session as the Session Meta API
has them, and `match` among the options. It answers true or false, or
`{"allow": …, "disclose": …, "cache": …}`. All else, an error and no answer in time are no decision.

A session that carries such a procedure out is never asked about: it would wait for itself.

Source: WAMP, Authorization; Crossbar.io's dynamic authorizers.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from thingtank.net.identity.sweeper import Scheduler
from thingtank.protocols.wamp.authorization import ALLOWED, DENIED, UNDECIDED, Action, Decision
from thingtank.protocols.wamp.calls import CallPolicy
from thingtank.protocols.wamp.cbor_serializer import CBOR
from thingtank.protocols.wamp.errors import ProtocolViolation, UnconvertiblePayload
from thingtank.protocols.wamp.members import Member
from thingtank.protocols.wamp.messages import Call, Cancel, Error, Result
from thingtank.protocols.wamp.options import CallOptions, CancelOptions, Match, Role
from thingtank.protocols.wamp.payloads import payload_of
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.publications import PublishPolicy
from thingtank.protocols.wamp.router import Realm
from thingtank.protocols.wamp.serializer import MESSAGE_BYTES_MAX

PENDING_MAX = 1000
_MS_PER_S = 1000
_DISCLOSED = Decision(is_allowed=True, publish=PublishPolicy("always"), call=CallPolicy("always"))
_SECRETLY = CallPolicy("never")


class Answered(Struct, frozen=True):
    """What a procedure decided.

    Attributes:
        may_be_kept: it may be remembered.
    """

    decision: Decision
    may_be_kept: bool


class _Reply(Struct, frozen=True):
    """An answer that says more than yes or no. Unknown members are ignored."""

    allow: bool = False
    disclose: bool = False
    cache: bool = True


_NOTHING = Answered(UNDECIDED, may_be_kept=False)


class AskingPeer(Peer):
    """The caller of authorizers in one realm; no session, and in nobody's list."""

    def __init__(self, realm: Realm, scheduler: Scheduler) -> None:
        """Ask nothing yet."""
        caller = {"caller": Role(features={"call_canceling": True})}
        super().__init__(0, "", "router", caller, CBOR, MESSAGE_BYTES_MAX)
        self._realm = realm
        self._scheduler = scheduler
        self._id_last = 0
        self._pending: dict[int, Callable[[Answered], None]] = {}

    def __len__(self) -> int:
        """How many answers are waited for."""
        return len(self._pending)

    def ask(
        self,
        procedure: str,
        seconds_max: float,
        about: tuple[Peer, Action, str, Match],
        told: Callable[[Answered], None],
    ) -> Callable[[], None]:
        """Call a procedure in the loop's next turn.

        Args:
            told: is given the answer, in a turn of its own.

        Returns:
            What is to be called if nobody waits for the answer any more.
        """
        if len(self._pending) >= PENDING_MAX:
            self._scheduler.call_soon(lambda: told(_NOTHING))
            return lambda: None
        self._id_last += 1
        request_id = self._id_last
        self._pending[request_id] = told
        # Not now: this may be asked from within the dealer, by way of a procedure of the router's.
        self._scheduler.call_soon(lambda: self._call(request_id, procedure, seconds_max, about))
        return lambda: self._forget(request_id)

    def _call(
        self,
        request_id: int,
        procedure: str,
        seconds_max: float,
        about: tuple[Peer, Action, str, Match],
    ) -> None:
        if request_id not in self._pending:
            return
        peer, action, uri, match = about
        payload = payload_of(CBOR, [_session_details(peer), uri, action, {"match": match}])
        options = CallOptions(timeout=max(1, round(seconds_max * _MS_PER_S)))
        self._realm.dealer.call(self, Call(request_id, options, procedure, payload), _SECRETLY)

    def _forget(self, request_id: int) -> None:
        if self._pending.pop(request_id, None) is not None:
            cancel = Cancel(request_id, CancelOptions("killnowait"))
            self._scheduler.call_soon(lambda: self._realm.dealer.cancel(self, cancel))

    def send_bytes(self, data: bytes) -> None:
        """Take an answer of the dealer's, which must not be called back from here."""
        try:
            message = CBOR.decode(data)
        except ProtocolViolation:  # deeper or of more parts than is read from anybody
            return
        if not isinstance(message, Result | Error):
            return
        told = self._pending.pop(message.request_id, None)
        if told is not None:
            answer = _answered(message) if isinstance(message, Result) else _NOTHING
            self._scheduler.call_soon(lambda: told(answer))

    def send_event(self, data: bytes) -> None:
        """Never called: it subscribes to nothing."""


def _session_details(peer: Peer) -> dict[str, Any]:
    if isinstance(peer, Member):
        return peer.details
    return {"session": peer.session_id, "authid": peer.authid, "authrole": peer.authrole}


def _answered(result: Result) -> Answered:
    try:
        args = result.payload.args
        reply = args[0] if args else None
        if isinstance(reply, bool):
            return Answered(ALLOWED if reply else DENIED, may_be_kept=True)
        said = msgspec.convert(reply, _Reply)
    except (UnconvertiblePayload, msgspec.ValidationError):
        return _NOTHING
    if not said.allow:
        return Answered(DENIED, said.cache)
    return Answered(_DISCLOSED if said.disclose else ALLOWED, said.cache)
