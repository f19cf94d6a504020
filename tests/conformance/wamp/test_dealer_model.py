"""Any course of registering, calling, answering, canceling, waiting and leaving, against a model.

The model keeps lists and looks everything up in them. After each step, each session must have
received what the model says, in that order; in the end, the dealer must have forgotten everything.
"""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.conformance.wamp.dealing import Client, Realm

from thingtank.protocols.wamp.serializers import SERIALIZERS

URIS = ["com.example.a", "com.example.b"]
SESSIONS_MAX = 6
pick = st.integers(0, 10**6)  # of a list whose length only the step knows


@dataclass(eq=False)
class Place:
    session: "Session"
    number: int
    registration: "Registered"


@dataclass(eq=False)
class Registered:
    id: int
    invoke: str
    places: list[Place] = field(default_factory=list)
    numbers: Any = field(default_factory=count)
    turn: int = -1

    def next_after(self, number: int | None, tried: list[Place]) -> Place | None:
        left = [place for place in self.places if place not in tried]
        if number is not None and self.invoke == "first":
            left = [place for place in left if place.number > number]
        if number is not None and self.invoke == "last":
            left = [place for place in left if place.number < number]
        if not left:
            return None
        if self.invoke == "last":
            return max(left, key=lambda place: place.number)
        if self.invoke == "roundrobin":
            after = self.turn if number is None else number
            left = [place for place in left if place.number > after] or left
        return min(left, key=lambda place: place.number)


@dataclass(eq=False)
class Session:
    client: Client
    can_cancel: bool
    can_reroute: bool
    expected: list[tuple[Any, ...]] = field(default_factory=list)
    issued: int = 0
    request_id: int = 0
    is_open: bool = True

    def expect(self, *message: Any) -> None:
        if self.is_open:
            self.expected.append(message)

    def next_request_id(self) -> int:
        self.request_id += 1
        return self.request_id


@dataclass(eq=False)
class Pending:
    caller: Session
    id: int
    token: int
    wants_progress: bool
    timeout_ms: int
    tried: list[Place]
    invocation_id: int = 0
    due_ms: int = 0
    has_progressed: bool = False
    is_killed: bool = False

    @property
    def place(self) -> Place:
        return self.tried[-1]

    @property
    def callee(self) -> Session:
        return self.place.session


def seen(message: list[Any]) -> tuple[Any, ...]:
    """What the model says of a message: texts and what is always empty are left out."""
    code = message[0]
    if code == 8:
        return (8, message[1], message[2], message[4].rpartition(".")[2])
    if code == 50:
        return (50, message[1], message[2].get("progress", False), message[3])
    if code == 68:
        return (68, message[1], message[2], message[4])
    if code == 69:
        return (69, message[1], message[2]["mode"])
    return tuple(message)


class DealerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.realm = Realm()
        self.sessions: list[Session] = []
        self.registered: dict[str, Registered] = {}
        self.pending: list[Pending] = []
        self.ended: list[tuple[Session, int]] = []
        self.ids = count(1)
        self.tokens = count()
        self.now_ms = 0

    # What the dealer should do

    def invoke(self, call: Pending) -> None:
        place, callee = call.place, call.callee
        if place.registration.invoke == "roundrobin":
            place.registration.turn = place.number
        callee.issued += 1
        call.invocation_id = callee.issued
        callee.expect(68, call.invocation_id, place.registration.id, [call.token])

    def end(self, call: Pending, error: str | None = None) -> None:
        self.pending.remove(call)
        self.ended.append((call.callee, call.invocation_id))
        if error is not None:
            call.caller.expect(8, 48, call.id, error)

    def interrupt(self, call: Pending, mode: str) -> None:
        if call.callee.can_cancel:
            call.callee.expect(69, call.invocation_id, mode)

    def reroute(self, call: Pending) -> bool:
        if not call.callee.can_reroute or call.has_progressed or call.is_killed:
            return False
        # The payload is kept only if the first callee may turn out to be unavailable.
        if not call.tried[0].session.can_reroute:
            return False
        place = call.place.registration.next_after(call.place.number, call.tried)
        if place is None:
            return False
        self.ended.append((call.callee, call.invocation_id))
        call.tried.append(place)
        self.invoke(call)
        return True

    def remove(self, place: Place) -> None:
        place.registration.places.remove(place)
        for uri, registered in list(self.registered.items()):
            if not registered.places:
                del self.registered[uri]

    def places_of(self, session: Session) -> list[Place]:
        return [
            place
            for registered in self.registered.values()
            for place in registered.places
            if place.session is session
        ]

    # Steps

    def one_of(self, items: list[Any], number: int) -> Any:
        return items[number % len(items)]

    def session(self, number: int) -> Session:
        return self.one_of([session for session in self.sessions if session.is_open], number)

    @precondition(lambda self: sum(each.is_open for each in self.sessions) < SESSIONS_MAX)
    @rule(
        serializer=st.sampled_from(list(SERIALIZERS)), cancels=st.booleans(), reroutes=st.booleans()
    )
    def join(self, serializer: str, cancels: bool, reroutes: bool) -> None:
        features = {"progressive_call_results"}
        features |= {"call_canceling"} if cancels else set()
        features |= {"call_reroute"} if reroutes else set()
        client = self.realm.join(serializer, {"callee": features, "caller": set()})
        self.sessions.append(Session(client, cancels, reroutes))

    @precondition(lambda self: any(each.is_open for each in self.sessions))
    @rule(
        number=pick,
        uri=st.sampled_from(URIS),
        invoke=st.sampled_from(["single", "first", "last", "roundrobin"]),
    )
    def register(self, number: int, uri: str, invoke: str) -> None:
        session = self.session(number)
        request_id = session.next_request_id()
        registered = self.registered.get(uri)
        if registered is not None and (
            invoke == "single"
            or invoke != registered.invoke
            or any(place.session is session for place in registered.places)
        ):
            session.expect(8, 64, request_id, "procedure_already_exists")
        else:
            if registered is None:
                registered = self.registered[uri] = Registered(next(self.ids), invoke)
            registered.places.append(Place(session, next(registered.numbers), registered))
            session.expect(65, request_id, registered.id)
        session.client.send(64, request_id, {"invoke": invoke}, uri)

    @precondition(lambda self: self.registered)
    @rule(number=pick, holder=pick, is_own=st.booleans())
    def unregister(self, number: int, holder: int, is_own: bool) -> None:
        registered = self.one_of(list(self.registered.values()), number)
        place = self.one_of(registered.places, holder)
        session = place.session if is_own else self.session(holder)
        request_id = session.next_request_id()
        held = [each for each in registered.places if each.session is session]
        if held:
            self.remove(held[0])
            session.expect(67, request_id)
        else:
            session.expect(8, 66, request_id, "no_such_registration")
        session.client.send(66, request_id, registered.id)

    @precondition(lambda self: self.registered)
    @rule(
        number=pick,
        uri=st.sampled_from(URIS),
        timeout_ms=st.sampled_from([0, 0, 10, 30]),
        wants_progress=st.booleans(),
    )
    def call(self, number: int, uri: str, timeout_ms: int, wants_progress: bool) -> None:
        session = self.session(number)
        request_id, token = session.next_request_id(), next(self.tokens)
        registered = self.registered.get(uri)
        if registered is None:
            session.expect(8, 48, request_id, "no_such_procedure")
        else:
            place = registered.next_after(None, [])
            assert place is not None
            call = Pending(session, request_id, token, wants_progress, timeout_ms, [place])
            call.due_ms = self.now_ms + timeout_ms
            self.pending.append(call)
            self.invoke(call)
        options = {"timeout": timeout_ms, "receive_progress": wants_progress}
        session.client.send(48, request_id, options, uri, [token])

    @precondition(lambda self: self.pending)
    @rule(number=pick, kind=st.sampled_from(["give", "progress", "error", "unavailable"]))
    def answer(self, number: int, kind: str) -> None:
        call = self.one_of(self.pending, number)
        callee, invocation_id = call.callee, call.invocation_id
        if kind == "give":
            self.end(call)
            call.caller.expect(50, call.id, False, [call.token])
        elif kind == "progress" and call.wants_progress:
            call.has_progressed = True
            call.due_ms = self.now_ms + call.timeout_ms
            call.caller.expect(50, call.id, True, [call.token])
        elif kind == "error":
            self.end(call, "failed")
        elif kind == "unavailable":
            is_last_word = not callee.can_reroute or call.has_progressed or call.is_killed
            if is_last_word:
                self.end(call, "unavailable")
            elif not self.reroute(call):
                self.end(call, "no_available_callee")
        if kind in ("give", "progress"):
            callee.client.give(invocation_id, [call.token], progress=kind == "progress")
        else:
            uri = "com.example.failed" if kind == "error" else "wamp.error.unavailable"
            callee.client.fail(invocation_id, uri)

    @precondition(lambda self: self.ended)
    @rule(number=pick, is_error=st.booleans())
    def answer_late(self, number: int, is_error: bool) -> None:
        callee, invocation_id = self.one_of(self.ended, number)
        if not callee.is_open:
            return
        if is_error:
            callee.client.fail(invocation_id, "wamp.error.unavailable")
        else:
            callee.client.give(invocation_id)

    @precondition(lambda self: self.pending)
    @rule(number=pick, mode=st.sampled_from(["skip", "kill", "killnowait", None]))
    def cancel(self, number: int, mode: str | None) -> None:
        call = self.one_of(self.pending, number)
        if not call.is_killed:
            if mode == "kill" and call.callee.can_cancel:
                call.is_killed = True
                self.interrupt(call, "kill")
            else:
                self.end(call, "canceled")
                if mode != "skip":
                    self.interrupt(call, "killnowait")
        call.caller.client.cancel(call.id, **({} if mode is None else {"mode": mode}))

    @rule(ms=st.integers(1, 25))
    def wait(self, ms: int) -> None:
        self.now_ms += ms
        due = [call for call in self.pending if call.timeout_ms and call.due_ms <= self.now_ms]
        for call in due:
            self.end(call, "timeout")
            self.interrupt(call, "killnowait")
        self.realm.wait_ms(ms)

    @precondition(lambda self: any(each.is_open for each in self.sessions))
    @rule(number=pick)
    def leave(self, number: int) -> None:
        self.check_received()
        session = self.session(number)
        session.is_open = False
        for call in [call for call in self.pending if call.caller is session]:
            self.end(call)
            self.interrupt(call, "killnowait")
        for place in self.places_of(session):
            self.remove(place)
        carried_out = [call for call in self.pending if call.callee is session]
        for call in sorted(carried_out, key=lambda call: call.invocation_id):
            if not self.reroute(call):
                self.end(call, "canceled")
        session.client.leave()

    # What must hold

    @invariant()
    def check_received(self) -> None:
        for session in self.sessions:
            received = [seen(message) for message in session.client.take()]
            # Timeouts of one moment may come in any order between calls.
            assert sorted(received, key=repr) == sorted(session.expected, key=repr)
            without_timeouts = [message for message in received if message[0] not in (8, 69)]
            assert without_timeouts == [
                message for message in session.expected if message[0] not in (8, 69)
            ]
            session.expected.clear()

    @invariant()
    def check_registrations(self) -> None:
        asked = self.realm.dealer.registrations
        for uri in URIS:
            registered = self.registered.get(uri)
            assert asked.match(uri) == (registered.id if registered else None)
            if registered:
                assert asked.list_callees(registered.id) == [
                    place.session.client.id for place in registered.places
                ]

    def teardown(self) -> None:
        for session in self.sessions:
            self.realm.dealer.drop(session.client.peer)
        dealer = self.realm.dealer
        assert dealer.next_due_us() is None
        assert dealer.registrations.list_ids() == {"exact": [], "prefix": [], "wildcard": []}
        assert (dealer._parties, dealer._routing._call_count) == ({}, 0)
        assert dealer._routing._kept_bytes == 0


DealerMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestDealerAgainstModel = DealerMachine.TestCase
