"""What becomes of a PUBLISH: a publication, which is delivered, retained and kept for history."""

from typing import Literal

from msgspec import UNSET, Struct

from thingtank.protocols.wamp.options import EventDetails, PublishOptions
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.receivers import Receivers


class PublishPolicy(Struct, frozen=True, gc=False):
    """What whoever authorized a publication adds.

    Attributes:
        disclosure: whether receivers are told who publishes: where the publisher asks for it,
            always, or never; a publisher that asks for it is then refused.
        trustlevel: told to the receivers; None for none.
        asks_receipts: receivers are asked for EVENT_RECEIVED.
        answers: by PUBLISHED, where the publisher asks; otherwise it is left to the caller, who
            waits until what it keeps is on disk. Errors are answered at once.
    """

    disclosure: Literal["asked", "always", "never"] = "asked"
    trustlevel: int | None = None
    asks_receipts: bool = False
    answers: bool = True

    @property
    def changes_plain(self) -> bool:
        """Whether it makes a difference to a PUBLISH without options."""
        return (
            self.disclosure == "always"
            or self.trustlevel is not None
            or self.asks_receipts
            or not self.answers
        )


BY_OPTIONS = PublishPolicy()


class Publication(Struct, frozen=True, gc=False):
    """An event as it was published.

    Attributes:
        publisher_id: its session; None for the router. Receivers are told only by `details`.
        exclude_me: the publisher does not receive it.
        details: without what differs between receivers: `topic`, `retained`.
        receivers: None for everybody.
    """

    publication_id: int
    at_us: int
    topic: str
    publisher_id: int | None
    exclude_me: bool
    details: EventDetails
    payload: Payload
    receivers: Receivers | None = None


def details_of(
    publisher: Peer | None, options: PublishOptions, policy: PublishPolicy
) -> EventDetails:
    """What all receivers are told beside the payload."""
    trustlevel = UNSET if policy.trustlevel is None else policy.trustlevel
    if publisher is not None and (
        policy.disclosure == "always" or (policy.disclosure == "asked" and options.disclose_me)
    ):
        return EventDetails(
            publisher=publisher.session_id,
            publisher_authid=publisher.authid,
            publisher_authrole=publisher.authrole,
            trustlevel=trustlevel,
            **options.passed_on,
        )
    return EventDetails(trustlevel=trustlevel, **options.passed_on)
