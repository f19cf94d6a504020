"""The event history of one realm: `protocols.wamp.history.EventHistory` on disk."""

from collections.abc import Callable, Sequence
from functools import partial

import structlog

from thingtank.protocols.wamp.answers import RUNTIME_ERROR, UNAVAILABLE, Refused
from thingtank.protocols.wamp.broker import Broker
from thingtank.protocols.wamp.history import HistoryRule
from thingtank.protocols.wamp.history_answers import events_payload
from thingtank.protocols.wamp.history_query import EventsQuery
from thingtank.protocols.wamp.keeping import Keeping
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.subscriptions import Subscription
from thingtank.stores.wamp_event_reader import WampEventReader
from thingtank.stores.wamp_event_rows import row_of
from thingtank.stores.wamp_event_writer import WampEventWriter
from thingtank.stores.worker import Worker

log = structlog.get_logger()

HISTORY_UNAVAILABLE = "wamp.error.history_unavailable"  # of Crossbar.io
QUESTIONS_MAX = 1000  # that wait, of all realms together
_US_PER_S = 1_000_000


class Questions:
    """Answers questions in the reader's thread, one after another; all realms share it."""

    def __init__(self, reader: WampEventReader, worker: Worker) -> None:
        """Wait for questions."""
        self._reader = reader
        self._worker = worker
        self.waiting_count = 0

    def ask(
        self,
        stream_id: int,
        oldest_us: int,
        call: RouterCall,
        subscription: Subscription,
        query: EventsQuery,
    ) -> None:
        """Read, and answer a call."""
        if call.is_over:
            return
        if self.waiting_count >= QUESTIONS_MAX:
            call.error(UNAVAILABLE, "too many wait for events that were kept")
            return
        self.waiting_count += 1
        about = (subscription.id, subscription.is_pattern)
        self._worker.submit(
            partial(self._payload, stream_id, oldest_us, call, about, query),
            partial(self._answer, call),
        )

    def _payload(
        self,
        stream_id: int,
        oldest_us: int,
        call: RouterCall,
        about: tuple[int, bool],
        query: EventsQuery,
    ) -> Payload:
        caller = call.caller

        def admits(publication: Publication) -> bool:
            receivers = publication.receivers
            return receivers is None or receivers.admits(
                caller.session_id, caller.authid, caller.authrole
            )

        subscription_id, is_pattern = about
        with self._reader.events(
            stream_id, query, oldest_us, admits, lambda: call.is_over
        ) as events:
            return events_payload(
                events,
                subscription_id,
                is_pattern=is_pattern,
                serializer=caller.serializer,
                bytes_max=caller.bytes_max,
            )

    def _answer(self, call: RouterCall, result: Payload | Exception) -> None:
        self.waiting_count -= 1
        if isinstance(result, Payload):
            call.result_payload(result)
        elif isinstance(result, Refused):
            call.error(result.error, str(result))
        else:
            log.error("wamp_history_read_failed", exc_info=result)
            call.error(RUNTIME_ERROR, "the events that were kept could not be read")


class WampHistory:
    """One realm's; `stand` must follow as soon as there is the realm."""

    def __init__(
        self,
        streams: Sequence[tuple[HistoryRule, int]],
        writer: WampEventWriter,
        questions: Questions,
        now_us: Callable[[], int],
    ) -> None:
        """Keep what comes under some rules.

        Args:
            streams: the rules with their streams' ids.
        """
        self._streams = streams
        self._of_subscription: dict[int, tuple[HistoryRule, int]] = {}
        self._writer = writer
        self._questions = questions
        self._now_us = now_us

    def stand(self, broker: Broker) -> None:
        """Have the standing subscriptions, under which events come and are asked for.

        Raises:
            InvalidUri: of a rule.
        """
        for rule, stream_id in self._streams:
            self._of_subscription[broker.stand(rule.uri, rule.match)] = rule, stream_id

    def keep(self, publication: Publication, subscription_ids: list[int]) -> Keeping | None:
        """Keep an event."""
        of_subscription = self._of_subscription
        stream_ids = [of_subscription[i][1] for i in subscription_ids if i in of_subscription]
        return self._writer.keep(stream_ids, row_of(publication)) if stream_ids else None

    def get_events(self, call: RouterCall, subscription: Subscription, query: EventsQuery) -> None:
        """Answer when what came before the question is on disk."""
        if subscription.id not in self._of_subscription:
            text = "the events of this subscription are not kept"
            call.error(HISTORY_UNAVAILABLE, text)
            return
        rule, stream_id = self._of_subscription[subscription.id]
        oldest_us = self._now_us() - rule.keep_s * _US_PER_S
        self._writer.after_pending(
            partial(self._questions.ask, stream_id, oldest_us, call, subscription, query)
        )
