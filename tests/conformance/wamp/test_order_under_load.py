"""What comes before what when everybody speaks at once, over every wire.

Source: WAMP, Ordering Guarantees.
"""

import random
from itertools import count

import pytest
from tests.conformance.wamp.octets import READ, octets
from tests.conformance.wamp.realms import World
from tests.conformance.wamp.wires import WIRES, Wire, current, turn, until

WHEN_MESSAGES = 300
TOPICS = ["a.b", "a.c", "x", "a.b.c"]
EVENT, INVOCATION, SUBSCRIBED, REGISTERED = 36, 68, 33, 65

on_each = pytest.mark.parametrize(
    "wires",
    [*([wire] for wire in WIRES), WIRES],
    ids=[*map(str, WIRES), "all"],
)


@pytest.fixture
def seed(request):
    return random.Random(request.node.name)


class Clients:
    """Clients on some wires in turn, whose messages are only written and read, not waited for."""

    def __init__(self, wires):
        self.world = World()
        self.wires = wires
        self.number = count()

    def join(self):
        current.wire = self.wires[next(self.number) % len(self.wires)]
        client = self.world.join()
        client.log = []
        return client


def framed(client, *elements):
    return client.line.framed(octets(client.serializer.name, list(elements)))


def read(client):
    """All that has come to a client so far."""
    client.log += map(READ[client.serializer.name], client.line.take_unsettled())
    return client.log


def pour(seed, streams):
    """Write several clients' octets at once, in pieces that end anywhere."""
    left = dict(streams)
    while left:
        client = seed.choice(list(left))
        size = seed.choice([1, 100, 3000, 20_000])
        client.line.write(left[client][:size])
        left[client] = left[client][size:]
        if not left[client]:
            del left[client]
        if seed.random() < 0.5:
            turn()


@on_each
def test_events_of_each_publisher_arrive_in_its_order_over_all_topics(wires, seed):
    clients = Clients(wires)
    publishers = [clients.join() for _ in range(3)]
    subscribers = [clients.join() for _ in range(3)]
    for place, subscriber in enumerate(subscribers):
        subscriber.subscribe("a.", match="prefix")
        if place:
            subscriber.subscribe("x")
    streams = []
    for publisher in publishers:
        topics = [seed.choice(TOPICS) for _ in range(WHEN_MESSAGES)]
        publisher.wanted = list(enumerate(topics))
        messages = (
            framed(publisher, 16, number + 1, {}, topic, [publisher.id, number, topic])
            for number, topic in enumerate(topics)
        )
        streams.append((publisher, b"".join(messages)))
    pour(seed, streams)
    for place, subscriber in enumerate(subscribers):
        wanted = {
            publisher.id: [each for each in publisher.wanted if place or each[1] != "x"]
            for publisher in publishers
        }
        size = sum(map(len, wanted.values()))
        until(lambda subscriber=subscriber, size=size: len(read(subscriber)) == size)
        assert {message[0] for message in subscriber.log} == {EVENT}
        got = {publisher.id: [] for publisher in publishers}
        for message in subscriber.log:
            publisher_id, number, topic = message[4]
            got[publisher_id].append((number, topic))
        assert got == wanted


@on_each
def test_invocations_of_each_caller_arrive_in_its_order_over_all_procedures(wires, seed):
    clients = Clients(wires)
    callers, callees = [clients.join() for _ in range(3)], [clients.join() for _ in range(2)]
    for place, callee in enumerate(callees):
        for procedure in ("one", "two"):
            callee.register(f"{procedure}.{place}")
    streams = []
    for caller in callers:
        caller.wanted = [
            (number, seed.choice(["one", "two"]), seed.randrange(2)) for number in range(150)
        ]
        messages = (
            framed(caller, 48, number + 1, {}, f"{procedure}.{place}", [caller.id, number])
            for number, procedure, place in caller.wanted
        )
        streams.append((caller, b"".join(messages)))
    pour(seed, streams)
    for place, callee in enumerate(callees):
        wanted = {
            caller.id: [number for number, _, where in caller.wanted if where == place]
            for caller in callers
        }
        size = sum(map(len, wanted.values()))
        until(lambda callee=callee, size=size: len(read(callee)) == size)
        assert [message[:2] for message in callee.log] == [
            [INVOCATION, number + 1] for number in range(size)
        ]
        got = {caller.id: [] for caller in callers}
        for message in callee.log:
            got[message[4][0]].append(message[4][1])
        assert got == wanted
        answers = (framed(callee, 70, message[1], {}, message[4]) for message in callee.log)
        callee.line.write(b"".join(answers))
    for caller in callers:  # each gets its own answers, in whatever order
        until(lambda caller=caller: len(read(caller)) == len(caller.wanted))
        assert sorted(message[3][1] for message in caller.log) == list(range(150))
        assert all(message[3] == [caller.id, message[1] - 1] for message in caller.log)


