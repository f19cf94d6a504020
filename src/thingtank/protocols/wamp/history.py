"""Event history as a realm sees it: something that keeps events, and answers for them.

Source: WAMP, Event History.
"""

from typing import Protocol

from msgspec import Struct

from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.subscriptions import Subscription


class HistoryRule(Struct, frozen=True, forbid_unknown_fields=True):
    """Topics whose events are kept; settings have a list of them for each realm.

    Attributes:
        uri: a topic or pattern, for which there is a standing subscription.
        events_max: the oldest beyond so many are forgotten.
        keep_s: older ones are forgotten.
    """

    uri: str
    match: Match = "exact"
    events_max: int = 100_000
    keep_s: int = 30 * 86_400


class EventHistory(Protocol):
    """Keeps the events of standing subscriptions."""

    def keep(self, publication: Publication, subscription_ids: list[int]) -> None:
        """Keep an event, with the ids of the standing subscriptions that it belongs to."""

    def get_events(self, call: RouterCall, subscription: Subscription) -> None:
        """Answer `wamp.subscription.get_events`, now or later.

        Args:
            call: by someone who may subscribe; its keyword arguments are the filters.
            subscription: that the first argument named.
        """
