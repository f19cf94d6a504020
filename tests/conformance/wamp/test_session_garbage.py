"""Whole sequences of messages, sensible or not: no exception comes out, and nothing stays behind.

What counts as a correct refusal: ERROR, ABORT, GOODBYE, or silence.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.wamp.octets import READ, octets
from tests.conformance.wamp.realms import ALL_ROLES, NAMES, World, roles

from thingtank.protocols.wamp.authorization import ALLOWED, DENIED
from thingtank.protocols.wamp.later import Later

TO_CLIENTS = {2, 3, 4, 6, 8, 17, 33, 35, 36, 50, 65, 67, 68, 69}
ids = st.integers(1, 6) | st.sampled_from([0, -1, 2**53, 2**53 + 1, True, "1", None, 7001, 7002])
uris = st.sampled_from(["a", "a.b", "a.", "", "..", "a b", "wamp.a", "wamp.session.kill_all", "wamp.session.list",
                        "wamp.session.add_testament", "wamp.session.on_leave", "wamp.registration.remove_callee",
                        "wamp.subscription.list", "wamp.session.kill", 1, None])  # fmt: skip
values = st.sampled_from(
    [0, 1, True, False, None, "a", "a.b", [], {}, [1], ["a"], "prefix", "kill", "roundrobin"]
)
names = st.sampled_from(
    ["match", "invoke", "acknowledge", "exclude_me", "eligible", "retain", "get_retained", "progress", "mode",
     "receive_progress", "timeout", "ppt_scheme", "force_reregister", "concurrency", "disclose_me", "scope", "reason"]
)  # fmt: skip
options = st.just({}) | st.dictionaries(names, values, max_size=3)
payloads = st.just([]) | st.lists(
    st.lists(values | ids | uris, max_size=3) | st.dictionaries(names, values, max_size=2) | values,
    max_size=3,
)
hellos = st.just([1, "realm1", {"roles": roles(ALL_ROLES)}])
with_payload = st.builds(
    lambda head, payload: [*head, *payload],
    st.one_of(
        st.tuples(st.just(8), st.sampled_from([68, 68, 48, 16, 1]), ids, options, uris),
        st.tuples(st.sampled_from([16, 48]), ids, options, uris),
        st.tuples(st.just(70), ids, options),
        st.tuples(st.just(3), options, uris),
    ),
    payloads,
)
bare = st.one_of(
    hellos,
    st.tuples(st.sampled_from([32, 64]), ids, options, uris).map(list),
    st.tuples(st.sampled_from([34, 66]), ids, ids).map(list),
    st.tuples(st.just(49), ids, options).map(list),
    st.tuples(st.just(337), ids).map(list),
    st.tuples(st.just(6), options, uris).map(list),
    st.tuples(st.just(5), uris, options).map(list),
    st.tuples(st.sampled_from([2, 4, 17, 33, 36, 50, 65, 68, 69, 7, 9999, "16"]), ids, options).map(
        list
    ),
    st.lists(values, max_size=5),
)
messages = with_payload | bare
steps = st.lists(
    st.tuples(st.integers(0, 2), messages | st.binary(max_size=20), st.booleans()), max_size=40
)


class Wavering:
    """Lets some wait, and denies some."""

    def __init__(self):
        self.waiting = []
        self.count = 0

    def authorize(self, peer, action, uri, match):
        self.count += 1
        if self.count % 3 == 0:
            self.waiting.append(Later())
            return self.waiting[-1]
        return DENIED if self.count % 7 == 0 else ALLOWED


def follow_up(world, authorizer, clients, wants):
    """Let a decision come; have those who were closed connect anew."""
    if wants and authorizer.waiting:
        authorizer.waiting.pop().answer(ALLOWED)
    for place, client in enumerate(clients):
        if client.is_closed:
            check(client)
            clients[place] = world.join(client.serializer.name)


def check(client):
    """What came is for clients, and nothing follows an ABORT."""
    codes = [READ[client.serializer.name](data)[0] for data in client.received]
    client.received.clear()
    assert set(codes) <= TO_CLIENTS
    assert 3 not in codes[:-1]


@settings(max_examples=300, deadline=None)
@given(steps, st.sampled_from(["increasing", "any", "sequential"]))
def test_sequences(steps, request_ids):
    authorizer = Wavering()
    world = World(authorizer=authorizer, request_ids=request_ids)
    clients = [world.join(name) for name in NAMES]
    seen = set()
    for place, message, wants in steps:
        client = clients[place]
        data = message if isinstance(message, bytes) else octets(client.serializer.name, message)
        client.session.receive_data(data)
        seen |= set(world.realm.members)
        follow_up(world, authorizer, clients, wants)
    for client in clients:
        check(client)
        client.session.lose()
        client.session.lose()
    assert all(world.holds_nothing_of(each) for each in seen)
    assert world.realm.members == {}
    assert world.session_ids._taken == set()
    dealer = world.realm.dealer
    assert dealer._parties == {}
    assert (dealer._routing._call_count, dealer._routing._kept_bytes) == (0, 0)
    assert sum(map(len, dealer.registrations.list_ids().values())) == 0
    assert sum(map(len, world.realm.broker.subscriptions.list_ids().values())) == 0


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_that_mean_nothing_bring_nothing_but_an_abort(name, data):
    world = World()
    for client in (world.connect(name), world.join(name)):
        client.session.receive_data(data)
        codes = [READ[name](each)[0] for each in client.received]
        assert codes in ([], [3], [8], [6], [2])
