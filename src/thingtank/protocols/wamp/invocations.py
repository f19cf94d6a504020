"""What an INVOCATION says beside the payload, and which calls a callee cannot be given.

| CALL.Options | INVOCATION.Details |
| --- | --- |
| `disclose_me` | `caller…`; also if the registration or the policy says so |
| `receive_progress` | the same, to callees with progressive results |
| `progress` | the same; refused for callees without progressive invocations |
| `timeout` | the same, to callees that keep the time and registered with `forward_timeout` |
| `ppt_…` | the same; refused for callees without payload passthru |
| `enc_…`, `forward_for`, `transaction_hash` | the same |
| | `procedure`, where the registration is a pattern |
| | `trustlevel`, by policy |

Source: WAMP, Caller Identification; Progressive Call Results; Progressive Call Invocations; Call
Timeouts; Call Trust Levels; Payload Passthru Mode.
"""

from typing import Any

from msgspec import UNSET

from thingtank.protocols.wamp.answers import DISCLOSURE_DENIED, FEATURE_NOT_SUPPORTED, Refused
from thingtank.protocols.wamp.calls import CallPolicy
from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.messages import Call
from thingtank.protocols.wamp.options import CallOptions, InvocationDetails
from thingtank.protocols.wamp.parties import Party
from thingtank.protocols.wamp.registrations import Endpoint

PLAIN = CallOptions()
BY_REQUEST = CallPolicy()


def check_announced(caller: Party, options: CallOptions) -> None:
    """Refuse what a caller may only use if it said so in HELLO.

    Raises:
        ProtocolViolation.
    """
    if options.progress and not caller.opens_progress:
        raise ProtocolViolation("progressive_call_invocations was not announced by this caller")
    if options.ppt_scheme and not caller.can_pass_payload_in:
        raise ProtocolViolation("payload_passthru_mode was not announced by this caller")


def invocation_details(
    caller: Party, endpoint: Endpoint, message: Call, policy: CallPolicy
) -> InvocationDetails | None:
    """The details for this callee; None, what most calls have, for none.

    Raises:
        Refused.
    """
    options = message.options
    if endpoint.is_plain and policy is BY_REQUEST and options == PLAIN:
        return None
    callee = endpoint.party
    if options.progress and not callee.can_take_progress:
        raise Refused(FEATURE_NOT_SUPPORTED, "the callee takes no progressive invocations")
    if options.ppt_scheme and not callee.can_pass_payload_through:
        raise Refused(FEATURE_NOT_SUPPORTED, "the callee has no payload_passthru_mode")
    return InvocationDetails(
        **_identification(caller, endpoint, options, policy),
        **options.passed_on,
        procedure=message.procedure if endpoint.registration.is_pattern else UNSET,
        receive_progress=options.receive_progress and callee.can_send_progress,
        progress=options.progress,
        timeout=options.timeout if endpoint.keeps_time else 0,
        trustlevel=UNSET if policy.trustlevel is None else policy.trustlevel,
    )


def _identification(
    caller: Party, endpoint: Endpoint, options: CallOptions, policy: CallPolicy
) -> dict[str, Any]:
    if policy.disclosure == "never":
        if options.disclose_me:
            raise Refused(DISCLOSURE_DENIED, "this realm does not disclose callers here")
        return {}
    if policy.disclosure == "asked" and not (options.disclose_me or endpoint.discloses_caller):
        return {}
    peer = caller.peer
    return {
        "caller": peer.session_id,
        "caller_authid": peer.authid,
        "caller_authrole": peer.authrole,
    }
