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
GOODBYE, ABORT and the loss of its transport, whoever began.

Source: WAMP, Session Lifecycle; Protocol Violations.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from msgspec import UNSET

from thingtank.protocols.wamp.answers import INVALID_URI, LIMIT_REACHED, PAYLOAD_SIZE_EXCEEDED
from thingtank.protocols.wamp.authentication import (
    AUTHENTICATION_FAILED,
    Accepted,
    Answer,
    Attempt,
    Challenged,
    Rejected,
)
from thingtank.protocols.wamp.errors import InvalidUri, ProtocolViolation
from thingtank.protocols.wamp.held import HeldMessages
from thingtank.protocols.wamp.later import Later
from thingtank.protocols.wamp.members import Member, Transport
from thingtank.protocols.wamp.messages import (
    Abort,
    Authenticate,
    Challenge,
    Goodbye,
    Hello,
    Message,
    Welcome,
)
from thingtank.protocols.wamp.options import ClosingDetails
from thingtank.protocols.wamp.reception import Reception
from thingtank.protocols.wamp.requests import REQUESTS, Requests
from thingtank.protocols.wamp.router import SYSTEM_SHUTDOWN, Realm
from thingtank.protocols.wamp.uris import check_uri

PROTOCOL_VIOLATION = "wamp.error.protocol_violation"
NO_SUCH_REALM = "wamp.error.no_such_realm"
TIMEOUT = "wamp.error.timeout"
GOODBYE_AND_OUT = "wamp.close.goodbye_and_out"

