"""A SQLite file that is written batch by batch, and begun afresh when a sync has failed.

A batch whose sync failed was refused, and may yet stand in the log. So the file is opened anew
then, and what must not be in it is removed before anything else is done with it.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar, TypeVar

from thingtank.net.sqlite_copies import write_copy
from thingtank.stores.sqlite_files import FileFormat, open_file
from thingtank.tank.errors import StorageFailed

Result = TypeVar("Result")


class RecoveringFile:
    """Blocking access, for any one thread at a time.

    Attributes:
        form, pragmas, schema: of the file.
        content: what is in it, for people: "… could not be written".
        is_private: whether nobody else on the machine may read it.
    """

    form: ClassVar[FileFormat]
    pragmas: ClassVar[Iterable[tuple[str, str | int]]]
    schema: ClassVar[str]
    content: ClassVar[str]
    is_private: ClassVar[bool] = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._has_failed = False

    def close(self) -> None:
        """Close the file; it can be opened again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def copy_to(self, folder: Path) -> None:
        """Write what is committed to a file of the same name in another folder.

        Raises:
            sqlite3.Error, OSError: it could not be written.
        """
        write_copy(self._connected(), folder / self._path.name)

    def _remove_refused(self, connection: sqlite3.Connection) -> None:
        """Take out of the file what was refused as its sync failed."""
        raise NotImplementedError

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            if self.is_private:
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = open_file(self._path, self.form, self.pragmas, self.schema)
            try:
                if self._has_failed:
                    # While the disk is too full even for that, the file is not used.
                    self._remove_refused(connection)
            except BaseException:
                connection.close()
                raise
            self._has_failed = False
            self._connection = connection
        return self._connection

    def _trying(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do work that writes; raise StorageFailed when nothing of it was kept."""
        try:
            return work(self._connected())
        except (sqlite3.Error, OSError) as error:
            self._recover(error)
            # SQLite's own words name no place: "database or disk is full".
            why = f": {error}" if isinstance(error, sqlite3.Error) else ""
            raise StorageFailed(
                f"{self.content} could not be written{why}", details="" if why else error
            ) from error

    def _recover(self, error: Exception) -> None:
        """Start the next attempt afresh, unless the disk is merely full."""
        connection = self._connection
        if connection is None:
            return
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            if connection.in_transaction:
                connection.rollback()
            return
        self._has_failed = True
        self.close()
