"""The router as the workbench uses it: with whose rights, what is seen of others, and bounds."""

import asyncio
import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from tests.waiting import until

from thingtank.doors.wamp import workbench as module
from thingtank.doors.wamp.connection import Connection
from thingtank.doors.wamp.door import WampDoor, random_ids
from thingtank.doors.wamp.meter import Meter
from thingtank.doors.wamp.settings import WampSettings
from thingtank.doors.wamp.workbench import WampWorkbench
from thingtank.net import visits as visits_module
from thingtank.protocols.overviews import ListQuery
from thingtank.protocols.wamp.authentication import (
    Accepted,
    AnonymousAuthenticator,
    TransportFacts,
)
from thingtank.protocols.wamp.authorization import ALLOWED, DENIED, Action, Decision
from thingtank.protocols.wamp.errors import NoSuchRealm
from thingtank.protocols.wamp.json_serializer import JSON
from thingtank.protocols.wamp.members import Member
from thingtank.protocols.wamp.options import (
    CallOptions,
    Match,
    PublishOptions,
    SubscribeOptions,
)
from thingtank.protocols.wamp.payloads import NO_PAYLOAD, payload_of
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.router import Randomness, Realm
from thingtank.protocols.wamp.serializers import MSGPACK
from thingtank.server.steady_clock import SteadyClock
from thingtank.tank.access import Caller
from thingtank.tank.errors import LimitReached, Unauthenticated
from thingtank.tank.things import Account

ADMIN = Caller(Account(1, "owner", is_admin=True), address="192.0.2.1")
ANN = Caller(Account(2, "ann"), address="192.0.2.2")
BERT = Caller(Account(3, "bert"))
ACKNOWLEDGED = PublishOptions(acknowledge=True)
EVERYTHING = ListQuery()


class Admission:
    """Lets everybody but `locked_out` in; clients belong to who has their authid as login."""

    def __init__(self) -> None:
        self.locked_out: set[int] = set()

    def admit(self, realm: str, account: Account, address: str) -> Accepted | None:
        assert realm == "realm1"
        if account.account_id in self.locked_out:
            return None
        role = "admin" if account.is_admin else "account"
        return Accepted(account.login, role, "workbench", "tank", is_hidden=True)

    def lets_anonymous_in(self, realm: str) -> bool:
        return True

    def account_of(self, member: Member) -> int | None:
        owners = {each.account.login: each.account.account_id for each in (ANN, BERT) if each.account}  # fmt: skip
        return owners.get(member.authid)


class NoSecrets:
    """Only admins may do what begins with `secret`."""

    def authorize(self, peer: Peer, action: Action, uri: str, match: Match) -> Decision:
        return DENIED if uri.startswith("secret") and peer.authrole != "admin" else ALLOWED


class Client:
    """A client whose link is this object: what it is sent stays here, decoded."""

    def __init__(self, door: WampDoor, authid: str = "") -> None:
        self.messages: list[Any] = []
        self.is_closed = False
        facts = TransportFacts("rawsocket", "198.51.100.7")
        reception = door.reception
        if authid:
            role = AnonymousAuthenticator(lambda: authid)
            reception = type(reception)(
                reception.find_realm, role, reception.session_ids, reception.now_us
            )
        self.connection = Connection(door, self, JSON, None, 2**24, facts, reception)
        door.remember(self.connection)
        roles = {name: {} for name in ("publisher", "subscriber", "caller", "callee")}
        self.send([1, "realm1", {"roles": roles}])

    def send(self, message: list[Any]) -> None:
        self.connection.receive(json.dumps(message).encode())

    def write(self, messages: list[bytes]) -> None:
        self.messages += [json.loads(message) for message in messages]

    def unread_bytes(self) -> int:
        return 0

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True

    abort = close


