"""Subscriptions: what matches, who gets it, and that nothing is left behind."""

import gc
import random
import weakref
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.unit.protocols.mqtt.topic_rules import CHOICES, IDS, is_match

from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.subscriptions import Group, Matched, Subscriptions


class Client:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


ANN, BOB, CAT = Client("ann"), Client("bob"), Client("cat")


def subscribed(*pairs: tuple[Client, str]) -> Subscriptions[Client]:
    subscriptions: Subscriptions[Client] = Subscriptions()
    for client, topic_filter in pairs:
        subscriptions.add(client, Subscription(topic_filter))
    return subscriptions


def direct(matched: Matched[Client]) -> dict[Client, list[str]]:
    found = {
        client: sorted(each.topic_filter for each in given) for client, given in matched.direct
    }
    assert len(found) == len(matched.direct)
    return found


def everybody(client: Client) -> bool:
    return True


def nobody(client: Client) -> bool:
    return False


# ---- 4.7: topic names and topic filters


@pytest.mark.parametrize(("clause", "topic_filter", "matched", "missed"), CHOICES, ids=IDS)
def test_filter_matches(clause, topic_filter, matched, missed):
    subscriptions = subscribed((ANN, topic_filter))
    for topic in matched:
        assert direct(subscriptions.match(topic)) == {ANN: [topic_filter]}, topic
    for topic in missed:
        assert direct(subscriptions.match(topic)) == {}, topic


@pytest.mark.parametrize(("clause", "topic_filter", "matched", "missed"), CHOICES, ids=IDS)
def test_filter_matches_among_others(clause, topic_filter, matched, missed):
    others = [(BOB, each) for _, each, _, _ in CHOICES]
    subscriptions = subscribed(*others, (ANN, topic_filter))
    for topic in matched:
        assert ANN in direct(subscriptions.match(topic)), topic
    for topic in missed:
        assert ANN not in direct(subscriptions.match(topic)), topic


@pytest.mark.parametrize(("clause", "topic_filter", "matched", "missed"), CHOICES, ids=IDS)
def test_shared_filter_matches(clause, topic_filter, matched, missed):
    subscriptions = subscribed((ANN, f"$share/workers/{topic_filter}"))
    for topic in matched:
        (group,) = subscriptions.match(topic).shared
        assert (group.name, group.path) == ("workers", topic_filter)
    for topic in missed:
        assert subscriptions.match(topic).shared == [], topic


def test_all_filters_of_three_levels_match_as_the_rules_say():
    names = ["", "a", "b"]
    filters = ["/".join(each) for n in (1, 2, 3) for each in product([*names, "+"], repeat=n)]
    filters = [each for each in filters if each]
    filters += ["#", *(f"{each}/#" for each in filters if each.count("/") < 2)]
    topics = ["/".join(each) for n in (1, 2, 3, 4) for each in product([*names, "$"], repeat=n)]
    topics.remove("")
    random.Random(7).shuffle(filters)
    subscriptions = subscribed(*((ANN, each) for each in filters))
    for topic in topics:
        expected = sorted(each for each in filters if is_match(each, topic))
        assert direct(subscriptions.match(topic)).get(ANN, []) == expected, topic


def test_few_long_filters_match_as_the_rules_say_while_they_come_and_go():
    dice = random.Random(11)
    for _ in range(150):
        stem = dice.choices("xy+", k=8)
        filters = {altered(dice, stem, "xy+") + dice.choice(["", "", "/#"]) for _ in range(8)}
        subscriptions = subscribed(*((ANN, each) for each in filters))
        while filters:
            topics = [altered(dice, stem, "xy").replace("+", "x") for _ in range(4)]
            for topic in topics:
                expected = sorted(each for each in filters if is_match(each, topic))
                assert direct(subscriptions.match(topic)).get(ANN, []) == expected, topic
            topic_filter = dice.choice(sorted(filters))
            assert subscriptions.remove(ANN, topic_filter)
            filters.remove(topic_filter)
        assert_empty(subscriptions)


