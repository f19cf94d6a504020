"""Who carries a call out, from the first callee that is tried to the last RESULT or ERROR."""

from collections.abc import Callable

from msgspec.structs import replace

from thingtank.protocols.wamp.answers import (
    FEATURE_NOT_SUPPORTED,
    INVALID_PAYLOAD,
    INVALID_URI,
    LIMIT_REACHED,
    MAX_CONCURRENCY,
    NO_SUCH_PROCEDURE,
    RUNTIME_ERROR,
    Refused,
    invocation_bytes,
    result_bytes,
    send_error,
    send_refusal,
)
from thingtank.protocols.wamp.calls import (
    CallPolicy,
    CallTimers,
    DealerBounds,
    PendingCall,
    Route,
)
from thingtank.protocols.wamp.errors import FailureTold, UnconvertiblePayload
from thingtank.protocols.wamp.invocations import invocation_details
from thingtank.protocols.wamp.messages import Call, Error, Interrupt
from thingtank.protocols.wamp.options import (
    InterruptMode,
    InterruptOptions,
    InvocationDetails,
    ResultDetails,
)
from thingtank.protocols.wamp.parties import Party
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.procedures import RouterCall, RouterProcedure
from thingtank.protocols.wamp.registrations import ChooseBelow, Endpoint, Registrations
from thingtank.protocols.wamp.uris import is_uri, malformed_words, shown

US_PER_MS = 1000


