"""Objects in a folder, of the meaning of S3's: written once and whole, by keys with slashes."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

KEY_BYTES_MAX = 1024  # as S3
PART_BYTES_MAX = 255  # of a file's name
_DRAFT = ".draft-"


class BadKey(ValueError):
    """No file can have such a key."""


class ObjectFolder:
    """Objects below one folder, which is made by the first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one; it is there whole or not at all.

        Returns:
            Whether it was written; if so it is on disk.

        Raises:
            BadKey, OSError.
        """
        path = self._path(key)
        self._make_folders(path.parent)
        draft = path.parent / f"{_DRAFT}{secrets.token_hex(8)}"
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)  # unlike a rename, this fails where there is one
            except FileExistsError:
                return False
        finally:
            draft.unlink(missing_ok=True)
        _sync(path.parent)
        return True

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """Bytes of an object from `start` up to `end`, which is not in it.

        Raises:
            BadKey, FileNotFoundError, OSError.
        """
        with self._path(key).open("rb") as file:
            file.seek(start)
            return file.read(-1 if end is None else max(0, end - start))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Keys of all objects that begin so, in order."""
        found = (
            path.relative_to(self._folder).as_posix()
            for path in self._folder.rglob("*")
            if path.is_file() and not path.name.startswith(_DRAFT)
        )
        yield from sorted(key for key in found if key.startswith(prefix))

    def delete(self, key: str) -> None:
        """Delete an object; none is fine.

        Raises:
            BadKey, OSError.
        """
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if len(key.encode()) > KEY_BYTES_MAX or "\0" in key:
            raise BadKey(f"a key has at most {KEY_BYTES_MAX:,} bytes, without NUL")
        for part in parts:
            if part in ("", ".", "..") or part.startswith(_DRAFT):
                raise BadKey(f"a part of a key may not be {part!r}")
            if len(part.encode()) > PART_BYTES_MAX:
                raise BadKey(f"a part of a key has at most {PART_BYTES_MAX} bytes")
        return self._folder.joinpath(*PurePosixPath(key).parts)

    def _make_folders(self, folder: Path) -> None:
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
            _sync(each.parent)


def _sync(folder: Path) -> None:
    """Have a folder's new names on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