def altered(dice: random.Random, levels: list[str], names: str) -> str:
    levels = levels[: dice.choice([4, 6, 8, 8])]
    if dice.random() < 0.6:
        levels[dice.randrange(len(levels))] = dice.choice(names)
    return "/".join(levels)


# ---- 3.8.4, 3.3.4: new, replaced, overlapping, removed


def test_same_filter_again_replaces():
    subscriptions = subscribed((ANN, "a/+"))
    assert not subscriptions.add(ANN, Subscription("a/+", qos=2, identifier=7))
    assert subscriptions.match("a/b").direct == [(ANN, (Subscription("a/+", qos=2, identifier=7),))]
    assert len(subscriptions) == 1


def test_second_of_a_filter_may_replace_its_own():
    subscriptions = subscribed((ANN, "a"), (BOB, "a"))
    assert not subscriptions.add(BOB, Subscription("a", qos=1))
    assert dict(subscriptions.match("a").direct)[BOB] == (Subscription("a", qos=1),)


def test_overlapping_subscriptions_come_together():
    subscriptions = subscribed((ANN, "a/b"), (BOB, "a/+"), (ANN, "a/#"), (ANN, "#"), (ANN, "x"))
    assert direct(subscriptions.match("a/b")) == {ANN: ["#", "a/#", "a/b"], BOB: ["a/+"]}


@pytest.mark.parametrize("topic_filter", ["a", "a/+", "#", "$share/g/a", "$share/g/a/#"])
def test_removing_what_is_not_there_says_so(topic_filter):
    subscriptions = subscribed((BOB, topic_filter))
    assert not subscriptions.remove(ANN, topic_filter)
    assert not subscriptions.remove(BOB, topic_filter + "/x")
    assert not subscriptions.remove(BOB, topic_filter.replace("/g/", "/h/") + "/+")
    assert subscriptions.remove(BOB, topic_filter)
    assert not subscriptions.remove(BOB, topic_filter)
    assert len(subscriptions) == 0


@pytest.mark.parametrize("leaving", [[ANN, BOB, CAT], [CAT, BOB, ANN], [BOB, ANN, CAT]])
def test_each_of_a_filter_may_leave(leaving):
    subscriptions = subscribed((ANN, "a/#"), (BOB, "a/#"), (CAT, "a/#"))
    left = {ANN, BOB, CAT}
    for client in leaving:
        assert set(direct(subscriptions.match("a"))) == left
        assert subscriptions.remove(client, "a/#")
        left.remove(client)
    assert direct(subscriptions.match("a")) == {}


def test_remove_all_leaves_what_others_have():
    subscriptions = subscribed((ANN, "a"), (ANN, "b/+"), (ANN, "$share/g/c"), (BOB, "a"))
    subscriptions.remove_all(ANN, ["a", "b/+", "$share/g/c", "never"])
    assert subscriptions.page("", 9) == [("a", 1)]
    assert len(subscriptions) == 1


def test_subscribers_are_told_apart_by_identity():
    twin = Client("ann")
    subscriptions = subscribed((ANN, "a"), (twin, "a"))
    assert subscriptions.remove(twin, "a")
    assert set(direct(subscriptions.match("a"))) == {ANN}


# ---- 4.8: shared subscriptions


def chosen(group: Group[Client], times: int, is_ready=everybody) -> list[Client]:
    return [group.choose(is_ready)[0] for _ in range(times)]


def test_each_message_goes_to_one_by_turns():
    subscriptions = subscribed(*((each, "$share/g/a/+") for each in (ANN, BOB, CAT)))
    (group,) = subscriptions.match("a/b").shared
    assert chosen(group, 6) == [ANN, BOB, CAT, ANN, BOB, CAT]
    assert subscriptions.match("a/b").direct == []


