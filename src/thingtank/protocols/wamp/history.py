"""Event history as a realm sees it: something that keeps events, and answers for them.

Source: WAMP, Event History.
"""

from typing import Annotated, Protocol

from msgspec import Meta, Struct

from thingtank.protocols.wamp.history_query import EventsQuery
from thingtank.protocols.wamp.keeping import Keeping
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.subscriptions import Subscription

KEEP_S_MAX = 100 * 365 * 86_400


class HistoryRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Topics whose events are kept; settings have a list of them for each realm.

    Attributes:
        uri: a topic or pattern, for which there is a standing subscription.
        match: `exact`, `prefix` or `wildcard`.
        events_max: the oldest beyond so many are forgotten.
        bytes_max: so are the oldest beyond so much on disk, about.
        keep_s: older ones are forgotten.
    """

    uri: str
    match: Match = "exact"
    events_max: Annotated[int, Meta(ge=1)] = 100_000
    bytes_max: Annotated[int, Meta(ge=1)] = 2**30
    keep_s: Annotated[int, Meta(ge=1, le=KEEP_S_MAX)] = 30 * 86_400


class EventHistory(Protocol):
    """Keeps the events of standing subscriptions."""

    def keep(self, publication: Publication, subscription_ids: list[int]) -> Keeping | None:
        """Keep an event, with the ids of the standing subscriptions that it belongs to.

        Returns:
            What an acknowledged publisher has to wait for; None if there is nothing.
        """

    def get_events(self, call: RouterCall, subscription: Subscription, query: EventsQuery) -> None:
        """Answer `wamp.subscription.get_events`, now or later.

        Args:
            call: by someone who may subscribe.
            subscription: that the first argument named.
            query: what the keyword arguments ask for.
        """
