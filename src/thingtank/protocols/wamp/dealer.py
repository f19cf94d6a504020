"""The dealer: brings calls to those who carry them out, and what they say back.

```
            +------------ reroute: unavailable, or the callee left ------------+
            v                                                                  |
CALL --> INVOCATION --> YIELD progress * --> YIELD, ERROR 68 --> RESULT, ERROR 48
            |
            +--> CANCEL skip, killnowait; timeout; callee left --> ERROR 48
            +--> CANCEL kill --> INTERRUPT --> YIELD, ERROR 68 --> RESULT, ERROR 48
            +--> caller left --> INTERRUPT
```

Every call ends with one RESULT or ERROR, unless its caller has left. What a callee answers to a
call that has ended is dropped. INTERRUPTs go only to callees that announced call_canceling.

What is asked for is authorized before it comes here, and that the ids of requests have no gaps is
checked. There is no I/O and no clock: sending only queues, and must not call back into the
dealer.

Source: WAMP, Remote Procedure Calls; Advanced RPC.
"""

from collections.abc import Callable

from thingtank.protocols.wamp.answers import (
    CANCELED,
    FEATURE_NOT_SUPPORTED,
    NO_AVAILABLE_CALLEE,
    TIMEOUT,
    UNAVAILABLE,
    Refused,
    send_refusal,
)
from thingtank.protocols.wamp.calls import CallPolicy, DealerBounds
from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.invocations import BY_REQUEST, PLAIN, check_announced
from thingtank.protocols.wamp.messages import Call, Cancel, Error, Register, Unregister, Yield
from thingtank.protocols.wamp.meta_events import MetaEvent
from thingtank.protocols.wamp.options import Match, ResultDetails, YieldOptions
from thingtank.protocols.wamp.parties import Party
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.procedures import RouterCall, RouterProcedure
from thingtank.protocols.wamp.registrar import Registrar
from thingtank.protocols.wamp.registrations import ChooseBelow, Registration, Registrations
from thingtank.protocols.wamp.routing import (
    US_PER_MS,
    CallRouting,
    interrupt,
    may_be_rerouted,
)

DEALER_FEATURES = (
    "caller_identification",
    "call_canceling",
    "call_reroute",
    "call_timeout",
    "call_trustlevels",
    "pattern_based_registration",
    "payload_passthru_mode",
    "payload_transparency",
    "progressive_call_invocations",
    "progressive_call_results",
    "registration_revocation",
    "shared_registration",
)
"""What is done here; meta APIs are announced by those who answer them."""

_DEFAULT_BOUNDS = DealerBounds()
_PLAIN_YIELD = YieldOptions()


