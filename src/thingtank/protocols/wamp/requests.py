"""What an open session asks for: request ids, authorization, then broker and dealer.

| message | request id | authorized as | goes to |
| --- | --- | --- | --- |
| PUBLISH | new | publish | `broker.publish` |
| SUBSCRIBE | new | subscribe | `broker.subscribe` |
| UNSUBSCRIBE | new | | `broker.unsubscribe` |
| EVENT_RECEIVED | | | `broker.receive_receipt` |
| REGISTER | new | register | `dealer.register` |
| UNREGISTER | new | | `dealer.unregister` |
| CALL | new | call | `dealer.call` |
| CALL | an earlier one | | `dealer.continue_call` |
| CANCEL, YIELD, ERROR | of a call or invocation | | the dealer's |

All requests of a session share one counter. A URI that is malformed is not asked about: broker and
dealer answer that it is. So they do where the first component is `wamp`.

Source: WAMP, Session Scope IDs; Protocol Violations; Authorization; Ordering Guarantees.
"""

from collections.abc import Callable
from typing import Any, Literal

from thingtank.protocols.wamp.answers import Refused, send_refusal
from thingtank.protocols.wamp.authorization import UNDECIDED, Action, Decision
from thingtank.protocols.wamp.errors import FailureTold, ProtocolViolation
from thingtank.protocols.wamp.later import Later, at_once
from thingtank.protocols.wamp.members import Member
from thingtank.protocols.wamp.messages import (
    Call,
    Cancel,
    Error,
    EventReceived,
    Message,
    Publish,
    Register,
    Subscribe,
    Unregister,
    Unsubscribe,
    Yield,
    code_of,
)
from thingtank.protocols.wamp.options import ID_MAX, Match
from thingtank.protocols.wamp.router import Realm
from thingtank.protocols.wamp.uris import is_uri

RequestIds = Literal["sequential", "increasing", "any"]
"""Which ids requests may have: without gaps, as the text has it; beyond all earlier ones; or any,
as the first clients of WAMP v2 chose them, at random."""

Asked = Publish | Subscribe | Register | Call
"""What is authorized."""


