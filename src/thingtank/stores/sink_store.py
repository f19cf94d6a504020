"""What sinks remember, for the loop: `SinkFile` in a thread of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from thingtank.stores.sink_file import SinkFile
from thingtank.stores.worker import Worker

Result = TypeVar("Result")


class SinkStore:
    """Owns the file and its thread; used from the loop's thread.

    Attributes:
        origin: of the folder; a part of each item's id.
    """

    def __init__(self, file: SinkFile, worker: Worker) -> None:
        self._file = file
        self._worker = worker
        self.origin = file.origin

    @classmethod
    async def open(cls, folder: Path) -> "SinkStore":
        """Open the file of a data folder, made when missing.

        Raises:
            sqlite3.Error, OSError: the folder cannot be used.
            FileMismatch: the file is something else.
        """
        worker = Worker("sink-store", is_awaited=True)
        try:
            file = await worker.run(lambda: SinkFile.open(folder))
        except BaseException:
            await worker.stop()
            raise
        return cls(file, worker)

    async def run(self, work: Callable[[SinkFile], Result]) -> Result:
        """Have something done with the file: `await store.run(SinkFile.places)`.

        Raises:
            StorageFailed: what writes could not.
            sqlite3.Error: what reads could not.
        """
        return await self._worker.run(lambda: work(self._file))

    async def close(self) -> None:
        """Finish what is under way, then let the file go."""
        await self._worker.run(self._file.close)
        await self._worker.stop()

    async def copy_to(self, folder: Path) -> None:
        """Write what is on disk to a file of the same name in another folder.

        Raises:
            sqlite3.Error, OSError: it could not be written.
        """
        await self._worker.run(lambda: self._file.copy_to(folder))