class Dealer:
    """Procedures and calls of one realm.

    Attributes:
        registrations: answers the questions of the Registration Meta API.
    """

    def __init__(
        self,
        now_us: Callable[[], int],
        choose_below: ChooseBelow,
        on_meta: Callable[[MetaEvent], None] = lambda event: None,
        bounds: DealerBounds = _DEFAULT_BOUNDS,
        *,
        is_strict: bool = False,
    ) -> None:
        """Start without procedures.

        Args:
            now_us: since the epoch, UTC; of a clock that does not jump, for it also measures
                how long calls wait.
            choose_below: picks callees where `invoke` is `random`.
            on_meta: is given what happens to registrations, in order, after the session whose
                doing it was has its answer.
            is_strict: whether URIs must keep the strict rule.
        """
        self.registrations = Registrations()
        self._registrar = Registrar(
            self.registrations,
            now_us,
            on_meta,
            bounds.registrations_per_session_max,
            is_strict=is_strict,
        )
        self._routing = CallRouting(
            self.registrations, choose_below, now_us, bounds, is_strict=is_strict
        )
        self._parties: dict[Peer, Party] = {}

    def provide(
        self, uri: str, carry_out: Callable[[RouterCall], None], match: Match = "exact"
    ) -> None:
        """Add a procedure that the router carries out itself; clients cannot register it.

        Raises:
            ValueError: the URI is taken.
        """
        self.registrations.provide(uri, match, RouterProcedure(carry_out, match != "exact"))

    def register(self, peer: Peer, message: Register) -> None:
        """Answer REGISTER."""
        self._registrar.register(self._party(peer), message)

    def unregister(self, peer: Peer, message: Unregister) -> None:
        """Answer UNREGISTER. Invocations that the callee has go on."""
        self._registrar.unregister(self._party(peer), message)

    def revoke(self, registration_id: int, session_id: int, reason: str | None = None) -> None:
        """Take a registration from a session that did not ask for it.

        Args:
            reason: a URI, told to callees that announced registration_revocation.

        Raises:
            NoSuchRegistration: it does not exist, or the session is not on it.
        """
        self._registrar.revoke(registration_id, session_id, reason)

    def call(self, peer: Peer, message: Call, policy: CallPolicy = BY_REQUEST) -> None:
        """Bring a CALL with a new id to a callee, or answer it.

        Raises:
            ProtocolViolation: it uses what its caller did not announce.
        """
        caller = self._parties.get(peer) or self._party(peer)
        if message.options != PLAIN:
            check_announced(caller, message.options)
        if message.request_id in caller.calls:
            raise ProtocolViolation(f"call {message.request_id} is not answered yet")
        try:
            self._routing.start(caller, message, policy)
        except Refused as refused:
            send_refusal(peer, 48, message.request_id, refused)

    def continue_call(self, peer: Peer, message: Call) -> None:
        """Bring more input to the callee of a call: a CALL whose id is no new one.

        It is dropped if that call has ended, which its caller may not know yet.

        Raises:
            ProtocolViolation: that call does not take more input.

        Source: WAMP, Progressive Call Invocations, Verification of CALL Request IDs.
        """
        caller = self._party(peer)
        if not caller.opens_progress:
            raise ProtocolViolation(f"request id {message.request_id} was used already")
        call = caller.calls.get(message.request_id)
        if call is None or call.procedure != message.procedure:
            return
        if not call.takes_input:
            raise ProtocolViolation(f"call {message.request_id} takes no more input")
        self._routing.continue_with(call, message)

    def cancel(self, peer: Peer, message: Cancel) -> None:
        """Obey CANCEL; of a call that has ended, or is canceled already, it is ignored."""
        call = self._party(peer).calls.get(message.request_id)
        if call is None or call.is_killed:
            return
        mode = message.options.mode or "killnowait"
        if mode == "kill" and call.endpoint is not None and call.endpoint.party.can_cancel:
            call.is_killed = True
            interrupt(call, "kill")
        else:
            refused = Refused(CANCELED, "canceled by the caller")
            self._routing.end_with(call, refused, None if mode == "skip" else "killnowait")

    def yield_result(self, peer: Peer, message: Yield) -> None:
        """Bring a YIELD to the caller; dropped if its call has ended.

        Raises:
            ProtocolViolation: there never was such an invocation, or the callee uses what it
                did not announce.
        """
        callee = self._parties.get(peer) or self._party(peer)
        call = callee.invocation(message.request_id)
        options = message.options
        if options == _PLAIN_YIELD:
            if call is not None:
                self._routing.bring_result(call, None, message.payload)
            return
        if options.ppt_scheme and not callee.can_pass_payload_through:
            raise ProtocolViolation("payload_passthru_mode was not announced by this callee")
        # Progress that the caller did not ask for is dropped, and the call goes on.
        if call is None or (options.progress and not call.receives_progress):
            return
        if options.ppt_scheme and not call.caller.can_pass_payload_in:
            refused = Refused(FEATURE_NOT_SUPPORTED, "the caller has no payload_passthru_mode")
            send_refusal(peer, 68, message.request_id, refused)
            self._routing.end_with(call, refused, "killnowait" if options.progress else None)
            return
        details = ResultDetails(progress=options.progress, **options.passed_on)
        self._routing.bring_result(call, details, message.payload)

    def error(self, peer: Peer, message: Error) -> None:
        """Bring an ERROR of a callee to the caller, or the call to another callee.

        Raises:
            ProtocolViolation: it is about no invocation, or there never was this one.
        """
        callee = self._party(peer)
        if message.request_type != 68:
            raise ProtocolViolation("clients send an ERROR only for an INVOCATION")
        call = callee.invocation(message.request_id)
        if call is None:
            return
        if message.error == UNAVAILABLE and callee.can_reroute and may_be_rerouted(call):
            if not self._routing.reroute(call):
                refused = Refused(NO_AVAILABLE_CALLEE, "no callee is available")
                self._routing.end_with(call, refused)
            return
        answer = Error(48, call.request_id, message.details, message.error, message.payload)
        self._routing.bring_error(call, answer)

    def registrations_of(self, peer: Peer) -> list[Registration]:
        """Those that a session is on."""
        party = self._parties.get(peer)
        return [each.registration for each in party.endpoints.values()] if party else []

    def drop(self, peer: Peer) -> None:
        """Forget a session that is over; nothing is sent to it any more.

        Its own calls are interrupted. Calls that it carries out go to another callee, if it
        announced call_reroute and nothing of them was delivered, or end as canceled.
        """
        party = self._parties.pop(peer, None)
        if party is None:
            return
        calls = list(party.calls.values())
        for call in calls:
            self._routing.end(call)
        for call in calls:
            if call.endpoint is None or call.endpoint.party is not party:
                interrupt(call, "killnowait")
        events = self._registrar.leave(party)
        for call in list(party.invocations.values()):
            may_reroute = party.can_reroute and may_be_rerouted(call)
            if not (may_reroute and self._routing.reroute(call)):
                self._routing.end_with(call, Refused(CANCELED, "the callee has left"))
        self._registrar.announce(events)

    def next_due_us(self) -> int | None:
        """When `take_due` is to be called next; None for not at all, until another call."""
        return self._routing.timers.next_due_us()

    def take_due(self, now_us: int) -> None:
        """End the calls that have waited as long as their callers said."""
        for call in self._routing.timers.take_due(now_us):
            text = f"no result within {call.timeout_us // US_PER_MS} ms"
            self._routing.end_with(call, Refused(TIMEOUT, text), "killnowait")

    def _party(self, peer: Peer) -> Party:
        party = self._parties.get(peer)
        if party is None:
            party = self._parties[peer] = Party(peer)
        return party
