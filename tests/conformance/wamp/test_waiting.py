"""What the door waits for, and for how long: HELLO, AUTHENTICATE, GOODBYE, reading.

Source: WAMP, Session Lifecycle. How patient a router is, is its own affair.
"""

import json
import socket
import time
from itertools import count, islice

import pytest
from tests.conformance.wamp.octets import octets
from tests.conformance.wamp.realms import World
from tests.conformance.wamp.wires import Wire, current, turn, until

from thingtank.protocols.wamp.authentication import Challenged
from thingtank.protocols.wamp.reception import SessionBounds

SOON_S = 0.15
over_transports = pytest.mark.parametrize("transport", ["websocket", "batched", "rawsocket"])


class Challenging:
    """Asks everybody for a ticket."""

    def hello(self, attempt):
        return Challenged("ticket", {}, lambda message: None)


class Clocked(World):
    """A world whose clock goes."""

    @property
    def now_us(self):
        return time.monotonic_ns() // 1000

    @now_us.setter
    def now_us(self, at_us):
        pass


def ending(client):
    """The reasons that a client is given before its connection is closed, and after how long."""
    started = time.monotonic()
    until(client.line.read)
    messages = client.take()
    return [message[2] for message in messages], time.monotonic() - started


@over_transports
def test_client_that_never_says_hello(transport):
    current.wire = Wire(transport, "cbor")
    client = Clocked(bounds=SessionBounds(hello_s_max=SOON_S)).connect()
    reasons, waited_s = ending(client)
    assert reasons == ["wamp.error.timeout"]
    assert SOON_S - 0.02 <= waited_s < SOON_S + 2


@over_transports
def test_client_that_never_answers_a_challenge(transport):
    current.wire = Wire(transport, "json")
    bounds = SessionBounds(authentication_s_max=SOON_S)
    world = Clocked(bounds=bounds, authenticator=Challenging())
    client = world.connect()
    client.hello(authmethods=["ticket"])
    assert client.take_one()[:2] == [4, "ticket"]
    reasons, _ = ending(client)
    assert reasons == ["wamp.error.authentication_failed"]
    assert world.session_ids._taken == set()


@over_transports
def test_client_that_never_echoes_goodbye(transport):
    current.wire = Wire(transport, "msgpack")
    world = Clocked(bounds=SessionBounds(goodbye_s_max=SOON_S))
    client = world.join()
    world.realm.members[client.id].close("wamp.close.killed")
    assert ending(client)[0] == ["wamp.close.killed"]


@over_transports
def test_client_that_stays_after_goodbye_without_a_new_hello(transport):
    current.wire = Wire(transport, "json")
    client = Clocked(bounds=SessionBounds(hello_s_max=SOON_S)).join()
    client.send(6, {}, "wamp.close.close_realm")
    assert ending(client)[0] == ["wamp.close.goodbye_and_out", "wamp.error.timeout"]


@over_transports
def test_call_that_runs_out_is_told_so_by_the_doors_own_timer(transport):
    current.wire = Wire(transport, "json")
    world = Clocked()
    callee, caller = world.join(), world.join()
    callee.register("a.b")
    started = time.monotonic()
    caller.ask(48, "a.b", timeout=100)
    until(lambda: caller.received)
    assert caller.take_one()[:5] == [8, 48, 1, {}, "wamp.error.timeout"]
    assert 0.08 <= time.monotonic() - started < 2


@over_transports
@pytest.mark.parametrize("unread_bytes_max", [2_000, 20_000, 100_000, 1_000_000])
def test_client_that_has_caught_up_is_heard_again_whatever_the_bounds_are(
    transport, unread_bytes_max
):
    current.wire = Wire(transport, "json")
    world = World()
    world.settings = {"unread_bytes_max": unread_bytes_max, "slow_s_max": 60.0}
    client, publisher = world.join(), world.join()
    client.subscribe("a.b")
    connection, ids = client.line.connection, count(1)
    for _ in range(100):  # up to 50 MB, much more than the kernel keeps
        burst(publisher, ids, 500)
        if connection.dropped_count > 10:
            break
    assert connection.is_paused
    until(lambda: not client.line.read() and not connection.is_paused)
    client.take()
    client.ask(48, "wamp.session.count")
    assert client.take_one()[3] == [2]


def burst(publisher, ids, size):
    """Many events in one piece."""
    pieces = [
        octets("json", [16, number, {}, "a.b", [number, "x" * 1000]])
        for number in islice(ids, size)
    ]
    publisher.line.write(publisher.line.framed(*pieces))
    publisher.line.settle()


@over_transports
@pytest.mark.parametrize("unread_bytes_max", [20_000, 100_000])
def test_burst_for_a_client_that_reads_is_delivered_whole(transport, unread_bytes_max):
    current.wire = Wire(transport, "json")
    world = World()
    world.settings = {"unread_bytes_max": unread_bytes_max}
    client, publisher = world.join(), world.join()
    client.subscribe("a.b")
    burst(publisher, count(1), 500)
    assert [args[0] for _, args in client.events()] == list(range(1, 501))


def test_connection_that_says_nothing_is_counted_nowhere():
    world = World()
    with socket.create_connection(("127.0.0.1", world.door.port)):
        for _ in range(5):
            turn()
        assert not world.door.wamp.connections
        assert len(world.door.ports[0].silent) == 1
    until(lambda: not world.door.ports[0].silent)


@over_transports
def test_client_that_asks_for_much_that_takes_long_lets_others_in_between(transport):
    """All is asked for in one piece, so it is read at once."""
    current.wire = Wire(transport, "json")
    world = World()

    def take_long(call):
        time.sleep(0.002)
        call.result(call.args[0])

    world.realm.dealer.provide("long", take_long)
    world.realm.dealer.provide("short", lambda call: call.result())
    greedy, other = world.join(), world.join()
    calls = [octets("json", [48, number, {}, "long", [number]]) for number in range(1, 401)]
    greedy.line.write(greedy.line.framed(*calls))
    other.line.write(other.line.framed(octets("json", [48, 1, {}, "short"])))
    answered = []

    def other_is_answered():
        answered.extend(greedy.line.take_unsettled())
        return other.line.take_unsettled()

    until(other_is_answered)
    assert len(answered) < 200
    answered_in_order = [message[3][0] for message in map(json.loads, answered)]
    until(lambda: greedy.line.read() or len(greedy.line._messages) + len(answered) == 400)
    answered_in_order += [message[3][0] for message in map(json.loads, greedy.line.take())]
    assert answered_in_order == list(range(1, 401))
