"""Procedures that the router carries out itself: `wamp.…`, and what an application adds.

One is a function of a call. It answers the call at once, or keeps it and answers later; it may
raise `Refused`, which is an ERROR. Answers to a call that was canceled, timed out or whose caller
left go nowhere. Such calls count among the pending ones of their caller like all others.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from thingtank.protocols.wamp.answers import NO_DETAILS
from thingtank.protocols.wamp.messages import Call, Error
from thingtank.protocols.wamp.options import ResultDetails
from thingtank.protocols.wamp.payloads import Payload, payload_of
from thingtank.protocols.wamp.peers import Peer

if TYPE_CHECKING:
    from thingtank.protocols.wamp.calls import PendingCall


class AnswerTaker(Protocol):
    """What brings answers to callers."""

    def bring_result(
        self, call: "PendingCall", details: ResultDetails | None, payload: Payload
    ) -> None:
        """Bring a result, the last one if its details do not say otherwise."""

    def bring_error(self, call: "PendingCall", error: Error) -> None:
        """Bring an error."""


class RouterCall:
    """One call of a procedure of the router's own.

    Attributes:
        caller: whose call it is.
        procedure: the URI that was called.
        payload: its arguments, unread.
        receives_progress: whether the caller takes results before the last.
        on_canceled: called once if nobody waits for the answer any more.
    """

    __slots__ = (
        "_call",
        "_taker",
        "caller",
        "on_canceled",
        "payload",
        "procedure",
        "receives_progress",
    )

    def __init__(self, call: "PendingCall", message: Call, taker: AnswerTaker) -> None:
        """As it came from the caller."""
        self.caller: Peer = call.caller.peer
        self.procedure = message.procedure
        self.payload = message.payload
        self.receives_progress = message.options.receive_progress
        self.on_canceled: Callable[[], None] | None = None
        self._call = call
        self._taker = taker

    @property
    def args(self) -> list[Any]:
        """Its positional arguments, read anew each time.

        Raises:
            UnconvertiblePayload: answered with an ERROR if the procedure lets it pass.
        """
        return self.payload.args

    @property
    def kwargs(self) -> dict[str, Any]:
        """Its keyword arguments, read anew each time.

        Raises:
            UnconvertiblePayload: answered with an ERROR if the procedure lets it pass.
        """
        return self.payload.kwargs

    @property
    def is_over(self) -> bool:
        """Whether it was answered, canceled, timed out, or the caller left."""
        return self._call.is_over

    def result(self, *args: Any, kwargs: Mapping[str, Any] | None = None) -> None:
        """Answer it.

        Raises:
            UnconvertiblePayload: the caller's serializer has no form for this; not answered yet.
        """
        if not self.is_over:
            self.result_payload(self._payload(args, kwargs))

    def result_payload(self, payload: Payload) -> None:
        """Answer it with something serialized already, in the caller's serializer."""
        if not self.is_over:
            self._taker.bring_result(self._call, None, payload)

    def progress(self, *args: Any, kwargs: Mapping[str, Any] | None = None) -> None:
        """Give a result before the last; dropped if the caller did not ask for such.

        Raises:
            UnconvertiblePayload: the caller's serializer has no form for this; not given.
        """
        if self.receives_progress and not self.is_over:
            details = ResultDetails(progress=True)
            self._taker.bring_result(self._call, details, self._payload(args, kwargs))

    def error(self, error: str, *args: Any, kwargs: Mapping[str, Any] | None = None) -> None:
        """Say that it failed, by a URI.

        Raises:
            UnconvertiblePayload: the caller's serializer has no form for this; not answered yet.
        """
        if not self.is_over:
            payload = self._payload(args, kwargs)
            self._taker.bring_error(
                self._call, Error(48, self._call.request_id, NO_DETAILS, error, payload)
            )

    def _payload(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> Payload:
        return payload_of(self.caller.serializer, list(args), dict(kwargs) if kwargs else None)


class RouterProcedure(Struct, frozen=True, eq=False):
    """A procedure of the router's own. Garbage collection must see through it to `carry_out`.

    Attributes:
        carry_out: answers the call that it is given, now or later.
        is_pattern: it is under more than one URI.
    """

    carry_out: Callable[[RouterCall], None]
    is_pattern: bool
