"""The broker against a model that keeps plain lists and searches them: whatever the order."""

from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from tests.conformance.wamp.broker_peers import NAMES, Realm, Session, error_of

from thingtank.protocols.wamp.messages import Unsubscribed
from thingtank.protocols.wamp.options import PublishOptions

COMPONENTS = ("a", "b", "ab")
TOPICS = st.lists(st.sampled_from(COMPONENTS), min_size=1, max_size=3).map(".".join)
PATTERNS = st.one_of(
    st.tuples(TOPICS, st.just("exact")),
    st.tuples(st.sampled_from(["", "a", "a.", "a.b", "b.a."]), st.just("prefix")),
    st.tuples(
        st.lists(st.sampled_from(("", *COMPONENTS)), min_size=1, max_size=3).map(".".join),
        st.just("wildcard"),
    ),
)
IDS = st.lists(st.integers(1, 6), max_size=3)
AUTHIDS = st.lists(st.sampled_from(["ann", "bob"]), max_size=2)
AUTHROLES = st.lists(st.sampled_from(["device", "viewer"]), max_size=2)
OPTIONS = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {},
        optional={
            "eligible": IDS,
            "eligible_authid": AUTHIDS,
            "eligible_authrole": AUTHROLES,
            "exclude": IDS,
            "exclude_authid": AUTHIDS,
            "exclude_authrole": AUTHROLES,
            "exclude_me": st.booleans(),
            "retain": st.booleans(),
        },
    ),
)


class Told(NamedTuple):
    """An event of the model."""

    topic: str
    publication_id: int
    value: int | None
    options: dict[str, Any]


class BrokerAgainstModel(RuleBasedStateMachine):
    sessions = Bundle("sessions")

    @initialize()
    def start(self) -> None:
        self.realm = Realm()
        self.open: list[Session] = []
        self.held: list[tuple[Session, str, str, int]] = []
        self.ids: set[int] = set()
        self.retained: list[Told] = []

    @rule(
        target=sessions,
        name=st.sampled_from(NAMES),
        authid=st.sampled_from(["ann", "bob"]),
        authrole=st.sampled_from(["device", "viewer"]),
    )
    def join(self, name: str, authid: str, authrole: str) -> Session:
        session = self.realm.join(name, authid=authid, authrole=authrole)
        self.open.append(session)
        return session

    @rule(session=sessions, pattern=PATTERNS, get_retained=st.booleans())
    def subscribe(self, session: Session, pattern: tuple[str, str], get_retained: bool) -> None:
        topic, match = pattern
        subscription_id = session.subscribed(topic, match, get_retained=get_retained)
        known = {each[3] for each in self.held if each[1:3] == pattern}
        if known:
            assert known == {subscription_id}
        else:
            assert subscription_id not in self.ids
        self.ids.add(subscription_id)
        if (session, *pattern, subscription_id) not in self.held:
            self.held.append((session, *pattern, subscription_id))
        expected = self.retained_for(session, *pattern) if get_retained else []
        assert sorted(event[1] for event in session.events()) == sorted(expected)

    def retained_for(self, session: Session, uri: str, match: str) -> list[int]:
        newest = {
            told.topic: told.publication_id
            for told in self.retained
            if matches(uri, match, told.topic) and is_allowed(session, told.options)
        }
        return list(newest.values())

    @rule(session=sessions, data=st.data())
    def unsubscribe(self, session: Session, data: st.DataObject) -> None:
        subscription_id = data.draw(st.sampled_from(sorted({1, *self.ids})))
        answer = session.unsubscribe(subscription_id)
        left = [each for each in self.held if (each[0], each[3]) == (session, subscription_id)]
        if left:
            assert isinstance(answer, Unsubscribed)
            self.held.remove(left[0])
        else:
            assert error_of(answer) == "no_such_subscription"

    @rule(publisher=sessions, topic=TOPICS, options=OPTIONS, is_empty=st.booleans())
    def publish(
        self, publisher: Session, topic: str, options: dict[str, Any], is_empty: bool
    ) -> None:
        value = None if is_empty else self.realm.publication_id
        args = [] if value is None else [value]
        publication_id = publisher.publish(topic, *args, **options)
        assert publication_id is not None
        for session in self.open:
            expected = [
                (
                    subscription_id,
                    publication_id,
                    {"topic": topic} if match != "exact" else {},
                    args,
                )
                for subscriber, uri, match, subscription_id in self.held
                if subscriber is session
                and matches(uri, match, topic)
                and is_allowed(session, options)
                and (session is not publisher or not options.get("exclude_me", True))
            ]
            assert sorted(event[:4] for event in session.events()) == sorted(expected)
        if options.get("retain"):
            self.retain(Told(topic, publication_id, value, options))

    def retain(self, told: Told) -> None:
        if told.value is not None:
            self.retained.append(told)
            return
        limits = limits_of(told.options)
        self.retained = [
            each
            for each in self.retained
            if each.topic != told.topic or (limits and limits_of(each.options) != limits)
        ]

    @rule(session=consumes(sessions))
    def drop(self, session: Session) -> None:
        self.realm.broker.drop(session)
        self.open.remove(session)
        self.held = [each for each in self.held if each[0] is not session]
        assert session.taken() == []

    @invariant()
    def meta_queries_agree(self) -> None:
        subscriptions = self.realm.broker.subscriptions
        ids = {
            subscription_id for ids in subscriptions.list_ids().values() for subscription_id in ids
        }
        assert ids == {each[3] for each in self.held}
        for _, uri, match, subscription_id in self.held:
            assert subscriptions.lookup(uri, match) == subscription_id
        for subscription_id in ids:
            assert subscriptions.list_subscribers(subscription_id) == [
                session.session_id
                for session, *_, held_id in self.held
                if held_id == subscription_id
            ]

    @invariant()
    def nothing_is_left_of_nobody(self) -> None:
        if not self.held:
            subscriptions = self.realm.broker.subscriptions
            assert not subscriptions._of_session
            assert not subscriptions._by_id
            assert len(subscriptions._patterns) == 0


def matches(uri: str, match: str, topic: str) -> bool:
    if match == "exact":
        return uri == topic
    if match == "prefix":
        return topic.startswith(uri)
    wanted, given = uri.split("."), topic.split(".")
    return len(wanted) == len(given) and all(
        ours in ("", theirs) for ours, theirs in zip(wanted, given, strict=True)
    )


def is_allowed(session: Session, options: dict[str, Any]) -> bool:
    about = (
        ("", session.session_id),
        ("_authid", session.authid),
        ("_authrole", session.authrole),
    )
    return all(
        ("eligible" + end not in options or value in options["eligible" + end])
        and value not in options.get("exclude" + end, [])
        for end, value in about
    )


def limits_of(options: dict[str, Any]) -> dict[str, frozenset[Any]]:
    lists = set(options) - {"retain", "exclude_me"}
    assert lists <= set(PublishOptions.__struct_fields__)
    return {name: frozenset(options[name]) for name in lists}


TestBrokerAgainstModel = BrokerAgainstModel.TestCase
TestBrokerAgainstModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