class Tried:
    """A door with one realm, and the workbench in front of it."""

    def __init__(self) -> None:
        clock = SteadyClock()
        randomness = Randomness(random_ids().__next__, Random(7).randrange)
        self.realm = Realm("realm1", randomness, clock.now_us, authorizer=NoSecrets())
        names = iter(range(10**6))
        authenticator = AnonymousAuthenticator(lambda: f"anonymous-{next(names)}")
        realms = {"realm1": self.realm}
        self.door = WampDoor(WampSettings(), realms, authenticator, clock.now_us, "tests")
        self.admission = Admission()
        self.meter = Meter(realms, clock.now_us)
        self.workbench = WampWorkbench(
            self.door, self.admission, self.meter, "ws://127.0.0.1:1/ws", is_everywhere=False
        )


@pytest.fixture
async def tried() -> AsyncIterator[Tried]:
    made = Tried()
    yield made
    await turn()
    for connection in list(made.door.connections):
        connection.lose()
    assert made.realm.members == {}


async def turn() -> None:
    """Let what was queued be written, and what it led to as well."""
    for _ in range(4):
        await asyncio.sleep(0)


async def test_an_acknowledged_event_arrives_and_the_session_is_gone(tried: Tried) -> None:
    client = Client(tried.door)
    client.send([32, 1, {}, "com.example.lights"])
    payload = payload_of(JSON, ["on"], {"level": 3})
    outcome = await tried.workbench.publish("realm1", ANN, "com.example.lights", payload, ACKNOWLEDGED)  # fmt: skip
    await turn()
    assert outcome.name == "PUBLISHED"
    event = client.messages[-1]
    assert event[0] == 36
    assert event[2] == outcome.ids["publication"]
    assert event[4:] == [["on"], {"level": 3}]
    assert len(tried.realm.members) == 1
    assert len(tried.door.connections) == 1


async def test_the_rights_are_those_of_the_account(tried: Tried) -> None:
    refused = await tried.workbench.publish("realm1", ANN, "secret.plan", NO_PAYLOAD, ACKNOWLEDGED)
    assert (refused.name, refused.uri) == ("ERROR", "wamp.error.not_authorized")
    refused = await tried.workbench.call("realm1", ANN, "secret.plan", NO_PAYLOAD, CallOptions())
    assert (refused.name, refused.uri) == ("ERROR", "wamp.error.not_authorized")
    async with tried.workbench.listen("realm1", ANN, "secret.plan", SubscribeOptions()) as heard:
        assert heard.subscribed.uri == "wamp.error.not_authorized"
    allowed = await tried.workbench.publish("realm1", ADMIN, "secret.plan", NO_PAYLOAD, ACKNOWLEDGED)  # fmt: skip
    assert allowed.name == "PUBLISHED"
    told = await tried.workbench.publish("realm1", ANN, "secret.plan", NO_PAYLOAD, PublishOptions())
    assert (told.name, told.uri, told.is_late) == ("", "", False)  # as the protocol has it


async def test_an_account_that_the_realm_keeps_out_gets_nowhere(tried: Tried) -> None:
    tried.admission.locked_out = {2}
    assert tried.workbench.realms(ANN) == []
    assert tried.workbench.realms(BERT) == ["realm1"]
    with pytest.raises(NoSuchRealm):
        await tried.workbench.call("realm1", ANN, "wamp.session.count", NO_PAYLOAD, CallOptions())
    with pytest.raises(NoSuchRealm):
        await tried.workbench.call("nowhere", BERT, "wamp.session.count", NO_PAYLOAD, CallOptions())
    with pytest.raises(NoSuchRealm):
        tried.workbench.view("nowhere", ADMIN)
    with pytest.raises(NoSuchRealm):
        tried.workbench.close_session("nowhere", ADMIN, 1, "")
    with pytest.raises(Unauthenticated):
        tried.workbench.realms(Caller())


async def test_a_closed_realm_answers_with_its_abort(tried: Tried) -> None:
    tried.realm.close()
    outcome = await tried.workbench.call("realm1", ANN, "x", NO_PAYLOAD, CallOptions())
    assert (outcome.name, outcome.uri) == ("ABORT", "wamp.close.system_shutdown")


