"""What the workbench shows of the router: sessions, topics and procedures of a realm.

An admin sees all of them. Everybody else sees their own sessions, and of topics and procedures
those that their own sessions hold: who listens to what is nobody else's business.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import Any, TypeVar

from thingtank.doors.wamp.connection import Connection
from thingtank.doors.wamp.meter import LOOKED_AT_MAX, Gauge, Meter
from thingtank.doors.wamp.visits import KIND
from thingtank.protocols.overviews import ListPage, ListQuery
from thingtank.protocols.wamp.members import Member
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.registrations import Registration
from thingtank.protocols.wamp.router import Realm
from thingtank.protocols.wamp.router_facts import (
    ProcedureFacts,
    RealmFacts,
    SessionFacts,
    TopicFacts,
)
from thingtank.protocols.wamp.subscriptions import Subscription
from thingtank.tank.things import Account

ROWS_PER_PAGE = 50

AccountOf = Callable[[Member], int | None]

_NEVER = Gauge(0)


class RealmView:
    """A realm as one account may see it, now."""

    def __init__(self, realm: Realm, meter: Meter, account: Account, account_of: AccountOf) -> None:
        """Look at it.

        Args:
            account_of: whose a session is; None for nobody's.
        """
        self._realm = realm
        self._meter = meter.watched(realm.name)
        self._sees_all = account.is_admin
        members = realm.members.values()
        self._members: Sequence[Member] = (
            list(members)
            if account.is_admin
            else [each for each in members if account_of(each) == account.account_id]
        )

    def facts(self) -> RealmFacts:
        """The realm in numbers."""
        return RealmFacts(
            self._realm.name,
            len(self._members),
            len(self._subscriptions()),
            len(self._registrations()),
            sum(_dropped_count(member) for member in self._members),
            self._meter.traffic() if self._sees_all else None,
        )

    def sessions(self, query: ListQuery) -> ListPage[SessionFacts]:
        """A page of sessions."""
        words = query.words.lower()
        found = [
            member
            for member in self._members[:LOOKED_AT_MAX]
            if not words or words in _words_of(member)
        ]
        found.sort(key=_SESSION_KEYS.get(query.sort, _SESSION_KEYS["newest"]))
        rows = [self._session(member) for member in _paged(found, query)]
        return ListPage(rows, len(found), len(self._members) > LOOKED_AT_MAX)

    def topics(self, query: ListQuery) -> ListPage[TopicFacts]:
        """A page of topics."""
        everything = self._subscriptions()
        gauges = self._meter.topics

        def key(each: Subscription) -> Any:
            if query.sort == "uri":
                return each.uri, each.match
            if query.sort == "subscribers":
                return -len(each.peers), each.uri
            if query.sort == "newest":
                return -each.id
            return -gauges.get(each.id, _NEVER).per_s, each.uri

        found = _found(everything, query)
        found.sort(key=key)
        rows = [_topic(each, gauges.get(each.id, _NEVER)) for each in _paged(found, query)]
        return ListPage(rows, len(found), len(everything) > LOOKED_AT_MAX)

    def procedures(self, query: ListQuery) -> ListPage[ProcedureFacts]:
        """A page of procedures of clients."""
        everything = self._registrations()
        gauges = self._meter.procedures

        def key(each: Registration) -> Any:
            if query.sort == "uri":
                return each.uri, each.match
            if query.sort == "callees":
                return -len(each.endpoints), each.uri
            if query.sort == "newest":
                return -each.id
            return -gauges.get(each.id, _NEVER).per_s, each.uri

        found = _found(everything, query)
        found.sort(key=key)
        rows = [_procedure(each, gauges.get(each.id, _NEVER)) for each in _paged(found, query)]
        return ListPage(rows, len(found), len(everything) > LOOKED_AT_MAX)

    def own_procedures(self) -> Sequence[tuple[str, Match]]:
        """URI and match of the router's own procedures, in order."""
        return sorted(self._realm.dealer.registrations.list_provided())

    def find(self, session_id: int) -> Member | None:
        """A session that may be seen."""
        return next((each for each in self._members if each.session_id == session_id), None)

    def session(self, session_id: int) -> SessionFacts | None:
        """One session, if it may be seen."""
        member = self.find(session_id)
        return self._session(member) if member is not None else None

    def _subscriptions(self) -> Collection[Subscription]:
        subscriptions = self._realm.broker.subscriptions
        if self._sees_all:
            return subscriptions.values()
        held = (subscriptions.of_session(member.session_id) for member in self._members)
        return {each.id: each for several in held for each in several}.values()

    def _registrations(self) -> Collection[Registration]:
        dealer = self._realm.dealer
        if self._sees_all:
            return dealer.registrations.values()
        held = (dealer.registrations_of(member) for member in self._members)
        return {each.id: each for several in held for each in several}.values()

    def _session(self, member: Member) -> SessionFacts:
        transport = member.transport
        connection = transport if isinstance(transport, Connection) else None
        batched = " batched" if connection is not None and connection.is_batched else ""
        return SessionFacts(
            member.session_id,
            member.authid,
            member.authrole,
            member.accepted.authmethod,
            transport.facts.kind,
            f"{member.serializer.name}{batched}",
            transport.facts.peer,
            member.joined_us,
            connection.unread_bytes if connection is not None else 0,
            _dropped_count(member),
            self._realm.broker.subscriptions.count_held(member.session_id),
            transport.facts.kind == KIND,
        )


def _topic(each: Subscription, gauge: Gauge) -> TopicFacts:
    return TopicFacts(
        each.id,
        each.uri,
        each.match,
        each.is_standing,
        len(each.peers),
        each.event_count,
        round(gauge.per_s, 2),
        gauge.last_us,
        each.created_us,
    )


def _procedure(each: Registration, gauge: Gauge) -> ProcedureFacts:
    return ProcedureFacts(
        each.id,
        each.uri,
        each.match,
        each.invoke,
        len(each.endpoints),
        each.call_count,
        round(gauge.per_s, 2),
        gauge.last_us,
        each.created_us,
    )


def _dropped_count(member: Member) -> int:
    return member.transport.dropped_count if isinstance(member.transport, Connection) else 0


def _behind(member: Member) -> tuple[int, int]:
    transport = member.transport
    unread_bytes = transport.unread_bytes if isinstance(transport, Connection) else 0
    return -unread_bytes, -_dropped_count(member)


_SESSION_KEYS: dict[str, Callable[[Member], Any]] = {
    "newest": lambda member: -member.joined_us,
    "authid": lambda member: (member.authid, -member.joined_us),
    "behind": lambda member: (*_behind(member), -member.joined_us),
}


def _words_of(member: Member) -> str:
    """What a filter looks at."""
    facts = member.transport.facts
    names = (member.authid, member.authrole, member.accepted.authmethod, facts.peer, facts.kind)
    return f"{member.session_id} {' '.join(names)}".lower()


Named = TypeVar("Named", Subscription, Registration)


def _found(everything: Collection[Named], query: ListQuery) -> list[Named]:
    words = query.words.lower()
    looked_at = islice(everything, LOOKED_AT_MAX)
    return [each for each in looked_at if not words or words in each.uri.lower()]


Listed = TypeVar("Listed")


def _paged(found: Sequence[Listed], query: ListQuery) -> Sequence[Listed]:
    start = (query.page - 1) * ROWS_PER_PAGE
    return found[start : start + ROWS_PER_PAGE]