class Requests:
    """Those of one open session. At most one waits for a decision; what comes next must wait.

    Attributes:
        waiting: the one that does.
    """

    def __init__(
        self,
        member: Member,
        realm: Realm,
        request_ids: RequestIds,
        on_decided: Callable[[], None],
    ) -> None:
        """Take them from the first on.

        Args:
            on_decided: called when the one that waited has been carried out, or refused.
        """
        self._member = member
        self._realm = realm
        self._broker = realm.broker
        self._dealer = realm.dealer
        self._authorizer = realm.authorizer
        self._request_ids = request_ids
        self._id_last = 0
        self._on_decided = on_decided
        self.waiting: tuple[Asked, Later[Decision]] | None = None
        self._opens_progress = member.announces("caller", "progressive_call_invocations")

    def receive(self, message: Message) -> None:
        """Take one of REQUESTS; not while a decision is waited for.

        Raises:
            ProtocolViolation.
            FailureTold: who decides or answers for us has a bug.
        """
        self._realm.received_count += 1
        _HANDLERS[type(message)](self, message)

    def give_up(self) -> None:
        """Refuse what waits for a decision: it has waited long enough."""
        if self.waiting is not None:
            self.waiting[1].cancel()
            self._decided(UNDECIDED)

    def end(self) -> None:
        """Forget what waits: the session is over."""
        if self.waiting is not None:
            self.waiting[1].cancel()
            self.waiting = None

    def _publish(self, message: Publish) -> None:
        self._take_id(message.request_id)
        if self._authorizer is None:
            self._broker.publish(self._member, message)
        else:
            self._ask("publish", message.topic, "exact", message)

    def _subscribe(self, message: Subscribe) -> None:
        self._take_id(message.request_id)
        self._ask("subscribe", message.topic, message.options.match, message)

    def _unsubscribe(self, message: Unsubscribe) -> None:
        self._take_id(message.request_id)
        self._broker.unsubscribe(self._member, message)

    def _receipt(self, message: EventReceived) -> None:
        self._broker.receive_receipt(self._member, message)

    def _register(self, message: Register) -> None:
        self._take_id(message.request_id)
        self._ask("register", message.procedure, message.options.match, message)

    def _unregister(self, message: Unregister) -> None:
        self._take_id(message.request_id)
        self._dealer.unregister(self._member, message)

    def _call(self, message: Call) -> None:
        # WAMP, Verification of CALL Request IDs: one that is not new belongs to an earlier call.
        is_known = message.request_id <= self._id_last < ID_MAX
        if is_known and (self._opens_progress or self._request_ids != "any"):
            self._dealer.continue_call(self._member, message)
            return
        self._take_id(message.request_id)
        if self._authorizer is None:
            self._dealer.call(self._member, message)
        else:
            self._ask("call", message.procedure, "exact", message)

    def _cancel(self, message: Cancel) -> None:
        self._dealer.cancel(self._member, message)

    def _yield(self, message: Yield) -> None:
        self._dealer.yield_result(self._member, message)

    def _error(self, message: Error) -> None:
        announces = self._member.announces
        if message.details.ppt_scheme and not announces("callee", "payload_passthru_mode"):
            raise ProtocolViolation("payload_passthru_mode was not announced by this callee")
        self._dealer.error(self._member, message)

    def _take_id(self, request_id: int) -> None:
        last, rule = self._id_last, self._request_ids
        if rule == "sequential" and request_id != last % ID_MAX + 1:
            raise ProtocolViolation(f"request id {request_id} follows {last}")
        if rule == "increasing" and request_id <= last < ID_MAX:  # which 1 follows
            raise ProtocolViolation(f"request id {request_id} does not grow from {last}")
        self._id_last = request_id if rule != "any" else max(request_id, last)

    def _ask(self, action: Action, uri: str, match: Match, message: Asked) -> None:
        authorizer, realm = self._authorizer, self._realm
        if authorizer is None or not is_uri(uri, match, realm.is_strict):
            return self._carry_out(message, None)
        try:
            decision = authorizer.authorize(self._member, action, uri, match)
        except Exception as error:
            self._carry_out(message, UNDECIDED)
            raise FailureTold("the authorizer failed") from error
        if type(decision) is not Decision:  # nearly always it is one, and each look costs
            decision = at_once(decision)
        if not isinstance(decision, Later):
            return self._carry_out(message, decision)
        self.waiting = message, decision
        return decision.then(self._decided)

    def _decided(self, decision: Decision) -> None:
        assert self.waiting is not None
        message, _ = self.waiting
        self.waiting = None
        try:
            self._carry_out(message, decision)
        except ProtocolViolation as violation:
            self._member.fail(violation)
        except FailureTold:
            self._on_decided()
            raise
        except Exception as error:
            self._member.fail(error)
            raise
        else:
            self._on_decided()

    def _carry_out(self, message: Asked, decision: Decision | None) -> None:
        """Hand a request over, or refuse it.

        Args:
            decision: None where nobody was asked.
        """
        member = self._member
        if decision is not None and not decision.is_allowed:
            if not isinstance(message, Publish) or message.options.acknowledge:
                refused = Refused(decision.error, "this session may not do that")
                send_refusal(member, code_of(type(message)), message.request_id, refused)
        elif isinstance(message, Publish):
            if decision is None:
                self._broker.publish(member, message)
            else:
                self._broker.publish(member, message, decision.publish)
        elif isinstance(message, Subscribe):
            self._broker.subscribe(member, message)
        elif isinstance(message, Register):
            self._dealer.register(member, message)
        elif decision is None:
            self._dealer.call(member, message)
        else:
            self._dealer.call(member, message, decision.call)


_HANDLERS: dict[type[Message], Callable[[Requests, Any], None]] = {
    Publish: Requests._publish,
    Subscribe: Requests._subscribe,
    Unsubscribe: Requests._unsubscribe,
    EventReceived: Requests._receipt,
    Register: Requests._register,
    Unregister: Requests._unregister,
    Call: Requests._call,
    Cancel: Requests._cancel,
    Yield: Requests._yield,
    Error: Requests._error,
}
REQUESTS = frozenset(_HANDLERS)
"""What only an open session may send, but for GOODBYE."""