async def test_a_call_is_answered_by_its_callee_with_progress_before(tried: Tried) -> None:
    def count(call: RouterCall) -> None:
        call.progress(1)
        call.progress(2)
        call.result(3, kwargs={"raw": b"\x00\xff"})

    tried.realm.dealer.provide("tank.count", count)
    options = CallOptions(receive_progress=True)
    outcome = await tried.workbench.call("realm1", ANN, "tank.count", NO_PAYLOAD, options)
    assert outcome.name == "RESULT"
    assert outcome.payload.args == [3]
    assert outcome.payload.kwargs == {"raw": b"\x00\xff"}
    assert [each.args for each in outcome.progress] == [[1], [2]]


async def test_errors_are_given_in_the_protocols_words(tried: Tried) -> None:
    call = tried.workbench.call
    outcome = await call("realm1", ANN, "nobody.has.this", NO_PAYLOAD, CallOptions())
    assert (outcome.name, outcome.uri) == ("ERROR", "wamp.error.no_such_procedure")
    outcome = await call("realm1", ANN, "not a uri", NO_PAYLOAD, CallOptions())
    assert (outcome.name, outcome.uri) == ("ERROR", "wamp.error.invalid_uri")


async def test_a_callee_that_is_silent_is_waited_for_as_long_as_the_caller_says(
    tried: Tried,
) -> None:
    callee = Client(tried.door)
    callee.send([64, 1, {}, "com.example.slow"])
    options = CallOptions(timeout=50)
    outcome = await tried.workbench.call("realm1", ANN, "com.example.slow", NO_PAYLOAD, options)
    assert (outcome.name, outcome.uri) == ("ERROR", "wamp.error.timeout")
    assert 40_000 < outcome.duration_us < 3_000_000


