"""A queue that is read into feeds.

    receive ─► write the datapoints, until they are on disk ─► delete

While it is written, the messages are hidden anew at half of their time. A message of which
something was refused is not deleted: it comes again, and becomes a dead letter by the queue's own
rule when it has come often enough. What is good of it is written each time, in its own place. In a
FIFO queue it holds back those behind it in its group until then, but those of its own batch, which
are written and deleted: each value has a time of its own, so none is put before another by that.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

import structlog

from thingtank.sources.calls import in_thread, to_its_end
from thingtank.sources.health import Health
from thingtank.sources.queues import Message, ReadQueue
from thingtank.sources.settings import SourceRule
from thingtank.sources.writer import Writer

log = structlog.get_logger()

TOLD_MAX = 1000  # messages whose reasons the log has; of more than that some are told twice

RELEASE_S_MAX = 1.0  # a queue at AWS may wait for a first message, and need not be waited for

QUEUE, VISIBILITY = "queue", "visibility"  # what may fail here


class QueueSource:
    """One rule at work, from `run` until it is cancelled; lives in the loop's thread."""

    def __init__(self, rule: SourceRule, queue: ReadQueue, writer: Writer, health: Health) -> None:
        self._rule = rule
        self._queue = queue
        self._writer = writer
        self._health = health
        self._told: OrderedDict[str, None] = OrderedDict()

    def describe(self) -> str:
        """What is read, for a person."""
        where = "of SQS" if self._rule.engine == "sqs" else "of this machine"
        return f"queue {self._rule.queue} {where}"

    async def run(self) -> None:
        """Read until it is cancelled. What was received and not deleted comes again by itself."""
        is_open = False
        while True:
            try:
                if not is_open:
                    await in_thread(self._queue.open)
                    is_open = True
                await self._turn()
            except Exception as error:  # noqa: BLE001 - `raised` tells
                is_open = False
                self._health.raised(QUEUE, error)
                await self._health.pause(QUEUE)

    async def _turn(self) -> None:
        messages = await self._receive()
        self._health.works(QUEUE)
        if not messages:
            self._health.behind_s = 0.0
            await asyncio.sleep(self._queue.idle_s)
            return
        self._health.behind_since(min(each.record.at_us for each in messages))
        await to_its_end(self._settle(messages))

    async def _receive(self) -> list[Message]:
        """Receive; what comes when it is cancelled is let go, unless that would take long."""
        receiving = asyncio.ensure_future(in_thread(self._queue.receive))
        try:
            return await asyncio.shield(receiving)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):  # then they come again when their time is over
                async with asyncio.timeout(RELEASE_S_MAX):
                    if messages := await receiving:
                        await in_thread(partial(self._queue.release, messages))
            raise

    async def _settle(self, messages: Sequence[Message]) -> None:
        """Write what messages bring, and delete those of which all was taken."""
        extending = asyncio.create_task(self._keep_hidden(messages))
        try:
            reasons = await self._writer.write([each.record for each in messages])
        finally:
            extending.cancel()
            self._health.works(VISIBILITY)
        done = [each for place, each in enumerate(messages) if place not in reasons]
        for place, reason in reasons.items():
            self._tell(messages[place], reason)
        if done:
            self._health.late_count += await in_thread(lambda: self._queue.delete(done))

    async def _keep_hidden(self, messages: Sequence[Message]) -> None:
        """Hide messages anew, at half of their time, until it is cancelled."""
        while True:
            await asyncio.sleep(self._rule.visibility_s / 2)
            try:
                await in_thread(lambda: self._queue.extend(messages))
                self._health.works(VISIBILITY)
            except Exception as error:  # noqa: BLE001 - they come again, which is harmless
                self._health.raised(VISIBILITY, error)

    def _tell(self, message: Message, reason: str) -> None:
        """Log why a message was refused, once."""
        message_id = message.record.record_id
        is_new = message_id not in self._told
        self._told[message_id] = None
        self._told.move_to_end(message_id)
        if len(self._told) > TOLD_MAX:
            self._told.popitem(last=False)
        if is_new:
            log.warning(
                "source_message_refused",
                rule=self._rule.name,
                message_id=message_id,
                receive_count=message.receive_count,
                reason=reason,
            )
