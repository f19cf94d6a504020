"""Carries files of the cold tier to a bucket, and takes away there what nobody needs.

A file counts before the bucket knows of it, so the bucket may be away. What happens to it then:

1. noted      its size and sum, in the table `objects`
2. put        where no object of that name is; one that is there is of an attempt before
3. read back  SETTLE_S later, all of it, and compared: a server that took an object and died may
              have lost it, or have a part
4. there      in the table. From now on this disk need not have it

What the manifest does not name any more stays for `archive.cold_keep_s`: backups of that time name
it. Only what is in the table is ever taken away, and only by the folder that the prefix belongs to:
a copy of a folder, such as a restored backup, names the same files.
"""

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Collection
from pathlib import Path

import structlog

from thingtank.stores.folders import sync_folder
from thingtank.stores.history.bucket_cache import BucketCache
from thingtank.stores.history.cold_bucket import BucketFailed, ColdBucket
from thingtank.stores.history.objects import Objects, StoredObject
from thingtank.tank.interfaces import Clock

log = structlog.get_logger()

SETTLE_S = 2.0
AT_ONCE_MAX = 16  # files that are put before they are read back
ROUND_S_MAX = 600.0  # what is left is for the next round; compaction waits meanwhile
OWNER_FILE = "cold-bucket.id"  # in the data folder, and in no backup
CHUNK_BYTES = 2**20


class BucketCarrier:
    """Used by one thread at a time.

    Attributes:
        failure: why the last round did not come to its end; None when it did.
        is_anothers: whether the prefix belongs to another folder, as the last round saw it.
    """

    def __init__(
        self,
        folder: Path,
        objects: Objects,
        bucket: ColdBucket,
        cache: BucketCache,
        clock: Clock,
        keep_s: int,
        stopping: threading.Event,
    ) -> None:
        self._folder = folder
        self._objects = objects
        self._bucket = bucket
        self._cache = cache
        self._clock = clock
        self._keep_us = keep_s * 1_000_000
        self._stopping = stopping
        self._is_tidy = False
        self.failure: str | None = None
        self.is_anothers = False

    def carry(self, named: Collection[str]) -> None:
        """Carry what the manifest names; a bucket that refuses is logged, and tried again.

        Raises:
            StorageFailed: of the database.
        """
        if self._stopping.is_set():
            return
        try:
            if self._is_ours():
                self._tidy()
                self._put_all(sorted(named))
                self._sweep(named)
        except BucketFailed as error:
            if self.failure is None and not self._stopping.is_set():
                log.warning("cold_bucket_failed", reason=str(error))
            self.failure = str(error)
        else:
            if self.failure is not None:
                log.info("cold_bucket_recovered")
            self.failure = None
        self._cache.keep_only(named)

    def adopt(self) -> None:
        """Have the prefix belong to this folder. Raise BucketFailed, OSError."""
        self._bucket.owner(self._own_id(), takes_over=True)

    def _is_ours(self) -> bool:
        own_id = self._own_id()
        was_anothers, self.is_anothers = self.is_anothers, self._bucket.owner(own_id) != own_id
        if self.is_anothers and not was_anothers:
            log.warning(
                "cold_bucket_is_anothers",
                bucket=str(self._bucket.address),
                remedy="thingtank archive adopt, when no other data folder uses it any more",
            )
        return not self.is_anothers

    def _tidy(self) -> None:
        """Set the bucket's rule, once a start: it saves money, and another may keep rules."""
        if self._is_tidy:
            return
        self._is_tidy = True
        try:
            self._bucket.tidy()
        except BucketFailed as error:
            log.warning("cold_bucket_has_no_rule", reason=str(error))

    def _own_id(self) -> str:
        path = self._folder.parent / OWNER_FILE
        if not path.exists():
            draft = path.with_suffix(".part")
            with draft.open("w") as file:
                file.write(str(uuid.uuid4()))
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
            sync_folder(path.parent)
        own_id = path.read_text().strip()
        if not own_id:
            raise BucketFailed(
                f"{path.name} of the data folder is empty, so it is not known whose the bucket's"
                " files are: remove it, and give: thingtank archive adopt"
            )
        return own_id

    def _put_all(self, names: list[str]) -> None:
        waiting = [name for name in names if not self._objects.there(name)]
        end_s = time.monotonic() + ROUND_S_MAX
        for start in range(0, len(waiting), AT_ONCE_MAX):
            if self._stopping.is_set() or time.monotonic() > end_s:
                return
            part = [self._put(name) for name in waiting[start : start + AT_ONCE_MAX]]
            self._stopping.wait(SETTLE_S)
            for each in part:
                if each is not None:
                    self._read_back(each)

    def _put(self, name: str) -> StoredObject | None:
        path = self._folder / name
        try:
            each = self._objects.find(name) or self._objects.note(name, *_sum_of(path))
            self._bucket.put(name, path, each.sha256, self._stopping.is_set)
        except OSError as error:
            log.error("cold_file_unreadable", file=name, reason=str(error))
            return None
        return each

    def _read_back(self, each: StoredObject) -> None:
        try:
            for _ in self._bucket.read(
                each.file, each.size_bytes, each.sha256, self._stopping.is_set
            ):
                pass
        except BucketFailed as error:
            if not self._stopping.is_set():
                self._put_anew(each, error)
            raise
        self._objects.mark_there(each)
        self._cache.keep(each.file, each.size_bytes)

    def _put_anew(self, each: StoredObject, error: BucketFailed) -> None:
        """Have the next round begin with a file again, unless it is the connection that failed."""
        if error.has_answer:
            log.warning("cold_file_put_anew", file=each.file, reason=str(error))
            self._bucket.delete(each.file)

    def _sweep(self, named: Collection[str]) -> None:
        now_us = self._clock.now_us()
        for each in self._objects.all():
            if self._stopping.is_set():
                return
            if each.file in named:
                continue
            if each.gone_us is None:
                self._objects.mark_gone(each, now_us)
            elif now_us - each.gone_us >= self._keep_us:
                self._bucket.delete(each.file)
                self._objects.drop(each)


def _sum_of(path: Path) -> tuple[int, str]:
    digest = hashlib.sha256()
    size_bytes = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    return size_bytes, digest.hexdigest()