async def test_an_answer_that_never_comes_is_given_up(
    tried: Tried, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S_MAX", 0.05)
    tried.realm.dealer.provide("tank.never", lambda call: None)
    outcome = await tried.workbench.call("realm1", ANN, "tank.never", NO_PAYLOAD, CallOptions())
    assert outcome.is_late
    assert tried.realm.members == {}


async def test_a_page_hears_a_pattern_and_its_own_events_only_if_it_wants(tried: Tried) -> None:
    publish, listen = tried.workbench.publish, tried.workbench.listen
    async with listen("realm1", ANN, "com.example.", SubscribeOptions("prefix")) as heard:
        assert heard.subscribed.name == "SUBSCRIBED"
        not_me = PublishOptions(acknowledge=True, exclude_me=True)
        me_too = PublishOptions(acknowledge=True, exclude_me=False)
        for number, (options, session_id) in enumerate(
            [(not_me, heard.session_id), (me_too, heard.session_id), (not_me, 0)]
        ):
            payload = payload_of(JSON, [number])
            await publish("realm1", ANN, "com.example.x", payload, options, session_id)
        await turn()
        events = heard.take(10)
        assert [event.payload.args for event in events] == [[1], [2]]
        assert {event.topic for event in events} == {"com.example.x"}
        # Another account's session is none of theirs to speak through.
        await publish("realm1", BERT, "com.example.y", NO_PAYLOAD, not_me, heard.session_id)
        await turn()
        assert [event.topic for event in heard.take(10)] == ["com.example.y"]
    assert tried.realm.members == {}
    assert list(tried.realm.broker.subscriptions.values()) == []


async def test_of_very_many_events_the_newest_are_kept(tried: Tried) -> None:
    async with tried.workbench.listen("realm1", ANN, "busy", SubscribeOptions()) as heard:
        client = Client(tried.door)
        for number in range(500):
            client.send([16, number + 1, {}, "busy", [number]])
            if number % 50 == 0:
                await turn()
        await turn()
        assert heard.heard_count == 500
        (visit,) = tried.workbench._visits.values()
        assert len(visit._events) == visits_module.NEWEST_MAX
        assert [event.payload.args[0] for event in heard.take(3)] == [497, 498, 499]
        assert heard.take(3) == []
        for number in range(8):
            client.send([16, 501 + number, {}, "busy", ["x" * 100_000]])
        await turn()
        assert visit._events.bytes <= visits_module.NEWEST_BYTES_MAX
        assert [event.left_out_bytes > 100_000 for event in heard.take(20)] == [True, True]


async def test_a_page_is_told_when_the_router_ends_its_session(tried: Tried) -> None:
    async with tried.workbench.listen("realm1", ANN, "x", SubscribeOptions()) as heard:
        assert heard.farewell is None
        assert tried.workbench.close_session("realm1", ADMIN, heard.session_id, "enough")
        await turn()
        assert heard.farewell is not None
        assert (heard.farewell.name, heard.farewell.uri) == ("GOODBYE", "wamp.close.killed")
        assert heard.farewell.payload.args == ["enough"]


async def test_visits_are_bounded(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VISITS_MAX", 1)
    async with tried.workbench.listen("realm1", ANN, "x", SubscribeOptions()):
        with pytest.raises(LimitReached):
            await tried.workbench.call("realm1", BERT, "x", NO_PAYLOAD, CallOptions())
    outcome = await tried.workbench.call("realm1", BERT, "x", NO_PAYLOAD, CallOptions())
    assert outcome.name == "ERROR"


async def test_one_account_waits_for_few_answers_at_once(tried: Tried) -> None:
    tried.realm.dealer.provide("tank.slow", lambda call: None)
    options = CallOptions(timeout=60)

    def call(caller: Caller, procedure: str = "tank.slow") -> Any:
        return tried.workbench.call("realm1", caller, procedure, NO_PAYLOAD, options)

    waiting = [asyncio.ensure_future(call(ANN)) for _ in range(visits_module.ASKED_AT_ONCE_MAX)]
    await turn()
    with pytest.raises(LimitReached):
        await call(ANN)
    assert (await call(BERT, "wamp.session.count")).name == "RESULT"
    assert {(await each).uri for each in waiting} == {"wamp.error.timeout"}
    assert (await call(ANN, "wamp.session.count")).name == "RESULT"
    assert tried.workbench._asking.waiting_count == 0


async def test_the_session_meta_api_does_not_know_visits(tried: Tried) -> None:
    client = Client(tried.door)
    client.send([32, 1, {"match": "prefix"}, "wamp.session."])
    await turn()
    async with tried.workbench.listen("realm1", ANN, "x", SubscribeOptions()):
        outcome = await tried.workbench.call("realm1", ANN, "wamp.session.count", NO_PAYLOAD, CallOptions())  # fmt: skip
    await turn()
    assert outcome.payload.args == [1]
    assert [message[0] for message in client.messages] == [2, 33]  # WELCOME, SUBSCRIBED, no EVENT


def names(rows: Any, name: str = "uri") -> list[Any]:
    return [getattr(row, name) for row in rows]


async def test_an_admin_sees_all_and_others_their_own(tried: Tried) -> None:
    anns, berts = Client(tried.door, "ann"), Client(tried.door, "bert")
    for client, name in ((anns, "ann"), (berts, "bert")):
        client.send([32, 1, {}, f"topic.of.{name}"])
        client.send([32, 2, {}, "topic.of.both"])
        client.send([64, 3, {"invoke": "random"}, f"procedure.of.{name}"])
    view = tried.workbench.view("realm1", ADMIN)
    assert sorted(names(view.sessions(EVERYTHING).rows, "authid")) == ["ann", "bert"]
    assert sorted(names(view.topics(EVERYTHING).rows)) == ["topic.of.ann", "topic.of.bert", "topic.of.both"]  # fmt: skip
    assert view.facts().traffic is not None
    view = tried.workbench.view("realm1", ANN)
    assert names(view.sessions(EVERYTHING).rows, "authid") == ["ann"]
    assert sorted(names(view.topics(EVERYTHING).rows)) == ["topic.of.ann", "topic.of.both"]
    assert names(view.procedures(EVERYTHING).rows) == ["procedure.of.ann"]
    facts = view.facts()
    assert (facts.session_count, facts.topic_count, facts.procedure_count) == (1, 2, 1)
    assert facts.traffic is None
    assert view.topics(ListQuery("bert")).found_count == 0

    member = berts.connection.session.member
    assert member is not None
    assert view.session(member.session_id) is None
    assert not tried.workbench.close_session("realm1", ANN, member.session_id, "")
    assert tried.workbench.close_session("realm1", BERT, member.session_id, "mine")
    await turn()
    assert berts.messages[-1] == [6, {"message": "mine"}, "wamp.close.killed"]
    assert not tried.workbench.close_session("realm1", ADMIN, member.session_id, "")


async def test_lists_are_filtered_sorted_and_paged(tried: Tried) -> None:
    client = Client(tried.door)
    for number in range(120):
        client.send([32, number + 1, {}, f"topic.number{number:03}"])
    other = Client(tried.door)
    other.send([32, 1, {}, "topic.number007"])
    view = tried.workbench.view("realm1", ADMIN)
    await until(lambda: view.topics(EVERYTHING).found_count == 120)  # maybe a turn or more
    await until(lambda: len(other.messages) == 2)
    page = view.topics(ListQuery(sort="uri", page=3))
    assert names(page.rows) == [f"topic.number{number:03}" for number in range(100, 120)]
    assert view.topics(ListQuery(sort="uri", page=4)).rows == []
    assert names(view.topics(ListQuery(sort="subscribers")).rows)[0] == "topic.number007"
    assert names(view.topics(ListQuery(sort="newest")).rows)[0] == "topic.number119"
    assert names(view.topics(ListQuery("NUMBER05")).rows) == [f"topic.number05{n}" for n in range(10)]  # fmt: skip
    sessions = view.sessions(ListQuery("198.51.100", "newest"))
    assert sessions.found_count == 2
    assert view.sessions(ListQuery("nobody")).rows == []


async def test_a_row_says_what_its_session_is_like(tried: Tried) -> None:
    client = Client(tried.door)
    client.send([32, 1, {}, "x"])
    client.connection.dropped_count = 4
    member = client.connection.session.member
    assert member is not None
    facts = tried.workbench.view("realm1", ADMIN).session(member.session_id)
    assert facts is not None
    assert (facts.transport, facts.protocol, facts.peer) == ("rawsocket", "json", "198.51.100.7")
    assert (facts.dropped_count, facts.topic_count, facts.is_workbench) == (4, 1, False)
    assert abs(facts.joined_us - SteadyClock().now_us()) < 60_000_000
    async with tried.workbench.listen("realm1", ANN, "x", SubscribeOptions()) as heard:
        facts = tried.workbench.view("realm1", ANN).session(heard.session_id)
        assert facts is not None
        assert facts.is_workbench


async def test_events_and_calls_are_counted_where_they_go(tried: Tried) -> None:
    client = Client(tried.door)
    client.send([32, 1, {}, "a.b"])
    client.send([32, 2, {"match": "prefix"}, "a"])
    client.send([64, 3, {}, "p"])
    client.send([16, 4, {}, "a.b"])
    client.send([16, 5, {"exclude_me": False}, "a.c"])
    client.send([48, 6, {}, "p"])
    await turn()
    view = tried.workbench.view("realm1", ADMIN)
    counts = {row.uri: row.event_count for row in view.topics(EVERYTHING).rows}
    assert counts == {"a.b": 1, "a": 2}
    assert [row.call_count for row in view.procedures(EVERYTHING).rows] == [1]
    assert tried.realm.received_count == 6
    # WELCOME, 2 SUBSCRIBED, REGISTERED, the EVENT of a.c, INVOCATION
    assert tried.realm.sent_count == 6


async def test_own_procedures_are_listed_in_order(tried: Tried) -> None:
    tried.realm.dealer.provide("tank.", lambda call: None, "prefix")
    found = tried.workbench.view("realm1", ANN).own_procedures()
    assert ("wamp.session.count", "exact") in found
    assert ("tank.", "prefix") in found
    assert list(found) == sorted(found)


async def test_a_payload_that_cannot_be_read_is_shown_as_bytes(tried: Tried) -> None:
    client = Client(tried.door)
    client.send([32, 1, {}, "x"])
    payload = payload_of(MSGPACK, [b"\x01\x02"])
    async with tried.workbench.listen("realm1", ANN, "x", SubscribeOptions()) as heard:
        await tried.workbench.publish("realm1", ANN, "x", payload, ACKNOWLEDGED)
        await turn()
        assert heard.take(1)[0].payload.args == [b"\x01\x02"]
