"""Queues that are read into feeds: what a reader needs of one, at AWS or on this machine. Blocking.

Source: AWS, SQS, ReceiveMessage, DeleteMessageBatch, ChangeMessageVisibilityBatch.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import structlog

from thingtank.aws.clients import AwsClients
from thingtank.aws.queues import CALL_MESSAGES_MAX, delete_received
from thingtank.local.queue_file import QueueFile
from thingtank.sources.records import Arrived

log = structlog.get_logger()

WAIT_S = 20  # the longest that SQS waits for a first message
DELETE_ATTEMPTS_MAX = 4
LOCAL_FILE = "queues.sqlite3"
LOCAL_IDLE_S = 0.5


class Message(NamedTuple):
    """A message with this reader; `receipt` is what it is deleted by."""

    record: Arrived
    receipt: str
    receive_count: int


class ReadQueue(Protocol):
    """A queue, as one rule reads it.

    Attributes:
        idle_s: how long to wait when nothing was received.
    """

    idle_s: float

    def open(self) -> None:
        """Find it; again after each failure."""
        ...

    def receive(self) -> list[Message]:
        """Up to CALL_MESSAGES_MAX messages, of a group in order, which others do not see now."""
        ...

    def delete(self, messages: Sequence[Message]) -> int:
        """Delete what is done with; how many were another reader's again, or could not be."""
        ...

    def extend(self, messages: Sequence[Message]) -> None:
        """Hide messages for the whole time again, as work on them goes on."""
        ...

    def release(self, messages: Sequence[Message]) -> None:
        """Let others see messages at once, as nothing was done with them."""
        ...

    def close(self) -> None:
        """Let go; never raises. `open` may follow."""
        ...


class SqsQueue:
    """Implements `ReadQueue` for a queue at AWS."""

    idle_s = 0.0  # it waits by itself

    def __init__(
        self, clients: AwsClients, rule_name: str, queue: str, visibility_s: int, wait_s: int
    ) -> None:
        self._clients = clients
        self._rule_name = rule_name
        self._queue = queue
        self._visibility_s = visibility_s
        self._wait_s = wait_s
        self._client: Any = None
        self._url = ""
        self._is_told = False

    def open(self) -> None:
        """See ReadQueue; so are the others."""
        self._client = self._clients.client("sqs")
        self._url = str(self._client.get_queue_url(QueueName=self._queue)["QueueUrl"])
        if not self._is_told:
            self._is_told = True
            self._tell_of_dead_letters()

    def receive(self) -> list[Message]:
        reply = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=CALL_MESSAGES_MAX,
            WaitTimeSeconds=self._wait_s,
            VisibilityTimeout=self._visibility_s,
            MessageSystemAttributeNames=["All"],
        )
        return [_message(found) for found in reply.get("Messages", ())]

    def delete(self, messages: Sequence[Message]) -> int:
        receipts = [each.receipt for each in messages]
        return delete_received(self._client, self._url, receipts, DELETE_ATTEMPTS_MAX)

    def extend(self, messages: Sequence[Message]) -> None:
        self._hide(messages, self._visibility_s)

    def release(self, messages: Sequence[Message]) -> None:
        self._hide(messages, 0)

    def _hide(self, messages: Sequence[Message], seconds: int) -> None:
        entries = [
            {"Id": str(n), "ReceiptHandle": each.receipt, "VisibilityTimeout": seconds}
            for n, each in enumerate(messages)
        ]
        self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def close(self) -> None:
        self._client = None  # the clients are closed by who made them

    def _tell_of_dead_letters(self) -> None:
        """Without a queue of dead letters, what is refused comes again and again."""
        try:
            reply = self._client.get_queue_attributes(
                QueueUrl=self._url, AttributeNames=["RedrivePolicy"]
            )
        except Exception:  # noqa: BLE001 - it may be forbidden, and is no more than advice
            return
        if "RedrivePolicy" not in reply.get("Attributes", {}):
            log.warning(
                "sqs_queue_has_no_dead_letters",
                rule=self._rule_name,
                queue=self._queue,
                advice="Messages that cannot be written come again until they are too old:"
                " give the queue a redrive policy.",
            )


def _message(found: Mapping[str, Any]) -> Message:
    attributes = found.get("Attributes", {})
    record = Arrived(
        found["MessageId"],
        attributes.get("MessageGroupId", ""),
        int(attributes.get("SentTimestamp", 0)) * 1000,
        found["Body"].encode("utf-8", "surrogatepass"),
    )
    return Message(
        record, found["ReceiptHandle"], int(attributes.get("ApproximateReceiveCount", 1))
    )


class LocalQueue:
    """Implements `ReadQueue` for a queue of this machine, which rules of sinks fill."""

    idle_s = LOCAL_IDLE_S

    def __init__(self, folder: Path, queue: str, visibility_s: int, receives_max: int) -> None:
        """Make one that is not open.

        Args:
            folder: the data folder.
        """
        self._path = folder / "sinks" / LOCAL_FILE
        self._queue = queue
        self._visibility_s = visibility_s
        self._receives_max = receives_max
        self._lock = threading.Lock()  # a call that was cancelled may be under way yet
        self._file: QueueFile | None = None

    def open(self) -> None:
        """See ReadQueue; so are the others."""
        self.close()
        with self._lock:
            self._file = QueueFile(self._path)

    def receive(self) -> list[Message]:
        with self._opened() as file:
            received = file.receive(
                self._queue, CALL_MESSAGES_MAX, self._visibility_s, self._receives_max
            )
        return [
            Message(
                Arrived(str(each.message_id), each.group, each.sent_us, each.body, has_own_us=True),
                each.receipt,
                each.receive_count,
            )
            for each in received
        ]

    def delete(self, messages: Sequence[Message]) -> int:
        with self._opened() as file:
            return len(messages) - file.ack(each.receipt for each in messages)

    def extend(self, messages: Sequence[Message]) -> None:
        with self._opened() as file:
            file.extend((each.receipt for each in messages), self._visibility_s)

    def release(self, messages: Sequence[Message]) -> None:
        with self._opened() as file:
            file.release(each.receipt for each in messages)

    def close(self) -> None:
        with self._lock:
            file, self._file = self._file, None
            if file is not None:
                file.close()

    @contextmanager
    def _opened(self) -> Iterator[QueueFile]:
        with self._lock:
            if self._file is None:
                raise OSError("the queue was closed")
            yield self._file
