"""A process whose archive's cold tier is in a bucket; it writes until it is killed.

`python -m tests.faults.bucket_child FOLDER FIRST ENDPOINT BUCKET`: each writer writes its rounds,
FIRST upwards, each some hours later than the one before, years ago; so that days are compacted,
carried to the bucket and merged to months all the time. A line `acknowledged WRITER ROUND` is
printed once the archive said so.

`python -m tests.faults.bucket_child backup FOLDER KEY SHARE ENDPOINT BUCKET`: a backup of a folder's
files to the bucket, which kills itself when so much of them was written.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from thingtank.aws.addresses import S3Address
from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import is_aws_failure
from thingtank.aws.settings import AwsSettings
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.history import bucket_cache, bucket_carrier
from thingtank.stores.history.cold_bucket import ColdBucket
from thingtank.tank.datapoints import Datapoint, DatapointRows
from thingtank.tank.errors import StorageFailed
from thingtank.tank.tank import SystemClock

WRITERS = range(1, 4)
HOUR_US = 3_600_000_000
START_US = 1_577_836_800_000_000  # 2020-01-01
ROUND_US = 8 * HOUR_US
POINTS = 20
SETTLE_S = 1.2  # SeaweedFS writes what it has taken within a second


def settings_of(bucket: str) -> ArchiveSettings:
    """Everything happens all the time, and nothing stays on the disk."""
    return ArchiveSettings(
        move_rows=100, move_interval_s=0.02, trim_interval_s=0.1, compact_interval_s=0.05,
        hot_s=0, cold=f"s3://{bucket}/cold", cold_cache_bytes_max=1, cold_keep_s=5,
    )  # fmt: skip


def rows_of_round(round_number: int) -> dict[int, str]:
    """Time → value."""
    start_us = START_US + round_number * ROUND_US
    return {start_us + i * 60_000_000: f"{round_number}.{i}" for i in range(POINTS)}


async def open_archive(folder: Path, endpoint: str, bucket: str) -> EmbeddedArchive:
    """With a bucket that it does not wait for long."""
    bucket_carrier.SETTLE_S = SETTLE_S
    bucket_cache.AWAY_S = 0.2
    settings = settings_of(bucket)
    aws = AwsSettings(region="us-east-1", endpoint_url=endpoint)
    cold = ColdBucket.by_settings(settings, aws)
    return await EmbeddedArchive.open(folder, settings, SystemClock(), cold)


async def keep_writing(archive: EmbeddedArchive, writer: int, first: int) -> None:
    """Write round after round."""
    round_number = first
    while True:
        rows = rows_of_round(round_number).items()
        await archive.append(DatapointRows.of((writer, Datapoint(*row)) for row in rows))
        print(f"acknowledged {writer} {round_number}", flush=True)
        round_number += 1
        await asyncio.sleep(0.03)


async def keep_reading(archive: EmbeddedArchive) -> None:
    """Bring files back that have left the disk."""
    while True:
        try:
            await archive.read([1], 0, 10**17, 10**6)
        except StorageFailed:
            await asyncio.sleep(0.2)
        await asyncio.sleep(0.3)


async def write(folder: Path, first: int, endpoint: str, bucket: str) -> None:
    """Write with all writers at once, and read."""
    archive = await open_archive(folder, endpoint, bucket)
    await asyncio.gather(
        keep_reading(archive), *(keep_writing(archive, writer, first) for writer in WRITERS)
    )


def back_up(folder: Path, key: str, share: float, endpoint: str, bucket: str) -> None:
    """Write a backup, and die when so much of it was read."""
    from thingtank.cli.backup_places import pack_to_bucket
    from thingtank.server.backup.making import make_manifest
    from thingtank.server.backup.parts import Copied

    clients = AwsClients(AwsSettings(region="us-east-1", endpoint_url=endpoint), attempts_max=1)
    manifest = make_manifest(folder, Copied(), lambda _count: None)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        print(done, flush=True)
        if done >= share * manifest.bytes:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        pack_to_bucket(clients.client("s3"), folder, manifest, S3Address(bucket, key), advance)
    except Exception as error:
        if not is_aws_failure(error):
            raise
        sys.exit(3)


if __name__ == "__main__":
    if sys.argv[1] == "backup":
        back_up(Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]), *sys.argv[5:])
    else:
        asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
