"""SQS queues: make, look at, send, receive, empty, delete.

Source: AWS, SQS, CreateQueue, ReceiveMessage, dead-letter queues.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import msgspec

from thingtank.aws.attempts import ATTEMPTS_MAX, pause_s_after
from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import is_missing
from thingtank.aws.queues import (
    FIFO_SUFFIX,
    KEPT_S_MAX,
    RECEIVES_MAX,
    VISIBILITY_S,
    QueueMessage,
    attributes_of,
    calls_of,
    delete_received,
    fault_of,
    redrive_to,
    send_messages,
)
from thingtank.aws.tags import APP_TAGS
from thingtank.cloud.errors import NotDone, NotTaken
from thingtank.cloud.making import Making
from thingtank.cloud.names import QUEUE, check_name
from thingtank.cloud.progress import SILENCE, Progress

RECEIVE_MAX = 10
VISIBILITY_S_MAX = 12 * 3600
KEPT_S_MIN = 60
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class QueueDesign(msgspec.Struct, frozen=True):
    """What a queue is to be.

    Attributes:
        name: of a FIFO queue it ends with `.fifo`.
        visibility_s: for how long a message that was received is hidden from others.
        keep_s: for how long a message is kept.
        dead_letters: the queue for messages that were received `receives_max` times and never
            deleted; made if it is not there. Blank for none.
    """

    name: str
    visibility_s: int = VISIBILITY_S
    keep_s: int = 4 * 86_400
    dead_letters: str = ""
    receives_max: int = RECEIVES_MAX


class Counts(NamedTuple):
    """About how many messages wait, are with a reader, and are held back."""

    waiting: int
    received: int
    delayed: int


class Received(NamedTuple):
    """A message with a reader.

    Attributes:
        receipt: to delete it by.
        receive_count: how often it was received, this time with.
    """

    message_id: str
    body: str
    group: str
    receive_count: int
    receipt: str


def create(clients: AwsClients, design: QueueDesign, told: Progress = SILENCE) -> str:
    """Make a queue, and that of its dead letters; those that are there with the same settings stay.

    That of its dead letters goes again if it was made now and the queue itself is refused.

    Returns:
        Its URL.

    Raises:
        NotDone: AWS takes no such name, or not the two of them.
        botocore's exceptions: also when one with other settings has the name.
    """
    _check(design)
    client = clients.client("sqs")
    attributes = attributes_of(design.name, design.visibility_s, design.keep_s)
    with Making(told, "give the same command again") as making:
        if design.dead_letters:
            dead_arn = _dead_letters(clients, design.dead_letters, making)
            attributes |= redrive_to(dead_arn, design.receives_max)
        made = client.create_queue(QueueName=design.name, Attributes=attributes, tags=APP_TAGS)
    return str(made["QueueUrl"])


def _check(design: QueueDesign) -> None:
    """Refuse what AWS would refuse, or should. Raise NotTaken."""
    check_name(QUEUE, design.name)
    if not 0 <= design.visibility_s <= VISIBILITY_S_MAX:
        raise NotTaken(f"SQS hides a message for at most {VISIBILITY_S_MAX // 3600} hours")
    if not KEPT_S_MIN <= design.keep_s <= KEPT_S_MAX:
        raise NotTaken(
            f"SQS keeps messages for {KEPT_S_MIN} seconds to {KEPT_S_MAX // 86_400} days"
        )
    if not design.dead_letters:
        return
    check_name(QUEUE, design.dead_letters)
    if design.dead_letters == design.name:
        raise NotTaken("a queue cannot be that of its own dead letters: name another one")
    if design.dead_letters.endswith(FIFO_SUFFIX) != design.name.endswith(FIFO_SUFFIX):
        raise NotTaken(
            f"a queue and that of its dead letters end with {FIFO_SUFFIX} both, or neither"
        )


def _dead_letters(clients: AwsClients, name: str, making: Making) -> str:
    """The ARN of the queue for dead letters, which is made if it is not there."""
    client = clients.client("sqs")
    url = _found(client, name)
    if url is None:
        url = create(clients, QueueDesign(name, keep_s=KEPT_S_MAX))
        making.made(f"queue {name} for dead letters", partial(client.delete_queue, QueueUrl=url))
    return _attribute(client, url, "QueueArn")


def urls(clients: AwsClients, prefix: str = "") -> Iterator[str]:
    """All queues of the region, or those whose names begin so."""
    wanted = {"QueueNamePrefix": prefix} if prefix else {}
    for page in clients.client("sqs").get_paginator("list_queues").paginate(**wanted):
        yield from page.get("QueueUrls", ())


def url_of(clients: AwsClients, name: str) -> str:
    """Where a queue is.

    Raises:
        botocore's exceptions: also when there is none.
    """
    return str(clients.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])


def count(clients: AwsClients, name: str) -> Counts:
    """About how many messages a queue has."""
    return _counts(clients.client("sqs"), url_of(clients, name))


def send(
    clients: AwsClients,
    name: str,
    messages: Iterable[QueueMessage],
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send messages; those that fail for a while are sent again, later and later.

    Of a group in a FIFO queue one goes when the one before it is sent.

    Returns:
        How many were sent.

    Raises:
        NotDone: a message can never be sent, or some could not in all attempts.
        botocore's exceptions.
    """
    client, url = clients.client("sqs"), url_of(clients, name)
    sent = 0
    is_fifo = name.endswith(FIFO_SUFFIX)
    calls = calls_of(_checked(messages, is_fifo=is_fifo))
    for call in _one_of_each_group(calls) if is_fifo else calls:
        rest = call
        for attempt in range(ATTEMPTS_MAX):
            pairs = list(zip(rest, send_messages(client, url, rest), strict=True))
            failures = [failure for _, failure in pairs if failure]
            sent += len(rest) - len(failures)
            if not failures:
                break
            rest = [message for message, failure in pairs if failure]
            worst = next((each for each in failures if not each.is_passing), failures[0])
            if attempt + 1 == ATTEMPTS_MAX or not worst.is_passing:
                raise NotDone(f"{sent} messages are sent, {len(rest)} are not: {worst}")
            sleep(pause_s_after(attempt))
    return sent


