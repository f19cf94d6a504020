"""Rules that read: set to work with a server, looked at, and ended with it."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.server.sources.rejected_keeper import RejectedKeeper
from thingtank.sources.calls import in_thread
from thingtank.sources.health import Health
from thingtank.sources.kinesis.dynamodb_leases import DynamoDbLeases
from thingtank.sources.kinesis.lease_table import LeaseTable
from thingtank.sources.kinesis.source import USUAL_PACE, KinesisSource, Pace
from thingtank.sources.queue_source import QueueSource
from thingtank.sources.queues import WAIT_S, LocalQueue, ReadQueue, SqsQueue
from thingtank.sources.records import TimesTaken
from thingtank.sources.settings import SourceRule, SourceSettings
from thingtank.sources.source_file import SourceFile
from thingtank.sources.writer import Writer
from thingtank.tank.access import Caller
from thingtank.tank.errors import NotAllowed, NotFound
from thingtank.tank.sources import (
    DiscardOutcome,
    RejectedReason,
    RejectedRecord,
    RetryOutcome,
    SourceState,
    SourceStatus,
    Which,
)
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account

log = structlog.get_logger()

CALL_S_MAX = 10.0  # without a byte of an answer
CALL_ATTEMPTS_MAX = 3


class _AtWork(NamedTuple):
    rule: SourceRule
    health: Health
    source: KinesisSource | QueueSource
    times_taken: TimesTaken


class Sources:
    """From `start` to `stop`; lives in the loop's thread. Implements `tank.sources.SourceBoard`."""

    def __init__(
        self,
        tank: Tank,
        find_owner: Callable[[], Account | None],
        settings: SourceSettings,
        aws: AwsSettings,
        folder: Path,
        pace: Pace = USUAL_PACE,
    ) -> None:
        """Make it.

        Args:
            find_owner: whose rights count where a rule names nobody.
            folder: the data folder.
        """
        self._tank = tank
        self._find_owner = find_owner
        self._settings = settings
        self._aws = aws
        self._folder = folder
        self._pace = pace
        self._file = SourceFile(folder)
        self._at_work: dict[str, _AtWork] = {}
        self._clients: list[AwsClients] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._rejected = RejectedKeeper(tank, self._file, settings)

    def start(self) -> None:
        """Set all rules to work; what is wrong with a place is told by its status."""
        loop = asyncio.get_running_loop()
        self._tasks.append(loop.create_task(self._rejected.load(), name="source-rejected"))
        for rule in sorted(self._settings.rules, key=lambda rule: rule.name):
            health = Health(rule.name, self._settings.retry_s_max, self._tank.clock)
            taken = TimesTaken()
            writer = Writer(self._tank, rule, partial(self._caller, rule), health, taken)
            source = self._source(rule, writer, health)
            self._at_work[rule.name] = _AtWork(rule, health, source, taken)
            self._tasks.append(loop.create_task(source.run(), name=f"source-{rule.name}"))

    async def stop(self) -> None:
        """End all rules. What was not written yet is read again after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for clients in self._clients:
            clients.close()
        await in_thread(self._file.close)

    async def copy_to(self, folder: Path) -> None:
        """Write what rules remember to another folder, for a backup."""
        await in_thread(lambda: self._file.copy_to(folder))

    def statuses(self) -> Sequence[SourceStatus]:
        """See SourceBoard; so are the others."""
        names = self._at_work.keys() | self._rejected.names()
        return [self._status(name) for name in sorted(names)]

    def status(self, name: str) -> SourceStatus | None:
        is_known = name in self._at_work or name in self._rejected.names()
        return self._status(name) if is_known else None

    def _status(self, name: str) -> SourceStatus:
        kept_count, at_work = self._rejected.kept_count(name), self._at_work.get(name)
        if at_work is None:
            return _gone_status(name, kept_count)
        return _status(at_work, kept_count, self._rejected.dropped_count(name))

    async def rejected(
        self, name: str, limit: int, before: int | None = None
    ) -> Sequence[RejectedRecord]:
        return await self._rejected.newest(name, limit, before)

    async def reasons(self, name: str, limit: int) -> Sequence[RejectedReason]:
        return await self._rejected.reasons(name, limit)

    async def retry(self, name: str, which: Which) -> RetryOutcome:
        self._require(name)
        at_work = self._at_work.get(name)
        if at_work is None:
            raise NotAllowed(
                f"{name} is no rule any more: make one of this name in the settings and start the"
                " server again, or discard what was rejected"
            )
        rule, health, _, taken = at_work
        find_caller = partial(self._caller, rule)
        outcome = await self._rejected.retry(rule, health, find_caller, taken, which)
        log.info("source_records_retried", rule=name, written=outcome.written_count)
        return outcome

    async def discard(self, name: str, which: Which) -> DiscardOutcome:
        self._require(name)
        return await self._rejected.discard(name, which)

    def _require(self, name: str) -> None:
        if name not in self._at_work and name not in self._rejected.names():
            raise NotFound(f"there is no rule {name[:40]} of sources")

    def _source(
        self, rule: SourceRule, writer: Writer, health: Health
    ) -> KinesisSource | QueueSource:
        if rule.engine == "queue":
            queue: ReadQueue = LocalQueue(
                self._folder, rule.queue, rule.visibility_s, rule.receives_max
            )
            return QueueSource(rule, queue, writer, health)
        # Clients of its own: calls of other rules that hang are not in its way.
        waits_s = WAIT_S if rule.engine == "sqs" else 0
        clients = AwsClients(
            self._aws, attempts_max=CALL_ATTEMPTS_MAX, read_s_max=CALL_S_MAX + waits_s
        )
        self._clients.append(clients)
        if rule.engine == "sqs":
            queue = SqsQueue(clients, rule.name, rule.queue, rule.visibility_s, WAIT_S)
            return QueueSource(rule, queue, writer, health)
        table: LeaseTable = self._file.leases(rule.name, rule.stream)
        if rule.leases:
            table = DynamoDbLeases(clients, rule.leases, rule.name, rule.stream)
        return KinesisSource(
            rule, clients, table, writer, health, partial(self._rejected.keep, rule.name),
            self._tank.clock, is_alone=not rule.leases, pace=self._pace,
        )  # fmt: skip

    def _caller(self, rule: SourceRule) -> Caller | None:
        """On whose behalf a rule writes."""
        account = (
            self._tank.directory.find_account(rule.owner) if rule.owner else self._find_owner()
        )
        return Caller(account) if account is not None and account.is_active else None


def _status(at_work: _AtWork, kept_count: int, dropped_count: int) -> SourceStatus:
    rule, health, source, _ = at_work
    state: SourceState = "reading"
    if health.trouble is not None:
        state = "stuck" if health.needs_a_person else "failing"
    shards = source.shards_held if isinstance(source, KinesisSource) else ()
    return SourceStatus(
        rule.name,
        rule.engine,
        source.describe(),
        state,
        shards,
        health.behind_s,
        health.record_count,
        health.datapoint_count,
        health.rejected_count,
        kept_count,
        dropped_count,
        health.skipped_count,
        health.late_count,
        dict(health.failures),
        health.trouble,
    )


def _gone_status(name: str, kept_count: int) -> SourceStatus:
    """A rule that left the settings, of which rejected records are kept yet."""
    return SourceStatus(name, "", "", "gone", (), 0.0, 0, 0, 0, kept_count, 0, 0, 0, {}, None)