def test_turns_go_on_over_topics():
    subscriptions = subscribed((ANN, "$share/g/#"), (BOB, "$share/g/#"))
    turns = [subscriptions.match(topic).shared[0].choose(everybody)[0] for topic in "abcd"]
    assert turns == [ANN, BOB, ANN, BOB]


def test_who_is_not_ready_is_passed_over_evenly():
    clients = [Client(str(number)) for number in range(10)]
    (group,) = subscribed(*((each, "$share/g/a") for each in clients)).match("a").shared
    away = set(clients[3:7])
    turns = chosen(group, 600, lambda client: client not in away)
    assert {turns.count(each) for each in clients if each not in away} == {100}
    assert not away.intersection(turns)


def test_one_who_is_ready_is_always_found():
    clients = [Client(str(number)) for number in range(50)]
    (group,) = subscribed(*((each, "$share/g/a") for each in clients)).match("a").shared
    for client in random.Random(5).sample(clients, 50):
        assert group.choose(lambda each, client=client: each is client)[0] is client


def test_when_nobody_is_ready_all_take_turns():
    (group,) = subscribed((ANN, "$share/g/a"), (BOB, "$share/g/a")).match("a").shared
    assert chosen(group, 4, nobody) == [ANN, BOB, ANN, BOB]


def test_empty_group_chooses_nobody():
    assert Group("g", "a").choose(everybody) is None


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60))
def test_nobody_waits_two_rounds_while_others_come_and_go(steps):
    group: Group[int] = Group("g", "a")
    since: dict[int, int] = {}
    for number in steps:
        if number in since:
            assert group.take(number)
            del since[number]
        else:
            assert group.put(number, Subscription("$share/g/a")) is None
            since[number] = 0
        if since:
            turn, _ = group.choose(everybody)
            since = {each: 0 if each == turn else waited + 1 for each, waited in since.items()}
            assert max(since.values()) <= 2 * 6
    assert [each for each, _ in group.members] == list(since)


@pytest.mark.parametrize(
    ("turns_before", "leaving", "expected"),
    [
        (1, ANN, [BOB, CAT, BOB]),  # it has had its turn: the others' is as before
        (1, BOB, [CAT, ANN, CAT]),  # its turn goes to the next
        (2, CAT, [ANN, BOB, ANN]),  # it was the last: the turn is the first's
        (2, ANN, [CAT, BOB, CAT]),
        (1, CAT, [BOB, ANN, BOB]),
    ],
)
@pytest.mark.parametrize("is_ready", [everybody, nobody])
def test_turns_go_on_where_they_were_when_one_leaves(turns_before, leaving, expected, is_ready):
    subscriptions = subscribed(*((each, "$share/g/a") for each in (ANN, BOB, CAT)))
    (group,) = subscriptions.match("a").shared
    chosen(group, turns_before)
    subscriptions.remove(leaving, "$share/g/a")
    assert chosen(group, 3, is_ready) == expected


def test_groups_differ_by_name_and_by_filter():
    subscriptions = subscribed(
        (ANN, "$share/g/a/+"), (BOB, "$share/h/a/+"), (CAT, "$share/g/a/b"), (ANN, "a/b")
    )
    matched = subscriptions.match("a/b")
    groups = {(group.name, group.path): group.members for group in matched.shared}
    assert groups == {
        ("g", "a/+"): [(ANN, Subscription("$share/g/a/+"))],
        ("h", "a/+"): [(BOB, Subscription("$share/h/a/+"))],
        ("g", "a/b"): [(CAT, Subscription("$share/g/a/b"))],
    }
    assert direct(matched) == {ANN: ["a/b"]}


def test_share_name_of_the_same_filter_goes_alone():
    subscriptions = subscribed((ANN, "$share/g/a/+"), (BOB, "$share/h/a/+"))
    assert subscriptions.remove(ANN, "$share/g/a/+")
    assert [group.name for group in subscriptions.match("a/b").shared] == ["h"]


