"""The Subscription Meta API: what is subscribed to, taking it away, and what was published there.

Source: WAMP, Subscription Meta API; Event History; `remove_subscriber` is of Crossbar.io.
"""

from typing import TYPE_CHECKING

from thingtank.protocols.wamp.answers import NOT_AUTHORIZED, Refused
from thingtank.protocols.wamp.authorization import Decision
from thingtank.protocols.wamp.history import EventHistory
from thingtank.protocols.wamp.history_query import events_query
from thingtank.protocols.wamp.meta_calls import NO_SUCH_SESSION, Arguments
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.subscriptions import NoSuchSubscription, Subscription

if TYPE_CHECKING:
    from thingtank.protocols.wamp.router import Realm

NO_SUCH_SUBSCRIPTION = "wamp.error.no_such_subscription"


def provide_subscriptions(realm: "Realm", history: EventHistory | None) -> None:
    """Have a realm answer `wamp.subscription.…`; `get_events` only if events are kept."""
    subscriptions = _Subscriptions(realm)
    realm.dealer.provide("wamp.subscription.list", subscriptions.list)
    realm.dealer.provide("wamp.subscription.lookup", subscriptions.lookup)
    realm.dealer.provide("wamp.subscription.match", subscriptions.match)
    realm.dealer.provide("wamp.subscription.get", subscriptions.get)
    realm.dealer.provide("wamp.subscription.list_subscribers", subscriptions.list_subscribers)
    realm.dealer.provide("wamp.subscription.count_subscribers", subscriptions.count_subscribers)
    realm.dealer.provide("wamp.subscription.remove_subscriber", subscriptions.remove_subscriber)
    if history is not None:
        get_events = _GetEvents(subscriptions, realm, history)
        realm.dealer.provide("wamp.subscription.get_events", get_events)


class _Subscriptions:
    def __init__(self, realm: "Realm") -> None:
        self._realm = realm
        self._broker = realm.broker
        self._subscriptions = realm.broker.subscriptions

    def list(self, call: RouterCall) -> None:
        call.result(self._subscriptions.list_ids())

    def lookup(self, call: RouterCall) -> None:
        arguments = Arguments(call)
        topic, match = arguments.text(0, "topic"), arguments.match(1)
        call.result(self._subscriptions.lookup(topic, match))

    def match(self, call: RouterCall) -> None:
        call.result(self._subscriptions.match(Arguments(call).text(0, "topic")))

    def get(self, call: RouterCall) -> None:
        call.result(self.find_shown(call).details)

    def list_subscribers(self, call: RouterCall) -> None:
        call.result(self._subscriptions.list_subscribers(self._find_open(call).id))

    def count_subscribers(self, call: RouterCall) -> None:
        call.result(self._subscriptions.count_subscribers(self._find_open(call).id))

    def remove_subscriber(self, call: RouterCall) -> None:
        arguments = Arguments(call)
        session_id, reason = arguments.id(1, "session"), arguments.uri_or_none(2, "reason")
        # Of any: this is for those who have a permission that names `wamp.`.
        subscription = self._find(call)
        if session_id not in self._realm.members:
            raise Refused(NO_SUCH_SESSION, f"no session {session_id}")
        try:
            self._broker.revoke(subscription.id, session_id, reason)
        except NoSuchSubscription as error:
            raise Refused(NO_SUCH_SUBSCRIPTION, str(error)) from None
        call.result()

    def find_shown(self, call: RouterCall) -> Subscription:
        subscription = self._find(call)
        if subscription.is_hidden:
            raise Refused(NO_SUCH_SUBSCRIPTION, f"no subscription {subscription.id}")
        return subscription

    def _find_open(self, call: RouterCall) -> Subscription:
        subscription = self.find_shown(call)
        if subscription.is_private:
            raise Refused(NOT_AUTHORIZED, "who subscribes to this is private")
        return subscription

    def _find(self, call: RouterCall) -> Subscription:
        try:
            return self._subscriptions.get(Arguments(call).id(0, "subscription"))
        except NoSuchSubscription as error:
            raise Refused(NO_SUCH_SUBSCRIPTION, str(error)) from None


class _GetEvents:
    """Whoever asks must be allowed to subscribe as well as to call."""

    def __init__(
        self, subscriptions: _Subscriptions, realm: "Realm", history: EventHistory
    ) -> None:
        self._subscriptions = subscriptions
        self._realm = realm
        self._history = history

    def __call__(self, call: RouterCall) -> None:
        subscription, query = self._subscriptions.find_shown(call), events_query(call)

        def answer(decision: Decision) -> None:
            if call.is_over:
                return
            if decision.is_allowed:
                self._history.get_events(call, subscription, query)
            else:
                call.error(decision.error, "this session may not subscribe to that topic")

        member = self._realm.members[call.caller.session_id]
        self._realm.authorize(member, "subscribe", subscription.uri, subscription.match, answer)
