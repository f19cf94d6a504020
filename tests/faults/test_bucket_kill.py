"""S3 and the tank are killed at random instants: nothing is lost, nothing is there twice."""

import asyncio
import contextlib
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.faults.bucket_child import WRITERS, open_archive, rows_of_round
from tests.faults.kills import ROOT, printed_seed, rounds
from tests.seaweedfs import SeaweedFs

from thingtank.aws.addresses import S3Address
from thingtank.aws.clients import AwsClients
from thingtank.aws.object_reader import ObjectReader
from thingtank.server.backup.package import Package
from thingtank.stores.embedded_archive import EmbeddedArchive

ROUNDS = rounds(4)
BUCKET = "faulty"
START_S_MAX = 30.0
QUIET_S_MAX = 60.0


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFs]:
    with SeaweedFs(tmp_path_factory.mktemp("s3")) as server:
        with s3_of(server) as s3:
            s3.create_bucket(Bucket=BUCKET)
        yield server


@contextlib.contextmanager
def s3_of(server: SeaweedFs) -> Iterator[Any]:
    clients = AwsClients(server.settings)
    try:
        yield clients.client("s3")
    finally:
        clients.close()


class Child:
    """The process that writes, and what it had acknowledged."""

    def __init__(self, *words: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.bucket_child", *map(str, words)],
            stdout=subprocess.PIPE, cwd=ROOT, text=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self.began = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)
            self.began.set()

    def kill(self) -> None:
        self._process.kill()
        self.wait()

    def wait(self) -> int:
        """Until it has ended; its exit code."""
        code = self._process.wait(QUIET_S_MAX)
        self._thread.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code


def test_acknowledged_datapoints_survive_kills_of_both(seaweed: SeaweedFs, tmp_path: Path) -> None:
    chance = random.Random(printed_seed())
    endpoint = seaweed.settings.endpoint_url
    folder = tmp_path / "tank"
    acknowledged: dict[int, set[int]] = {writer: set() for writer in WRITERS}
    first = 0
    for _ in range(ROUNDS):
        child = Child(folder, first, endpoint, BUCKET)
        try:
            assert child.began.wait(START_S_MAX)
            time.sleep(chance.uniform(0.3, 2.5))
            if chance.random() < 0.6:
                seaweed.kill()
                time.sleep(chance.uniform(0, 0.5))
                if chance.random() < 0.5:
                    seaweed.start()
                    time.sleep(chance.uniform(0, 1.5))
        finally:
            child.kill()
        for line in child.lines:
            if line.startswith("acknowledged ") and line.endswith("\n"):
                writer, round_number = map(int, line.split()[1:])
                acknowledged[writer].add(round_number)
        first = max(max(each, default=0) for each in acknowledged.values()) + 2
        if not seaweed.is_running:
            seaweed.start()
        asyncio.run(check_folder(folder, endpoint, acknowledged))
    asyncio.run(check_in_bucket_alone(folder, endpoint, acknowledged))


async def check_folder(folder: Path, endpoint: str, acknowledged: dict[int, set[int]]) -> None:
    archive = await open_archive(folder, endpoint, BUCKET)
    await check(archive, acknowledged)
    await archive.close()


async def check(archive: EmbeddedArchive, acknowledged: dict[int, set[int]]) -> None:
    for writer in WRITERS:
        found = (await archive.read([writer], 0, 10**17, 10**7)).get(writer, [])
        times = [each.at_us for each in found]
        assert len(set(times)) == len(times), "there twice"
        values = {each.at_us: each.value for each in found}
        for round_number in acknowledged[writer]:
            expected = rows_of_round(round_number)
            assert {at_us: values.get(at_us) for at_us in expected} == expected, "lost"
        buckets = await archive.read_buckets([writer], 0, 10**17, 10**16)
        assert sum(each.count for each in buckets[writer]) == len(found)


async def check_in_bucket_alone(
    folder: Path, endpoint: str, acknowledged: dict[int, set[int]]
) -> None:
    """With no file of the cold tier on this disk."""
    archive = await open_archive(folder, endpoint, BUCKET)
    await archive.flush()
    deadline_s = time.monotonic() + QUIET_S_MAX
    while True:
        while (await archive.compact(1000)).left_count:
            pass
        stats = await archive.stats()
        assert stats.bucket is not None
        if not stats.bucket.waiting_count:
            break
        assert time.monotonic() < deadline_s, stats
    await archive.close()
    shutil.rmtree(folder / "cold")
    await check_folder(folder, endpoint, acknowledged)


def test_a_backup_is_whole_in_the_bucket_or_not_there(seaweed: SeaweedFs, tmp_path: Path) -> None:
    chance = random.Random(printed_seed())
    files = tmp_path / "files"
    files.mkdir()
    for number in range(3):
        (files / f"{number}.sqlite3").write_bytes(os.urandom(12 * 2**20))
    endpoint = seaweed.settings.endpoint_url
    for victim in ("backup", "s3"):
        share = chance.uniform(0.1, 0.95) if victim == "backup" else 2.0
        child = Child("backup", files, "backup", share, endpoint, BUCKET)
        assert child.began.wait(START_S_MAX)
        if victim == "s3":
            time.sleep(chance.uniform(0, 0.3))
            seaweed.kill()
        child.wait()
        if victim == "s3":
            seaweed.start()
        with s3_of(seaweed) as s3:
            found = s3.list_objects_v2(Bucket=BUCKET, Prefix="backup").get("Contents", [])
            if found:
                with ObjectReader(s3, S3Address(BUCKET, "backup")) as source:
                    read_whole(source)
    child = Child("backup", files, "backup", 2.0, endpoint, BUCKET)
    assert child.wait() == 0
    with s3_of(seaweed) as s3, ObjectReader(s3, S3Address(BUCKET, "backup")) as source:
        read_whole(source)


class Nowhere:
    """Takes all."""

    def write(self, data: bytes) -> int:
        return len(data)

    def __enter__(self) -> "Nowhere":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def read_whole(source: Any) -> None:
    """Raise DamagedBackup unless it is."""
    Package(source).read(lambda _path: Nowhere(), lambda _count: None)  # type: ignore[arg-type,return-value] # as much of a file as is used
