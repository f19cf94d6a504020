"""Queues of this machine: what their contract with SQS does not say."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from thingtank.local import queue_file
from thingtank.local.queue_file import NewMessage, QueueFile, QueueFull, ReceivedMessage
from thingtank.local.sqlite import WrongFile

S = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.us = 1_000 * S

    def __call__(self) -> int:
        return self.us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> Iterator[QueueFile]:
    found = QueueFile(tmp_path / "sinks" / "queues.sqlite3", 5, clock)
    yield found
    found.close()


def bodies(received: list[ReceivedMessage]) -> list[str]:
    return [each.body.decode() for each in received]


def send(queue: QueueFile, *texts: str, group: str = "") -> None:
    queue.send("q", [NewMessage(text.encode(), group) for text in texts])


def test_a_full_queue_takes_none_of_a_batch_and_all_of_it_when_there_is_room(
    queue: QueueFile,
) -> None:
    send(queue, "1", "2", "3")
    new = [NewMessage(b"4", once_id="4"), NewMessage(b"5"), NewMessage(b"6")]
    with pytest.raises(QueueFull, match="the queue q has 3 messages, and may have 5"):
        queue.send("q", new)
    assert queue.counts("q").waiting == 3
    queue.ack([each.receipt for each in queue.receive("q", 1, 60)])
    queue.send("q", new)
    assert bodies(queue.receive("q", 10, 60)) == ["2", "3", "4", "5", "6"]


def test_a_message_has_a_microsecond_for_each_value_whoever_sends_it(
    queue: QueueFile, clock: Clock, tmp_path: Path
) -> None:
    queue.send("q", [NewMessage(b'{"a": 1, "b": 2}'), NewMessage(b"text")])
    other = QueueFile(tmp_path / "sinks" / "queues.sqlite3", 5, clock)
    other.send("q", [NewMessage(b"more")])
    other.close()
    first, second, third = (each.sent_us for each in queue.receive("q", 10, 30))
    assert (second - first, third - second) == (3, 1)
    clock.us += S
    queue.send("q", [NewMessage(b"later")])
    assert queue.receive("q", 10, 30)[0].sent_us == clock.us


def test_a_clock_that_was_wrong_is_forgotten(queue: QueueFile, clock: Clock) -> None:
    times_us = [clock.us, clock.us + 365 * 86_400 * S, clock.us + 1]
    for clock.us in times_us:
        send(queue, "1")
    assert [each.sent_us for each in queue.receive("q", 10, 30)] == times_us


def test_a_repeat_is_known_for_five_minutes(queue: QueueFile, clock: Clock) -> None:
    message = NewMessage(b"a", "g", "1")
    for after_s, waiting in ((0, 1), (299, 1), (301, 2), (400, 2)):
        clock.us = (1_000 + after_s) * S
        queue.send("q", [message])
        assert queue.counts("q").waiting == waiting


def test_the_receipt_of_a_message_that_came_again_is_no_good_any_more(
    queue: QueueFile, clock: Clock
) -> None:
    send(queue, "a")
    (first,) = queue.receive("q", 1, 30)
    clock.us += 31 * S
    (second,) = queue.receive("q", 1, 30)
    assert (queue.ack([first.receipt]), queue.extend([first.receipt], 60)) == (0, 0)
    assert queue.ack([second.receipt]) == 1


def test_dead_letters_are_put_back_as_new_ones(queue: QueueFile, clock: Clock) -> None:
    send(queue, "a", "b")
    for _ in range(2):
        queue.extend([each.receipt for each in queue.receive("q", 10, 30, 2)], 0)
    assert queue.receive("q", 10, 30, 2) == []
    assert bodies(queue.dead_letters("q", 10)) == ["a", "b"]
    assert queue.counts("q") == (0, 0, 2)
    assert queue.redrive("q") == 2
    assert [(each.body, each.receive_count) for each in queue.receive("q", 10, 30, 2)] == [
        (b"a", 1), (b"b", 1),
    ]  # fmt: skip


def test_queues_of_one_file_know_nothing_of_each_other(queue: QueueFile) -> None:
    send(queue, "a")
    queue.send("other", [NewMessage(b"b", once_id="1")])
    queue.send("q", [NewMessage(b"c", once_id="1")])
    assert bodies(queue.receive("other", 10, 60)) == ["b"]
    assert bodies(queue.receive("q", 10, 60)) == ["a", "c"]
    assert queue.purge("q") == 2
    assert queue.names() == ["other", "q"]


def test_two_programs_share_a_file_and_none_takes_what_the_other_has(
    queue: QueueFile, tmp_path: Path, clock: Clock
) -> None:
    other = QueueFile(tmp_path / "sinks" / "queues.sqlite3", 5, clock)
    send(queue, "1", "2", "3", "4")
    found = bodies(queue.receive("q", 2, 60)) + bodies(other.receive("q", 2, 60))
    assert found == ["1", "2", "3", "4"]
    other.close()


def test_what_waits_is_found_by_its_index_and_not_by_reading_all(
    queue: QueueFile, tmp_path: Path
) -> None:
    connection = sqlite3.connect(tmp_path / "sinks" / "queues.sqlite3")
    plan = connection.execute(
        f"EXPLAIN QUERY PLAN {queue_file._NEXT}", {"queue": "q", "count": 10}
    ).fetchall()
    connection.close()
    words = " ".join(str(row[3]) for row in plan)
    assert "message_order (queue=? AND visible_us=?)" in words
    assert "TEMP B-TREE" not in words.partition("SUBQUERY")[0]
    assert "SCAN" not in words.replace("SCAN CONSTANT", "")


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(WrongFile, match="or of another version"):
        QueueFile(path)
    assert sqlite3.connect(path).execute("SELECT name FROM sqlite_schema").fetchall() == [("mine",)]
    assert len(path.read_bytes()) == len(before)


class Model(RuleBasedStateMachine):
    """A queue of groups against a list: nothing lost, nothing twice at once, groups in order."""

    path: Path

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.path.unlink(missing_ok=True)
        self.queue = QueueFile(self.path, 1000, self.clock)
        self.left: list[str] = []
        self.out: dict[str, tuple[str, int]] = {}  # body → receipt, until
        self.sent = 0

    def teardown(self) -> None:
        self.queue.close()

    @rule(group=st.sampled_from("ab"), count=st.integers(1, 4))
    def send(self, group: str, count: int) -> None:
        texts = [f"{group}{self.sent + number:04}" for number in range(count)]
        self.sent += count
        send(self.queue, *texts, group=group)
        self.left += texts

    @rule(count=st.integers(1, 5), visibility_s=st.integers(1, 20))
    def receive(self, count: int, visibility_s: int) -> None:
        self.out = {body: each for body, each in self.out.items() if each[1] > self.clock.us}
        held = {body[0] for body in self.out}
        wanted = [body for body in self.left if body[0] not in held][:count]
        received = self.queue.receive("q", count, visibility_s)
        assert bodies(received) == wanted
        until_us = self.clock.us + visibility_s * S
        self.out |= {each.body.decode(): (each.receipt, until_us) for each in received}

    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        if not self.out:
            return
        body = data.draw(st.sampled_from(sorted(self.out)))
        receipt, _ = self.out.pop(body)
        assert self.queue.ack([receipt]) == 1
        self.left.remove(body)

    @rule(data=st.data(), visibility_s=st.sampled_from([0, 5]))
    def extend(self, data: st.DataObject, visibility_s: int) -> None:
        if not self.out:
            return
        body = data.draw(st.sampled_from(sorted(self.out)))
        receipt, _ = self.out.pop(body)
        assert self.queue.extend([receipt], visibility_s) == 1
        if visibility_s:
            self.out[body] = (receipt, self.clock.us + visibility_s * S)

    @rule(after_s=st.integers(1, 15))
    def wait(self, after_s: int) -> None:
        self.clock.us += after_s * S
        # Whose time is over may be acknowledged until somebody else receives.
        self.receive(1, 1)

    @invariant()
    def counts_add_up(self) -> None:
        counts = self.queue.counts("q")
        assert counts.waiting + counts.received == len(self.left)


def test_groups_keep_their_order_whatever_readers_do(tmp_path: Path) -> None:
    Model.path = tmp_path / "model.sqlite3"
    run_state_machine_as_test(
        Model, settings=settings(max_examples=25, stateful_step_count=25, deadline=None)
    )
