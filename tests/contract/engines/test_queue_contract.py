"""The contract of queues: the local one, and SQS as two stand-ins have it."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
from tests.aws_stand_ins import own_name
from tests.waiting import wait_until

from thingtank.aws.clients import AwsClients
from thingtank.aws.queues import QueueMessage, send_messages
from thingtank.cloud import queues
from thingtank.local.queue_file import NewMessage, QueueFile

HIDDEN_S = 60


class Got(NamedTuple):
    body: str
    receipt: str
    receive_count: int


class Queue(Protocol):
    def send(self, *bodies: str, group: str = "", once_id: str = "") -> None: ...
    def receive(self, count: int = 10) -> list[Got]: ...
    def ack(self, *receipts: str) -> None: ...
    def extend(self, visibility_s: int, *receipts: str) -> None: ...
    def dead(self) -> list[str]: ...
    def counts(self) -> tuple[int, int]: ...


class LocalQueue:
    """After `receives_max` receives a message is dead, as in SQS."""

    def __init__(self, path: Path, receives_max: int) -> None:
        self.file = QueueFile(path)
        self.receives_max = receives_max

    def send(self, *bodies: str, group: str = "", once_id: str = "") -> None:
        self.file.send("q", [NewMessage(body.encode(), group, once_id) for body in bodies])

    def receive(self, count: int = 10) -> list[Got]:
        found = self.file.receive("q", count, HIDDEN_S, self.receives_max)
        return [Got(each.body.decode(), each.receipt, each.receive_count) for each in found]

    def ack(self, *receipts: str) -> None:
        self.file.ack(receipts)

    def extend(self, visibility_s: int, *receipts: str) -> None:
        self.file.extend(receipts, visibility_s)

    def dead(self) -> list[str]:
        return [each.body.decode() for each in self.file.dead_letters("q", 10)]

    def counts(self) -> tuple[int, int]:
        found = self.file.counts("q")
        return found.waiting, found.received


class SqsQueue:
    def __init__(self, clients: AwsClients, receives_max: int) -> None:
        self.clients = clients
        self.client = clients.client("sqs")
        suffix = ".fifo"
        self.name, self.dead_name = own_name("q") + suffix, own_name("dead") + suffix
        design = queues.QueueDesign(
            self.name, HIDDEN_S, dead_letters=self.dead_name, receives_max=receives_max
        )
        self.url = queues.create(clients, design)
        self.sent = 0

    def send(self, *bodies: str, group: str = "", once_id: str = "") -> None:
        messages = []
        for body in bodies:
            self.sent += 1
            messages.append(QueueMessage(body, group or f"g{self.sent}", once_id or str(self.sent)))
        assert not any(send_messages(self.client, self.url, messages))

    def receive(self, count: int = 10) -> list[Got]:
        found = queues.receive(self.clients, self.url, count, 0)
        return [Got(each.body, each.receipt, each.receive_count) for each in found]

    def ack(self, *receipts: str) -> None:
        for receipt in receipts:
            self.client.delete_message(QueueUrl=self.url, ReceiptHandle=receipt)

    def extend(self, visibility_s: int, *receipts: str) -> None:
        for receipt in receipts:
            self.client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=receipt, VisibilityTimeout=visibility_s
            )

    def dead(self) -> list[str]:
        url = queues.url_of(self.clients, self.dead_name)
        return [each.body for each in queues.receive(self.clients, url, 10, 0)]

    def counts(self) -> tuple[int, int]:
        return queues.count(self.clients, self.name)[:2]

    def delete(self) -> None:
        for name in (self.name, self.dead_name):
            queues.delete(self.clients, name)


@pytest.fixture
def queue(clients: AwsClients | None, tmp_path: Path) -> Iterator[Queue]:
    if clients is None:
        local = LocalQueue(tmp_path / "queues.sqlite3", 2)
        yield local
        local.file.close()
        return
    remote = SqsQueue(clients, 2)
    yield remote
    remote.delete()


def test_what_is_received_is_hidden_until_it_is_deleted_or_given_back(queue: Queue) -> None:
    queue.send("a", "b")
    first, second = queue.receive()
    assert {first.body, second.body} == {"a", "b"}
    assert (queue.receive(), queue.counts()) == ([], (0, 2))
    queue.ack(first.receipt)
    queue.extend(0, second.receipt)
    (again,) = queue.receive()
    assert (again.body, again.receive_count) == (second.body, 2)
    queue.ack(again.receipt)
    assert (queue.receive(), queue.counts()) == ([], (0, 0))


def test_what_nobody_could_do_is_a_dead_letter(queue: Queue) -> None:
    queue.send("poison", group="g")
    queue.send("next", group="g")
    for _ in range(2):
        (got,) = queue.receive(1)
        assert got.body == "poison"
        queue.extend(0, got.receipt)
    assert [got.body for got in queue.receive()] == ["next"]
    assert queue.dead() == ["poison"]


def test_a_group_keeps_its_order_and_waits_for_what_is_with_a_reader(queue: Queue) -> None:
    queue.send("a1", "a2", "a3", group="a")
    queue.send("b1", group="b")
    (a1,) = queue.receive(1)
    assert a1.body == "a1"
    assert [got.body for got in queue.receive()] == ["b1"]  # not a2
    queue.extend(0, a1.receipt)
    again = queue.receive()
    assert [got.body for got in again] == ["a1", "a2", "a3"]
    queue.ack(*(got.receipt for got in again))
    assert queue.receive() == []


def test_a_message_that_is_sent_twice_is_there_once(queue: Queue) -> None:
    queue.send("a", group="g", once_id="1")
    queue.send("a", group="g", once_id="1")
    queue.send("a", group="g", once_id="2")
    assert [got.body for got in queue.receive()] == ["a", "a"]


def test_a_message_whose_time_with_a_reader_is_over_is_there_again(queue: Queue) -> None:
    queue.send("a", "b")
    got = queue.receive()
    queue.extend(1, got[0].receipt)
    queue.extend(HIDDEN_S, got[1].receipt)
    found = wait_until(queue.receive, s_max=HIDDEN_S / 2)
    assert [each.body for each in found] == [got[0].body]
