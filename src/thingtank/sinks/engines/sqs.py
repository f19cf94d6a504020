"""Messages in a queue of Amazon SQS; of a FIFO queue in order for each device."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import msgspec

from thingtank.aws.failures import is_missing
from thingtank.aws.names import check_name
from thingtank.aws.queues import (
    FIFO_SUFFIX,
    KEPT_S_MAX,
    RECEIVES_MAX,
    VISIBILITY_S,
    QueueMessage,
    attributes_of,
    calls_of,
    fault_of,
    redrive_to,
    send_messages,
)
from thingtank.aws.tags import APP_TAGS
from thingtank.sinks.engine import GATHER_S, BatchBounds, EngineParts, Item, SendResult
from thingtank.sinks.engines.call_pool import CallPool, check_connections
from thingtank.sinks.engines.lanes import Entry, send_in_lanes
from thingtank.tank.failures import Failure

DEAD_SUFFIX = "-dead"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A queue.

    Attributes:
        queue: its name, in the region of `[aws]`. One that ends with `.fifo` keeps the order of a
            device, and takes what is sent again within five minutes but once; others do neither.
        create: it is made if it is missing, and another whose name ends with `-dead`: for what was
            received five times and never deleted.
        connections: calls at the same time.
    """

    queue: str
    create: bool = False
    connections: int = 4

    def __post_init__(self) -> None:
        """Check what is here to be checked."""
        check_name("queue", self.queue)
        check_connections(self.connections)


class SqsEngine:
    """Implements `SinkEngine`."""

    bounds = BatchBounds(200, 4 * 1024 * 1024)
    wants_payload = True
    gather_s = GATHER_S

    def __init__(self, settings: Settings, parts: EngineParts) -> None:
        """Make one that is not open."""
        self._settings = settings
        self._parts = parts
        self._is_fifo = settings.queue.endswith(FIFO_SUFFIX)
        self._client: Any = None
        self._url = ""
        self._pool: CallPool | None = None
        self._arrived: frozenset[str] = frozenset()  # items that come again with those before them

    def open(self) -> None:
        """See SinkEngine."""
        self.close()
        client = self._parts.aws().client("sqs", is_checked=False)
        try:
            found = client.get_queue_url(QueueName=self._settings.queue)
        except Exception as error:
            if not (self._settings.create and is_missing(error)):
                raise
            found = self._made(client)
        self._client, self._url = client, found["QueueUrl"]
        self._pool = CallPool(self._settings.connections, "sqs")

    def _made(self, client: Any) -> dict[str, Any]:
        """Make the queue, and one for what its readers fail with."""
        name = self._settings.queue
        dead = f"{name.removesuffix(FIFO_SUFFIX)}{DEAD_SUFFIX}{FIFO_SUFFIX * self._is_fifo}"
        attributes = {each: attributes_of(each, VISIBILITY_S, KEPT_S_MAX) for each in (dead, name)}
        made = client.create_queue(QueueName=dead, Attributes=attributes[dead], tags=APP_TAGS)
        asked = {"QueueUrl": made["QueueUrl"], "AttributeNames": ["QueueArn"]}
        dead_arn = client.get_queue_attributes(**asked)["Attributes"]["QueueArn"]
        found: dict[str, Any] = client.create_queue(
            QueueName=name,
            Attributes=attributes[name] | redrive_to(dead_arn, RECEIVES_MAX),
            tags=APP_TAGS,
        )
        return found

    def send(self, items: Sequence[Item]) -> SendResult:
        """See SinkEngine."""
        assert self._pool is not None, "open"
        entries: list[Entry] = []
        refused: dict[int, str] = {}
        for place, item in enumerate(items):
            if item.item_id in self._arrived:
                continue
            try:
                message = self._message(item)
            except UnicodeDecodeError as error:
                refused[place] = f"no valid text: {error.reason}"
                continue
            if fault := fault_of(message):
                refused[place] = fault
                continue
            lane = message.group or item.item_id
            entries.append(Entry(lane, (place,), message))
        result = send_in_lanes(entries, self._put, calls_of, self._pool)
        refused |= result.refused
        self._arrived = _arrived_behind(items, result.retry, refused) | (
            self._arrived - {item.item_id for item in items}
        )
        return SendResult(result.retry, refused, result.failure)

    def close(self) -> None:
        """See SinkEngine."""
        pool, self._pool, self._client = self._pool, None, None
        if pool is not None:
            pool.close()

    def describe(self) -> str:
        """See SinkEngine."""
        return f"SQS queue {self._settings.queue}"

    def _put(self, messages: Sequence[QueueMessage]) -> list[Failure | None]:
        return send_messages(self._client, self._url, messages)

    def _message(self, item: Item) -> QueueMessage:
        body = item.payload.decode()
        if not self._is_fifo:
            return QueueMessage(body)
        return QueueMessage(body, _group(item), item.item_id)


def make_engine(settings: Settings, parts: EngineParts) -> SqsEngine:
    """An engine that is not open yet."""
    return SqsEngine(settings, parts)


def _group(item: Item) -> str:
    """What keeps order; of 128 characters that SQS takes, so of a topic only some."""
    if item.uuid:
        return item.uuid
    return (
        "".join(each if each.isascii() and each.isalnum() else "-" for each in item.topic)[:128]
        or "-"
    )


def _arrived_behind(
    items: Sequence[Item], retry: Mapping[int, str], refused: Container[int]
) -> frozenset[str]:
    """What has arrived and will be sent again, as all of a device behind its first `retry` is.

    Only in a queue that keeps no order: of a FIFO queue nothing is sent past what has failed.
    """
    held: set[str] = set()
    arrived = set()
    for place, item in enumerate(items):
        if place in retry:
            held.add(item.order_key)
        elif item.order_key in held and place not in refused:
            arrived.add(item.item_id)
    return frozenset(arrived)
