"""Files of a bucket that this disk has as well: brought when they are read, the last used stay."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import structlog

from thingtank.stores.history.cold_bucket import BucketFailed, ColdBucket
from thingtank.stores.history.fetch_threads import FetchThreads
from thingtank.stores.history.objects import Objects
from thingtank.stores.history.segments import make_durable
from thingtank.tank.errors import Overloaded, StorageFailed

log = structlog.get_logger()

FETCHES_MAX = 4  # at one time
RETRY_AFTER_S = 30
AWAY = "values of that time are in a bucket that cannot be reached now; try again later"
DAMAGED = "values of that time are in a bucket that does not give them; the server's log says why"
CLOSE_S_MAX = 3.0  # for what is under way; the bucket may be silent for most of a minute
AWAY_S = 3.0  # for so long after a failure nobody waits for the bucket again


class BucketCache:
    """What is in the folder of all that the bucket has. Used by many threads."""

    def __init__(
        self,
        folder: Path,
        objects: Objects,
        bucket: ColdBucket,
        bytes_max: int,
        waiting_max: int,
        is_stopping: Callable[[], bool],
    ) -> None:
        """Fetch nothing yet.

        Args:
            waiting_max: questions that wait for files at one time; further ones are refused, so
                that threads are left for those that need none.
        """
        self._folder = folder
        self._objects = objects
        self._bucket = bucket
        self._bytes_max = bytes_max
        self._is_stopping = is_stopping
        self._lock = threading.Lock()
        self._local: OrderedDict[str, int] = OrderedDict()  # oldest use first; sizes
        self._holders: Counter[str] = Counter()
        self._fetching: dict[str, Future[None]] = {}
        self._waiting = threading.BoundedSemaphore(waiting_max)
        self._threads = FetchThreads(FETCHES_MAX, "archive-bucket")
        self._away_until_s = 0.0
        self.fetched_count = 0

    @property
    def size_bytes(self) -> int:
        """What the disk has of what the bucket has."""
        with self._lock:
            return sum(self._local.values())

    def find_local(self) -> None:
        """Look what is there; at the start, before anybody reads."""
        found = []
        for each in self._objects.all():
            path = self._folder / each.file
            if each.is_there and path.exists():
                found.append((path.stat().st_mtime, each.file, each.size_bytes))
        for _, name, size_bytes in sorted(found):
            self._local[name] = size_bytes
        self._make_room()

    @contextmanager
    def held(self, names: Sequence[str]) -> Iterator[list[str]]:
        """Paths of files that are all on this disk, until the end of the block.

        Raises:
            Overloaded: too many wait for files of the bucket already.
            StorageFailed: the bucket does not give one, or the disk does not take it.
        """
        wanted = list(dict.fromkeys(names))
        with self._lock:
            self._holders.update(wanted)
        fetched_count = 0
        try:
            fetched_count = self._bring(wanted)
            yield [str(self._folder / name) for name in names]
        finally:
            with self._lock:
                self._holders.subtract(wanted)
                self._holders += Counter()  # without those that nobody holds
            if fetched_count:
                self._make_room()

    def keep(self, name: str, size_bytes: int) -> None:
        """The bucket has a file now that is here."""
        with self._lock:
            self._local[name] = size_bytes
        self._make_room()

    def keep_only(self, named: Collection[str]) -> None:
        """Let go of what the manifest does not name, unless somebody reads it."""
        with self._lock:
            gone = [name for name in self._local if name not in named and not self._holders[name]]
            for name in gone:
                self._remove(name)

    def _bring(self, names: list[str]) -> int:
        futures = []
        with self._lock:
            for name in names:
                if name in self._local:
                    self._local.move_to_end(name)
            missing = [
                name
                for name in names
                if self._objects.there(name) and not (self._folder / name).exists()
            ]
            for name in missing:
                if name not in self._fetching:
                    self._fetching[name] = self._threads.submit(partial(self._fetch, name))
                futures.append(self._fetching[name])
        if futures:
            self._wait_for(futures)
        return len(futures)

    def _wait_for(self, futures: "list[Future[None]]") -> None:
        if not self._waiting.acquire(blocking=False):
            raise Overloaded(
                "many questions wait for values that are in a bucket; try again later",
                RETRY_AFTER_S,
            )
        try:
            for future in futures:
                future.result()
        finally:
            self._waiting.release()

    def _fetch(self, name: str) -> None:
        try:
            if time.monotonic() < self._away_until_s:
                raise StorageFailed(AWAY, RETRY_AFTER_S)
            self._fetch_now(name)
        except BucketFailed as error:
            if self._is_stopping():
                raise
            log.warning("cold_file_not_fetched", file=name, reason=str(error))
            if not error.is_passing:
                raise StorageFailed(DAMAGED, RETRY_AFTER_S) from error
            self._away_until_s = time.monotonic() + AWAY_S
            raise StorageFailed(AWAY, RETRY_AFTER_S) from error
        except OSError as error:
            raise StorageFailed(
                f"{name} of the bucket could not be kept here", details=error
            ) from error
        finally:
            with self._lock:
                del self._fetching[name]

    def _fetch_now(self, name: str) -> None:
        each = self._objects.there(name)
        assert each is not None, "only such are fetched"
        path = self._folder / name
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(".fetched.part")
        try:
            with draft.open("wb") as file:
                for chunk in self._bucket.read(
                    name, each.size_bytes, each.sha256, self._is_stopping
                ):
                    file.write(chunk)
            if self._is_stopping():  # nobody counts what comes now
                raise BucketFailed("the server is stopping")
            make_durable(draft, path)  # or a power cut could leave less under its name
        finally:
            draft.unlink(missing_ok=True)
        with self._lock:
            self._local[name] = each.size_bytes
            self.fetched_count += 1
        self._make_room()

    def _make_room(self) -> None:
        with self._lock:
            size_bytes = sum(self._local.values())
            for name in list(self._local):
                if size_bytes <= self._bytes_max:
                    return
                if not self._holders[name]:
                    size_bytes -= self._local[name]
                    self._remove(name)

    def _remove(self, name: str) -> None:
        del self._local[name]
        (self._folder / name).unlink(missing_ok=True)

    def stop(self) -> None:
        """Fetch no more; those who wait for a file are refused at once."""
        self._threads.stop()

    def close(self) -> None:
        """Fetch no more, and wait a little for what is under way, whose end counts no more."""
        if not self._threads.close(CLOSE_S_MAX):
            log.warning("cold_fetch_left_behind", waited_s=CLOSE_S_MAX)
