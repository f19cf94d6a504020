"""The outbox hands out deliveries in order, keeps a log of attempts, and stays within bounds."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.deliveries import NOW, S, new, outbox_in

from thingtank.stores import outbox_file, outbox_queue
from thingtank.stores.outbox_file import FILE_NAME
from thingtank.stores.outbox_settings import OutboxSettings
from thingtank.stores.sqlite_files import FileMismatch
from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.tank.deliveries import (
    ATTEMPTS_KEPT_MAX,
    SECRETS_MAX,
    Attempt,
    Busy,
    DeliveryQuery,
    DeliveryState,
    OpenCount,
    Settlement,
    lane_of,
    receiver_of,
)
from thingtank.tank.errors import NoSuchDelivery, StorageFailed
from thingtank.tank.outbox import NewDelivery

DELIVERED, DEAD = DeliveryState.DELIVERED, DeliveryState.DEAD
WAITING, CANCELLED = DeliveryState.WAITING, DeliveryState.CANCELLED


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[SqliteOutbox]:
    async with outbox_in(tmp_path) as outbox:
        yield outbox


async def record(outbox: SqliteOutbox, *deliveries: NewDelivery) -> None:
    await outbox.record("triggers", 1, {}, deliveries)


async def due(outbox: SqliteOutbox, at_s: float = 0, busy: Busy | None = None) -> list[int]:
    found = await outbox.due(NOW + int(at_s * S), 100, busy or Busy())
    return [delivery.delivery_id for delivery in found]


async def settle(
    outbox: SqliteOutbox,
    delivery_id: int,
    state: DeliveryState,
    retry_s: float | None = None,
    error: str = "",
    ends_queue: bool = False,
) -> None:
    attempt = Attempt(NOW, 1000, 200 if state is DELIVERED else 500, b"answer", error)
    due_us = None if retry_s is None else NOW + int(retry_s * S)
    await outbox.settle(Settlement(delivery_id, attempt, state, due_us, ends_queue))


async def test_of_each_trigger_only_the_oldest_is_due(outbox: SqliteOutbox) -> None:
    await record(outbox, new(1), new(1), new(2), new(1), new(2))
    assert await due(outbox) == [1, 3]


async def test_the_next_follows_when_the_one_before_is_delivered_or_dead(
    outbox: SqliteOutbox,
) -> None:
    await record(outbox, new(1), new(1), new(1))
    await settle(outbox, 1, DELIVERED)
    assert await due(outbox, 1) == [2]
    await settle(outbox, 2, DEAD, error="no")
    assert await due(outbox, 1) == [3]


async def test_one_that_waits_for_its_next_try_holds_up_its_trigger_alone(
    outbox: SqliteOutbox,
) -> None:
    await record(outbox, new(1), new(1), new(2))
    await settle(outbox, 1, WAITING, retry_s=300)
    assert await due(outbox, 299) == [3]
    assert await due(outbox, 300) == [3, 1]
    assert await outbox.next_due_us(NOW + S) == NOW + 300 * S


async def test_email_of_a_trigger_does_not_wait_for_its_webhook(outbox: SqliteOutbox) -> None:
    await record(outbox, new(1), new(1, "a@example.org", channel="email"))
    await settle(outbox, 1, WAITING, retry_s=300)
    assert await due(outbox, 1) == [2]


async def test_a_test_goes_past_what_waits(outbox: SqliteOutbox) -> None:
    await record(outbox, new(1), new(1))
    await settle(outbox, 1, WAITING, retry_s=300)
    await record(outbox, new(1, is_test=True))
    assert await due(outbox, 1) == [3]
    await settle(outbox, 3, DELIVERED)
    assert await due(outbox, 1) == []


async def test_those_who_are_busy_are_passed_over(outbox: SqliteOutbox) -> None:
    a, b = "http://a.example/", "http://b.example/"
    await record(outbox, new(1, a), new(2, b), new(3, a, account_id=2), new(4, b, account_id=3))
    assert await due(outbox, 0, Busy(hosts=["http://a.example:80"])) == [2, 4]
    assert await due(outbox, 0, Busy(account_ids=[1])) == [3, 4]
    assert await due(outbox, 0, Busy(lanes=[lane_of(2, "webhook")])) == [1, 3, 4]
    assert await due(outbox, 0, Busy(receivers=[receiver_of(1, "http://a.example:80")])) == [
        2,
        3,
        4,
    ]
    everybody = Busy(["http://a.example:80"], [3], [lane_of(2, "webhook")])
    assert await due(outbox, 0, everybody) == []


async def test_postponing_concerns_one_account_at_one_host(outbox: SqliteOutbox) -> None:
    a, b = "http://a.example/", "http://b.example/"
    await record(outbox, new(1, a), new(2, a), new(2, a), new(3, b), new(4, a, account_id=2))
    await outbox.postpone(1, "http://a.example:80", NOW + 60 * S)
    assert await due(outbox, 59) == [4, 5]
    assert await due(outbox, 60) == [4, 5, 1, 2]  # 3 still waits behind 2
    await outbox.postpone(1, "http://a.example:80", NOW + 10 * S)
    assert await due(outbox, 59) == [4, 5], "never earlier"


async def test_what_is_left_alone_has_its_own_time_again_when_the_host_is_back(
    outbox: SqliteOutbox,
) -> None:
    a, host = "http://a.example/", "http://a.example:80"
    await record(outbox, new(1, a), new(2, a), new(2, a), new(3, a, account_id=2), new(4, a))
    await settle(outbox, 5, WAITING, retry_s=30)  # as its receiver asked for
    await outbox.leave_alone(1, host, NOW + 20 * S)
    await outbox.leave_alone(1, host, NOW + 60 * S)
    await outbox.leave_alone(2, host, NOW + 60 * S)
    assert await due(outbox, 59) == []
    await outbox.resume(1, host)
    assert await due(outbox, 1) == [1, 2]
    assert await due(outbox, 30) == [1, 2, 5]
    await outbox.resume_all()
    assert await due(outbox, 1) == [1, 2, 4]


async def test_what_a_person_asked_for_is_not_left_alone_until_it_was_tried(
    outbox: SqliteOutbox,
) -> None:
    host = "http://receiver.example:80"
    await record(outbox, new(1), new(2), new(3), new(4, is_test=True))
    await settle(outbox, 1, DEAD, error="no")
    await outbox.leave_alone(1, host, NOW + 60 * S)
    assert (await outbox.retry(1, NOW)).is_asked
    assert (await outbox.retry(2, NOW)).is_asked
    await outbox.leave_alone(1, host, NOW + 60 * S)
    assert await due(outbox, 1) == [1, 2, 4]
    for number in (1, 2):
        await settle(outbox, number, WAITING, retry_s=5)
        assert not (await outbox.get(number)).is_asked
    await outbox.leave_alone(1, host, NOW + 60 * S)
    assert await due(outbox, 59) == [4]


async def test_nothing_settled_is_resumed(outbox: SqliteOutbox) -> None:
    await record(outbox, new(1), new(2), new(3))
    await outbox.leave_alone(1, "http://receiver.example:80", NOW + 60 * S)
    await outbox.cancel(1, NOW)
    await settle(outbox, 2, DELIVERED)
    await outbox.resume_all()
    assert await due(outbox, 1) == [3]
    await outbox.retry(1, NOW + 2 * S)
    await outbox.resume_all()
    assert await due(outbox, 1) == [3]


async def test_what_waits_for_more_than_its_host_goes_on_waiting_when_the_host_is_back(
    outbox: SqliteOutbox,
) -> None:
    host = "email"
    await record(outbox, *(new(n, "a@example.org", channel="email") for n in (1, 2)))
    await record(outbox, new(3, "a@example.org", channel="email", is_test=True))
    await outbox.leave_alone(1, host, NOW + 60 * S)
    await outbox.retry(2, NOW)
    await outbox.postpone(1, host, NOW + 900 * S, "too many")
    await outbox.leave_alone(1, host, NOW + 60 * S)
    await outbox.resume(1, host)
    assert await due(outbox, 899) == [3], "a test is tried, and says why not"
    assert await due(outbox, 900) == [3, 1, 2]


async def test_files_of_the_version_before_are_taken_as_they_are(tmp_path: Path) -> None:
    async with outbox_in(tmp_path) as outbox:
        await record(outbox, new(1), new(2))
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        for column in ("is_asked", "put_off_us"):
            connection.execute(f"ALTER TABLE delivery DROP COLUMN {column}")
    connection.close()
    async with outbox_in(tmp_path) as outbox:
        assert await due(outbox) == [1, 2]
        await outbox.leave_alone(1, "http://receiver.example:80", NOW + 60 * S)
        await outbox.retry(2, NOW)
        assert await due(outbox) == [2]


async def test_attempts_are_logged_with_what_came_back(outbox: SqliteOutbox) -> None:
    await record(outbox, new(1))
    await settle(outbox, 1, WAITING, retry_s=5, error="the receiver answered 500")
    await settle(outbox, 1, DELIVERED)
    delivery = await outbox.get(1)
    assert (delivery.state, delivery.tries, delivery.attempt_count) == (DELIVERED, 2, 2)
    assert (delivery.status, delivery.error, delivery.due_us) == (200, "", None)
    assert delivery.done_us == NOW + 1000
    assert await outbox.attempts(1) == [
        Attempt(NOW, 1000, 500, b"answer", "the receiver answered 500"),
        Attempt(NOW, 1000, 200, b"answer", ""),
    ]


async def test_only_the_last_attempts_are_kept(outbox: SqliteOutbox) -> None:
    await record(outbox, new(1))
    for number in range(ATTEMPTS_KEPT_MAX + 5):
        await settle(outbox, 1, WAITING, retry_s=0, error=str(number))
    errors = [attempt.error for attempt in await outbox.attempts(1)]
    assert errors == [str(number) for number in range(5, ATTEMPTS_KEPT_MAX + 5)]


async def test_a_dead_letter_is_tried_again_past_the_order(outbox: SqliteOutbox) -> None:
    await record(outbox, new(1), new(1), new(1))
    await settle(outbox, 1, DEAD, error="no")
    await settle(outbox, 2, WAITING, retry_s=300)
    delivery = await outbox.retry(1, NOW + S)
    assert (delivery.state, delivery.tries, delivery.attempt_count) == (WAITING, 0, 1)
    assert await due(outbox, 1) == [1]
    await settle(outbox, 1, WAITING, retry_s=200)
    assert await due(outbox, 299) == [1]
    assert await due(outbox, 300) == [1, 2]


async def test_one_that_waits_for_its_next_try_is_hastened_and_its_followers_are_not(
    outbox: SqliteOutbox,
) -> None:
    await record(outbox, new(1), new(1))
    await settle(outbox, 1, WAITING, retry_s=300)
    await outbox.retry(2, NOW + S)
    assert await due(outbox, 1) == []
    await outbox.retry(1, NOW + S)
    assert await due(outbox, 1) == [1]


async def test_a_delivered_one_is_not_sent_again(outbox: SqliteOutbox) -> None:
    await record(outbox, new(1))
    await settle(outbox, 1, DELIVERED)
    assert (await outbox.retry(1, NOW)).state is DELIVERED
    assert (await outbox.cancel(1, NOW)).state is DELIVERED
    assert await due(outbox, 9999) == []


async def test_cancelling_lets_the_next_through(outbox: SqliteOutbox) -> None:
    await record(outbox, new(1), new(1), new(1))
    assert (await outbox.cancel(2, NOW)).state is CANCELLED
    assert await due(outbox) == [1]
    await outbox.cancel(1, NOW)
    assert await due(outbox) == [3]


@pytest.mark.parametrize(
    ("verdict", "stays"), [(WAITING, CANCELLED), (DEAD, CANCELLED), (DELIVERED, DELIVERED)]
)
async def test_cancelled_while_under_way_stays_so_unless_it_got_there(
    outbox: SqliteOutbox, verdict: DeliveryState, stays: DeliveryState
) -> None:
    await record(outbox, new(1))
    await outbox.cancel(1, NOW)
    await settle(outbox, 1, verdict, retry_s=5)
    assert (await outbox.get(1)).state is stays
    assert len(await outbox.attempts(1)) == 1


async def test_a_receiver_that_is_gone_ends_what_waits_for_it(outbox: SqliteOutbox) -> None:
    other = "http://new.example/"
    await record(outbox, new(1), new(1), new(2), new(1, other))
    await settle(outbox, 1, DEAD, error="410", ends_queue=True)
    states = [(await outbox.get(number)).state for number in (1, 2, 3, 4)]
    assert states == [DEAD, DEAD, WAITING, WAITING]
    assert await due(outbox, 1) == [3, 4]


async def test_what_finds_no_room_is_a_dead_letter_and_the_rest_goes_on(tmp_path: Path) -> None:
    settings = OutboxSettings(waiting_per_account_max=2, waiting_max=3)
    async with outbox_in(tmp_path, settings) as outbox:
        await record(outbox, new(1), new(1))
        await record(outbox, new(1), new(2, account_id=2), new(3, account_id=3))
        found = [await outbox.get(number) for number in range(1, 6)]
        assert [x.state for x in found] == [WAITING, WAITING, DEAD, WAITING, DEAD]
        assert found[2].error == "not queued: 2 of the account wait"
        assert found[4].error == "not queued: 3 wait"
        assert await due(outbox) == [1, 4]
        await settle(outbox, 1, DELIVERED)
        await record(outbox, new(1))
        assert (await outbox.get(6)).state is WAITING


async def test_lists_are_filtered_and_paged_newest_first(outbox: SqliteOutbox) -> None:
    await record(
        outbox, *(new(1 + n % 2, account_id=1 + n % 3, device_id=n % 4) for n in range(12))
    )
    await settle(outbox, 1, DEAD)

    async def ids(query: DeliveryQuery) -> list[int]:
        found: list[int] = []
        while True:
            page = await outbox.list(query)
            found += [delivery.delivery_id for delivery in page.deliveries]
            if page.next_before_id is None:
                return found
            query = msgspec.structs.replace(query, before_id=page.next_before_id)

    assert await ids(DeliveryQuery(limit=5)) == list(range(12, 0, -1))
    assert await ids(DeliveryQuery(account_id=1, limit=2)) == [10, 7, 4, 1]
    assert await ids(DeliveryQuery(device_id=0, trigger_id=1, limit=1)) == [9, 5, 1]
    assert await ids(DeliveryQuery(state=DEAD)) == [1]
    oldest = await outbox.list(DeliveryQuery(account_id=1, after_id=1, is_reversed=True, limit=2))
    assert [each.delivery_id for each in oldest.deliveries] == [4, 7]
    assert oldest.next_before_id == 7
    assert await outbox.counts(1) == {DEAD: 1, WAITING: 3}
    assert await outbox.counts(trigger_id=2) == {WAITING: 6}
    with pytest.raises(NoSuchDelivery, match="99"):
        await outbox.get(99)


async def test_old_ones_are_dropped_by_age_dead_letters_later(tmp_path: Path) -> None:
    settings = OutboxSettings(log_s_max=100, dead_s_max=200, waiting_s_max=1000)
    async with outbox_in(tmp_path, settings) as outbox:
        await record(outbox, new(1), new(2), new(3), new(4))
        await settle(outbox, 1, DELIVERED)
        await settle(outbox, 2, DEAD)
        await outbox.cancel(3, NOW)
        assert await outbox.purge(NOW + 99 * S) == 0
        assert await outbox.purge(NOW + 101 * S) == 2
        assert await outbox.purge(NOW + 201 * S) == 1
        assert [x.delivery_id for x in (await outbox.list(DeliveryQuery())).deliveries] == [4]
        assert await outbox.attempts(1) == []


async def test_old_ones_are_dropped_by_count_and_new_ones_stay(tmp_path: Path) -> None:
    settings = OutboxSettings(log_per_account_max=3, dead_per_account_max=2, kept_max=6)
    async with outbox_in(tmp_path, settings) as outbox:
        await record(outbox, *(new(n, account_id=1 + n % 2) for n in range(20)))
        for number in range(1, 21):
            await settle(outbox, number, DEAD if number > 10 else DELIVERED)
        await outbox.purge(NOW)
        left = [x.delivery_id for x in (await outbox.list(DeliveryQuery())).deliveries]
        assert left == [20, 19, 18, 17]


async def test_what_waits_too_long_is_given_up_and_a_retried_one_gets_its_time(
    tmp_path: Path,
) -> None:
    async with outbox_in(tmp_path, OutboxSettings(waiting_s_max=100)) as outbox:
        await record(outbox, new(1), new(1), new(1, created_us=NOW + 60 * S))
        await outbox.purge(NOW + 101 * S)
        assert [(await outbox.get(n)).state for n in (1, 2, 3)] == [DEAD, DEAD, WAITING]
        assert "waited for more than 100 s" in (await outbox.get(1)).error
        assert await due(outbox, 101) == [3]
        await outbox.retry(1, NOW + 101 * S)
        await outbox.purge(NOW + 102 * S)
        assert (await outbox.get(1)).state is WAITING


async def test_a_deleted_accounts_deliveries_and_secrets_go(outbox: SqliteOutbox) -> None:
    before = await outbox.signing_secrets(1, NOW)
    await outbox.signing_secrets(3, NOW)
    await record(outbox, new(1), new(2, account_id=2))
    assert await outbox.account_ids() == (1, 2, 3)
    await outbox.forget_account(1)
    assert await outbox.account_ids() == (2, 3)
    assert [x.delivery_id for x in (await outbox.list(DeliveryQuery())).deliveries] == [2]
    assert await outbox.signing_secrets(1, NOW) != before


async def test_signing_secrets_last_and_differ_by_account(tmp_path: Path) -> None:
    async with outbox_in(tmp_path) as outbox:
        first, second = await outbox.signing_secrets(1, NOW), await outbox.signing_secrets(2, NOW)
        assert len(first) == 1
        assert first != second
    async with outbox_in(tmp_path) as outbox:
        assert await outbox.signing_secrets(1, NOW + 10**12) == first
    stored = (tmp_path / FILE_NAME).read_bytes()
    assert first[0] not in stored


async def test_a_rotated_secret_signs_for_the_grace_time(tmp_path: Path) -> None:
    async with outbox_in(tmp_path, OutboxSettings(secret_grace_s=100)) as outbox:
        (old,) = await outbox.signing_secrets(1, NOW)
        both = await outbox.rotate_signing_secret(1, NOW)
        assert (both[1], len(set(both))) == (old, 2)
        assert await outbox.signing_secrets(1, NOW + 99 * S) == both
        assert await outbox.signing_secrets(1, NOW + 100 * S) == both[:1]


async def test_rotating_often_keeps_few_secrets(outbox: SqliteOutbox) -> None:
    for _ in range(10):
        newest = await outbox.rotate_signing_secret(1, NOW)
    assert len(newest) == SECRETS_MAX
    assert len(set(newest)) == SECRETS_MAX


async def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (one)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(FileMismatch, match="outbox"):
        await SqliteOutbox.open(tmp_path, lambda purpose: b"")
    assert path.read_bytes() == before


async def test_the_file_is_for_its_owner_only_and_every_commit_is_synced(
    outbox: SqliteOutbox, tmp_path: Path
) -> None:
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    connection = outbox._file._connected()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_a_full_disk_refuses_whole_and_goes_on_when_there_is_room(
    outbox: SqliteOutbox,
) -> None:
    await record(outbox, new(1))
    connection = outbox._file._connected()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageFailed, match="full"):
        await outbox.record("triggers", 7, {1: b"s"}, [new(2, body=b"x" * 100_000)])
    connection.execute("PRAGMA max_page_count = 1000000")
    assert await outbox.place("triggers") == 1
    assert await outbox.states() == {}
    await record(outbox, new(3))
    assert [(await outbox.get(n)).trigger_id for n in (1, 2)] == [1, 3]


async def test_a_broken_connection_is_opened_anew(outbox: SqliteOutbox) -> None:
    await record(outbox, new(1))
    outbox._file._connected().close()
    with pytest.raises(StorageFailed, match="closed"):
        await record(outbox, new(2))
    await record(outbox, new(3))
    assert await due(outbox) == [1, 2]


async def test_listeners_hear_of_what_becomes_due(outbox: SqliteOutbox) -> None:
    heard: list[str] = []
    outbox.on_record(lambda: heard.append("now"))
    await outbox.record("triggers", 1, {1: b"s"}, [])
    assert heard == []
    await record(outbox, new(1))
    assert heard == ["now"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["record", "test", "delivered", "wait", "dead", "gone", "cancel", "forget", "retry", "postpone", "leave_alone", "resume"]),
        st.integers(1, 3),
        st.integers(1, 12),
    ),
    max_size=40,
)  # fmt: skip


@given(STEPS)
def test_whatever_happens_a_trigger_has_its_oldest_due_and_no_other(
    steps: list[tuple[str, int, int]],
) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(outbox_file._SCHEMA)
    try:
        for number, (verb, trigger_id, delivery_id) in enumerate(steps):
            do(connection, verb, trigger_id, delivery_id, NOW + number)
            check_order(connection)
    finally:
        connection.close()


def do(
    connection: sqlite3.Connection, verb: str, trigger_id: int, delivery_id: int, now_us: int
) -> None:
    attempt = Attempt(now_us, 0)
    match verb:
        case "record" | "test":
            one = new(trigger_id, created_us=now_us, is_test=verb == "test")
            outbox_queue.record(connection, "r", 1, {}, [one], OutboxSettings())
        case "delivered":
            outbox_queue.settle(connection, Settlement(delivery_id, attempt, DELIVERED))
        case "wait":
            settlement = Settlement(delivery_id, attempt, WAITING, now_us + 5)
            if delivery_id in [
                x.delivery_id for x in outbox_queue.due(connection, 2**62, 99, Busy())
            ]:
                outbox_queue.settle(connection, settlement)
        case "dead":
            outbox_queue.settle(connection, Settlement(delivery_id, attempt, DEAD))
        case "gone":
            settlement = Settlement(delivery_id, attempt, DEAD, ends_queue=True)
            outbox_queue.settle(connection, settlement)
        case "cancel":
            if connection.execute(
                "SELECT 1 FROM delivery WHERE delivery_id = ?", (delivery_id,)
            ).fetchone():
                outbox_queue.cancel(connection, delivery_id, now_us)
        case "forget":
            outbox_queue.cancel_trigger(connection, trigger_id, now_us)
        case "retry":
            outbox_queue.retry(connection, delivery_id, now_us)
        case "postpone":
            outbox_queue.postpone(connection, 1, "http://receiver.example:80", now_us + 9, "")
        case "leave_alone":
            outbox_queue.leave_alone(connection, 1, "http://receiver.example:80", now_us + 9)
        case "resume":
            outbox_queue.resume(connection, 1, "http://receiver.example:80")


def check_order(connection: sqlite3.Connection) -> None:
    ordered = connection.execute(
        "SELECT lane, delivery_id, due_us FROM delivery"
        " WHERE state = 'waiting' AND is_ordered ORDER BY delivery_id"
    ).fetchall()
    seen: set[str] = set()
    for lane, delivery_id, due_us in ordered:
        assert (due_us is not None) == (lane not in seen), delivery_id
        seen.add(lane)
    (stuck,) = connection.execute(
        "SELECT count(*) FROM delivery WHERE state = 'waiting' AND NOT is_ordered AND due_us IS NULL"
    ).fetchone()
    assert stuck == 0, "nothing would ever try it"


async def test_what_is_not_delivered_is_counted_by_trigger(outbox: SqliteOutbox) -> None:
    await record(outbox, new(1), new(1), new(2), new(3), new(1, device_id=8))
    await settle(outbox, 1, DEAD)
    await settle(outbox, 3, DELIVERED)
    assert await outbox.open_counts(7) == {1: OpenCount(1, 1), 3: OpenCount(1, 0)}
    assert await outbox.open_counts(8) == {1: OpenCount(1, 0)}
    assert await outbox.open_counts(9) == {}
