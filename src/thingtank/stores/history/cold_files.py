"""Where the cold tier's files are: in a folder, or in a bucket with some of them in the folder.

Names are paths below the cold folder, as the manifest has them. A file is written once.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import duckdb

from thingtank.stores.history_interface import BucketStats
from thingtank.tank.errors import StorageFailed


class ColdFiles(Protocol):
    """Files of the cold tier. Blocking; readers are several threads, the rest is one."""

    def held(self, names: Sequence[str]) -> AbstractContextManager[list[str]]:
        """Paths of files that are all on this disk, until the end of the block.

        Raises:
            StorageFailed: one is elsewhere, and cannot be had now.
        """
        ...

    def parts(self, names: Sequence[str]) -> Iterator[list[str]]:
        """Names in their order, divided into as many as should be held at one time."""
        ...

    def size_bytes(self, name: str) -> int:
        """Of one file. Raise OSError."""
        ...

    def carry(self) -> None:
        """Bring files to where they stay. What cannot be done now is done another time.

        Raises:
            StorageFailed: of the database.
        """
        ...

    def elsewhere(self, connection: duckdb.DuckDBPyConnection) -> set[str]:
        """Files that need not be in a copy of the folder, by the manifest's own snapshot."""
        ...

    def adopt(self) -> None:
        """Have what is elsewhere belong to this folder from now on. Raise StorageFailed."""
        ...

    def stats(self, connection: duckdb.DuckDBPyConnection) -> BucketStats | None:
        """How much is elsewhere; None where nothing ever is."""
        ...

    def interrupt(self) -> None:
        """Break off what is under way, from another thread, and begin no more."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class FolderFiles:
    """All files are in the folder, and stay there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def held(self, names: Sequence[str]) -> Iterator[list[str]]:
        """Their paths."""
        yield [str(self._folder / name) for name in names]

    def parts(self, names: Sequence[str]) -> Iterator[list[str]]:
        """All of them: they take no room but what they take anyway."""
        yield list(names)

    def size_bytes(self, name: str) -> int:
        """Of one file."""
        return (self._folder / name).stat().st_size

    def carry(self) -> None:
        """They are where they stay."""

    def elsewhere(self, connection: duckdb.DuckDBPyConnection) -> set[str]:
        """None."""
        return set()

    def adopt(self) -> None:
        """There is nothing to have. Raise StorageFailed."""
        raise StorageFailed("this archive has no bucket: set `archive.cold` first")

    def stats(self, connection: duckdb.DuckDBPyConnection) -> BucketStats | None:
        """Nothing is elsewhere."""
        return None

    def interrupt(self) -> None:
        """Nothing takes long."""

    def close(self) -> None:
        """Nothing is open."""
