"""Reads the numbers of a running instance where they are kept already: nothing is counted twice."""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, TypeVar

from thingtank.doors.mqtt.door import MqttDoor
from thingtank.doors.wamp.door import WampDoor
from thingtank.server.backup.last import find_last
from thingtank.server.data_folder import OpenFolder
from thingtank.server.monitoring.batch_samples import of_batch
from thingtank.server.monitoring.loop_lag import LoopLag
from thingtank.server.monitoring.sample import Sample
from thingtank.server.monitoring.sink_samples import of_sinks
from thingtank.server.monitoring.source_samples import of_sources
from thingtank.server.triggers.start import AtWork
from thingtank.stores.embedded_archive import ArchiveStats
from thingtank.tank.batch import ScheduleStatus
from thingtank.tank.deliveries import DeliveryState
from thingtank.tank.errors import Unavailable
from thingtank.tank.events import TriggerFired
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.sinks import SinkStatus
from thingtank.tank.sources import SourceStatus

KEPT_S = 10.0  # what has to be read from disk is read so often at most

Counts = dict[str, Callable[[], int]]  # by door; a door adds its own as it opens
Found = TypeVar("Found")


class FromDisk(NamedTuple):
    """What is not in memory; None where it cannot be read.

    Attributes:
        backup_s: when the last backup was made, since the epoch; 0 for never.
    """

    archive: ArchiveStats | None
    outbox: Mapping[DeliveryState, int] | None
    free_bytes: int | None
    backup_s: float = 0.0


class Doors(NamedTuple):
    """The doors with numbers of their own."""

    wamp: WampDoor
    mqtt: MqttDoor
    connections: Counts


class Samples:
    """Lives in the loop's thread."""

    def __init__(self, folder: Path, opened: OpenFolder, lag: LoopLag) -> None:
        """Count what nobody else counts: firings.

        Args:
            folder: the data folder.
        """
        self._folder = folder
        self._tank = opened.tank
        self._archive = opened.archive
        self._outbox = opened.outbox
        self._device_events = opened.device_events
        self._lag = lag
        self._fired_count = 0
        self._from_disk = FromDisk(None, None, None)
        self._read_s = -KEPT_S
        self._reading = asyncio.Lock()
        self.doors: Doors | None = None
        self.at_work: AtWork | None = None
        self.sinks: Callable[[], Sequence[SinkStatus]] = tuple
        self.sources: Callable[[], Sequence[SourceStatus]] = tuple
        self.batch: Callable[[], Sequence[ScheduleStatus]] = tuple
        opened.tank.bus.react(TriggerFired, self._count_firing)

    def _count_firing(self, event: TriggerFired) -> None:
        self._fired_count += not event.is_test

    async def take(self) -> list[Sample]:
        """All numbers as they are now; those on disk as they were at most KEPT_S ago."""
        async with self._reading:
            if time.monotonic() - self._read_s >= KEPT_S:
                self._from_disk = await self._read_disk()
                self._read_s = time.monotonic()
        samples = [Sample("thingtank", 1, {"version": version("thingtank")})]
        samples += self._of_tank()
        samples += self._of_disk()
        if self.at_work is not None:
            samples += _of_triggers(self.at_work, self._fired_count)
        samples += of_sinks(self.sinks())
        samples += of_sources(self.sources())
        samples += of_batch(self.batch())
        if self.doors is not None:
            samples += _of_doors(self.doors)
        return samples

    async def _read_disk(self) -> FromDisk:
        disk = asyncio.to_thread(shutil.disk_usage, self._folder)
        return FromDisk(
            await _if_readable(self._archive.stats(moves=False)),
            await _if_readable(self._outbox.counts()),
            (await disk).free,
            await asyncio.to_thread(_last_backup_s, self._folder),
        )

    def _of_tank(self) -> Iterator[Sample]:
        requests: Counter[tuple[str, str]] = Counter()
        for (door, status), count in self._tank.request_log.counts.items():
            requests[door, _outcome_of(status)] += count
        for (door, outcome), count in sorted(requests.items()):
            yield Sample("thingtank_requests", count, {"door": door, "outcome": outcome})
        yield Sample(
            "thingtank_devices", self._tank.directory.count_devices(DeviceQuery(everybody=True))
        )
        yield Sample("thingtank_dropped", self._tank.bus.dropped_count, {"queue": "bus"})
        events = self._device_events.dropped_count
        yield Sample("thingtank_dropped", events, {"queue": "device_events"})
        yield Sample("thingtank_event_loop_lag_seconds", self._lag.seen)
        writes = self._archive.writes()
        yield Sample("thingtank_datapoints_written", writes.datapoint_count)
        yield Sample("thingtank_written_bytes", writes.bytes)
        yield Sample("thingtank_write_batches_refused", writes.refused_batch_count)
        yield Sample("thingtank_write_wait_seconds", writes.waits)
        yield Sample("thingtank_journal_bytes", writes.journal_bytes)
        yield Sample("thingtank_journal_behind_batches", writes.behind_batch_count)
        yield Sample("thingtank_journal_behind_bytes", writes.behind_bytes)

    def _of_disk(self) -> Iterator[Sample]:
        archive, outbox, free_bytes, backup_s = self._from_disk
        yield Sample("thingtank_last_backup_timestamp_seconds", backup_s)
        if archive is not None:
            for tier, rows, size_bytes in (
                ("hot", archive.hot_rows, archive.hot_bytes),
                ("cold", archive.cold_rows, archive.cold_bytes),
            ):
                yield Sample("thingtank_archive_datapoints", rows, {"tier": tier})
                yield Sample("thingtank_archive_bytes", size_bytes, {"tier": tier})
            yield Sample("thingtank_archive_segments", archive.segment_count)
            if archive.bucket is not None:
                for place, count in (
                    ("bucket", archive.bucket.bytes),
                    ("disk", archive.bucket.cached_bytes),
                ):
                    yield Sample("thingtank_archive_bucket_bytes", count, {"place": place})
                waiting_count = archive.bucket.waiting_count
                yield Sample("thingtank_archive_bucket_waiting_files", waiting_count)
        if outbox is not None:
            for state in DeliveryState:
                yield Sample("thingtank_outbox_deliveries", outbox.get(state, 0), {"state": state})
        if free_bytes is not None:
            yield Sample("thingtank_disk_free_bytes", free_bytes)


