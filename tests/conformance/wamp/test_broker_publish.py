"""PUBLISH: what is answered, who receives the event, and what it says.

Source: WAMP, Publish and Subscribe, Publishing and Events; Subscriber Black- and Whitelisting;
Publisher Exclusion; Publisher Identification; Publication Trust Levels; Payload Passthru Mode.
"""

import math
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import chain, product
from typing import Any
from unittest.mock import patch

import pytest
from tests.conformance.wamp.broker_peers import NAMES, Realm, Session, error_of

from thingtank.protocols.wamp.messages import EventReceived, Publish, Published
from thingtank.protocols.wamp.options import Forwarder, PublishOptions
from thingtank.protocols.wamp.payloads import opaque_payload, payload_of
from thingtank.protocols.wamp.publications import PublishPolicy
from thingtank.protocols.wamp.serializer import Serializer
from thingtank.protocols.wamp.serializers import JSON, SERIALIZERS

pytestmark = pytest.mark.over_wires


@pytest.mark.parametrize("name", NAMES)
def test_published_comes_only_where_it_is_asked_for(name: str) -> None:
    session = Realm().join(name)
    assert session.publish("a", 1) is not None
    assert session.taken() == []
    publication_id = session.publish("a", 1, acknowledge=True)
    assert publication_id is not None
    assert session.taken() == [Published(2, publication_id)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("topic", ["a..b", "", "a b", "a#", "wamp", "wamp.x", "a" * 1025, "a."])
def test_bad_topic_is_an_error_and_never_answered_unasked(name: str, topic: str) -> None:
    realm = Realm()
    session = realm.join(name)
    realm.join().subscribed("", "prefix")
    for options in ({}, {"retain": True}, {"disclose_me": True}):
        assert session.publish(topic, 1, **options) is None
        assert session.taken() == []
        assert session.publish(topic, 1, acknowledge=True, **options) is None
        (answer,) = session.taken()
        assert error_of(answer) == "invalid_uri"
        assert (answer.request_type, answer.request_id) == (16, session.request_id)
    assert len(realm.broker.retained) == 0


def test_published_comes_before_the_publishers_own_event() -> None:
    session = Realm().join()
    session.subscribed("a")
    session.publish("a", 1, acknowledge=True, exclude_me=False)
    published, event = session.taken()
    assert isinstance(published, Published)
    assert event.publication_id == published.publication_id


@pytest.mark.in_memory
def test_answer_is_left_to_the_caller_where_the_policy_says_so() -> None:
    realm = Realm()
    publisher, subscriber = realm.join(), realm.join()
    subscriber.subscribed("a")
    policy = PublishPolicy(answers=False)
    assert publisher.publish("a", 1, acknowledge=True, policy=policy) == realm.publication_id
    assert publisher.taken() == []
    assert subscriber.values() == [1]
    assert publisher.publish("a.", 1, acknowledge=True, policy=policy) is None
    assert error_of(publisher.taken()[0]) == "invalid_uri"


@pytest.mark.in_memory
def test_publisher_is_excluded_unless_it_says_otherwise() -> None:
    realm = Realm()
    publisher, other = realm.join(), realm.join()
    for session in (publisher, other):
        session.subscribed("a")
        session.subscribed("", "prefix")
    publisher.publish("a", 1)
    publisher.publish("a", 2, exclude_me=True, retain=True)
    assert publisher.taken() == []
    assert other.values() == [1, 1, 2, 2]
    publisher.publish("a", 3, exclude_me=False)
    assert publisher.values() == [3, 3]
    assert other.values() == [3, 3]


def test_one_publication_id_on_all_events_of_it() -> None:
    realm = Realm()
    publisher, *subscribers = (realm.join(name) for name in ("json", *NAMES, *NAMES))
    for subscriber in subscribers:
        subscriber.subscribed("a")
        subscriber.subscribed("a", "prefix")
    publication_id = publisher.publish("a", 1)
    for subscriber in subscribers:
        assert [event[1] for event in subscriber.events()] == [publication_id] * 2


WHO: Mapping[str, tuple[str, str]] = {
    "s1": ("ann", "device"),
    "s2": ("ann", "viewer"),
    "s3": ("bob", "viewer"),
    "s4": ("me", "viewer"),
}
"""authid and authrole by session; s4 publishes. Ids in the lists are the digits."""


@pytest.mark.parametrize(
    ("options", "receivers"),
    [
        ({}, "s1 s2 s3"),
        ({"exclude_me": False}, "s1 s2 s3 s4"),
        ({"eligible": [1, 3, 99]}, "s1 s3"),
        ({"eligible": []}, ""),
        ({"eligible": [], "exclude_me": False}, ""),
        ({"eligible_authid": []}, ""),
        ({"eligible_authrole": []}, ""),
        ({"eligible_authid": ["ann"]}, "s1 s2"),
        ({"eligible_authrole": ["viewer"]}, "s2 s3"),
        ({"exclude": []}, "s1 s2 s3"),
        ({"exclude": [1]}, "s2 s3"),
        ({"exclude": [1, 2, 3, 4], "exclude_me": False}, ""),
        ({"exclude_authid": ["ann"]}, "s3"),
        ({"exclude_authrole": ["viewer"]}, "s1"),
        ({"exclude_authid": [], "exclude_authrole": []}, "s1 s2 s3"),
        ({"eligible": [1, 2], "exclude": [1]}, "s2"),
        ({"eligible": [1, 2], "eligible_authrole": ["viewer"]}, "s2"),
        ({"eligible_authid": ["ann"], "eligible_authrole": ["viewer"]}, "s2"),
        ({"eligible_authid": ["ann"], "exclude_authrole": ["viewer"]}, "s1"),
        ({"eligible": [1, 2, 3], "exclude_authid": ["bob"], "exclude": [2]}, "s1"),
        ({"eligible": [4]}, ""),
        ({"eligible": [4], "exclude_me": False}, "s4"),
        ({"exclude": [4], "exclude_me": False}, "s1 s2 s3"),
        ({"exclude_authid": ["me"], "exclude_me": False}, "s1 s2 s3"),
        ({"eligible_authid": ["ann", "me"]}, "s1 s2"),
    ],
)
@pytest.mark.parametrize("acknowledge", [False, True])
def test_lists_and_exclusion_all_have_to_hold(
    options: dict[str, Any], receivers: str, acknowledge: bool
) -> None:
    realm = Realm()
    sessions = {
        name: realm.join(serializer, authid=authid, authrole=authrole)
        for (name, (authid, authrole)), serializer in zip(
            WHO.items(), (*NAMES, "json"), strict=True
        )
    }
    for session in sessions.values():
        session.subscribed("a")
    sessions["s4"].publish("a", 1, acknowledge=acknowledge, **options)
    if acknowledge:
        assert isinstance(sessions["s4"].take_first(), Published)
    assert [name for name, session in sessions.items() if session.values()] == receivers.split()


def test_few_eligible_of_many_subscribers_get_it_in_order_of_their_ids() -> None:
    realm = Realm()
    publisher, *subscribers = [realm.join(NAMES[number % 3]) for number in range(50)]
    for subscriber in subscribers:
        subscriber.subscribed("a")
    publisher.publish("a", 1, eligible=[7, 3, 3, 1000, publisher.session_id])
    assert [each.session_id for each in subscribers if each.taken()] == [3, 7]


@pytest.mark.parametrize(
    ("policy", "disclose_me", "is_disclosed"),
    [
        (PublishPolicy(), False, False),
        (PublishPolicy(), True, True),
        (PublishPolicy(disclosure="always"), False, True),
        (PublishPolicy(disclosure="always"), True, True),
        (PublishPolicy(disclosure="never"), False, False),
    ],
)
def test_publisher_is_identified_by_option_or_policy(
    policy: PublishPolicy, disclose_me: bool, is_disclosed: bool
) -> None:
    realm = Realm()
    publisher, subscriber = realm.join(authid="ann", authrole="device"), realm.join("cbor")
    subscriber.subscribed("a")
    publisher.publish("a", 1, policy=policy, disclose_me=disclose_me)
    ((_, _, details, _, _),) = subscriber.events()
    told = {"publisher": 1, "publisher_authid": "ann", "publisher_authrole": "device"}
    assert details == (told if is_disclosed else {})


def test_disclosure_that_is_not_allowed_is_refused() -> None:
    realm = Realm()
    publisher, subscriber = realm.join(), realm.join()
    subscriber.subscribed("a")
    policy = PublishPolicy(disclosure="never")
    assert publisher.publish("a", 1, policy=policy, disclose_me=True) is None
    assert publisher.taken() == []
    assert publisher.publish("a", 1, policy=policy, disclose_me=True, acknowledge=True) is None
    assert error_of(publisher.taken()[0]) == "option_disallowed.disclose_me"
    assert subscriber.taken() == []


@pytest.mark.parametrize("trustlevel", [0, 3])
def test_trustlevel_is_the_routers(trustlevel: int) -> None:
    realm = Realm()
    publisher, subscriber = realm.join(), realm.join()
    subscriber.subscribed("a", "prefix")
    publisher.publish("a", 1, policy=PublishPolicy(trustlevel=trustlevel))
    ((_, _, details, _, _),) = subscriber.events()
    assert details == {"topic": "a", "trustlevel": trustlevel}


FORWARD_FOR = [Forwarder(5, None, "router"), Forwarder(6, "r2", "router")]
PPT = {
    "ppt_scheme": "x_mine",
    "ppt_serializer": "native",
    "ppt_cipher": "aes256gcm",
    "ppt_keyid": "k1",
}


@pytest.mark.parametrize(
    "options",
    [
        PPT,
        {"ppt_scheme": "wamp"},
        {"transaction_hash": "0xabc"},
        {"forward_for": FORWARD_FOR},
        {"enc_algo": "cryptobox", "enc_key": "k", "enc_serializer": "json"},
        {**PPT, "transaction_hash": "1", "forward_for": FORWARD_FOR},
    ],
)
def test_what_is_passed_on_arrives_unchanged(options: dict[str, Any]) -> None:
    realm = Realm()
    publisher = realm.join(features={"publisher": ["payload_passthru_mode"]})
    subscribers = [realm.join(name) for name in NAMES]
    for subscriber in subscribers:
        subscriber.subscribed("a")
    publisher.publish("a", b"\0\1", **options)
    for subscriber in subscribers:
        ((_, _, details, args, _),) = subscriber.events()
        assert details == options
        assert args == [b"\0\1"]


@pytest.mark.parametrize("acknowledge", [False, True])
def test_payload_passthru_that_was_not_announced_is_a_violation(acknowledge: bool) -> None:
    realm = Realm()
    publisher, subscriber = realm.join(), realm.join()
    subscriber.subscribed("a")
    with publisher.violating():
        publisher.publish("a", b"x", acknowledge=acknowledge, **PPT)
    assert publisher.taken() == subscriber.taken() == []


@pytest.mark.parametrize("name", NAMES)
def test_opaque_payload_arrives_unread(name: str) -> None:
    realm = Realm()
    publisher, subscriber = realm.join(), realm.join(name)
    subscriber.subscribed("a")
    options = PublishOptions(enc_algo="cryptobox", enc_serializer="json")
    message = Publish(1, options, "a", opaque_payload(JSON, b"\xff\0"))
    decoded = JSON.decode(JSON.encode(message))
    assert isinstance(decoded, Publish)
    realm.broker.publish(publisher, decoded)
    (event,) = subscriber.taken()
    assert event.payload.is_opaque
    assert event.payload.elements == [b"\xff\0"]
    assert event.details.enc_algo == "cryptobox"


@pytest.mark.parametrize(("sender", "receiver"), list(product(NAMES, NAMES)))
def test_payload_arrives_in_the_receivers_serializer(sender: str, receiver: str) -> None:
    realm = Realm()
    publisher, subscriber = realm.join(sender), realm.join(receiver)
    subscription_id = subscriber.subscribed("a")
    args, kwargs = [1, "é", None, [True, {"b": 2.5}], b"\0\xff"], {"k": b"v", "n": -1}
    publication_id = publisher.publish("a", *args, kwargs=kwargs)
    assert subscriber.events() == [(subscription_id, publication_id, {}, args, kwargs)]
    publisher.publish("a", kwargs={"only": 1})
    publisher.publish("a")
    assert [event[3:] for event in subscriber.events()] == [([], {"only": 1}), ([], {})]


@pytest.mark.in_memory
def test_event_is_encoded_once_for_each_subscription_and_serializer() -> None:
    realm = Realm()
    publisher = realm.join("msgpack")
    for number in range(30):
        subscriber = realm.join(NAMES[number % 3])
        subscriber.subscribed("a")
        subscriber.subscribed("", "prefix")
    for options in ({}, {"exclude": [99]}):
        with ExitStack() as stack:
            encoded = [
                stack.enter_context(counted(each, "encode_event")) for each in SERIALIZERS.values()
            ]
            converted = stack.enter_context(counted(JSON, "serialize_elements"))
            publisher.publish("a", 1, **options)
        assert [each.call_count for each in encoded] == [2, 2, 2]
        assert converted.call_count == 1


def counted(serializer: Serializer, name: str) -> Any:
    method = getattr(type(serializer), name)
    return patch.object(type(serializer), name, autospec=True, side_effect=method)


@pytest.mark.parametrize("options", [{}, {"exclude": [99]}, {"retain": True}])
@pytest.mark.parametrize("match", ["exact", "prefix"])
def test_receiver_that_cannot_be_given_the_payload_is_skipped(
    options: dict[str, Any], match: str
) -> None:
    realm = Realm()
    publisher = realm.join("cbor")
    subscribers = {name: [realm.join(name), realm.join(name)] for name in NAMES}
    for each in (publisher, *chain.from_iterable(subscribers.values())):
        each.subscribed("a", match)
    publisher.publish("a", 2**70, **options)
    assert [each.values() for each in subscribers["json"]] == [[2**70], [2**70]]
    assert [each.values() for each in subscribers["cbor"]] == [[2**70], [2**70]]
    assert [each.taken() for each in subscribers["msgpack"]] == [[], []]
    assert realm.broker.deliveries.unconvertible_count == 2
    publisher.publish("a", 1, **options)
    assert subscribers["msgpack"][0].values() == [1]


@pytest.mark.in_memory
@pytest.mark.parametrize("options", [{}, {"exclude": [99]}])
def test_receiver_that_takes_no_message_as_long_is_skipped(options: dict[str, Any]) -> None:
    realm = Realm()
    publisher, small, large = realm.join(), realm.join(bytes_max=100), realm.join()
    for each in (small, large):
        each.subscribed("a")
    publisher.publish("a", "x" * 200, **options)
    publisher.publish("a", "short", **options)
    assert small.values() == ["short"]
    assert large.values() == ["x" * 200, "short"]
    assert realm.broker.deliveries.too_long_count == 1


@pytest.mark.in_memory
def test_message_of_just_the_length_that_is_taken_arrives() -> None:
    realm = Realm()
    publisher, first = realm.join(), realm.join()
    first.subscribed("a")
    publisher.publish("a", "x" * 100)
    exact = realm.join(bytes_max=len(first.events_sent[0]))
    exact.subscribed("a")
    publisher.publish("a", "x" * 100)
    publisher.publish("a", "x" * 101)
    assert exact.values() == ["x" * 100]


def test_nan_arrives_where_there_is_one() -> None:
    realm = Realm()
    publisher, binary, text = realm.join("cbor"), realm.join("msgpack"), realm.join("json")
    for each in (binary, text):
        each.subscribed("a")
    publisher.publish("a", math.nan)
    assert math.isnan(binary.values()[0])
    assert text.values() == [None]


@pytest.mark.in_memory
def test_receipts_are_asked_for_and_noted() -> None:
    realm = Realm()
    publisher, one, other, small = (
        realm.join(),
        realm.join(),
        realm.join(),
        realm.join(bytes_max=60),
    )
    for each in (one, other, small):
        each.subscribed("a")
    policy = PublishPolicy(asks_receipts=True)
    publication_id = publisher.publish("a", "x" * 100, policy=policy)
    assert publication_id is not None
    receipts = realm.broker.receipts
    assert [event[2] for event in one.events()] == [{"x_acknowledged_delivery": True}]
    assert receipts.awaited(publication_id) == {one.session_id, other.session_id}
    receipt = EventReceived(publication_id)
    assert realm.broker.receive_receipt(one, receipt)
    assert not realm.broker.receive_receipt(one, receipt)
    assert not realm.broker.receive_receipt(publisher, receipt)
    assert receipts.awaited(publication_id) == {other.session_id}
    assert realm.broker.receive_receipt(other, receipt)
    assert receipts.awaited(publication_id) == frozenset()
    assert not realm.broker.receive_receipt(other, EventReceived(12345))


def test_event_of_the_router_goes_to_all_and_names_nobody() -> None:
    realm = Realm()
    one, other = realm.join(), realm.join("cbor")
    one.subscribed("wamp.session.on_join")
    other.subscribed("wamp.", "prefix")
    assert realm.broker.is_awaited("wamp.session.on_join")
    assert not realm.broker.is_awaited("com.app")
    payload = payload_of(JSON, [{"session": 5}])
    publication_id = realm.broker.announce("wamp.session.on_join", payload)
    ((_, _, details, args, _),) = one.events()
    assert (details, args) == ({}, [{"session": 5}])
    ((_, other_id, details, args, _),) = other.events()
    assert other_id == publication_id
    assert (details, args) == ({"topic": "wamp.session.on_join"}, [{"session": 5}])
    realm.broker.announce("wamp.session.on_join", payload, PublishOptions(exclude=[1]))
    assert one.taken() == []
    assert len(other.taken()) == 1


def test_events_of_a_publisher_arrive_in_its_order_over_all_topics() -> None:
    realm = Realm()
    publisher, subscriber = realm.join("msgpack"), realm.join("json")
    subscriber.subscribed("a")
    subscriber.subscribed("b.", "prefix")
    options: list[dict[str, Any]] = [{}, {"retain": True}, {"exclude": [99]}, {"disclose_me": True}]
    for number in range(40):
        publisher.publish("a" if number % 2 else "b.x", number, **options[number % 4])
    assert subscriber.values() == list(range(40))


def test_history_is_given_what_standing_subscriptions_match() -> None:
    realm = Realm()
    exact, prefix = realm.broker.stand("a.b"), realm.broker.stand("a.", "prefix")
    publisher, subscriber = realm.join("msgpack", authid="ann"), realm.join()
    subscriber.subscribed("a.b")
    published = [
        publisher.publish("a.b", 1, acknowledge=True),
        publisher.publish("a.c", 2, kwargs={"k": 1}, disclose_me=True),
        publisher.publish("a.c", 3, exclude_authid=["bob"], exclude_me=False),
    ]
    publisher.publish("other", 4)
    assert [(publication.publication_id, ids) for publication, ids in realm.kept] == [
        (published[0], [exact, prefix]),
        (published[1], [prefix]),
        (published[2], [prefix]),
    ]
    first, second, third = (publication for publication, _ in realm.kept)
    assert (first.at_us, first.topic, first.publisher_id) == (realm.now_us, "a.b", 1)
    assert (first.payload.args, first.receivers, first.exclude_me) == ([1], None, True)
    assert second.details.publisher_authid == "ann"
    assert second.payload.kwargs == {"k": 1}
    assert third.receivers is not None
    assert third.receivers.admits(1, "ann", "x")
    assert not third.receivers.admits(1, "bob", "x")
    assert not third.exclude_me
    assert subscriber.values() == [1]
    assert isinstance(publisher.taken()[0], Published)


@pytest.mark.parametrize("options", [{"exclude": []}, {"eligible": []}, {"eligible": [2]}])
def test_history_is_not_given_events_with_lists_of_sessions(options: dict[str, Any]) -> None:
    realm = Realm()
    realm.broker.stand("a")
    realm.join().publish("a", 1, **options)
    assert realm.kept == []


@pytest.mark.in_memory
def test_history_comes_before_published() -> None:
    realm = Realm()
    realm.broker.stand("a")
    session: Session = realm.join()
    seen: list[int] = []
    realm.broker._on_publication = lambda publication, ids: seen.append(len(session.inbox))
    session.publish("a", 1, acknowledge=True)
    assert seen == [0]
    assert len(session.inbox) == 1
