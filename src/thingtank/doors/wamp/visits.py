"""Sessions of this process's own, on behalf of accounts: who tries things out in the workbench.

A visit is a session like every other: what it asks for is authorized, what it sends is routed, and
what it is sent is bounded. Only its transport has no network, and who it is has been found out
before. The Session Meta API does not know it, for others are not to be told of a page's tabs.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from thingtank.doors.wamp.connection import Connection
from thingtank.net.visits import Newest
from thingtank.protocols.wamp.authentication import Accepted, Attempt, TransportFacts
from thingtank.protocols.wamp.cbor_serializer import CBOR
from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.messages import (
    Abort,
    Error,
    Event,
    Goodbye,
    Hello,
    Message,
    Published,
    Result,
    Subscribed,
    Welcome,
)
from thingtank.protocols.wamp.options import HelloDetails, Role

if TYPE_CHECKING:
    from thingtank.doors.wamp.door import WampDoor

KIND = "workbench"
MESSAGE_BYTES_MAX = 2**20  # longer ones do not come; a call is answered that its result is too long
PROGRESS_MAX = 100  # results before the last that are kept, the newest

_FEATURES: dict[str, tuple[str, ...]] = {
    "publisher": ("publisher_identification", "publisher_exclusion"),
    "subscriber": ("publisher_identification", "pattern_based_subscription"),
    "caller": ("caller_identification", "call_timeout", "progressive_call_results"),
}
ROLES = {name: Role(dict.fromkeys(features, True)) for name, features in _FEATURES.items()}
_EVENT_BEGINS = b"\x18\x24"  # its code in CBOR, behind the list's length

Answered = Published | Subscribed | Result | Error


class VisitEnded(Exception):
    """The router has ended a visit, or let none begin.

    Attributes:
        message: ABORT or GOODBYE; None where nothing was said.
    """

    def __init__(self, message: Abort | Goodbye | None) -> None:
        super().__init__(message.reason if message is not None else "the connection was closed")
        self.message = message


class _Welcoming:
    """Lets in whom the server has found out."""

    def __init__(self, accepted: Accepted) -> None:
        self._accepted = accepted

    def hello(self, attempt: Attempt) -> Accepted:
        return self._accepted


class _Link:
    """What a visit's connection writes to."""

    def __init__(self, take: Callable[[bytes], None], end: Callable[[], None]) -> None:
        self._take = take
        self.close = self.abort = end

    def write(self, messages: list[bytes]) -> None:
        for message in messages:
            self._take(message)

    def unread_bytes(self) -> int:
        return 0  # what waits is bounded here, and the router need not care

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass


class Visit:
    """One of them.

    Attributes:
        account_id: on whose behalf.
        connection: to the router.
        session_id: 0 until it is open.
        is_over: it has ended, on whichever side.
    """

    def __init__(self, door: "WampDoor", account_id: int, accepted: Accepted, address: str) -> None:
        """Connect to the router; `open` says HELLO.

        Args:
            accepted: what WELCOME says.
            address: whence the person comes.
        """
        self.account_id = account_id
        self.session_id = 0
        self.is_over = False
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._opening: asyncio.Future[Welcome] = self._loop.create_future()
        self._awaited: dict[int, asyncio.Future[Answered]] = {}
        self._progress: deque[Result] = deque(maxlen=PROGRESS_MAX)
        self._events = Newest()
        self._request_id_last = 0
        self._farewell: Abort | Goodbye | None = None
        self.connection = Connection(
            door,
            _Link(self._take, self._end_soon),
            CBOR,
            None,
            MESSAGE_BYTES_MAX,
            TransportFacts(KIND, address),
            replace(door.reception, authenticator=_Welcoming(accepted)),
        )
        door.remember(self.connection)

    async def open(self, realm: str, seconds_max: float) -> None:
        """Come into a realm.

        Raises:
            VisitEnded: the router does not let it in.
            TimeoutError.
        """
        self._send(Hello(realm, HelloDetails(roles=ROLES, authmethods=[KIND])))
        async with asyncio.timeout(seconds_max):
            self.session_id = (await self._opening).session_id

    async def ask(self, make: Callable[[int], Message], seconds_max: float) -> Answered:
        """Send a request and wait for its last answer.

        Args:
            make: the message, of a request id.

        Raises:
            UnconvertiblePayload: it has no form in CBOR; nothing was sent.
            VisitEnded: the session has ended meanwhile.
            TimeoutError.
        """
        request_id, data = self._request(make)
        future: asyncio.Future[Answered] = self._loop.create_future()
        self._awaited[request_id] = future
        self._progress.clear()
        try:
            self.connection.receive(data)
            async with asyncio.timeout(seconds_max):
                return await future
        finally:
            self._awaited.pop(request_id, None)

    def tell(self, make: Callable[[int], Message]) -> None:
        """Send a request that is not answered.

        Raises:
            UnconvertiblePayload, VisitEnded.
        """
        self.connection.receive(self._request(make)[1])

    def take_progress(self) -> list[Result]:
        """Results before the last of the newest call, oldest first."""
        results = list(self._progress)
        self._progress.clear()
        return results

    def take_events(self, count_max: int) -> list[Event]:
        """Events since the last time, oldest first; of more than so many the newest."""
        taken = self._events.take(count_max)
        return [event for data in taken if isinstance(event := CBOR.decode(data), Event)]

    @property
    def heard_count(self) -> int:
        """Events that came in all."""
        return self._events.count

    def close(self) -> None:
        """End it; its subscriptions and calls go with it."""
        if not self.is_over:
            self.is_over = True
            self.connection.lose()
            self._fail_awaited()

    @property
    def farewell(self) -> Abort | Goodbye | None:
        """What the router said at the end."""
        return self._farewell

    def _request(self, make: Callable[[int], Message]) -> tuple[int, bytes]:
        if self.is_over:
            raise VisitEnded(self._farewell)
        data = CBOR.encode(make(self._request_id_last + 1))
        self._request_id_last += 1
        return self._request_id_last, data

    def _send(self, message: Message) -> None:
        self.connection.receive(CBOR.encode(message))

    def _take(self, data: bytes) -> None:
        """Take what the router sends."""
        if data[1:3] == _EVENT_BEGINS:
            self._events.add(data)
            return
        try:
            message = CBOR.decode(data)
        except ProtocolViolation:
            self._end_soon()
            return
        if isinstance(message, Welcome):
            if not self._opening.done():
                self._opening.set_result(message)
        elif isinstance(message, Abort | Goodbye):
            self._farewell = message
            self._end_soon()
        elif isinstance(message, Result) and message.details.progress:
            self._progress.append(message)
        elif isinstance(message, Answered):
            future = self._awaited.get(message.request_id)
            if future is not None and not future.done():
                future.set_result(message)

    def _end_soon(self) -> None:
        # Not now: the connection is in the middle of writing.
        self._loop.call_soon(self.close)

    def _fail_awaited(self) -> None:
        futures: list[asyncio.Future[Any]] = [self._opening, *self._awaited.values()]
        for future in futures:
            if not future.done():
                future.set_exception(VisitEnded(self._farewell))
                future.exception()  # looked at: it may be that nobody waits