@on_each
def test_subscribed_comes_before_every_event_and_none_is_missing_after_it(wires, seed):
    clients = Clients(wires)
    publisher, subscriber = clients.join(), clients.join()
    events = [framed(publisher, 16, number, {}, "a.b", [number]) for number in range(1, 501)]
    asked = framed(subscriber, 32, 1, {}, "a.b")
    streams = [(publisher, b"".join(events[:250])), (subscriber, asked)]
    pour(seed, streams)
    pour(seed, [(publisher, b"".join(events[250:]))])
    until(lambda: read(subscriber) and subscriber.log[-1][0] == EVENT and last(subscriber) == 500)
    assert [message[0] for message in subscriber.log[:2]] == [SUBSCRIBED, EVENT]
    numbers = [message[4][0] for message in subscriber.log[1:]]
    assert numbers == list(range(numbers[0], 501))


def last(subscriber):
    return subscriber.log[-1][4][0]


@on_each
def test_registered_comes_before_every_invocation(wires, seed):
    clients = Clients(wires)
    caller, callee = clients.join(), clients.join()
    calls = [framed(caller, 48, number, {}, "a.b", [number]) for number in range(1, 301)]
    asked = framed(callee, 64, 1, {}, "a.b")
    pour(seed, [(caller, b"".join(calls[:150])), (callee, asked)])
    pour(seed, [(caller, b"".join(calls[150:]))])
    until(lambda: len(read(callee)) > 1 and callee.log[-1][4] == [300])
    assert [message[0] for message in callee.log[:2]] == [REGISTERED, INVOCATION]
    numbers = [message[4][0] for message in callee.log[1:]]
    assert numbers == list(range(numbers[0], 301))
    until(lambda: len(read(caller)) == numbers[0] - 1)  # those that came too early
    assert {message[4] for message in caller.log} <= {"wamp.error.no_such_procedure"}


@on_each
def test_nothing_follows_unsubscribed_and_unregistered(wires, seed):
    clients = Clients(wires)
    busy, client = clients.join(), clients.join()
    subscription_id, registration_id = client.subscribe("a.b"), client.register("a.b")
    stream = b"".join(
        framed(busy, 16, 2 * number - 1, {}, "a.b") + framed(busy, 48, 2 * number, {}, "a.b")
        for number in range(1, 151)
    )
    leave = framed(client, 34, 3, subscription_id) + framed(client, 66, 4, registration_id)
    pour(seed, [(busy, stream), (client, leave)])
    until(lambda: any(message[0] == 67 for message in read(client)))
    busy.line.settle()
    client.line.settle()
    codes = [message[0] for message in read(client)]
    assert EVENT not in codes[codes.index(35) :]
    assert INVOCATION not in codes[codes.index(67) :]


@on_each
def test_answers_of_one_session_in_one_piece_come_in_its_order(wires, seed):
    client = Clients(wires).join()
    requests = [
        framed(client, 16, number, {"acknowledge": True}, "a.b") for number in range(1, 201)
    ]
    pour(seed, [(client, b"".join(requests))])
    until(lambda: len(read(client)) == 200)
    assert [message[:2] for message in client.log] == [[17, number] for number in range(1, 201)]


@pytest.mark.parametrize("separator", [b"\x18", b"\x1e"], ids=["octal", "hex"])
def test_batches_are_separated_as_hello_was(separator):
    current.wire = Wire("batched", "json")
    client = World().connect()
    client.line.separator = separator
    client.hello()
    assert client.take_one()[0] == 2
    client.ask(32, "a.b")
    client.take_one()
    many = [octets("json", [16, number, {"exclude_me": False}, "a.b"]) for number in range(2, 90)]
    client.line.write(client.line.framed(*many))
    assert [event[0] for event in client.take()] == [EVENT] * 88
    assert client.line.frame_count < 10  # a turn's messages share a frame
