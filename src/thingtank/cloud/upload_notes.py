"""Which uploads have begun: a small file each, of this user."""

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec

from thingtank.aws.addresses import S3Address


class Note(msgspec.Struct, frozen=True):
    """One upload that has begun, and what its file was then."""

    upload_id: str
    part_bytes: int
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, file: Path, upload_id: str, part_bytes: int) -> "Note":
        """One of a file as it is now."""
        state = file.stat()
        return cls(upload_id, part_bytes, state.st_size, state.st_mtime_ns)

    def is_of(self, file: Path) -> bool:
        """Whether the file is what it was."""
        state = file.stat()
        return (state.st_size, state.st_mtime_ns) == (self.size_bytes, self.modified_ns)


class Notes:
    """The notes of one endpoint.

    Args:
        folder: made when the first is kept.
    """

    def __init__(self, folder: Path, endpoint_url: str) -> None:
        self._folder = folder
        self._endpoint_url = endpoint_url

    @classmethod
    def of_user(cls, endpoint_url: str) -> "Notes":
        """Where programs keep what only this machine needs to know."""
        home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        return cls(Path(home) / "thingtank" / "uploads", endpoint_url)

    def find(self, file: Path, address: S3Address) -> Note | None:
        """The note of an upload; None if there is none that can be read."""
        try:
            return msgspec.json.decode(self._path(file, address).read_bytes(), type=Note)
        except (OSError, msgspec.DecodeError):
            return None

    def keep(self, file: Path, address: S3Address, note: Note) -> None:
        """Write one. Raise OSError."""
        self._folder.mkdir(0o700, parents=True, exist_ok=True)
        path = self._path(file, address)
        draft = path.with_suffix(".part")
        draft.write_bytes(msgspec.json.encode(note))
        draft.rename(path)

    def drop(self, file: Path, address: S3Address) -> None:
        """Forget one."""
        with contextlib.suppress(OSError):
            self._path(file, address).unlink(missing_ok=True)

    def _path(self, file: Path, address: S3Address) -> Path:
        which = "\0".join([str(file.resolve()), self._endpoint_url, str(address)])
        return self._folder / f"{hashlib.sha256(which.encode()).hexdigest()}.json"
