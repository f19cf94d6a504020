"""The router as the workbench uses it: looks at realms, ends sessions, tries things out.

What somebody tries runs in a session of its own with that account's rights (`visits.py`). A page
that listens to a topic keeps one open; what the same page publishes goes through it, so that
`exclude_me` means what it says.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

from msgspec import UnsetType, to_builtins

from thingtank.doors.wamp.door import WampDoor
from thingtank.doors.wamp.inspection import RealmView
from thingtank.doors.wamp.meter import Meter
from thingtank.doors.wamp.visits import Answered, Visit, VisitEnded
from thingtank.net.visits import VISITS_MAX, Asking, account_of
from thingtank.protocols.wamp.authentication import Accepted
from thingtank.protocols.wamp.errors import NoSuchRealm, UnconvertiblePayload
from thingtank.protocols.wamp.members import Member, Transport
from thingtank.protocols.wamp.messages import (
    Abort,
    Call,
    Error,
    Event,
    Goodbye,
    Message,
    Publish,
    Published,
    Result,
    Subscribe,
    Subscribed,
)
from thingtank.protocols.wamp.options import CallOptions, PublishOptions, SubscribeOptions
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.router_facts import NO_VALUES, HeardEvent, Outcome, Payloaded
from thingtank.tank.access import Caller
from thingtank.tank.errors import LimitReached
from thingtank.tank.things import Account

KILLED = "wamp.close.killed"
ANSWER_S_MAX = 12.0  # for what has no time of its own
GRACE_S = 1.0  # beyond a call's own time, for the router to say so first
OWNERS_MAX = 100_000
SHOWN_BYTES_MAX = 32_768  # of an event's payload; to read longer ones would hold the router up


class Admission(Protocol):
    """Says with what rights accounts come in from the workbench, and whose sessions are."""

    def admit(self, realm: str, account: Account, address: str) -> Accepted | None:
        """What WELCOME says; None where the realm, which is there, keeps such accounts out."""

    def lets_anonymous_in(self, realm: str) -> bool:
        """Whether clients may come in without saying who they are, from this machine at least."""

    def account_of(self, member: Member) -> int | None:
        """Whose rights a session has, if it is an account's, or a key's or device's of one."""


class Listening:
    """A topic or pattern that a page listens to.

    Attributes:
        subscribed: SUBSCRIBED, or why not.
    """

    def __init__(self, visit: Visit, topic: str, subscribed: Outcome) -> None:
        self.subscribed = subscribed
        self._visit = visit
        self._topic = topic

    @property
    def session_id(self) -> int:
        """Of the session that listens."""
        return self._visit.session_id

    @property
    def heard_count(self) -> int:
        """Events that came, whether they were taken or not."""
        return self._visit.heard_count

    @property
    def farewell(self) -> Outcome | None:
        """How it ended, if the router has ended it."""
        visit = self._visit
        return _farewell(visit.farewell, time.monotonic()) if visit.is_over else None

    def take(self, count_max: int) -> list[HeardEvent]:
        """Events since the last time, oldest first; of more than so many the newest."""
        at_us = time.time_ns() // 1000
        return [self._heard(event, at_us) for event in self._visit.take_events(count_max)]

    def _heard(self, event: Event, at_us: int) -> HeardEvent:
        details: dict[str, Any] = to_builtins(event.details)
        topic = details.pop("topic", self._topic)
        size_bytes = len(event.payload.data)
        is_long = size_bytes > SHOWN_BYTES_MAX
        payload = NO_VALUES if is_long else _payloaded(event.payload)
        left_out_bytes = size_bytes if is_long else 0
        return HeardEvent(topic, event.publication_id, at_us, details, payload, left_out_bytes)


