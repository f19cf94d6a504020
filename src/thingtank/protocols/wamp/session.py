"""The state machine of one transport: sessions open and end on it, one after the other.

```
                 HELLO               Accepted
 AWAITS_HELLO ----------> DECIDING ------------> OPEN
   ^      ^          Challenged | ^ AUTHENTICATE   | | close()
   |      |                     v |                | v
   |      |                  CHALLENGED            | AWAITS_GOODBYE
   |      +-------------- GOODBYE, echoed ---------+ |
   +----------------- GOODBYE, the echo -------------+

 any --- ABORT either way, lose(), time is up ---> OVER
```

A message that has no place in a state is a violation: ABORT, and nothing further is read. Waiting
for the echo of GOODBYE, everything else is ignored. A session leaves its realm at the first of
GOODBYE, ABORT and the loss of its transport, whoever began. A bug of ours that leaves a message
without an answer ends it by ABORT as well: nobody is left waiting.

Source: WAMP, Session Lifecycle; Protocol Violations.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from msgspec.structs import replace

from thingtank.protocols.wamp.answers import (
    INVALID_URI,
    LIMIT_REACHED,
    PAYLOAD_SIZE_EXCEEDED,
    RUNTIME_ERROR,
)
from thingtank.protocols.wamp.authentication import (
    AUTHENTICATION_FAILED,
    Accepted,
    Answer,
    Attempt,
    Challenged,
    Rejected,
)
from thingtank.protocols.wamp.errors import FailureTold, InvalidUri, ProtocolViolation
from thingtank.protocols.wamp.farewells import abort_bytes, goodbye_bytes
from thingtank.protocols.wamp.handshake import Handshake
from thingtank.protocols.wamp.held import HeldMessages
from thingtank.protocols.wamp.members import Member, Transport
from thingtank.protocols.wamp.messages import (
    Abort,
    Authenticate,
    Challenge,
    Goodbye,
    Hello,
    Message,
    Welcome,
    name_of,
)
from thingtank.protocols.wamp.options import Role
from thingtank.protocols.wamp.reception import Reception
from thingtank.protocols.wamp.requests import REQUESTS, Requests
from thingtank.protocols.wamp.router import SYSTEM_SHUTDOWN, Realm
from thingtank.protocols.wamp.uris import is_uri, malformed_words, shown

PROTOCOL_VIOLATION = "wamp.error.protocol_violation"
NO_SUCH_REALM = "wamp.error.no_such_realm"
TIMEOUT = "wamp.error.timeout"
GOODBYE_AND_OUT = "wamp.close.goodbye_and_out"

_US_PER_S = 1_000_000


class State(Enum):
    """Where a transport is."""

    AWAITS_HELLO = auto()
    DECIDING = auto()
    CHALLENGED = auto()
    OPEN = auto()
    AWAITS_GOODBYE = auto()
    OVER = auto()


class Session:
    """One transport.

    Attributes:
        state: what may come next.
        member: the session that is open now.
        realm: where it is.
    """

    def __init__(self, transport: Transport, reception: Reception) -> None:
        """Wait for HELLO."""
        self.member: Member | None = None
        self._transport = transport
        self._reception = reception
        self._bounds = reception.bounds
        self.realm: Realm | None = None
        self._session_id = 0  # 0 for none
        self._handshake: Handshake | None = None
        self._requests: Requests | None = None
        self._held = HeldMessages(self._bounds.held_messages_max, self._bounds.held_bytes_max)
        self._due_us: int | None = None
        self._set(State.AWAITS_HELLO, self._bounds.hello_s_max)

    @property
    def is_waiting(self) -> bool:
        """Whether what comes now is only held: better not to read from the client until then."""
        return self._requests is not None and self._requests.waiting is not None

    def receive_data(self, data: bytes) -> None:
        """Take one message as it came.

        Raises:
            Exception: there is a bug of ours. The client has been answered, or the session ended.
        """
        if self.state is State.OVER:
            return
        try:
            message = self._transport.serializer.decode(data)
        except ProtocolViolation as violation:
            self.fail(violation)
        else:
            self.receive_message(message)

    def receive_message(self, message: Message) -> None:
        """Take one message. Raises as `receive_data` does."""
        requests = self._requests
        if requests is None or requests.waiting is None or type(message) is Abort:
            self._take(message)
        elif not self._held.put(message):
            self.abort(LIMIT_REACHED, "too much was sent while a request was being decided")

    def fail(self, error: Exception) -> None:
        """End it for what the client did, or a bug of ours; also for what a door finds."""
        if self.state is State.AWAITS_GOODBYE:
            self._end()
        elif isinstance(error, ProtocolViolation):
            self.abort(PROTOCOL_VIOLATION, str(error))
        else:
            self.abort(RUNTIME_ERROR, "an error of the router's own; see its log")

    def abort(self, reason: str, text: str | None) -> None:
        """Send ABORT, leave the realm, close the transport."""
        if self.state is State.OVER:
            return
        transport = self._transport
        data = abort_bytes(transport.serializer, transport.bytes_max, reason, text)
        transport.send_bytes(data)
        self._end()

    def close(self, reason: str = SYSTEM_SHUTDOWN, text: str | None = None) -> None:
        """Have an open session end by GOODBYE; what never became one, by ABORT."""
        if self.state is State.OPEN:
            self._set(State.AWAITS_GOODBYE, self._bounds.goodbye_s_max)
            self._say_goodbye(reason, text)
            self._leave()
        elif self.state is not State.AWAITS_GOODBYE:
            self.abort(reason, text)

    def lose(self) -> None:
        """The transport has ended."""
        self._set(State.OVER)
        self._leave()

    def next_due_us(self) -> int | None:
        """When `take_due` is to be called next; None for not at all, until another call."""
        return self._due_us

    def take_due(self, now_us: int) -> None:
        """End what has been waited for long enough."""
        if self._due_us is None or now_us < self._due_us:
            return
        self._due_us = None
        if self.state is State.OPEN:
            assert self._requests is not None
            self._requests.give_up()
        elif self.state is State.AWAITS_GOODBYE:
            self._end()
        elif self.state is State.AWAITS_HELLO:
            self.abort(TIMEOUT, f"no HELLO within {self._bounds.hello_s_max} s")
        else:
            text = f"not authenticated within {self._bounds.authentication_s_max} s"
            self.abort(AUTHENTICATION_FAILED, text)

    def _take(self, message: Message) -> None:
        handler = self._handlers.get(type(message))
        try:
            if handler is not None:
                handler(self, message)
            elif self.state not in _IGNORING:
                text = f"{name_of(type(message))} has no place here: {_PLACES[self.state]}"
                raise ProtocolViolation(text)
        except ProtocolViolation as violation:
            self.fail(violation)
        except FailureTold:
            raise
        except Exception as error:
            self.fail(error)
            raise

    def _hello(self, message: Hello) -> None:
        if self._find_realm(message.realm) is None:
            return
        self._session_id = self._reception.session_ids.take()
        facts = self._transport.facts
        attempt = Attempt(message.realm, self._session_id, message.details, facts)
        self._handshake = Handshake(attempt, self._decided)
        self._set(State.DECIDING, self._bounds.authentication_s_max)
        try:
            self._handshake.hello(self._reception.authenticator)
        except Exception:
            self.abort(AUTHENTICATION_FAILED, None)
            raise

    def _find_realm(self, name: str) -> Realm | None:
        """The realm, if sessions may come in; otherwise there is an ABORT."""
        if not is_uri(name):
            self.abort(INVALID_URI, f"no realm can have this name: {malformed_words(name)}")
            return None
        try:
            realm = self._reception.find_realm(name)
        except InvalidUri as error:
            self.abort(INVALID_URI, str(error))
            return None
        if realm is None:
            self.abort(NO_SUCH_REALM, f"no realm {shown(name)}")
            return None
        if realm.is_closed:
            self.abort(SYSTEM_SHUTDOWN, f"realm {shown(name)} is closed")
            return None
        return realm

    def _authenticate(self, message: Authenticate) -> None:
        assert self._handshake is not None
        self._set_state(State.DECIDING)  # the time that WELCOME has goes on
        try:
            self._handshake.authenticate(message)
        except Exception:
            self.abort(AUTHENTICATION_FAILED, None)
            raise

    def _decided(self, answer: Answer) -> None:
        try:
            self._take_answer(answer)
        except Exception as error:
            self.fail(error)
            raise

    def _take_answer(self, answer: Answer) -> None:
        if isinstance(answer, Rejected):
            self.abort(answer.reason, answer.text)
        elif isinstance(answer, Challenged):
            self._set_state(State.CHALLENGED)
            self._send_fitting(Challenge(answer.authmethod, answer.extra))
        else:
            self._welcome(answer)

    def _welcome(self, accepted: Accepted) -> None:
        assert self._handshake is not None
        reception, attempt = self._reception, self._handshake.attempt
        # Found anew, for it may be another one, or closed since.
        realm = self._find_realm(accepted.realm if accepted.realm is not None else attempt.realm)
        if realm is None:
            return
        member = Member(
            self._session_id, accepted, attempt.details, self._transport, self.close, self.fail
        )
        details = realm.welcome_details(member, reception.agent)
        if not self._send_fitting(self._short_welcome(Welcome(member.session_id, details))):
            return
        self._handshake = None
        self._set(State.OPEN)
        self._requests = Requests(member, realm, reception.request_ids, self._release)
        self.member, self.realm = member, realm
        realm.join(member)

    def _short_welcome(self, welcome: Welcome) -> Welcome:
        """The same; without features, if the client cannot take so much."""
        transport = self._transport
        if len(transport.serializer.encode(welcome)) <= transport.bytes_max:
            return welcome
        roles = {name: Role() for name in welcome.details.roles}
        return replace(welcome, details=replace(welcome.details, roles=roles))

    def _send_fitting(self, message: Message) -> bool:
        """Send what a client must take; whether it can."""
        data = self._transport.serializer.encode(message)
        if len(data) > self._transport.bytes_max:
            name = name_of(type(message))
            self.abort(PAYLOAD_SIZE_EXCEEDED, f"{name} has {len(data)} bytes")
            return False
        self._transport.send_bytes(data)
        return True

    def _request(self, message: Message) -> None:
        assert self._requests is not None
        self._requests.receive(message)
        if self._requests is not None and self._requests.waiting is not None:
            self._wait(self._bounds.decision_s_max)

    def _release(self) -> None:
        """Take what was held, until it has to wait again."""
        if self._requests is None:
            return
        self._due_us = None
        failure: FailureTold | None = None
        while self._held and not self.is_waiting:
            try:
                self._take(self._held.take())
            except FailureTold as told:
                failure = failure or told  # the first comes to light
        if not self.is_waiting:
            self._transport.read_on()
        if failure is not None:
            raise failure

    def _goodbye(self, message: Goodbye) -> None:
        del message  # whatever its reason
        self._set(State.AWAITS_HELLO, self._bounds.hello_s_max)
        self._leave()
        self._say_goodbye(GOODBYE_AND_OUT, None)

    def _echo(self, message: Goodbye) -> None:
        del message
        self._set(State.AWAITS_HELLO, self._bounds.hello_s_max)

    def _aborted(self, message: Abort) -> None:
        del message  # never answered
        self._end()

    def _say_goodbye(self, reason: str, text: str | None) -> None:
        transport = self._transport
        data = goodbye_bytes(transport.serializer, transport.bytes_max, reason, text)
        transport.send_bytes(data)

    def _end(self) -> None:
        try:
            self.lose()
        finally:
            self._transport.close()

    def _leave(self) -> None:
        """Forget the session that is open, or was about to be."""
        member, realm, requests = self.member, self.realm, self._requests
        handshake = self._handshake
        self.member = self.realm = self._requests = self._handshake = None
        self._held.clear()
        try:
            if handshake is not None:
                handshake.cancel()
            if requests is not None:
                requests.end()
            if member is not None and realm is not None:
                realm.leave(member)
        finally:
            if self._session_id:
                self._reception.session_ids.free(self._session_id)
                self._session_id = 0

    def _set(self, state: State, seconds: float | None = None) -> None:
        """Come into a state; to be left within so many seconds, if there is a number."""
        self._set_state(state)
        self._due_us = None
        if seconds is not None:
            self._wait(seconds)

    def _set_state(self, state: State) -> None:
        self.state = state
        self._handlers = _HANDLERS[state]

    def _wait(self, seconds: float) -> None:
        self._due_us = self._reception.now_us() + round(seconds * _US_PER_S)


_HANDLERS: dict[State, dict[type[Message], Callable[[Session, Any], None]]] = {
    State.AWAITS_HELLO: {Hello: Session._hello, Abort: Session._aborted},
    State.DECIDING: {Abort: Session._aborted},
    State.CHALLENGED: {Authenticate: Session._authenticate, Abort: Session._aborted},
    State.OPEN: {
        **dict.fromkeys(REQUESTS, Session._request),
        Goodbye: Session._goodbye,
        Abort: Session._aborted,
    },
    State.AWAITS_GOODBYE: {Goodbye: Session._echo, Abort: Session._aborted},
    State.OVER: {},
}
_IGNORING = frozenset({State.AWAITS_GOODBYE, State.OVER})
_PLACES = {
    State.AWAITS_HELLO: "no session is open, and HELLO opens one",
    State.DECIDING: "HELLO or AUTHENTICATE is not answered yet",
    State.CHALLENGED: "CHALLENGE wants AUTHENTICATE",
    State.OPEN: "a session is open",
}
