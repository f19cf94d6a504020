"""MQTT's sessions on disk: group commit, bounds, disks that fail, and a model of all of it."""

import asyncio
import sqlite3
import stat
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from structlog.testing import capture_logs
from tests.unit.stores.mqtt_samples import (
    MESSAGE,
    PLAIN,
    WILL,
    comparable,
    delivery,
    say_something_of_everything,
    session,
)
from tests.waiting import WAIT_S_MAX, until

from thingtank.protocols.mqtt.keeping import DeliveryState, KeptDelivery, SessionKeeper
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.stores.memory_mqtt_sessions import MemoryMqttSessions
from thingtank.stores.mqtt_changes import MqttChanges
from thingtank.stores.mqtt_session_file import FILE_NAME, MqttSessionFile
from thingtank.stores.mqtt_sessions import MqttSessions
from thingtank.stores.sqlite_files import FileMismatch
from thingtank.tank.errors import StorageFailed

ROOM_BYTES = 10_000
RETRY_S = 0.005
TABLES = {"session", "subscription", "message", "delivery", "received", "retained"}


class Disk(MqttSessionFile):
    """A file that tests hold up, and have fail.

    Attributes:
        error: raised by commits: `full` before anything is written; `unsure` when all is, as when
            only the sync fails.
        commit_count: of those that were tried.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.error = ""
        self.commit_count = 0
        self.may_commit = threading.Event()
        self.may_commit.set()

    def commit(self, changes: MqttChanges) -> None:
        assert self.may_commit.wait(WAIT_S_MAX)
        self.commit_count += 1
        super().commit(changes)

    def _connected(self) -> sqlite3.Connection:
        connection = super()._connected()
        connection.execute("PRAGMA synchronous = OFF")  # as nothing here cuts the power
        return connection

    def _trying(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        def failing(connection: sqlite3.Connection) -> Any:
            if self.error == "full":
                connection.execute("BEGIN IMMEDIATE")
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error
            result = work(connection)
            if self.error == "unsure":
                raise sqlite3.OperationalError("disk I/O error")
            return result

        return super()._trying(failing)


async def kept(sessions: SessionKeeper) -> str:
    """Wait for what was said so far: why it is not kept, or blank."""
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    sessions.when_kept(told.set_result)
    error = await asyncio.wait_for(told, WAIT_S_MAX)
    assert error is None or isinstance(error, StorageFailed)
    return str(error or "")


async def recovered(sessions: MqttSessions) -> None:
    """Wait until the disk has taken what it refused."""
    await until(lambda: sessions.failure is None, lambda: sessions.failure)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    file = Disk.open(tmp_path)
    assert isinstance(file, Disk)
    return file


@pytest.fixture
async def sessions(disk: Disk) -> AsyncIterator[MqttSessions]:
    sessions = MqttSessions(disk, ROOM_BYTES, RETRY_S)
    yield sessions
    disk.error = ""
    disk.may_commit.set()
    await sessions.close()


def rows(folder: Path, table: str) -> int:
    """How many there are, looked up by another program."""
    connection = sqlite3.connect(folder / FILE_NAME)
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - names of ours
    connection.close()
    return int(count)


async def test_all_is_there_at_the_next_start(tmp_path: Path) -> None:
    model = MemoryMqttSessions()
    say_something_of_everything(model)
    sessions = await MqttSessions.open(tmp_path)
    say_something_of_everything(sessions)
    await sessions.close()
    for _ in range(2):
        sessions = await MqttSessions.open(tmp_path)
        assert comparable(await sessions.found()) == comparable(await model.found())
        await sessions.close()


async def test_what_was_kept_by_an_earlier_process_goes_as_well(tmp_path: Path) -> None:
    sessions = await MqttSessions.open(tmp_path)
    say_something_of_everything(sessions)
    await sessions.close()
    sessions = await MqttSessions.open(tmp_path)
    for client_id in ("a", "b", "c"):
        sessions.drop_session(client_id)
    for topic in ("t", "a/é"):
        sessions.drop_retained(topic)
    await sessions.close()
    assert [rows(tmp_path, each) for each in TABLES] == [0] * 6


async def test_message_of_several_clients_is_there_once_and_goes_with_the_last(
    tmp_path: Path,
) -> None:
    sessions = await MqttSessions.open(tmp_path)
    for client_id in ("a", "b", "c"):
        sessions.keep_session(session(client_id))
        sessions.keep_delivery(client_id, delivery(1, MESSAGE))
    await sessions.close()
    assert (rows(tmp_path, "message"), rows(tmp_path, "delivery")) == (1, 3)
    sessions = await MqttSessions.open(tmp_path)
    found = (await sessions.found()).sessions
    assert len({id(each.deliveries[0].message) for each in found}) == 1, "in memory as well"
    sessions.drop_delivery("a", 1)
    assert await kept(sessions) == ""
    sessions.drop_session("b")
    await sessions.close()
    assert (rows(tmp_path, "message"), rows(tmp_path, "delivery")) == (1, 1)
    sessions = await MqttSessions.open(tmp_path)
    deliveries = {
        each.session.client_id: each.deliveries for each in (await sessions.found()).sessions
    }
    assert deliveries == {"a": [], "c": [delivery(1, MESSAGE)]}
    sessions.drop_delivery("c", 1)
    await sessions.close()
    assert (rows(tmp_path, "message"), rows(tmp_path, "delivery")) == (0, 0)


async def test_any_number_is_written_in_order(tmp_path: Path) -> None:
    for count in (1, 15, 16, 17, 255, 256, 257, 600):
        sessions = await MqttSessions.open(tmp_path)
        sessions.drop_session("a")
        sessions.keep_session(session("a"))
        for number in range(1, count + 1):
            sessions.keep_delivery("a", delivery(number, Message("a", b"%d" % number)))
            sessions.keep_received("a", number)
            sessions.keep_subscription("a", Subscription(f"a/{number}"))
        await sessions.close()
        sessions = await MqttSessions.open(tmp_path)
        (found,) = (await sessions.found()).sessions
        assert [each.number for each in found.deliveries] == list(range(1, count + 1))
        assert [int(each.message.payload) for each in found.deliveries] == list(range(1, count + 1))
        assert len(found.received) == len(found.subscriptions) == count
        for number in range(1, count + 1):
            sessions.set_delivery("a", number, number, DeliveryState.SENT)
            sessions.drop_received("a", number)
            sessions.drop_subscription("a", f"a/{number}")
        assert await kept(sessions) == ""
        (found,) = (await sessions.found()).sessions
        assert [each.packet_id for each in found.deliveries] == list(range(1, count + 1))
        assert len(found.received) == len(found.subscriptions) == 0
        await sessions.close()


def test_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    MqttSessionFile.open(tmp_path).close()
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


async def test_another_file_is_not_taken_for_ours(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("CREATE TABLE other (one)")
    connection.close()
    with pytest.raises(FileMismatch, match="is not a file of MQTT sessions"):
        await MqttSessions.open(tmp_path)


async def test_rubbish_is_not_taken_for_a_file(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"rubbish" * 1000)
    with pytest.raises(sqlite3.Error):
        await MqttSessions.open(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE session SET will = x'00'",
        "UPDATE retained SET message = x'ff'",
        "UPDATE delivery SET state = 9",
        "UPDATE delivery SET session_id = 99",
        "UPDATE subscription SET retain_handling = 9",
        "DELETE FROM message",
        "DELETE FROM session",
    ],
)
async def test_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    sessions = await MqttSessions.open(tmp_path)
    say_something_of_everything(sessions)
    await sessions.close()
    connection = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    connection.execute(damage)
    connection.close()

    async def start() -> None:
        sessions = await MqttSessions.open(tmp_path)
        try:
            await sessions.found()
        finally:
            await sessions.close()

    with pytest.raises(FileMismatch, match="is damaged"):
        await start()


async def test_what_comes_during_a_commit_shares_the_next(
    disk: Disk, sessions: MqttSessions
) -> None:
    disk.may_commit.clear()
    sessions.keep_session(session("a"))
    first = asyncio.create_task(kept(sessions))
    await asyncio.sleep(0.02)
    rest = []
    for number in range(3):
        sessions.keep_delivery("a", delivery(number))
        rest.append(asyncio.create_task(kept(sessions)))
    await asyncio.sleep(0.02)
    assert not first.done(), "nothing is on disk yet"
    disk.may_commit.set()
    assert [await each for each in (first, *rest)] == [""] * 4
    assert disk.commit_count == 2


async def test_call_with_nothing_new_waits_for_the_commit_under_way(
    disk: Disk, sessions: MqttSessions
) -> None:
    disk.may_commit.clear()
    sessions.keep_session(session("a"))
    first = asyncio.create_task(kept(sessions))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(kept(sessions))
    await asyncio.sleep(0.02)
    assert not second.done()
    disk.may_commit.set()
    assert [await first, await second] == ["", ""]
    assert disk.commit_count == 1


async def test_what_nobody_waits_for_is_written_too(tmp_path: Path, sessions: MqttSessions) -> None:
    sessions.keep_session(session("a"))

    async def is_written() -> bool:
        return bool((await sessions.found()).sessions)

    await until(is_written)
    assert sessions.waiting_bytes == 0


async def test_message_that_was_acknowledged_meanwhile_costs_no_write(
    disk: Disk, sessions: MqttSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.keep_session(session("a"))
    assert await kept(sessions) == ""
    written: list[Any] = []
    monkeypatch.setattr(disk, "_trying", written.append)
    sessions.keep_delivery("a", delivery(1))
    sessions.set_delivery("a", 1, 1, DeliveryState.SENT)
    sessions.drop_delivery("a", 1)
    sessions.keep_received("a", 1)
    sessions.drop_received("a", 1)
    assert await kept(sessions) == ""
    assert written == []


async def test_much_that_waits_is_behind_until_half_is_written(
    disk: Disk, sessions: MqttSessions
) -> None:
    sessions.keep_session(session("a"))
    disk.may_commit.clear()
    number = 0
    while not sessions.is_behind:
        number += 1
        sessions.keep_delivery("a", delivery(number, Message("a", b"x" * 100)))
    assert sessions.waiting_bytes > ROOM_BYTES
    caught_up = asyncio.Event()
    sessions.when_caught_up(caught_up.set)
    await asyncio.sleep(0.03)
    assert not caught_up.is_set()
    assert sessions.is_behind, "what is being written waits as well"
    disk.may_commit.set()
    await asyncio.wait_for(caught_up.wait(), WAIT_S_MAX)
    assert sessions.waiting_bytes == 0


def test_size_counts_what_is_there() -> None:
    changes, empty = MqttChanges(), MqttChanges()
    say_something_of_everything(changes)  # type: ignore[arg-type] # all but when_kept
    said_bytes = changes.size_bytes
    changes.merge(empty)
    assert 0 < changes.size_bytes < said_bytes < 2 * changes.size_bytes
    for number in range(1000):
        empty.keep_delivery("a", delivery(number, MESSAGE))
        empty.drop_delivery("a", number)
    assert empty.size_bytes < 1000


@pytest.mark.parametrize("error", ["full", "unsure"])
async def test_failing_disk_is_told_at_once_logged_once_and_loses_nothing(
    tmp_path: Path, disk: Disk, sessions: MqttSessions, error: str
) -> None:
    model = MemoryMqttSessions()
    for each in (model, sessions):
        each.keep_session(session("a"))
        each.keep_session(session("b", WILL))
        each.keep_delivery("a", delivery(0))
    assert await kept(sessions) == ""
    disk.error = error
    with capture_logs() as logs:
        for each in (model, sessions):
            say_something_of_everything(each)
        assert "could not be written" in await kept(sessions)
        assert "could not be written" in await kept(sessions), "with nothing new, too"
        for each in (model, sessions):
            each.drop_session("b")
            each.drop_delivery("a", 0)
            each.drop_delivery("a", 1)
            each.drop_delivery("a", 2)
            each.drop_received("a", 1)
            each.drop_retained("t")
            each.keep_delivery("a", delivery(9))
        assert "could not be written" in await kept(sessions)
        disk.error = ""
        await recovered(sessions)
    assert [log["event"] for log in logs] == [
        "mqtt_session_writes_fail",
        "mqtt_session_writes_recovered",
    ]
    assert await kept(sessions) == ""
    assert comparable(await sessions.found()) == comparable(await model.found())
    assert rows_of(disk, "message") == 1, "of two deliveries"


def rows_of(disk: Disk, table: str) -> int:
    (count,) = disk._connected().execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - names of ours
    return int(count)


_UNUSED = (
    "message WHERE message_id NOT IN (SELECT message_id FROM delivery WHERE message_id IS NOT NULL)"
)


async def test_message_goes_with_the_last_of_its_deliveries_each_dropped_by_itself(
    disk: Disk, sessions: MqttSessions
) -> None:
    clients = ("a", "b", "c")
    for client_id in clients:
        sessions.keep_session(session(client_id))
        sessions.keep_delivery(client_id, delivery(1, MESSAGE))
    assert await kept(sessions) == ""
    for client_id, left in zip(clients, (1, 1, 0), strict=True):
        sessions.drop_delivery(client_id, 1)
        assert await kept(sessions) == ""
        assert rows_of(disk, "message") == left


async def test_no_statement_goes_through_a_table(disk: Disk, sessions: MqttSessions) -> None:
    say_something_of_everything(sessions)
    assert await kept(sessions) == ""
    statements: list[str] = []
    connection = disk._connected()
    connection.set_trace_callback(statements.append)
    for number in range(17):  # as many as are dropped at once, and one
        sessions.drop_subscription("a", f"a/{number}")
        sessions.drop_retained(f"a/{number}")
    sessions.set_delivery("a", 2, 1, DeliveryState.SENT)
    for number in (1, 4):
        sessions.drop_delivery("a", number)
    sessions.drop_received("a", 1)
    sessions.drop_session("b")
    sessions.keep_session(session("a"))
    sessions.retain(MESSAGE)
    assert await kept(sessions) == ""
    connection.set_trace_callback(None)
    changes = [each for each in statements if each.startswith(("DELETE", "UPDATE", "REPLACE"))]
    assert len(changes) == 11
    for each in changes:
        steps = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + each)]
        scanned = {step.split()[1] for step in steps if step.startswith("SCAN")}
        assert scanned & TABLES == set(), each


def test_commits_are_synced(tmp_path: Path) -> None:
    file = MqttSessionFile.open(tmp_path)
    assert file._connected().execute("PRAGMA synchronous").fetchone() == (2,)
    file.close()


async def test_new_rows_that_may_stand_in_the_log_go(disk: Disk, sessions: MqttSessions) -> None:
    sessions.keep_session(session("a"))
    assert await kept(sessions) == ""
    disk.error = "unsure"
    sessions.keep_session(session("b"))
    sessions.keep_subscription("b", Subscription("b"))
    for client_id in ("a", "b"):
        sessions.keep_delivery(client_id, delivery(1, MESSAGE))
        sessions.keep_received(client_id, 1)
    assert await kept(sessions)
    sessions.drop_session("b")
    sessions.drop_delivery("a", 1)
    sessions.drop_received("a", 1)
    disk.error = ""
    await recovered(sessions)
    tables = ("session", "subscription", "message", "delivery", "received")
    assert [rows_of(disk, each) for each in tables] == [1, 0, 0, 0, 0]


async def test_who_waits_behind_a_commit_that_fails_is_told_too_in_order(
    disk: Disk, sessions: MqttSessions
) -> None:
    told: list[tuple[int, bool]] = []

    def ask(number: int) -> None:
        sessions.when_kept(lambda error: told.append((number, error is None)))

    disk.may_commit.clear()
    disk.error = "full"
    sessions.keep_session(session("a"))
    ask(1)
    await asyncio.sleep(0.02)
    sessions.keep_delivery("a", delivery(1))
    ask(2)
    disk.may_commit.set()
    await until(lambda: sessions.failure is not None)
    ask(3)
    disk.error = ""
    await recovered(sessions)
    ask(4)
    await kept(sessions)
    assert told == [(1, False), (2, False), (3, False), (4, True)]


async def test_changes_do_not_pile_up_while_the_disk_fails(
    disk: Disk, sessions: MqttSessions
) -> None:
    sessions.keep_session(session("a"))
    disk.error = "full"
    assert await kept(sessions)
    for number in range(1, 100):
        sessions.keep_delivery("a", delivery(number, Message("a", b"x" * 1000)))
        sessions.drop_delivery("a", number)
        if number % 10 == 0:
            await asyncio.sleep(2 * RETRY_S)
    count = disk.commit_count
    await until(lambda: disk.commit_count >= count + 2)
    assert sessions.waiting_bytes < 2000


async def test_closing_writes_what_waits_and_refuses_the_rest(
    tmp_path: Path, disk: Disk, sessions: MqttSessions
) -> None:
    disk.may_commit.clear()
    sessions.keep_session(session("a"))
    first = asyncio.create_task(kept(sessions))
    await asyncio.sleep(0.02)
    sessions.keep_delivery("a", delivery(1))
    second = asyncio.create_task(kept(sessions))
    await asyncio.sleep(0)
    closing = asyncio.create_task(sessions.close())
    await asyncio.sleep(0)
    sessions.keep_delivery("a", delivery(2))
    assert "the broker stops" in await kept(sessions)
    disk.may_commit.set()
    await closing
    assert [await first, await second] == ["", ""]
    sessions.keep_delivery("a", delivery(3))
    assert "the broker stops" in await kept(sessions)
    assert rows(tmp_path, "delivery") == 2


async def test_closing_tries_once_more(tmp_path: Path, disk: Disk, sessions: MqttSessions) -> None:
    disk.error = "full"
    sessions.keep_session(session("a"))
    assert await kept(sessions)
    disk.error = ""
    await sessions.close()
    assert rows(tmp_path, "session") == 1


async def test_closing_with_a_disk_that_fails_ends_and_is_logged(
    disk: Disk, sessions: MqttSessions
) -> None:
    disk.error = "full"
    sessions.keep_session(session("a"))
    with capture_logs() as logs:
        assert await kept(sessions)
        await asyncio.wait_for(sessions.close(), WAIT_S_MAX)
    assert [log["event"] for log in logs] == ["mqtt_session_writes_fail", "mqtt_sessions_lost"]


async def test_bug_of_one_who_waits_keeps_no_other_waiting(sessions: MqttSessions) -> None:
    def broken(error: Exception | None) -> None:
        raise ZeroDivisionError("a bug")

    sessions.keep_session(session("a"))
    with capture_logs() as logs:
        sessions.when_kept(broken)
        assert await kept(sessions) == ""
    assert [log["event"] for log in logs] == ["mqtt_session_call_failed"]


async def test_bug_of_the_writer_is_told_and_nothing_is_acknowledged(
    disk: Disk, sessions: MqttSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(changes: MqttChanges) -> None:
        raise ZeroDivisionError("a bug")

    sessions.keep_session(session("a"))
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(disk, "commit", broken)
        assert "a bug" in await kept(sessions)
    assert logs[0]["event"] == "mqtt_session_writer_broken"
    await recovered(sessions)
    assert len((await sessions.found()).sessions) == 1


CLIENTS = st.sampled_from(["a", "b", "c"])
FILTERS = st.sampled_from(["t", "#", "$share/g/t"])
PACKET_IDS = st.integers(1, 3)
PLACES = st.integers(0, 5)
MESSAGES = (PLAIN, MESSAGE, Message("t", b"1"), Message("u", b"2", 1, True, b"", 5))


class Model(RuleBasedStateMachine):
    """What is found after each settling is what a keeper in memory has."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.numbers: dict[str, list[int]] = {}
        self.last_number = 0
        self.runner.run(self.open())

    async def open(self) -> None:
        if not hasattr(self, "model"):
            self.model = MemoryMqttSessions()
        file = await asyncio.to_thread(Disk.open, Path(self.folder.name))
        assert isinstance(file, Disk)
        self.disk = file
        self.sessions = MqttSessions(file, retry_s=0.001)
        self.both: tuple[SessionKeeper, SessionKeeper] = (self.model, self.sessions)

    def teardown(self) -> None:
        self.settle()
        self.runner.run(self.sessions.close())
        self.runner.close()
        self.folder.cleanup()

    @rule(client_id=CLIENTS, has_will=st.booleans(), is_connected=st.booleans())
    def keep_session(self, client_id: str, has_will: bool, is_connected: bool) -> None:
        for each in self.both:
            each.keep_session(session(client_id, WILL if has_will else None, is_connected))
        self.numbers.setdefault(client_id, [])

    @rule(client_id=CLIENTS)
    def drop_session(self, client_id: str) -> None:
        for each in self.both:
            each.drop_session(client_id)
        self.numbers.pop(client_id, None)

    @rule(client_id=CLIENTS, topic_filter=FILTERS, qos=st.integers(0, 2))
    def keep_subscription(self, client_id: str, topic_filter: str, qos: int) -> None:
        if client_id in self.numbers:
            for each in self.both:
                each.keep_subscription(client_id, Subscription(topic_filter, qos))

    @rule(client_id=CLIENTS, topic_filter=FILTERS)
    def drop_subscription(self, client_id: str, topic_filter: str) -> None:
        for each in self.both:
            each.drop_subscription(client_id, topic_filter)

    @rule(message=st.sampled_from(MESSAGES), clients=st.sets(CLIENTS), qos=st.integers(1, 2))
    def keep_deliveries(self, message: Message, clients: set[str], qos: int) -> None:
        for client_id in sorted(clients & set(self.numbers)):
            self.last_number += 1
            self.numbers[client_id].append(self.last_number)
            for each in self.both:
                each.keep_delivery(client_id, KeptDelivery(self.last_number, message, qos))

    @rule(
        client_id=CLIENTS,
        place=PLACES,
        packet_id=PACKET_IDS,
        state=st.sampled_from(DeliveryState),
    )
    def set_delivery(
        self, client_id: str, place: int, packet_id: int, state: DeliveryState
    ) -> None:
        numbers = self.numbers.get(client_id, ())
        if place < len(numbers):
            for each in self.both:
                each.set_delivery(client_id, numbers[place], packet_id, state)

    @rule(client_id=CLIENTS, place=PLACES)
    def drop_delivery(self, client_id: str, place: int) -> None:
        numbers = self.numbers.get(client_id, [])
        if place < len(numbers):
            number = numbers.pop(place)
            for each in self.both:
                each.drop_delivery(client_id, number)

    @rule(client_id=CLIENTS, packet_id=PACKET_IDS)
    def keep_received(self, client_id: str, packet_id: int) -> None:
        if client_id in self.numbers:
            for each in self.both:
                each.keep_received(client_id, packet_id)

    @rule(client_id=CLIENTS, packet_id=PACKET_IDS)
    def drop_received(self, client_id: str, packet_id: int) -> None:
        for each in self.both:
            each.drop_received(client_id, packet_id)

    @rule(message=st.sampled_from(MESSAGES))
    def retain(self, message: Message) -> None:
        for each in self.both:
            each.retain(message)

    @rule(message=st.sampled_from(MESSAGES))
    def drop_retained(self, message: Message) -> None:
        for each in self.both:
            each.drop_retained(message.topic)

    @rule()
    def commit(self) -> None:
        if self.runner.run(kept(self.sessions)) == "":
            self.compare()

    @precondition(lambda self: not self.disk.error)
    @rule(error=st.sampled_from(["full", "unsure"]))
    def fail(self, error: str) -> None:
        self.disk.error = error

    @rule()
    def settle(self) -> None:
        self.disk.error = ""
        self.runner.run(recovered(self.sessions))
        assert self.runner.run(kept(self.sessions)) == ""
        self.compare()

    def compare(self) -> None:
        found = self.runner.run(self.sessions.found())
        assert comparable(found) == comparable(self.runner.run(self.model.found()))
        assert rows_of(self.disk, "delivery") == sum(map(len, self.numbers.values()))
        assert rows_of(self.disk, _UNUSED) == 0

    @rule()
    def reopen(self) -> None:
        self.disk.error = ""
        self.runner.run(self.sessions.close())
        self.runner.run(self.open())


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=30, stateful_step_count=40)