class WampWorkbench:
    """One for all pages. Belongs to the loop's thread."""

    def __init__(
        self,
        door: WampDoor,
        admission: Admission,
        meter: Meter,
        url: str,
        *,
        is_everywhere: bool,
        key_realm: str = "",
    ) -> None:
        """Serve a door's realms.

        Args:
            meter: which looks at the same realms.
            url: of the WebSocket, as this machine reaches it.
            is_everywhere: other machines reach it by this one's names as well.
            key_realm: that keys come into by ticket; blank for none.
        """
        self.url = url
        self.is_everywhere = is_everywhere
        self.key_realm = key_realm
        self._door = door
        self._admission = admission
        self._meter = meter
        self._visits: dict[Transport, Visit] = {}
        self._asking = Asking()
        self._owners: dict[int, int | None] = {}  # account by session id; it stays the same

    def realms(self, caller: Caller) -> Sequence[str]:
        """Names of those that an account may look at or come into, as the settings list them."""
        account = account_of(caller)
        return [
            name
            for name in self._door.realms
            if account.is_admin or self._admission.admit(name, account, "") is not None
        ]

    def lets_anonymous_in(self, realm: str) -> bool:
        """Whether programs may come in without saying who they are, from this machine at least."""
        return self._admission.lets_anonymous_in(realm)

    def view(self, realm: str, caller: Caller) -> RealmView:
        """A realm as an account may see it, now.

        Raises:
            NoSuchRealm.
        """
        if realm not in self._door.realms:
            raise NoSuchRealm.of(realm)
        return RealmView(
            self._door.realms[realm], self._meter, account_of(caller), self._account_of
        )

    def close_session(self, realm: str, caller: Caller, session_id: int, text: str) -> bool:
        """End a session that the account may see; whether there was one.

        Args:
            text: why, for people; its client is told.

        Raises:
            NoSuchRealm.
        """
        member = self.view(realm, caller).find(session_id)
        if member is None:
            return False
        member.close(KILLED, text or "closed from the workbench")
        return True

    async def publish(
        self,
        realm: str,
        caller: Caller,
        topic: str,
        payload: Payload,
        options: PublishOptions,
        session_id: int = 0,
    ) -> Outcome:
        """Publish on an account's behalf.

        Args:
            session_id: of a session of the account's that listens, to publish through it.

        Raises:
            NoSuchRealm, LimitReached, UnconvertiblePayload.
        """

        def make(request_id: int) -> Message:
            return Publish(request_id, options, topic, payload)

        def ask(visit: Visit) -> Awaitable[Outcome]:
            return _asked(visit, make, is_answered=options.acknowledge)

        account_id = account_of(caller).account_id
        for visit in self._visits.values():
            if visit.session_id == session_id != 0 and visit.account_id == account_id:
                return await ask(visit)
        return await self._visiting(realm, caller, ask)

    async def call(
        self, realm: str, caller: Caller, procedure: str, payload: Payload, options: CallOptions
    ) -> Outcome:
        """Call on an account's behalf; `options.timeout` says for how long at most.

        Raises:
            NoSuchRealm, LimitReached, UnconvertiblePayload.
        """

        def make(request_id: int) -> Message:
            return Call(request_id, options, procedure, payload)

        seconds_max = options.timeout / 1000 + GRACE_S if options.timeout else ANSWER_S_MAX
        return await self._visiting(realm, caller, lambda visit: _asked(visit, make, seconds_max))

    @asynccontextmanager
    async def listen(
        self, realm: str, caller: Caller, topic: str, options: SubscribeOptions
    ) -> AsyncIterator[Listening]:
        """Subscribe on an account's behalf, until the end of the block.

        Raises:
            NoSuchRealm, LimitReached.
        """

        def make(request_id: int) -> Message:
            return Subscribe(request_id, options, topic)

        with self._visit(realm, caller) as visit:
            refusal = await self._opened(visit, realm)
            yield Listening(visit, topic, refusal or await _asked(visit, make))

    async def _visiting(
        self, realm: str, caller: Caller, work: Callable[[Visit], Awaitable[Outcome]]
    ) -> Outcome:
        account_id = account_of(caller).account_id
        with self._asking.one(account_id), self._visit(realm, caller) as visit:
            return await self._opened(visit, realm) or await work(visit)

    @contextmanager
    def _visit(self, realm: str, caller: Caller) -> Iterator[Visit]:
        account = account_of(caller)
        if len(self._visits) >= VISITS_MAX:
            raise LimitReached("too many people try things out at once")
        if realm not in self._door.realms:
            raise NoSuchRealm.of(realm)
        accepted = self._admission.admit(realm, account, caller.address)
        if accepted is None:
            raise NoSuchRealm.of(realm)
        visit = Visit(self._door, account.account_id, accepted, caller.address)
        self._visits[visit.connection] = visit
        try:
            yield visit
        finally:
            del self._visits[visit.connection]
            visit.close()

    async def _opened(self, visit: Visit, realm: str) -> Outcome | None:
        """None once a visit is in its realm, or why it is not."""
        started_s = time.monotonic()
        try:
            await visit.open(realm, ANSWER_S_MAX)
        except VisitEnded as ended:
            return _farewell(ended.message, started_s)
        except TimeoutError:
            return Outcome("", _since_us(started_s))
        return None

    def _account_of(self, member: Member) -> int | None:
        """Remembered, for a page asks about all sessions each second."""
        owners, session_id = self._owners, member.session_id
        if session_id not in owners:
            if len(owners) >= OWNERS_MAX:
                owners.clear()
            visit = self._visits.get(member.transport)
            owners[session_id] = (
                visit.account_id if visit is not None else self._admission.account_of(member)
            )
        return owners[session_id]


async def _asked(
    visit: Visit,
    make: Callable[[int], Message],
    seconds_max: float = ANSWER_S_MAX,
    *,
    is_answered: bool = True,
) -> Outcome:
    started_s = time.monotonic()
    try:
        if not is_answered:
            visit.tell(make)
            return Outcome("", _since_us(started_s))
        answer = await visit.ask(make, seconds_max)
    except VisitEnded as ended:
        return _farewell(ended.message, started_s)
    except TimeoutError:
        return Outcome("", _since_us(started_s), progress=_progress_of(visit), is_late=True)
    return Outcome(
        type(answer).__name__.upper(),
        _since_us(started_s),
        answer.error if isinstance(answer, Error) else "",
        _ids_of(answer),
        _payloaded(answer.payload) if isinstance(answer, Error | Result) else NO_VALUES,
        _progress_of(visit),
    )


def _progress_of(visit: Visit) -> list[Payloaded]:
    return [_payloaded(result.payload) for result in visit.take_progress()]


def _ids_of(answer: Answered) -> dict[str, int]:
    if isinstance(answer, Published):
        return {"publication": answer.publication_id}
    return {"subscription": answer.subscription_id} if isinstance(answer, Subscribed) else {}


def _farewell(message: Abort | Goodbye | None, started_s: float) -> Outcome:
    duration_us = _since_us(started_s)
    if message is None:
        return Outcome("", duration_us, is_late=True)
    details = message.details.message
    args = [] if isinstance(details, UnsetType) else [details]
    return Outcome(
        type(message).__name__.upper(), duration_us, message.reason, payload=Payloaded(args, {})
    )


def _payloaded(payload: Payload) -> Payloaded:
    """The values of a payload; of one that cannot be read, its bytes."""
    try:
        elements = payload.elements
    except UnconvertiblePayload:
        return Payloaded([payload.data], {})
    if payload.is_opaque:
        return Payloaded(elements, {})
    return Payloaded(elements[0] if elements else [], elements[1] if len(elements) > 1 else {})


def _since_us(started_s: float) -> int:
    return round((time.monotonic() - started_s) * 1_000_000)
