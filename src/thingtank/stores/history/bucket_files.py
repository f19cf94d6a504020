"""The cold tier in a bucket: what `cold_files` asks for, of a cache and a carrier."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.history.bucket_cache import BucketCache
from thingtank.stores.history.bucket_carrier import BucketCarrier
from thingtank.stores.history.cold_bucket import ColdBucket
from thingtank.stores.history.database import Database
from thingtank.stores.history.objects import Objects
from thingtank.stores.history.segments import names_in
from thingtank.stores.history_interface import BucketStats
from thingtank.tank.errors import StorageFailed
from thingtank.tank.interfaces import Clock


class BucketFiles:
    """Implements `cold_files.ColdFiles`."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        bucket: ColdBucket,
        settings: ArchiveSettings,
        clock: Clock,
    ) -> None:
        self._database = database
        self._folder = folder
        self._bucket = bucket
        self._objects = Objects(database)
        self._part_bytes = settings.cold_cache_bytes_max // settings.reader_threads
        self._stopping = threading.Event()
        self.cache = BucketCache(
            folder,
            self._objects,
            bucket,
            settings.cold_cache_bytes_max,
            max(1, settings.reader_threads - 1),
            self._stopping.is_set,
        )
        self.carrier = BucketCarrier(
            folder, self._objects, bucket, self.cache, clock, settings.cold_keep_s, self._stopping
        )
        self.cache.find_local()

    def held(self, names: Sequence[str]) -> AbstractContextManager[list[str]]:
        """Paths of files that are all on this disk, until the end of the block.

        Raises:
            StorageFailed: the bucket does not give one, or the disk does not take it.
        """
        return self.cache.held(names)

    def parts(self, names: Sequence[str]) -> Iterator[list[str]]:
        """Names in their order, each part's files no more than one reader's share of the cache.

        A file that is larger is a part of its own.
        """
        part: list[str] = []
        left_bytes = self._part_bytes
        for name in names:
            size_bytes = self.size_bytes(name)
            if part and size_bytes > left_bytes:
                yield part
                part, left_bytes = [], self._part_bytes
            part.append(name)
            left_bytes -= size_bytes
        if part:
            yield part

    def size_bytes(self, name: str) -> int:
        """Of one file. Raise OSError."""
        found = self._objects.find(name)
        return found.size_bytes if found else (self._folder / name).stat().st_size

    def carry(self) -> None:
        """Put into the bucket what it has not. Raise StorageFailed: of the database."""
        with self._database.snapshot() as connection:
            named = names_in(connection)
        self.carrier.carry(named)

    def elsewhere(self, connection: duckdb.DuckDBPyConnection) -> set[str]:
        """Files that are in the bucket, by the manifest's own snapshot."""
        rows = connection.execute("SELECT file FROM objects WHERE is_there").fetchall()
        return {name for (name,) in rows}

    def adopt(self) -> None:
        """Have the prefix belong to this folder from now on. Raise StorageFailed."""
        try:
            self.carrier.adopt()
        except OSError as error:
            raise StorageFailed("the data folder cannot be written", details=error) from error

    def stats(self, connection: duckdb.DuckDBPyConnection) -> BucketStats:
        """How much is in the bucket, and what waits."""
        named = names_in(connection)
        there = [each for each in self._objects.all() if each.is_there]
        return BucketStats(
            address=str(self._bucket.address),
            bytes=sum(each.size_bytes for each in there),
            cached_bytes=self.cache.size_bytes,
            waiting_count=len(named - {each.file for each in there}),
            is_anothers=self.carrier.is_anothers,
            failure=self.carrier.failure,
        )

    def interrupt(self) -> None:
        """Break off what is under way, from another thread, and begin no more."""
        self._stopping.set()
        self.cache.stop()

    def close(self) -> None:
        """Let connections and threads go."""
        self._stopping.set()
        self.cache.close()
        self._bucket.close()
