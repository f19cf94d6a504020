"""Calls between CALL and their last RESULT or ERROR, and when they have waited long enough."""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Literal

from msgspec import Struct

from thingtank.protocols.wamp.messages import Call
from thingtank.protocols.wamp.options import InvocationDetails
from thingtank.protocols.wamp.parties import Party
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.registrations import Endpoint

_ENDED_MIN = 256  # so many ended calls stay in the heap without a look at how many there are


class DealerBounds(Struct, frozen=True, gc=False):
    """How much a dealer keeps; what is beyond is answered with `tank.error.limit_reached`.

    Attributes:
        calls_per_caller_max, calls_max: that are not answered yet, of one session and in all.
        registrations_per_session_max: patterns among them.
        kept_bytes_max: of payloads kept while calls are pending, for the router's own procedures
            and for rerouting; calls beyond are not rerouted, but fail if that is needed.
    """

    calls_per_caller_max: int = 10_000
    calls_max: int = 100_000
    registrations_per_session_max: int = 10_000
    kept_bytes_max: int = 64 * 1024 * 1024


class CallPolicy(Struct, frozen=True, gc=False):
    """What whoever authorized a call adds.

    Attributes:
        disclosure: whether the callee is told who calls: where caller or callee ask for it,
            always, or never; a caller that asks for it is then refused.
        trustlevel: told to the callee; None for none.
    """

    disclosure: Literal["asked", "always", "never"] = "asked"
    trustlevel: int | None = None


class Route(Struct, eq=False):
    """What it takes to give a call to another callee.

    Attributes:
        message, policy: as it came.
        tried: who could not, in order; who has it now is the last.
    """

    message: Call
    policy: CallPolicy
    tried: list[Endpoint]


class PendingCall(Struct, eq=False):
    """One call.

    Attributes:
        timeout_us: 0 for none.
        endpoint: who carries it out; None for the router itself.
        invocation_id: of the callee's session.
        due_us: when it has waited long enough; 0 if nobody here keeps the time.
        kept_bytes: of its payload, which is kept.
        is_over: nobody waits for it any more.
        is_killed: canceled, and its caller waits for what the callee says to that.
        has_progressed: a result, not the last, was delivered.
        takes_input: more CALLs of its id follow.
        details: of its INVOCATIONs, if their input comes in parts.
        route: where rerouting may come to pass.
        router_call: of the router itself.
    """

    caller: Party
    request_id: int
    procedure: str
    receives_progress: bool
    timeout_us: int
    takes_input: bool
    endpoint: Endpoint | None = None
    invocation_id: int = 0
    due_us: int = 0
    kept_bytes: int = 0
    is_over: bool = False
    is_killed: bool = False
    has_progressed: bool = False
    details: InvocationDetails | None = None
    route: Route | None = None
    router_call: RouterCall | None = None


class CallTimers:
    """Which calls are due when.

    Those that have ended stay in the heap until they are found there, or make up half of it. One
    whose time begins anew is put back when its former time has come.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, PendingCall]] = []
        self._number = 0  # so that calls are never compared
        self._ended_count = 0

    def start(self, call: PendingCall, due_us: int) -> None:
        """Let a call be due at a time."""
        call.due_us = due_us
        self._number += 1
        heappush(self._heap, (due_us, self._number, call))

    def drop(self, call: PendingCall) -> None:
        """A call that was started has ended."""
        call.due_us = 0
        self._ended_count += 1
        if self._ended_count > _ENDED_MIN and self._ended_count * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].due_us]
            heapify(self._heap)
            self._ended_count = 0

    def next_due_us(self) -> int | None:
        """When `take_due` is to be called next, at the earliest; None for not at all."""
        while self._heap and not self._heap[0][2].due_us:
            heappop(self._heap)
            self._ended_count -= 1
        return self._heap[0][0] if self._heap else None

    def take_due(self, now_us: int) -> Iterator[PendingCall]:
        """Those that have waited long enough, longest first."""
        while self._heap and self._heap[0][0] <= now_us:
            call = heappop(self._heap)[2]
            if not call.due_us:
                self._ended_count -= 1
            elif call.due_us > now_us:
                self.start(call, call.due_us)
            else:
                call.due_us = 0
                yield call
