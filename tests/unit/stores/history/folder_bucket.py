"""A bucket of the cold tier in a folder, which can be away and lose things."""

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from thingtank.aws.addresses import S3Address
from thingtank.stores.history.cold_bucket import BucketFailed, ColdBucket, IsStopping
from thingtank.tank.failures import Failure, FailureKind

GONE = Failure(FailureKind.UNREACHABLE, "EndpointConnectionError", "nobody there", "")
NOT_ALLOWED = Failure(FailureKind.NOT_ALLOWED, "AccessDenied", "not allowed", "")
NO_SUCH_KEY = Failure(FailureKind.MISSING, "NoSuchKey", "not there", "")


class FolderBucket(ColdBucket):
    """Does what ColdBucket says, to files.

    Attributes:
        is_away: whether nothing can be reached now.
        loses: how many of the next objects that are put come to be empty.
        reads: names that were asked for.
        gate: reads wait for it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = S3Address("bucket", "cold")
        self.is_away = False
        self.loses = 0
        self.reads: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    @property
    def names(self) -> set[str]:
        """What is there."""
        return {
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*.parquet")
            if path.is_file()
        }

    def owner(self, own_id: str, *, takes_over: bool = False) -> str:
        path = self._path("owner.json")
        if takes_over or not path.exists():
            path.write_text(own_id)
        return path.read_text()

    def tidy(self) -> None:
        raise BucketFailed("not allowed", NOT_ALLOWED)  # which holds up nothing

    def put(self, name: str, path: Path, sha256: str, is_stopping: IsStopping) -> None:
        target = self._path(name)
        if target.exists():
            return
        content = path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256
        if self.loses:
            self.loses -= 1
            content = b""
        target.write_bytes(content)

    def read(
        self, name: str, size_bytes: int, sha256: str, is_stopping: IsStopping
    ) -> Iterator[bytes]:
        path = self._path(name)
        self.reads.append(name)
        assert self.gate.wait(10)
        if not path.exists():
            raise BucketFailed(f"{name} is not there", NO_SUCH_KEY)
        content = path.read_bytes()
        yield content
        if hashlib.sha256(content).hexdigest() != sha256 or len(content) != size_bytes:
            raise BucketFailed(f"{name} is damaged")

    def delete(self, name: str) -> None:
        path = self._path(name)
        if path.exists():
            os.unlink(path)

    def close(self) -> None:
        pass

    def _path(self, name: str) -> Path:
        if self.is_away:
            raise BucketFailed("nobody is there", GONE)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
