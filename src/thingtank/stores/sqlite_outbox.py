"""The outbox in a SQLite file of its own, with one thread that writes and reads it."""

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from thingtank.stores import outbox_log, outbox_queue
from thingtank.stores.outbox_file import OutboxFile
from thingtank.stores.outbox_settings import OutboxSettings
from thingtank.stores.worker import Worker
from thingtank.tank.deliveries import (
    Attempt,
    Busy,
    Delivery,
    DeliveryPage,
    DeliveryQuery,
    DeliveryState,
    OpenCount,
    Settlement,
)
from thingtank.tank.outbox import NewDelivery

Result = TypeVar("Result")


class SqliteOutbox:
    """Implements `tank.outbox.Outbox`, and `DeliveryQueue` and `DeliveryLog` of `tank.deliveries`.

    Lives in the loop's thread; open it with `open`. Every method may raise StorageFailed.
    """

    def __init__(
        self,
        file: OutboxFile,
        worker: Worker,
        derive: Callable[[str], bytes],
        settings: OutboxSettings,
    ) -> None:
        self._file = file
        self._worker = worker
        self._derive = derive
        self._settings = settings
        self._notify: Callable[[], None] = lambda: None

    @classmethod
    async def open(
        cls,
        folder: Path,
        derive: Callable[[str], bytes],
        settings: OutboxSettings | None = None,
    ) -> "SqliteOutbox":
        """Open the outbox of a data folder, made when missing; all that was recorded is there.

        Args:
            derive: 32 bytes for a purpose, from the instance's secret. Signing secrets come from
                it and from random salts in the file; neither alone tells them.

        Raises:
            OSError, sqlite3.Error: the folder cannot be used.
            FileMismatch: the file is something else.
        """
        worker = Worker("outbox")
        try:
            file = await worker.run(partial(OutboxFile.open, folder))
        except BaseException:
            await worker.stop()
            raise
        return cls(file, worker, derive, settings or OutboxSettings())

    async def close(self) -> None:
        """Finish what is under way, then let the file go."""
        await self._worker.run(self._file.close)
        await self._worker.stop()

    async def copy_to(self, folder: Path) -> None:
        """Write what is on disk to a file of the same name in another folder.

        Raises:
            sqlite3.Error, OSError: it could not be written.
        """
        await self._worker.run(partial(self._file.copy_to, folder))

    def on_record(self, notify: Callable[[], None]) -> None:
        """Have `notify` called in the loop when something became due."""
        self._notify = notify

    async def record(
        self,
        reader: str,
        seq: int,
        states: Mapping[int, bytes],
        deliveries: Sequence[NewDelivery],
    ) -> None:
        """In one transaction, synced: queue deliveries, save triggers' states and a reader's place.

        A place that is behind the recorded one is ignored. What finds no room is a dead letter.
        """
        states, deliveries = dict(states), list(deliveries)
        await self._transact(
            lambda connection: outbox_queue.record(
                connection, reader, seq, states, deliveries, self._settings
            )
        )
        if deliveries:
            self._notify()

    async def place(self, reader: str) -> int:
        """The journal number that a reader recorded last, 0 at first."""

        def read(connection: sqlite3.Connection) -> int:
            row = connection.execute("SELECT seq FROM reader WHERE name = ?", (reader,)).fetchone()
            return 0 if row is None else int(row[0])

        return await self._transact(read)

    async def states(self) -> dict[int, bytes]:
        """Each trigger's state as recorded last, by trigger_id."""
        return await self._transact(
            lambda connection: dict(connection.execute("SELECT * FROM trigger_state"))
        )

    async def forget_triggers(self, trigger_ids: Collection[int], now_us: int) -> None:
        """Drop the states of deleted triggers, and cancel what still waits of them."""
        ids = list(trigger_ids)

        def forget(connection: sqlite3.Connection) -> None:
            for trigger_id in ids:
                connection.execute("DELETE FROM trigger_state WHERE trigger_id = ?", (trigger_id,))
                outbox_queue.cancel_trigger(connection, trigger_id, now_us)

        await self._transact(forget)

    async def account_ids(self) -> Sequence[int]:
        """Of which accounts there are deliveries or signing salts."""

        def read(connection: sqlite3.Connection) -> tuple[int, ...]:
            rows = connection.execute(
                "SELECT account_id FROM delivery UNION SELECT account_id FROM signing_salt"
            )
            return tuple(account_id for (account_id,) in rows)

        return await self._transact(read)

    async def forget_account(self, account_id: int) -> None:
        """Drop all deliveries and signing salts of a deleted account."""

        def forget(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM delivery WHERE account_id = ?", (account_id,))
            connection.execute("DELETE FROM signing_salt WHERE account_id = ?", (account_id,))

        await self._transact(forget)

    async def due(self, now_us: int, limit: int, busy: Busy) -> Sequence[Delivery]:
        """Deliveries whose time has come, of those who are not busy, longest due first."""
        return await self._transact(
            lambda connection: outbox_queue.due(connection, now_us, limit, busy)
        )

    async def next_due_us(self, after_us: int) -> int | None:
        """When the next one after an instant is due."""

        def read(connection: sqlite3.Connection) -> int | None:
            (due_us,) = connection.execute(
                "SELECT min(due_us) FROM delivery WHERE due_us IS NOT NULL AND due_us > ?",
                (after_us,),
            ).fetchone()
            return None if due_us is None else int(due_us)

        return await self._transact(read)

    async def settle(self, settlement: Settlement) -> None:
        """Record an attempt and what it came to; the next of its lane may follow."""
        await self._transact(lambda connection: outbox_queue.settle(connection, settlement))

    async def postpone(self, account_id: int, host: str, until_us: int, reason: str = "") -> None:
        """Have nothing of an account for a host tried before an instant, but for tests."""
        await self._transact(
            lambda connection: outbox_queue.postpone(connection, account_id, host, until_us, reason)
        )

    async def leave_alone(self, account_id: int, host: str, until_us: int) -> None:
        """As `postpone`, but for what a person asked for, and until `resume` at the latest."""
        await self._transact(
            lambda connection: outbox_queue.leave_alone(connection, account_id, host, until_us)
        )

    async def resume(self, account_id: int, host: str) -> None:
        """Let what `leave_alone` put off have its own time again."""
        await self._transact(lambda connection: outbox_queue.resume(connection, account_id, host))

    async def resume_all(self) -> None:
        """Resume everybody's at every host."""
        await self._transact(outbox_queue.resume_all)

    async def purge(self, now_us: int) -> int:
        """Give up what waited too long, drop what is old or too much; how many were dropped."""
        expired_count = dropped_count = 0
        while count := await self._transact(
            lambda connection: outbox_queue.expire(connection, now_us, self._settings)
        ):
            expired_count += count
        # One transaction after another, so that a firing never waits for all of it.
        while count := await self._transact(
            lambda connection: outbox_queue.purge(connection, now_us, self._settings)
        ):
            dropped_count += count
        if expired_count:
            self._notify()
        return dropped_count

    async def get(self, delivery_id: int) -> Delivery:
        """Raise NoSuchDelivery if there is none."""
        return await self._transact(lambda connection: outbox_log.get(connection, delivery_id))

    async def attempts(self, delivery_id: int) -> Sequence[Attempt]:
        """A delivery's last attempts, oldest first."""
        return await self._transact(lambda connection: outbox_log.attempts(connection, delivery_id))

    async def list(self, query: DeliveryQuery) -> DeliveryPage:
        """One page of deliveries."""
        return await self._transact(lambda connection: outbox_log.page(connection, query))

    async def counts(
        self,
        account_id: int | None = None,
        device_id: int | None = None,
        trigger_id: int | None = None,
    ) -> Mapping[DeliveryState, int]:
        """How many deliveries there are in each state; states without any are left out."""
        return await self._transact(
            lambda connection: outbox_log.counts(connection, account_id, device_id, trigger_id)
        )

    async def open_counts(self, device_id: int) -> Mapping[int, OpenCount]:
        """What is not delivered of each of a device's triggers, by trigger_id."""
        return await self._transact(
            lambda connection: outbox_log.open_counts(connection, device_id)
        )

    async def retry(self, delivery_id: int, now_us: int) -> Delivery:
        """Have a dead or cancelled delivery tried again from now on, past what waits.

        One that waits for its next attempt is due at once; any other is returned as it stands.
        Once it is tried although its receiver is left alone.
        """

        def change(connection: sqlite3.Connection) -> Delivery:
            outbox_queue.retry(connection, delivery_id, now_us)
            return outbox_log.get(connection, delivery_id)

        delivery = await self._transact(change)
        self._notify()
        return delivery

    async def cancel(self, delivery_id: int, now_us: int) -> Delivery:
        """Have a waiting delivery tried no more; any other is returned as it stands."""

        def change(connection: sqlite3.Connection) -> Delivery:
            outbox_log.get(connection, delivery_id)
            outbox_queue.cancel(connection, delivery_id, now_us)
            return outbox_log.get(connection, delivery_id)

        delivery = await self._transact(change)
        self._notify()
        return delivery

    async def signing_secrets(self, account_id: int, now_us: int) -> Sequence[bytes]:
        """An account's secrets for signatures, newest first; there is always one."""
        salts = await self._transact(
            lambda connection: outbox_log.live_salts(connection, account_id, now_us)
        )
        return [self._secret_of(account_id, salt) for salt in salts]

    async def rotate_signing_secret(self, account_id: int, now_us: int) -> Sequence[bytes]:
        """Make a new one; the old ones stay for the grace time, at most SECRETS_MAX in all."""
        grace_us = self._settings.secret_grace_s * 1_000_000
        salts = await self._transact(
            lambda connection: outbox_log.rotate_salt(connection, account_id, now_us, grace_us)
        )
        return [self._secret_of(account_id, salt) for salt in salts]

    def _secret_of(self, account_id: int, salt: bytes) -> bytes:
        return self._derive(f"webhooks of account {account_id} {salt.hex()}")

    async def _transact(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        return await self._worker.run(partial(self._file.transact, work))