_US_PER_S = 1_000_000
_TEXT_CHARS_MAX = 300


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
    """

    def __init__(self, transport: Transport, reception: Reception) -> None:
        """Wait for HELLO."""
        self.member: Member | None = None
        self._transport = transport
        self._reception = reception
        self._bounds = reception.bounds
        self._realm: Realm | None = None
        self._session_id = 0  # 0 for none
        self._attempt: Attempt | None = None
        self._check: Callable[[Authenticate], Answer | Later[Answer]] | None = None
        self._answer: Later[Answer] | None = None
        self._requests: Requests | None = None
        self._held = HeldMessages(self._bounds.held_messages_max, self._bounds.held_bytes_max)
        self._due_us: int | None = None
        self._set(State.AWAITS_HELLO, self._bounds.hello_s_max)

    @property
    def is_waiting(self) -> bool:
        """Whether what comes now is only held: better not to read from the client until then."""
        return self._requests is not None and self._requests.waiting is not None

    def receive_data(self, data: bytes) -> None:
        """Take one message as it came."""
        if self.state is State.OVER:
            return
        try:
            message = self._transport.serializer.decode(data)
        except ProtocolViolation as violation:
            self.fail(violation)
        else:
            self.receive_message(message)

    def receive_message(self, message: Message) -> None:
        """Take one message."""
        requests = self._requests
        if requests is None or requests.waiting is None or type(message) is Abort:
            self._take(message)
        elif not self._held.put(message):
            self.abort(LIMIT_REACHED, "too much was sent while a request was being decided")

    def fail(self, violation: ProtocolViolation) -> None:
        """End it for what the client did; also for what a door finds before messages."""
        if self.state is State.AWAITS_GOODBYE:
            self._end()
        else:
            self.abort(PROTOCOL_VIOLATION, str(violation))

    def abort(self, reason: str, text: str | None) -> None:
        """Send ABORT, leave the realm, close the transport."""
        if self.state is State.OVER:
            return
        serializer, bytes_max = self._transport.serializer, self._transport.bytes_max
        told = UNSET if text is None else text[:_TEXT_CHARS_MAX]
        data = serializer.encode(Abort(ClosingDetails(message=told), reason))
        if len(data) > bytes_max:
            data = serializer.encode(Abort(ClosingDetails(), reason))
        self._transport.send_bytes(data)
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
                text = f"{type(message).__name__.upper()} has no place here: {_PLACES[self.state]}"
                raise ProtocolViolation(text)
        except ProtocolViolation as violation:
            self.fail(violation)

    def _hello(self, message: Hello) -> None:
        try:
            check_uri(message.realm)
            realm = self._reception.find_realm(message.realm)
        except InvalidUri as error:
            return self.abort(INVALID_URI, str(error))
        if not self._enter(realm, message.realm):
            return None
        self._session_id = self._reception.session_ids.take()
        facts = self._transport.facts
        self._attempt = Attempt(message.realm, self._session_id, message.details, facts)
        self._set(State.DECIDING, self._bounds.authentication_s_max)
        attempt, authenticator = self._attempt, self._reception.authenticator
        return self._decide(lambda: authenticator.hello(attempt))

    def _enter(self, realm: Realm | None, name: str) -> bool:
        if realm is None:
            self.abort(NO_SUCH_REALM, f"no realm {name!r}")
        elif realm.is_closed:
            self.abort(SYSTEM_SHUTDOWN, f"realm {name!r} is closed")
        else:
            self._realm = realm
            return True
        return False

    def _authenticate(self, message: Authenticate) -> None:
        assert self._check is not None
        check, self._check = self._check, None
        self._set_state(State.DECIDING)  # the time that WELCOME has goes on
        self._decide(lambda: check(message))

    def _decide(self, ask: Callable[[], Answer | Later[Answer]]) -> None:
        try:
            answer = ask()
        except Exception:
            self.abort(AUTHENTICATION_FAILED, None)
            raise
        if isinstance(answer, Later):
            self._answer = answer
            answer.then(self._decided)
        else:
            self._decided(answer)

    def _decided(self, answer: Answer) -> None:
        self._answer = None
        if isinstance(answer, Rejected):
            self.abort(answer.reason, answer.text)
        elif isinstance(answer, Challenged):
            self._set_state(State.CHALLENGED)
            self._check = answer.check
            challenge = Challenge(answer.authmethod, answer.extra)
            self._transport.send_bytes(self._transport.serializer.encode(challenge))
        else:
            self._welcome(answer)

    def _welcome(self, accepted: Accepted) -> None:
        reception, attempt = self._reception, self._attempt
        assert attempt is not None
        name = accepted.realm if accepted.realm is not None else attempt.realm
        # Anew, for it may have been closed since.
        if not self._enter(reception.find_realm(name), name):
            return
        realm = self._realm
        assert realm is not None
        member = Member(
            self._session_id, accepted, attempt.details, self._transport, self.close, self.fail
        )
        details = realm.welcome_details(member, reception.agent)
        data = member.serializer.encode(Welcome(member.session_id, details))
        if len(data) > member.bytes_max:
            self.abort(PAYLOAD_SIZE_EXCEEDED, f"WELCOME has {len(data)} bytes")
            return
        self._attempt = None
        self._set(State.OPEN)
        self._requests = Requests(member, realm, reception.request_ids, self._release)
        self.member = member
        member.send_bytes(data)
        realm.join(member)

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
        while self._held and not self.is_waiting:
            self._take(self._held.take())

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
        serializer, bytes_max = self._transport.serializer, self._transport.bytes_max
        told = UNSET if text is None else text
        data = serializer.encode(Goodbye(ClosingDetails(message=told), reason))
        if len(data) > bytes_max:
            data = serializer.encode(Goodbye(ClosingDetails(), GOODBYE_AND_OUT))
        self._transport.send_bytes(data)

    def _end(self) -> None:
        self.lose()
        self._transport.close()

    def _leave(self) -> None:
        """Forget the session that is open, or was about to be."""
        member, realm, requests, answer = self.member, self._realm, self._requests, self._answer
        self.member = self._realm = self._requests = self._answer = None
        self._attempt = self._check = None
        self._held.clear()
        if answer is not None:
            answer.cancel()
        if requests is not None:
            requests.end()
        if member is not None and realm is not None:
            realm.leave(member)
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