def receive(clients: AwsClients, url: str, count_max: int, wait_s: int) -> list[Received]:
    """Receive some messages, which others do not see for a while.

    Args:
        count_max: 1 to 10.
        wait_s: for the first one, 0 to 20.
    """
    reply = clients.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=count_max, WaitTimeSeconds=wait_s,
        MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"],
    )  # fmt: skip
    return [
        Received(
            found["MessageId"], found["Body"],
            found.get("Attributes", {}).get("MessageGroupId", ""),
            int(found.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
            found["ReceiptHandle"],
        )
        for found in reply.get("Messages", ())
    ]  # fmt: skip


def delete_messages(clients: AwsClients, url: str, received: Iterable[Received]) -> int:
    """Delete messages that are done with, at most ten; how many are still there.

    One that is has been hidden for too long, and is with another reader, maybe.
    """
    receipts = [each.receipt for each in received]
    return delete_received(clients.client("sqs"), url, receipts, ATTEMPTS_MAX)


def purge(clients: AwsClients, name: str) -> None:
    """Delete all messages of a queue; AWS takes up to a minute, and once a minute.

    Raises:
        botocore's exceptions.
    """
    clients.client("sqs").purge_queue(QueueUrl=url_of(clients, name))


def delete(clients: AwsClients, name: str) -> None:
    """Delete a queue with all its messages; its name is free after a minute.

    Raises:
        botocore's exceptions.
    """
    clients.client("sqs").delete_queue(QueueUrl=url_of(clients, name))


def _found(client: Any, name: str) -> str | None:
    try:
        return str(client.get_queue_url(QueueName=name)["QueueUrl"])
    except Exception as error:
        if not is_missing(error):
            raise
        return None


def _attribute(client: Any, url: str, name: str) -> str:
    reply = client.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return str(reply["Attributes"][name])


def _counts(client: Any, url: str) -> Counts:
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"]
    return Counts(*(int(found.get(name, 0)) for name in _COUNTS))


def _one_of_each_group(calls: Iterable[list[QueueMessage]]) -> Iterator[list[QueueMessage]]:
    """Calls divided, in order: of two messages of a group in one call, SQS may take the second."""
    for call in calls:
        part: dict[str, QueueMessage] = {}
        for message in call:
            if message.group in part:
                yield list(part.values())
                part = {}
            part[message.group] = message
        yield list(part.values())


def _checked(messages: Iterable[QueueMessage], *, is_fifo: bool) -> Iterator[QueueMessage]:
    for place, message in enumerate(messages, 1):
        fault = fault_of(message)
        if not fault and is_fifo and not message.group:
            fault = "a FIFO queue needs the group within which order is kept"
        if fault:
            raise NotDone(f"message {place} cannot be sent: {fault}")
        yield message
