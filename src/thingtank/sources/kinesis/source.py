"""A stream of Kinesis that is read into feeds.

One task keeps the leases: it renews those that are held, finds new shards and takes what is free.
Each lease that is held has a task that reads its shard:

    read a page ─► write its datapoints, until they are on disk ─► checkpoint ─► pause

A checkpoint that is refused tells that the lease is another reader's: the shard is dropped at once.
So what is read twice, after a crash or when a shard changes hands, is what came behind the last
checkpoint; the same datapoints are written again then (`records.py`).
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import structlog

from thingtank.aws.clients import AwsClients
from thingtank.sources.calls import SETTLE_S_MAX, in_thread, to_its_end
from thingtank.sources.health import Health
from thingtank.sources.kinesis.aggregated import HashRange, take_apart
from thingtank.sources.kinesis.lease_table import LeaseTable
from thingtank.sources.kinesis.leases import (
    OLDEST,
    SHARD_END,
    Lease,
    LeaseBook,
    checkpoint_of_instant,
)
from thingtank.sources.kinesis.shards import Page, Shard, ShardCursor, shards_of
from thingtank.sources.records import Arrived
from thingtank.sources.rule_problems import start_us
from thingtank.sources.settings import SourceRule
from thingtank.sources.writer import Writer
from thingtank.tank.interfaces import Clock

log = structlog.get_logger()

PAGES_AT_ONCE = 4  # in memory: a page has 10 MiB at most
CALLS_AT_ONCE = 16
TELL_EACH_S = 60.0
LEASES = "leases"  # what may fail besides shards

Reject = Callable[[list[tuple[Arrived, str]]], Awaitable[None]]


class Pace(NamedTuple):
    """How often things are done.

    Attributes:
        busy_s: between two reads of a shard that has more: it takes five calls a second.
        idle_s: between two reads of one that had nothing: others may read it, too.
        ttl_s: a lease that is not renewed for so long is free; it is renewed at a third of it.
        shards_s: between two looks at which shards there are.
    """

    busy_s: float = 0.2
    idle_s: float = 1.0
    ttl_s: float = 30.0
    shards_s: float = 60.0


USUAL_PACE = Pace()


class _Held:
    """A lease that this reader holds; its counter is used by one task at a time."""

    def __init__(self, lease: Lease, hash_range: HashRange) -> None:
        self.lease = lease
        self.hash_range = hash_range
        self.changing = asyncio.Lock()
        self.task: asyncio.Task[None] | None = None
        self.behind_s = 0.0


class KinesisSource:
    """One rule at work, from `run` until it is cancelled; lives in the loop's thread."""

    def __init__(
        self,
        rule: SourceRule,
        clients: AwsClients,
        table: LeaseTable,
        writer: Writer,
        health: Health,
        reject: Reject,
        clock: Clock,
        *,
        is_alone: bool,
        pace: Pace,
    ) -> None:
        """Make it.

        Args:
            reject: keeps records of which something was refused, with the reason.
            is_alone: nobody else has the table of leases.
        """
        self._rule = rule
        self._clients = clients
        self._table = table
        self._writer = writer
        self._health = health
        self._reject = reject
        self._clock = clock
        self._pace = pace
        self._reader = f"tank-{secrets.token_hex(6)}"
        self._book = LeaseBook(self._reader, pace.ttl_s, is_alone=is_alone)
        self._client: Any = None
        self._held: dict[str, _Held] = {}
        self._wake = asyncio.Event()
        self._pages = asyncio.Semaphore(PAGES_AT_ONCE)
        self._calls = asyncio.Semaphore(CALLS_AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._looked_at_s: float | None = None  # which shards there are
        self._shards: dict[str, Shard] = {}
        self._skipped_tell_s = 0.0  # when the log may tell of skipped records again

    @property
    def shards_held(self) -> list[str]:
        """Shards that this reader reads now."""
        return sorted(self._held)

    def describe(self) -> str:
        """What is read, for a person."""
        return f"stream {self._rule.stream} of Kinesis"

    async def run(self) -> None:
        """Read until it is cancelled; leases are given back then."""
        try:
            while True:
                try:
                    await self._keep_leases()
                except Exception as error:  # noqa: BLE001 - `raised` tells
                    self._health.raised(LEASES, error)
                else:
                    self._health.works(LEASES)
                await self._rest()
        finally:
            await asyncio.shield(self._give_back())

    async def _rest(self) -> None:
        """Wait until leases are to be renewed, or a shard has ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pace.ttl_s / 3):
                await self._wake.wait()

    async def _keep_leases(self) -> None:
        self._wake.clear()
        for held in list(self._held.values()):
            await self._change(held)
        if self._is_time_to_look():
            await self._look_for_shards()
        leases = [each for each in await in_thread(self._table.all) if each.shard in self._shards]
        now_s = self._loop.time()
        self._book.look(leases, now_s)
        for lease in self._book.to_take(self._held.keys(), now_s):
            taken = await in_thread(partial(self._table.change, lease, owner=self._reader))
            if taken is not None:
                self._begin(taken)
        if not self._held:
            self._health.behind_s = 0.0

    def _is_time_to_look(self) -> bool:
        return (
            self._looked_at_s is None
            or self._loop.time() - self._looked_at_s >= self._pace.shards_s
        )

    async def _look_for_shards(self) -> None:
        """Make leases of new shards, and forget those of shards that are gone with their age."""
        self._client = await in_thread(lambda: self._clients.client("kinesis"))
        self._shards = await self._listed()
        start = self._start()
        parents = {name: shard.parents for name, shard in self._shards.items()}
        await in_thread(lambda: self._table.ensure(parents, start))
        leases = await in_thread(self._table.all)
        if any(lease.shard not in self._shards for lease in leases):
            # Gone, or another reader has found it since the list was made.
            self._shards = await self._listed()
        gone = [lease for lease in leases if lease.shard not in self._shards]
        for lease in gone:
            if not lease.is_done:
                log.warning("kinesis_shard_gone_unread", rule=self._rule.name, shard=lease.shard)
            if (held := self._held.get(lease.shard)) is not None:
                self._drop(held)
        if gone:
            await in_thread(lambda: self._table.forget([lease.shard for lease in gone]))
        self._looked_at_s = self._loop.time()

    async def _listed(self) -> dict[str, Shard]:
        return await in_thread(lambda: shards_of(self._client, self._rule.stream))

    def _start(self) -> str:
        if self._rule.start == "oldest":
            return OLDEST
        stated_us = start_us(self._rule.start)
        return checkpoint_of_instant(
            (self._clock.now_us() if stated_us is None else stated_us) // 1000
        )

    def _begin(self, lease: Lease) -> None:
        held = _Held(lease, self._shards[lease.shard].hash_range)
        self._held[lease.shard] = held
        name = f"source-{self._rule.name}-{lease.shard}"
        held.task = self._loop.create_task(self._read_shard(held), name=name)
        log.info("kinesis_shard_taken", rule=self._rule.name, shard=lease.shard)

    def _drop(self, held: _Held) -> None:
        """Read it no more; another reader has it, or it is at its end."""
        if self._held.get(held.lease.shard) is held:
            del self._held[held.lease.shard]
            self._health.works(held.lease.shard)
        task = held.task
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def _change(self, held: _Held, checkpoint: str | None = None) -> bool:
        """Renew a lease, with a new checkpoint maybe; False when it is another reader's."""
        async with held.changing:
            lease = held.lease
            changed = await in_thread(
                lambda: self._table.change(lease, owner=self._reader, checkpoint=checkpoint)
            )
            if changed is None:
                log.info("kinesis_shard_lost", rule=self._rule.name, shard=lease.shard)
                self._drop(held)
                return False
            held.lease = changed
            return True

    async def _read_shard(self, held: _Held) -> None:
        shard, stream = held.lease.shard, self._rule.stream
        cursor = ShardCursor(self._client, stream, shard, held.lease.checkpoint)
        while True:
            begun_s = self._loop.time()
            page: Page | None = None
            try:
                async with self._pages:
                    async with self._calls:
                        page = await in_thread(cursor.read)
                    self._note(held, page)
                    if not await to_its_end(self._settle(held, page)):
                        return
            except Exception as error:  # noqa: BLE001 - `raised` tells
                if page is not None:  # read, and not settled: from the checkpoint once more
                    cursor = ShardCursor(self._client, stream, shard, held.lease.checkpoint)
                self._health.raised(shard, error)
                await self._health.pause(shard)
                continue
            is_busy = page.behind_ms > 0 or bool(page.records)
            pause_s = self._pace.busy_s if is_busy else self._pace.idle_s
            await asyncio.sleep(max(0.0, begun_s + pause_s - self._loop.time()))

    def _note(self, held: _Held, page: Page) -> None:
        self._health.works(held.lease.shard)
        held.behind_s = page.behind_ms / 1000
        self._health.behind_s = max(each.behind_s for each in [held, *self._held.values()])

    async def _settle(self, held: _Held, page: Page) -> bool:
        """Write a page and how far all is on disk; False when nothing more is to be read here."""
        if page.records:
            await self._write(held, page.records)
        if page.is_end:
            if await self._change(held, SHARD_END):
                self._drop(held)
            self._looked_at_s = None  # it has children now
            self._wake.set()
            return False
        if page.last_number is None:
            return True
        return await self._change(held, page.last_number)

    async def _write(self, held: _Held, records: Sequence[Arrived]) -> None:
        """Write records; of those that were put together, what is in them."""
        parts = take_apart(records, held.hash_range)
        while (part := await in_thread(lambda: next(parts, None))) is not None:
            reasons = await self._writer.write(part.records)
            rejected = [
                *part.refused,
                *((part.records[n], why) for n, why in sorted(reasons.items())),
            ]
            self._health.arrived(len(part.refused), len(part.refused))
            if rejected:
                await self._reject(rejected)
            if part.skipped_count:
                self._tell_of_skipped(held.lease.shard, part.skipped_count)

    def _tell_of_skipped(self, shard: str, count: int) -> None:
        self._health.skipped_count += count
        if self._loop.time() >= self._skipped_tell_s:
            self._skipped_tell_s = self._loop.time() + TELL_EACH_S
            log.warning(
                "kinesis_records_of_another_shard", rule=self._rule.name, shard=shard, count=count,
                advice="The Kinesis Producer Library puts them once more when a shard was split."
                " If it was not, the program that puts records together does not know the shards.",
            )  # fmt: skip

    async def _give_back(self) -> None:
        """End all reading, and let others have the shards at once."""
        held = list(self._held.values())
        self._held.clear()
        tasks = [each.task for each in held if each.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

        def give_back() -> None:
            # By the table: a change that was cancelled on the way has raised a counter there.
            for lease in self._table.all():
                if lease.owner == self._reader:
                    self._table.change(lease, owner="")

        try:
            async with asyncio.timeout(SETTLE_S_MAX):
                await in_thread(give_back)
        except Exception as error:  # noqa: BLE001 - they are free after a while anyway
            log.info("kinesis_leases_kept", rule=self._rule.name, reason=type(error).__name__)
