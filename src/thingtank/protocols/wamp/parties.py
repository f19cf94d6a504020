"""Sessions as the dealer keeps them: what they can do, what they called, what they carry out."""

from typing import TYPE_CHECKING

from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.peers import Peer

if TYPE_CHECKING:
    from thingtank.protocols.wamp.calls import PendingCall
    from thingtank.protocols.wamp.registrations import Endpoint


class Party:
    """One session, from its first register or call until it leaves.

    Attributes:
        calls: what it called and is not answered yet, by request id.
        invocations: what it was invoked for and has not answered yet, by invocation id.
        invocation_id_last: the highest that was issued to it. An id up to here is known, and one
            beyond is a violation. They start at 1 for each session and never come to 2^53.
        endpoints: its places in registrations, by registration id.
        can_cancel, ...: what it announced, of what the dealer asks for.
    """

    __slots__ = (
        "calls",
        "can_be_revoked",
        "can_cancel",
        "can_keep_time",
        "can_pass_payload_in",
        "can_pass_payload_through",
        "can_reroute",
        "can_send_progress",
        "can_take_progress",
        "endpoints",
        "invocation_id_last",
        "invocations",
        "opens_progress",
        "peer",
    )

    def __init__(self, peer: Peer) -> None:
        """Look up what it announced."""
        self.peer = peer
        self.calls: dict[int, PendingCall] = {}
        self.invocations: dict[int, PendingCall] = {}
        self.invocation_id_last = 0
        self.endpoints: dict[int, Endpoint] = {}
        # The text spells it with one l, and in the section on progressive invocations with two.
        self.can_cancel = peer.announces("callee", "call_canceling") or peer.announces(
            "callee", "call_cancelling"
        )
        # The text wants call_canceling for this too. AutobahnJS has progressive results without.
        self.can_send_progress = peer.announces("callee", "progressive_call_results")
        self.can_take_progress = self.can_cancel and peer.announces(
            "callee", "progressive_call_invocations"
        )
        self.can_keep_time = peer.announces("callee", "call_timeout")
        self.can_reroute = peer.announces("callee", "call_reroute")
        self.can_be_revoked = peer.announces("callee", "registration_revocation")
        self.can_pass_payload_through = peer.announces("callee", "payload_passthru_mode")
        self.can_pass_payload_in = peer.announces("caller", "payload_passthru_mode")
        self.opens_progress = peer.announces("caller", "progressive_call_invocations")

    def invocation(self, invocation_id: int) -> "PendingCall | None":
        """What an answer belongs to; None if that is finished, which is normal.

        Raises:
            ProtocolViolation: this id was never issued.
        """
        call = self.invocations.get(invocation_id)
        if call is None and invocation_id > self.invocation_id_last:
            raise ProtocolViolation(f"no invocation {invocation_id} was sent to this session")
        return call