def test_shared_filter_again_replaces_and_keeps_its_place():
    subscriptions = subscribed((ANN, "$share/g/a"), (BOB, "$share/g/a"))
    assert not subscriptions.add(ANN, Subscription("$share/g/a", qos=1))
    (group,) = subscriptions.match("a").shared
    assert group.members[0] == (ANN, Subscription("$share/g/a", qos=1))
    assert group.choose(everybody) == (ANN, Subscription("$share/g/a", qos=1))


def test_filter_of_a_share_may_begin_with_a_slash_or_dollar():
    subscriptions = subscribed((ANN, "$share/g//a"), (BOB, "$share/g/$SYS/#"))
    assert [group.path for group in subscriptions.match("/a").shared] == ["/a"]
    assert [group.path for group in subscriptions.match("$SYS/x").shared] == ["$SYS/#"]


# ---- what is remembered, and the version


@pytest.mark.parametrize("topic_filter", ["a/b", "a/+", "#", "$share/g/a/b", "$share/g/a/#"])
def test_version_rises_with_each_change_that_shows(topic_filter):
    subscriptions: Subscriptions[Client] = Subscriptions()
    seen = [subscriptions.version]

    def has_changed() -> bool:
        seen.append(subscriptions.version)
        return seen[-1] > seen[-2]

    subscriptions.add(ANN, Subscription(topic_filter))
    assert has_changed()
    subscriptions.add(ANN, Subscription(topic_filter))
    assert not has_changed()
    subscriptions.add(ANN, Subscription(topic_filter, qos=1))
    assert has_changed()
    subscriptions.add(BOB, Subscription(topic_filter))
    assert has_changed()
    subscriptions.remove(CAT, topic_filter)
    assert not has_changed()
    subscriptions.remove(ANN, topic_filter)
    assert has_changed()


def test_what_is_remembered_follows_each_change():
    subscriptions = subscribed((ANN, "a/b"), (BOB, "a/+"))
    assert subscriptions.match("a/b") is subscriptions.match("a/b")
    for topic_filter in ("a/b", "a/+", "$share/g/a/b", "$share/g/#"):
        subscriptions.add(CAT, Subscription(topic_filter))
        matched = subscriptions.match("a/b")
        assert CAT in direct(matched) or matched.shared
        subscriptions.remove(CAT, topic_filter)
        matched = subscriptions.match("a/b")
        assert set(direct(matched)) == {ANN, BOB}
        assert not matched.shared


def test_a_subscription_without_wildcards_leaves_other_topics_remembered():
    subscriptions = subscribed((ANN, "a/+"))
    remembered = subscriptions.match("a/b")
    subscriptions.add(BOB, Subscription("a/c"))
    assert subscriptions.match("a/b") is remembered


def test_what_is_remembered_is_bounded():
    subscriptions: Subscriptions[Client] = Subscriptions(remembered_topics_max=10)
    for number in range(100):
        subscriptions.match(f"a/{number}")
        subscriptions.match("long" * 1000 + str(number))
    assert len(subscriptions._remembered) <= 10
    assert all(len(topic) < 600 for topic in subscriptions._remembered)


def test_receivers_that_are_remembered_are_bounded(monkeypatch):
    monkeypatch.setattr(f"{Subscriptions.__module__}.REMEMBERED_RECEIVERS_MAX", 10)
    clients = [Client(str(number)) for number in range(11)]
    subscriptions = subscribed(
        *((each, "many") for each in clients), *((each, "few/+") for each in clients[:4])
    )
    for topic in ("many", "few/1", "few/2", "few/3", "many", "few/1", "few/4"):
        assert len(subscriptions.match(topic).direct) in (4, 11)
        held = sum(len(each.direct) for each in subscriptions._remembered.values())
        assert held == subscriptions._remembered_receivers <= 10


# ---- listing


