"""Who of the subscribers receives an event, as its publisher limits it.

Source: WAMP, Subscriber Black- and Whitelisting.
"""

from typing import TypeVar

from msgspec import Struct, UnsetType

from thingtank.protocols.wamp.options import PublishOptions

Member = TypeVar("Member")


class Receivers(Struct, frozen=True, gc=False):
    """The lists of one PUBLISH; all of them must admit a session.

    Attributes:
        eligible…: only these; None for all, while an empty set is nobody.
        exclude…: none of these.
    """

    eligible: frozenset[int] | None = None
    eligible_authid: frozenset[str] | None = None
    eligible_authrole: frozenset[str] | None = None
    exclude: frozenset[int] | None = None
    exclude_authid: frozenset[str] | None = None
    exclude_authrole: frozenset[str] | None = None

    def admits(self, session_id: int, authid: str, authrole: str) -> bool:
        """Whether this session would receive the event."""
        return (
            (self.eligible is None or session_id in self.eligible)
            and (self.eligible_authid is None or authid in self.eligible_authid)
            and (self.eligible_authrole is None or authrole in self.eligible_authrole)
            and (self.exclude is None or session_id not in self.exclude)
            and (self.exclude_authid is None or authid not in self.exclude_authid)
            and (self.exclude_authrole is None or authrole not in self.exclude_authrole)
        )

    @property
    def names_sessions(self) -> bool:
        """Whether it is limited by session ids, which say nothing once the sessions are over."""
        return self.eligible is not None or self.exclude is not None


def receivers_of(options: PublishOptions) -> Receivers | None:
    """The lists of a PUBLISH; None if it has none, which is the usual case."""
    receivers = Receivers(
        _set_of(options.eligible),
        _set_of(options.eligible_authid),
        _set_of(options.eligible_authrole),
        _set_of(options.exclude),
        _set_of(options.exclude_authid),
        _set_of(options.exclude_authrole),
    )
    return receivers if receivers != _EVERYBODY else None


def _set_of(members: list[Member] | UnsetType) -> frozenset[Member] | None:
    return None if isinstance(members, UnsetType) else frozenset(members)


_EVERYBODY = Receivers()
