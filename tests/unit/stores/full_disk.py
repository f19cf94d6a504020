"""A disk that has no room left, as far as SQLite says."""

import sqlite3
from contextlib import AbstractContextManager
from typing import Any

import pytest

from thingtank.stores import recovering_file
from thingtank.stores.sqlite_files import open_file


class DiskTooFullToDelete(AbstractContextManager[None]):
    """While it lasts, connections that files open anew cannot delete rows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._open_file = open_file

    def __enter__(self) -> None:
        self._monkeypatch.setattr(recovering_file, "open_file", self._open)

    def __exit__(self, *_: object) -> None:
        self._monkeypatch.setattr(recovering_file, "open_file", self._open_file)

    def _open(self, *args: Any) -> Any:
        return _Connection(self._open_file(*args))


class _Connection:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> Any:
        return self._connection.__enter__()

    def __exit__(self, *raised: Any) -> Any:
        return self._connection.__exit__(*raised)

    def execute(self, text: str, *args: Any) -> Any:
        if text.startswith("DELETE"):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return self._connection.execute(text, *args)
