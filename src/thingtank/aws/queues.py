"""SQS: messages in batches, of which some may fail.

Source: AWS, SQS, SendMessageBatch and quotas.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from thingtank.aws.calls import cut
from thingtank.aws.failures import failure_of_code
from thingtank.tank.failures import Failure, FailureKind

CALL_MESSAGES_MAX = 10
CALL_BYTES_MAX = 1024 * 1024  # of all messages of a call together
MESSAGE_BYTES_MAX = 1024 * 1024
FIFO_SUFFIX = ".fifo"
WAIT_S_MAX = 20
VISIBILITY_S = 30
RECEIVES_MAX = 5  # by then a message goes to the dead letters
KEPT_S_MAX = 14 * 86_400  # the longest that SQS keeps anything

# Characters that XML 1.0 has not; SQS refuses a message with one of them.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class QueueMessage(NamedTuple):
    """What is to be sent.

    Attributes:
        group: messages of one group come out in order; FIFO queues only.
        once_id: a message with the id of one of the last five minutes is taken and dropped; FIFO
            queues only.
    """

    body: str
    group: str = ""
    once_id: str = ""

    @property
    def byte_count(self) -> int:
        """As SQS counts it."""
        if self.body.isascii():
            return len(self.body)
        return len(self.body.encode("utf-8", "surrogatepass"))


def attributes_of(name: str, visibility_s: int, keep_s: int) -> dict[str, str]:
    """What a queue is to be, as SQS takes it."""
    attributes = {
        "VisibilityTimeout": str(visibility_s),
        "MessageRetentionPeriod": str(keep_s),
        "ReceiveMessageWaitTimeSeconds": str(WAIT_S_MAX),
        "SqsManagedSseEnabled": "true",
    }
    return attributes | ({"FifoQueue": "true"} if name.endswith(FIFO_SUFFIX) else {})


def redrive_to(dead_arn: str, receives_max: int) -> dict[str, str]:
    """The attribute that has messages go to a queue for dead letters."""
    policy = {"deadLetterTargetArn": dead_arn, "maxReceiveCount": str(receives_max)}
    return {"RedrivePolicy": json.dumps(policy)}


def fault_of(message: QueueMessage) -> str | None:
    """Why SQS can never take a message; None when it can."""
    if not message.body:
        return "a message has at least one character"
    if message.byte_count > MESSAGE_BYTES_MAX:
        return f"a message has at most {MESSAGE_BYTES_MAX:,} bytes, this has {message.byte_count:,}"
    if found := _NO_XML.search(message.body):
        return f"a message may not hold the character U+{ord(found[0]):04X}"
    return None


def calls_of(messages: Iterable[QueueMessage]) -> Iterator[list[QueueMessage]]:
    """Cut messages into what one call takes, in their order."""
    return cut(messages, CALL_MESSAGES_MAX, CALL_BYTES_MAX)


def send_messages(client: Any, url: str, messages: Sequence[QueueMessage]) -> list[Failure | None]:
    """Send the messages of one call.

    Returns:
        What became of each; None is in the queue.

    Raises:
        botocore's exceptions, when none was taken or nobody knows.
    """
    entries = [_entry(str(place), message) for place, message in enumerate(messages)]
    reply = client.send_message_batch(QueueUrl=url, Entries=entries)
    results: dict[str, Failure | None] = {
        sent["Id"]: _mangled(messages[int(sent["Id"])], sent)
        for sent in reply.get("Successful", ())
    }
    for failed in reply.get("Failed", ()):
        results[failed["Id"]] = _failure(failed)
    return [results.get(entry["Id"], _UNTOLD) for entry in entries]


def delete_received(client: Any, url: str, receipts: Sequence[str], attempts_max: int) -> int:
    """Delete messages that are done with, at most CALL_MESSAGES_MAX.

    Returns:
        How many are still there: one that is has been hidden for too long, and is with another
        reader, maybe; or SQS could not delete it in all attempts.

    Raises:
        botocore's exceptions.
    """
    entries = [{"Id": str(n), "ReceiptHandle": receipt} for n, receipt in enumerate(receipts)]
    for _ in range(attempts_max if entries else 0):
        reply = client.delete_message_batch(QueueUrl=url, Entries=entries)
        failed = {each["Id"]: each for each in reply.get("Failed", ())}
        if all(each["SenderFault"] for each in failed.values()):
            return len(failed)
        entries = [entry for entry in entries if entry["Id"] in failed]
    return len(entries)


_UNTOLD = failure_of_code("NoResult", "the reply does not tell what became of it")


def _entry(entry_id: str, message: QueueMessage) -> dict[str, str]:
    entry = {"Id": entry_id, "MessageBody": message.body}
    if message.group:
        entry["MessageGroupId"] = message.group
    if message.once_id:
        entry["MessageDeduplicationId"] = message.once_id
    return entry


def _failure(failed: dict[str, Any]) -> Failure:
    found = failure_of_code(failed["Code"], failed.get("Message", ""))
    if failed.get("SenderFault") and found.kind is FailureKind.UNKNOWN:
        return Failure(FailureKind.REFUSED, found.code, found.message, found.advice)
    return found


def _mangled(message: QueueMessage, sent: dict[str, Any]) -> Failure | None:
    """What SQS took must be what was sent."""
    digest = hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest()
    if sent.get("MD5OfMessageBody", digest) == digest:
        return None
    return failure_of_code("WrongDigest", "the queue has taken another text than was sent")
