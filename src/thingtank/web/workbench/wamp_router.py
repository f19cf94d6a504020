"""The WAMP router as pages know it; the door implements it, and the server brings them together.

Everything here belongs to the loop's thread: views reach it by `tank_access.run`.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from thingtank.protocols.overviews import ListPage, ListQuery
from thingtank.protocols.wamp.options import CallOptions, Match, PublishOptions, SubscribeOptions
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.router_facts import (
    HeardEvent,
    Outcome,
    ProcedureFacts,
    RealmFacts,
    SessionFacts,
    TopicFacts,
)
from thingtank.tank.access import Caller


class WampRealmView(Protocol):
    """A realm as one account may see it, now."""

    def facts(self) -> RealmFacts:
        """The realm in numbers."""

    def sessions(self, query: ListQuery) -> ListPage[SessionFacts]:
        """A page of sessions."""

    def topics(self, query: ListQuery) -> ListPage[TopicFacts]:
        """A page of topics."""

    def procedures(self, query: ListQuery) -> ListPage[ProcedureFacts]:
        """A page of procedures of clients."""

    def own_procedures(self) -> Sequence[tuple[str, Match]]:
        """URI and match of the router's own procedures, in order."""

    def session(self, session_id: int) -> SessionFacts | None:
        """One session, if it may be seen."""


class WampListening(Protocol):
    """A topic or pattern that a page listens to.

    Attributes:
        subscribed: SUBSCRIBED, or why not.
        session_id: of the session that listens.
        heard_count: events that came, whether they were taken or not.
        farewell: how it ended, if the router has ended it.
    """

    subscribed: Outcome

    @property
    def session_id(self) -> int: ...

    @property
    def heard_count(self) -> int: ...

    @property
    def farewell(self) -> Outcome | None: ...

    def take(self, count_max: int) -> Sequence[HeardEvent]:
        """Events since the last time, oldest first; of more than so many the newest."""


class WampRouter(Protocol):
    """The router.

    Attributes:
        url: of its WebSocket, as this machine reaches it.
        is_everywhere: other machines reach it by this one's names as well.
        key_realm: that keys come into by ticket; blank for none.
    """

    url: str
    is_everywhere: bool
    key_realm: str

    def realms(self, caller: Caller) -> Sequence[str]:
        """Names of those that an account may look at or come into."""

    def lets_anonymous_in(self, realm: str) -> bool:
        """Whether programs may come in without saying who they are, from this machine at least."""

    def view(self, realm: str, caller: Caller) -> WampRealmView:
        """A realm as an account may see it, now.

        Raises:
            NoSuchRealm: there is none of this name.
        """

    def close_session(self, realm: str, caller: Caller, session_id: int, text: str) -> bool:
        """End a session that the account may see; whether there was one.

        Raises:
            NoSuchRealm.
        """

    async def publish(
        self,
        realm: str,
        caller: Caller,
        topic: str,
        payload: Payload,
        options: PublishOptions,
        session_id: int = 0,
    ) -> Outcome:
        """Publish on an account's behalf, through its session that listens if that is named.

        Raises:
            NoSuchRealm, LimitReached, UnconvertiblePayload.
        """

    async def call(
        self, realm: str, caller: Caller, procedure: str, payload: Payload, options: CallOptions
    ) -> Outcome:
        """Call on an account's behalf; `options.timeout` says for how long at most.

        Raises:
            NoSuchRealm, LimitReached, UnconvertiblePayload.
        """

    def listen(
        self, realm: str, caller: Caller, topic: str, options: SubscribeOptions
    ) -> AbstractAsyncContextManager[WampListening]:
        """Subscribe on an account's behalf, until the end of the block.

        Raises:
            NoSuchRealm, LimitReached.
        """


_router: WampRouter | None = None


def attach(router: WampRouter | None) -> None:
    """Give the pages their router; None where the door is shut."""
    global _router
    _router = router


def router() -> WampRouter | None:
    """The router, if there is one."""
    return _router