def _last_backup_s(folder: Path) -> float:
    last = find_last(folder)
    return 0.0 if last is None else datetime.fromisoformat(last.made_at).timestamp()


async def _if_readable(reading: Awaitable[Found]) -> Found | None:
    try:
        return await reading
    except Unavailable:
        return None  # the log says why, and readiness that


def _outcome_of(status: int) -> str:
    """Whose fault it was, if anybody's: HTTP's numbers, which all doors record."""
    return "ok" if status < 400 else "refused" if status < 500 else "failed"


def _of_triggers(at_work: AtWork, fired_count: int) -> Iterator[Sample]:
    status = at_work.engine.status()
    yield Sample("thingtank_triggers_watching", status.watched_count)
    yield Sample("thingtank_triggers_fired", fired_count)
    yield Sample("thingtank_trigger_batches_missed", status.missed_batch_count)
    for outcome in ("delivered", "retried", "dead", "postponed"):
        count = at_work.dispatcher.outcome_counts[outcome]
        yield Sample("thingtank_delivery_attempts", count, {"outcome": outcome})


def _of_doors(doors: Doors) -> Iterator[Sample]:
    for door, count in doors.connections.items():
        yield Sample("thingtank_connections", count(), {"door": door})
    sockets = doors.connections.get("skynet_sockets")
    yield Sample("thingtank_skynet_sockets", sockets() if sockets is not None else 0)
    yield from _of_wamp(doors.wamp)
    yield from _of_mqtt(doors.mqtt)


def _of_wamp(door: WampDoor) -> Iterator[Sample]:
    realms = door.realms.values()
    yield Sample("thingtank_connections", len(door.connections), {"door": "wamp"})
    yield from _messages(
        "wamp",
        sum(realm.received_count for realm in realms),
        sum(realm.sent_count for realm in realms),
    )
    yield Sample("thingtank_dropped", door.dropped_count, {"queue": "wamp"})
    yield Sample("thingtank_wamp_sessions", sum(len(realm.members) for realm in realms))
    subscriptions = sum(len(realm.broker.subscriptions.values()) for realm in realms)
    yield Sample("thingtank_wamp_subscriptions", subscriptions)
    registrations = sum(len(realm.dealer.registrations.values()) for realm in realms)
    yield Sample("thingtank_wamp_registrations", registrations)


def _of_mqtt(door: MqttDoor) -> Iterator[Sample]:
    broker, labels = door.broker, {"door": "mqtt"}
    yield Sample("thingtank_connections", len(door.links), labels)
    yield Sample("thingtank_connections_opened", door.opened_count, labels)
    yield from _messages("mqtt", broker.received_count, broker.sent_count)
    yield Sample("thingtank_bytes", door.received_bytes, {**labels, "direction": "in"})
    yield Sample("thingtank_bytes", door.sent_bytes, {**labels, "direction": "out"})
    yield Sample("thingtank_dropped", broker.dropped_count, {"queue": "mqtt"})
    yield Sample("thingtank_mqtt_sessions", len(broker.sessions))
    yield Sample("thingtank_mqtt_subscriptions", len(broker.subscriptions))
    yield Sample("thingtank_mqtt_retained_messages", len(broker.retained))
    queued_count = sum(session.queued_count for session in broker.sessions.values())
    yield Sample("thingtank_mqtt_queued_messages", queued_count)


def _messages(door: str, received_count: int, sent_count: int) -> Iterator[Sample]:
    labels = {"door": door}
    yield Sample("thingtank_messages", received_count, {**labels, "direction": "in"})
    yield Sample("thingtank_messages", sent_count, {**labels, "direction": "out"})