class CallRouting:
    """The pending calls of a realm.

    Attributes:
        timers: of those calls whose time is kept here.
    """

    def __init__(
        self,
        registrations: Registrations,
        choose_below: ChooseBelow,
        now_us: Callable[[], int],
        bounds: DealerBounds,
        *,
        is_strict: bool,
    ) -> None:
        """Start without calls."""
        self.timers = CallTimers()
        self._best = registrations.best
        self._choose_below = choose_below
        self._now_us = now_us
        self._bounds = bounds
        self._is_strict = is_strict
        self._call_count = 0
        self._kept_bytes = 0

    def start(self, caller: Party, message: Call, policy: CallPolicy) -> None:
        """Find who carries a call out, and hand it over.

        Raises:
            Refused: nothing has changed.
        """
        procedure, options = message.procedure, message.options
        if len(caller.calls) >= self._bounds.calls_per_caller_max:
            text = f"this session waits for {self._bounds.calls_per_caller_max} calls already"
            raise Refused(LIMIT_REACHED, text)
        if self._call_count >= self._bounds.calls_max:
            raise Refused(LIMIT_REACHED, "too many calls of this realm are not answered yet")
        found = self._best(procedure)
        # What is registered exactly was checked when it was.
        if found is None or found.is_pattern:
            self._check_uri(procedure)
        if found is None:
            raise Refused(NO_SUCH_PROCEDURE, f"nobody has registered {shown(procedure)}")
        call = PendingCall(
            caller,
            message.request_id,
            procedure,
            options.receive_progress,
            options.timeout * US_PER_MS,
            options.progress,
        )
        if isinstance(found, RouterProcedure):
            self._carry_out(call, found, message)
            return
        found.call_count += 1
        endpoint = found.choose(self._choose_below)
        if endpoint is None:
            raise Refused(MAX_CONCURRENCY, "all callees carry out as many calls as they take")
        self._invoke(call, endpoint, message, policy)
        self._add(call)
        if endpoint.party.can_reroute:
            self._keep_for_rerouting(call, message, policy)

    def continue_with(self, call: PendingCall, message: Call) -> None:
        """Hand over more input of a call, to the same callee."""
        assert call.endpoint is not None
        assert call.details is not None
        call.takes_input = message.options.progress
        # All options but this one are those of the first CALL.
        details = replace(call.details, progress=call.takes_input)
        try:
            _send_invocation(call.endpoint, call.invocation_id, details, message.payload)
        except Refused as refused:
            self.end_with(call, refused, "killnowait")

    def reroute(self, call: PendingCall) -> bool:
        """Hand a call to another callee, whom its registration says is next.

        Returns:
            Whether it has been handed over, or answered in the attempt.
        """
        route = call.route
        if route is None:
            return False
        endpoint = route.tried[-1].registration.choose_after(route.tried, self._choose_below)
        if endpoint is None:
            return False
        _withdraw(call, route.tried[-1])
        call.endpoint = None
        route.tried.append(endpoint)
        try:
            self._invoke(call, endpoint, route.message, route.policy)
        except Refused as refused:
            self.end_with(call, refused)
        return True

    def bring_result(
        self, call: PendingCall, details: ResultDetails | None, payload: Payload
    ) -> None:
        """Send a RESULT, the last one if its details do not say otherwise."""
        is_last = details is None or not details.progress
        peer = call.caller.peer
        try:
            data = result_bytes(peer, call.request_id, details, payload)
        except Refused as refused:
            self.end_with(call, refused, None if is_last else "killnowait")
            return
        if is_last:
            self.end(call)
        else:
            call.has_progressed = True
            if call.due_us:  # the time that is waited begins anew with each result
                call.due_us = self._now_us() + call.timeout_us
        peer.send_bytes(data)

    def bring_error(self, call: PendingCall, error: Error) -> None:
        """Send an ERROR that answers a call."""
        self.end(call)
        send_error(call.caller.peer, error)

    def end_with(
        self, call: PendingCall, refused: Refused, mode: InterruptMode | None = None
    ) -> None:
        """Send an ERROR of the router's own, and stop the callee if there is a mode."""
        if call.is_over:
            return
        self.end(call)
        send_refusal(call.caller.peer, 48, call.request_id, refused)
        if mode is not None:
            interrupt(call, mode)

    def end(self, call: PendingCall) -> None:
        """Forget a call."""
        call.is_over = True
        del call.caller.calls[call.request_id]
        self._call_count -= 1
        endpoint = call.endpoint
        if endpoint is not None:
            _withdraw(call, endpoint)
        if call.due_us:
            self.timers.drop(call)
        self._kept_bytes -= call.kept_bytes

    def _check_uri(self, procedure: str) -> None:
        if not is_uri(procedure, "exact", self._is_strict):
            raise Refused(INVALID_URI, malformed_words(procedure))

    def _add(self, call: PendingCall) -> None:
        call.caller.calls[call.request_id] = call
        self._call_count += 1

    def _invoke(
        self, call: PendingCall, endpoint: Endpoint, message: Call, policy: CallPolicy
    ) -> None:
        """Send the first INVOCATION to a callee.

        Raises:
            Refused: nothing has changed.
        """
        callee = endpoint.party
        details = invocation_details(call.caller, endpoint, message, policy)
        invocation_id = callee.invocation_id_last + 1
        _send_invocation(endpoint, invocation_id, details, message.payload)
        callee.invocation_id_last = call.invocation_id = invocation_id
        callee.invocations[invocation_id] = call
        endpoint.active += 1
        call.endpoint = endpoint
        if call.takes_input:
            call.details = details
        if call.timeout_us and not call.due_us and not endpoint.keeps_time:
            self.timers.start(call, self._now_us() + call.timeout_us)

    def _keep_for_rerouting(self, call: PendingCall, message: Call, policy: CallPolicy) -> None:
        """Remember what a next callee needs, if there can be one."""
        endpoint = call.endpoint
        assert endpoint is not None
        is_single = endpoint.registration.invoke == "single"
        if not is_single and not call.takes_input and self._keep(call, message.payload):
            call.route = Route(message, policy, [endpoint])

    def _keep(self, call: PendingCall, payload: Payload) -> bool:
        """Count a payload that is kept until its call ends; False if it is too much."""
        bytes_count = len(payload.data)
        if self._kept_bytes + bytes_count > self._bounds.kept_bytes_max:
            return False
        self._kept_bytes += bytes_count
        call.kept_bytes = bytes_count
        return True

    def _carry_out(self, call: PendingCall, procedure: RouterProcedure, message: Call) -> None:
        """Have the router itself answer.

        Raises:
            Refused: nothing has changed.
            FailureTold: the procedure has a bug.
        """
        options = message.options
        if options.progress or options.ppt_scheme or message.payload.is_opaque:
            text = "the router takes no input in parts, and none that it cannot read"
            raise Refused(FEATURE_NOT_SUPPORTED, text)
        if not self._keep(call, message.payload):
            raise Refused(LIMIT_REACHED, "the router has too much to do for calls of this realm")
        call.router_call = RouterCall(call, message, self)
        self._add(call)
        if call.timeout_us:
            self.timers.start(call, self._now_us() + call.timeout_us)
        try:
            procedure.carry_out(call.router_call)
        except Refused as refused:
            self.end_with(call, refused)
        except UnconvertiblePayload as error:
            self.end_with(call, Refused(INVALID_PAYLOAD, str(error)))
        except Exception as error:
            self.end_with(call, Refused(RUNTIME_ERROR, "the procedure failed"))
            raise FailureTold(f"the procedure {message.procedure} failed") from error


def may_be_rerouted(call: PendingCall) -> bool:
    """Whether nothing was delivered of a call that somebody still wants carried out."""
    return not (call.has_progressed or call.is_killed or call.details is not None)


def interrupt(call: PendingCall, mode: InterruptMode) -> None:
    """Tell whoever carries a call out to stop, if that is possible."""
    if call.router_call is not None:
        if call.router_call.on_canceled is not None:
            call.router_call.on_canceled()
    elif call.endpoint is not None and call.endpoint.party.can_cancel:
        options = InterruptOptions(mode)
        call.endpoint.party.peer.send(Interrupt(call.invocation_id, options))


def _send_invocation(
    endpoint: Endpoint, invocation_id: int, details: InvocationDetails | None, payload: Payload
) -> None:
    peer = endpoint.party.peer
    registration_id = endpoint.registration.id
    peer.send_bytes(invocation_bytes(peer, invocation_id, registration_id, details, payload))


def _withdraw(call: PendingCall, endpoint: Endpoint) -> None:
    """Take a call from its callee, whose answer is dropped from now on."""
    del endpoint.party.invocations[call.invocation_id]
    endpoint.active -= 1
