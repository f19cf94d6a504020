"""Event history as a realm sees it: something that keeps events, and answers for them.

Source: WAMP, Event History.
"""

from typing import Protocol

from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.subscriptions import Subscription


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