def test_filters_are_listed_in_pages_with_their_counts():
    filters = [f"a/{number:03}/+" for number in range(250)] + ["$share/g/x", "b"]
    subscriptions = subscribed(*((ANN, each) for each in filters), (BOB, "b"), (BOB, "$share/g/x"))
    pages, after = [], ""
    while page := subscriptions.page(after, 100):
        pages.append(len(page))
        after = page[-1].topic_filter
        for each in page:
            assert each.subscribers_count == (2 if each.topic_filter in ("b", "$share/g/x") else 1)
    assert pages == [100, 100, 52]
    assert subscriptions.filters_count == 252
    assert len(subscriptions) == 254


# ---- a model


NAMES = ["", "a", "b", "$x"]
filters = st.lists(st.sampled_from([*NAMES, "+", "+"]), min_size=1, max_size=5).map("/".join)
filters = (filters | filters.map(lambda each: each + "/#") | st.just("#")).filter(bool)
filters = filters | filters.map(lambda each: "$share/g/" + each) | filters.map(lambda each: "$share/h/" + each)  # fmt: skip
topics = st.lists(st.sampled_from(NAMES), min_size=1, max_size=6).map("/".join).filter(bool)
clients = st.sampled_from([ANN, BOB, CAT])


class SubscriptionsAgainstAList(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.subscriptions: Subscriptions[Client] = Subscriptions(remembered_topics_max=3)
        self.model: dict[tuple[Client, str], Subscription] = {}

    @rule(client=clients, topic_filter=filters, qos=st.integers(0, 1))
    def add(self, client, topic_filter, qos):
        subscription = Subscription(topic_filter, qos)
        is_new = (client, topic_filter) not in self.model
        assert self.subscriptions.add(client, subscription) == is_new
        self.model[client, topic_filter] = subscription

    @rule(data=st.data())
    def remove_one_of_them(self, data):
        if self.model:
            client, topic_filter = data.draw(
                st.sampled_from(sorted(self.model, key=lambda each: (each[0].name, each[1])))
            )
            assert self.subscriptions.remove(client, topic_filter)
            del self.model[client, topic_filter]

    @rule(client=clients, topic_filter=filters)
    def remove_any(self, client, topic_filter):
        was_there = self.model.pop((client, topic_filter), None) is not None
        assert self.subscriptions.remove(client, topic_filter) == was_there

    @rule(client=clients)
    def leave(self, client):
        theirs = [each for who, each in self.model if who is client]
        self.subscriptions.remove_all(client, theirs)
        for each in theirs:
            del self.model[client, each]

    @rule(topic=topics)
    def match(self, topic):
        expected: dict[Client, set[Subscription]] = {}
        groups: dict[str, set[tuple[Client, Subscription]]] = {}
        for (client, topic_filter), subscription in self.model.items():
            if topic_filter.startswith("$share/"):
                if is_match(topic_filter.split("/", 2)[2], topic):
                    groups.setdefault(topic_filter, set()).add((client, subscription))
            elif is_match(topic_filter, topic):
                expected.setdefault(client, set()).add(subscription)
        matched = self.subscriptions.match(topic)
        assert {client: set(each) for client, each in matched.direct} == expected
        assert sum(len(each) for _, each in matched.direct) == sum(map(len, expected.values()))
        found = {f"$share/{each.name}/{each.path}": set(each.members) for each in matched.shared}
        assert found == groups
        assert len(found) == len(matched.shared)

    @invariant()
    def counts_agree(self):
        assert len(self.subscriptions) == len(self.model)
        listed = self.subscriptions.page("", 1000)
        counts: dict[str, int] = {}
        for _, topic_filter in self.model:
            counts[topic_filter] = counts.get(topic_filter, 0) + 1
        assert listed == sorted(counts.items())

    def teardown(self):
        for client, topic_filter in self.model:
            assert self.subscriptions.remove(client, topic_filter)
        assert_empty(self.subscriptions)


def assert_empty(subscriptions: Subscriptions[Client]) -> None:
    assert len(subscriptions) == subscriptions.filters_count == 0
    for tree in (subscriptions._direct, subscriptions._shared):
        root = tree._root
        assert len(tree) == 0
        assert not tree._exact
        assert (root.children, root.any, root.beyond, root.here) == (None, None, None, None)


TestSubscriptionsAgainstAList = SubscriptionsAgainstAList.TestCase
TestSubscriptionsAgainstAList.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)


