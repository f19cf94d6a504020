"""What the workbench shows of the broker: clients, topic filters, retained messages.

An admin sees all of them. Everybody else sees their own clients, the topic filters of those, and
retained messages that they may subscribe to: who listens to what is nobody else's business.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from thingtank.doors.mqtt.access.rights import Rights
from thingtank.doors.mqtt.access.tank_topic import tank_topic_of
from thingtank.doors.mqtt.door import MqttDoor
from thingtank.doors.mqtt.owners import Owners
from thingtank.doors.mqtt.visits import KIND
from thingtank.protocols.mqtt.broker_facts import (
    VERSION_NAMES,
    BrokerFacts,
    ClientFacts,
    FilterFacts,
    RetainedFacts,
    payload_text,
)
from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.session import Session
from thingtank.protocols.overviews import ListPage, ListQuery, Traffic
from thingtank.tank.things import Account

ROWS_PER_PAGE = 50
LOOKED_AT_MAX = 20_000  # clients, to be put in order; as many take some 20 ms
TOPICS_LOOKED_AT_MAX = 1_000  # for one page
PREVIEW_BYTES_MAX = 200
SYS = "$SYS/"

_PAST_SYS = "$SYS0"  # what comes next in the order of topics


class BrokerView:
    """The broker as one account may see it, now."""

    def __init__(
        self,
        door: MqttDoor,
        account: Account,
        rights: Rights,
        owners: Owners,
        traffic: Callable[[], Traffic],
    ) -> None:
        """Look at it.

        Args:
            rights: of the account as a client.
        """
        self._door = door
        self._broker = door.broker
        self._rights = rights
        self._owners = owners
        self._account = account
        self._traffic = traffic
        self._sees_all = account.is_admin
        sessions = self._broker.sessions.values()
        self._sessions: Sequence[Session] = (
            list(islice(sessions, LOOKED_AT_MAX + 1))
            if account.is_admin
            else [each for each in sessions if owners.may_see(account, each.principal)]
        )

    def facts(self) -> BrokerFacts:
        """The broker in numbers."""
        broker, sessions = self._broker, self._sessions
        if self._sees_all:
            sys_count = len(broker.retained.page("", TOPICS_LOOKED_AT_MAX, SYS))
            return BrokerFacts(
                len(broker.sessions),
                self._door.connected_count,
                broker.subscriptions.filters_count,
                len(broker.retained) - sys_count,
                sys_count,
                broker.dropped_count,
                self._traffic(),
            )
        return BrokerFacts(
            len(sessions),
            sum(each.connection is not None for each in sessions),
            len(self._own_filters()),
            None,
            None,
            sum(each.dropped_count for each in sessions),
            None,
        )

    def clients(self, query: ListQuery) -> ListPage[ClientFacts]:
        """A page of clients."""
        words = query.words.lower()
        sessions = self._sessions[:LOOKED_AT_MAX]
        found = [each for each in sessions if not words or words in self._words_of(each)]
        found.sort(key=_CLIENT_KEYS.get(query.sort, _CLIENT_KEYS["newest"]))
        start = (query.page - 1) * ROWS_PER_PAGE
        rows = [self._client(each) for each in found[start : start + ROWS_PER_PAGE]]
        return ListPage(rows, len(found), len(self._sessions) > LOOKED_AT_MAX)

    def filters(self, query: ListQuery) -> ListPage[FilterFacts]:
        """A page of topic filters by name, but for those with an API key in front."""
        if self._sees_all:
            found = self._all_filters(query.after, query.words)
        else:
            own = self._own_filters()
            found = (
                (each, own[each])
                for each in sorted(own)
                if each > query.after and each.startswith(query.words)
            )
        rows = [FilterFacts(*each) for each in islice(found, ROWS_PER_PAGE + 1)]
        has_more = len(rows) > ROWS_PER_PAGE
        rows = rows[:ROWS_PER_PAGE]
        count = self._broker.subscriptions.filters_count if self._sees_all else len(rows)
        return ListPage(rows, count, next_after=rows[-1].topic_filter if has_more else "")

    def retained(self, query: ListQuery) -> ListPage[RetainedFacts]:
        """A page of retained messages by topic, without those below `$SYS`."""
        return self._retained(query, query.words, is_sys=False)

    def sys(self, query: ListQuery) -> ListPage[RetainedFacts]:
        """A page of what the broker says of itself."""
        return self._retained(query, SYS + query.words, is_sys=True)

    def find(self, client_id: str) -> Session | None:
        """A client that may be seen."""
        session = self._broker.sessions.get(client_id)
        if session is None or not self._owners.may_see(self._account, session.principal):
            return None
        return session

    def client(self, client_id: str) -> ClientFacts | None:
        """One client, if it may be seen."""
        session = self.find(client_id)
        return self._client(session) if session is not None else None

    def find_retained(self, topic: str) -> Message | None:
        """A topic's retained message, if it may be seen."""
        message = self._broker.retained.get(topic, self._broker.now_us())
        return message if message is not None and self._may_see(topic) else None

    def retained_one(self, topic: str) -> RetainedFacts | None:
        """The same for people."""
        message = self.find_retained(topic)
        return _retained_facts(message) if message is not None else None

    # --- topics ---

    def _all_filters(self, after: str, prefix: str) -> Iterator[tuple[str, int]]:
        for _ in range(TOPICS_LOOKED_AT_MAX // ROWS_PER_PAGE):
            page = self._broker.subscriptions.page(after, ROWS_PER_PAGE + 1, prefix)
            yield from (each for each in page if not _has_key(each.topic_filter))
            if len(page) <= ROWS_PER_PAGE:
                return
            after = page[-1].topic_filter

    def _own_filters(self) -> Counter[str]:
        sessions = self._sessions[:LOOKED_AT_MAX]
        return Counter(
            each for session in sessions for each in session.subscriptions if not _has_key(each)
        )

    def _retained(self, query: ListQuery, prefix: str, *, is_sys: bool) -> ListPage[RetainedFacts]:
        found = (each for each in self._messages(query.after, prefix, is_sys=is_sys))
        messages = list(islice(found, ROWS_PER_PAGE + 1))
        has_more = len(messages) > ROWS_PER_PAGE
        messages = messages[:ROWS_PER_PAGE]
        rows = [_retained_facts(each) for each in messages]
        count = len(self._broker.retained) if self._sees_all else len(rows)
        return ListPage(rows, count, next_after=messages[-1].topic if has_more else "")

    def _messages(self, after: str, prefix: str, *, is_sys: bool) -> Iterator[Message]:
        now_us = self._broker.now_us()
        looked_at = 0
        while looked_at < TOPICS_LOOKED_AT_MAX:
            page = self._broker.retained.page(after, ROWS_PER_PAGE + 1, prefix)
            for message in page:
                looked_at += 1
                after = message.topic
                if not is_sys and after.startswith(SYS):
                    after = _PAST_SYS
                    break
                is_over = 0 < message.expires_at_us <= now_us
                if not is_over and self._may_see(message.topic):
                    yield message
            else:
                if len(page) <= ROWS_PER_PAGE:
                    return

    def _may_see(self, topic: str) -> bool:
        return self._sees_all or self._rights.may_receive(topic)

    # --- clients ---

    def _client(self, session: Session) -> ClientFacts:
        connection = session.connection
        link = self._door.links.get(connection) if connection is not None else None
        kind = link.kind if link is not None else ""
        return ClientFacts(
            session.client_id,
            self._owners.shown(session.principal),
            connection.address if connection is not None else "",
            kind,
            VERSION_NAMES[session.version],
            connection.since_us if connection is not None else None,
            session.expires_at_us or None,
            connection is not None,
            session.is_persistent,
            len(session.subscriptions),
            len(session.inflight),
            session.queued_count,
            session.dropped_count,
            link.unread_bytes() if link is not None else 0,
            kind == KIND,
        )

    def _words_of(self, session: Session) -> str:
        """What a filter looks at."""
        address = session.connection.address if session.connection is not None else ""
        return f"{session.client_id} {self._owners.shown(session.principal)} {address}".lower()


def _newest(session: Session) -> tuple[int, str]:
    connection = session.connection
    return -connection.since_us if connection is not None else 0, session.client_id


def _behind(session: Session) -> tuple[int, int, str]:
    return -session.queued_count, -session.dropped_count, session.client_id


_CLIENT_KEYS: dict[str, Callable[[Session], Any]] = {
    "newest": _newest,
    "client_id": lambda session: session.client_id,
    "behind": _behind,
}


def _has_key(topic_filter: str) -> bool:
    tank_topic = tank_topic_of(topic_filter)
    return tank_topic is not None and bool(tank_topic.key)


def _retained_facts(message: Message) -> RetainedFacts:
    return RetainedFacts(
        message.topic,
        len(message.payload),
        payload_text(message.payload, PREVIEW_BYTES_MAX),
        message.qos,
        message.client_id,
        message.expires_at_us or None,
    )
