"""Which files of the cold tier are in a bucket: the table `objects`, and the same in memory."""

import threading

import msgspec

from thingtank.stores.history.database import Database, run


class StoredObject(msgspec.Struct, frozen=True):
    """A file that is in the bucket, or on its way there.

    Attributes:
        file: below the cold folder, and below the bucket's prefix.
        sha256: in hexadecimal.
        is_there: whether it was read back, so that this disk need not have it.
        gone_us: since when the manifest does not name it; None while it does.
    """

    file: str
    size_bytes: int
    sha256: str
    is_there: bool
    gone_us: int | None


class Objects:
    """The table. What it tells is from memory; each change is on disk before it is told."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        with database.snapshot() as connection:
            rows = connection.execute(
                "SELECT file, size_bytes, sha256, is_there, gone_us FROM objects"
            ).fetchall()
        self._found = {row[0]: StoredObject(*row) for row in rows}

    def find(self, name: str) -> StoredObject | None:
        """What is known of a file."""
        return self._found.get(name)

    def there(self, name: str) -> StoredObject | None:
        """A file that the bucket has for certain."""
        found = self._found.get(name)
        return found if found is not None and found.is_there else None

    def all(self) -> list[StoredObject]:
        """All of them."""
        with self._lock:
            return list(self._found.values())

    def note(self, file: str, size_bytes: int, sha256: str) -> StoredObject:
        """Remember a file that is to be put. Raise StorageFailed."""
        return self._write(StoredObject(file, size_bytes, sha256, is_there=False, gone_us=None))

    def mark_there(self, each: StoredObject) -> None:
        """It was read back. Raise StorageFailed."""
        self._write(msgspec.structs.replace(each, is_there=True))

    def mark_gone(self, each: StoredObject, now_us: int) -> None:
        """Nobody names it any more. Raise StorageFailed."""
        self._write(msgspec.structs.replace(each, gone_us=now_us))

    def drop(self, each: StoredObject) -> None:
        """The bucket has it no more. Raise StorageFailed."""
        with self._database.writing() as connection:
            run(connection, "DELETE FROM objects WHERE file = ?", each.file)
        with self._lock:
            self._found.pop(each.file, None)

    def _write(self, each: StoredObject) -> StoredObject:
        with self._database.writing() as connection:
            run(connection, "DELETE FROM objects WHERE file = ?", each.file)
            run(
                connection,
                "INSERT INTO objects (file, size_bytes, sha256, is_there, gone_us)"
                " VALUES (?, ?, ?, ?, ?)",
                *msgspec.structs.astuple(each),
            )
        with self._lock:
            self._found[each.file] = each
        return each