# ---- memory and hostile shapes


def nodes_count(subscriptions: Subscriptions[Client]) -> int:
    node_type = type(subscriptions._direct._root)
    waiting, count = [subscriptions._direct._root], 0
    while waiting:
        node = waiting.pop()
        if type(node) is node_type:
            count += 1
            waiting += [node.any, *(node.children or {}).values()]
    return count


def test_there_are_fewer_nodes_than_filters_however_long_they_are():
    long = "/".join(["x", "+"] * 95)
    filters = [f"{long}/{number}/+/{end}" for number in range(20) for end in ("a", "b", "#")]
    subscriptions = subscribed(*((ANN, each) for each in filters))
    assert nodes_count(subscriptions) <= len(filters)
    topic = long.replace("+", "y") + "/7/y/a"
    assert direct(subscriptions.match(topic)) == {ANN: [f"{long}/7/+/#", f"{long}/7/+/a"]}


def test_nodes_go_with_their_filters():
    filters = ["a/+/c", "a/+/c/d", "a/+/#", "a/+/e/f/+", "a/+/e/g/+", "b/#"]
    for leaving in range(len(filters)):
        subscriptions = subscribed(*((ANN, each) for each in filters))
        fresh = subscribed(*((ANN, each) for each in filters[:leaving] + filters[leaving + 1 :]))
        subscriptions.remove(ANN, filters[leaving])
        assert nodes_count(subscriptions) == nodes_count(fresh)


def test_all_combinations_of_wildcards_match_once_each():
    levels = ["/".join(each) for each in product("x+", repeat=12)]
    subscriptions = subscribed(*((ANN, each) for each in levels))
    ((_, found),) = subscriptions.match("/".join("x" * 12)).direct
    assert len(found) == len(set(found)) == 4096
    ((_, found),) = subscriptions.match("/".join("x" * 11) + "/y").direct
    assert len(found) == 2048
    assert subscriptions.match("/".join("x" * 13)).direct == []


def test_work_is_bounded_by_the_filters_not_by_their_combinations():
    # 2^199 paths would lead through these filters, if they were not the few that they are.
    filters = ["/".join(["+"] * at + ["x"] + ["+"] * (198 - at) + ["y"]) for at in range(199)]
    subscriptions = subscribed(*((ANN, each) for each in filters))
    assert subscriptions.match("/".join(["x"] * 200)).direct == []
    assert len(subscriptions.match("/".join(["x"] * 199 + ["y"])).direct[0][1]) == 199


def test_many_of_one_filter_may_leave_in_the_order_they_came():
    clients = [Client("") for _ in range(20_000)]
    subscriptions = subscribed(*((each, "a/#") for each in clients))
    for client in clients:
        subscriptions.remove(client, "a/#")
    assert_empty(subscriptions)


@pytest.mark.parametrize("topic_filter", ["a", "a/+/b", "$share/g/a"])
def test_who_has_left_is_let_go(topic_filter):
    subscriptions = subscribed((ANN, topic_filter))
    client = Client("")
    subscriptions.add(client, Subscription(topic_filter))
    subscriptions.match("a")
    subscriptions.match("a/x/b")
    gone = weakref.ref(client)
    subscriptions.remove(client, topic_filter)
    del client
    assert gone() is None


def test_clear_lets_all_go():
    client = Client("")
    gone = weakref.ref(client)
    subscriptions = subscribed((client, "a"), (client, "a/+"), (client, "$share/g/a"))
    subscriptions.match("a")
    version = subscriptions.version
    subscriptions.clear()
    del client
    gc.collect()
    assert gone() is None
    assert subscriptions.version > version
    assert_empty(subscriptions)
