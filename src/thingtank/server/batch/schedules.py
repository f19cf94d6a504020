"""All schedules of an instance: a file in the data folder."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from thingtank.server.backup.whole_files import write_file
from thingtank.server.batch.schedule import Schedule
from thingtank.tank.errors import LimitReached, NotFound, StorageFailed

FILE_NAME = "batch.json"
SCHEDULES_MAX = 100


class NoSuchSchedule(NotFound):
    """There is no schedule of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no schedule {name}; see: thingtank batch schedule list")


class Schedules:
    """Lives in the loop's thread, of whoever has the data folder open.

    Attributes:
        adding: held from the look whether a name is free until the schedule of it is there.
    """

    def __init__(self, folder: Path) -> None:
        """Read none yet."""
        self.adding = asyncio.Lock()
        self._path = folder / FILE_NAME
        self._found: dict[str, Schedule] | None = None
        self._by_trigger: dict[int, str] = {}
        self._watchers: list[Callable[[], object]] = []

    def on_change(self, watcher: Callable[[], object]) -> None:
        """Be called after each change."""
        self._watchers.append(watcher)

    def all(self) -> list[Schedule]:
        """All, by name. Raise StorageFailed."""
        return [schedule for _, schedule in sorted(self._loaded().items())]

    def get(self, name: str) -> Schedule:
        """Raise NoSuchSchedule, StorageFailed."""
        found = self._loaded().get(name)
        if found is None:
            raise NoSuchSchedule(name)
        return found

    def of_trigger(self, trigger_id: int) -> Schedule | None:
        """The one that made a trigger; quick for other triggers. Raise StorageFailed."""
        found = self._loaded()
        name = self._by_trigger.get(trigger_id)
        return None if name is None else found[name]

    def put(self, schedule: Schedule) -> None:
        """Add one, or replace that of its name. Raise LimitReached, StorageFailed."""
        found = {**self._loaded(), schedule.name: schedule}
        if len(found) > SCHEDULES_MAX:
            raise LimitReached(f"{SCHEDULES_MAX} schedules are enough; remove one first")
        self._save(found)

    def remove(self, name: str) -> Schedule:
        """Return what it was. Raise NoSuchSchedule, StorageFailed."""
        removed = self.get(name)
        self._save({key: each for key, each in self._loaded().items() if key != name})
        return removed

    def _loaded(self) -> dict[str, Schedule]:
        if self._found is None:
            try:
                text = self._path.read_bytes()
                schedules = msgspec.json.decode(text, type=list[Schedule])
            except FileNotFoundError:
                schedules = []
            except (OSError, msgspec.DecodeError) as error:
                raise StorageFailed(f"{self._path.name} cannot be used: {error}") from error
            return self._take({each.name: each for each in schedules})
        return self._found

    def _take(self, found: dict[str, Schedule]) -> dict[str, Schedule]:
        self._found = found
        self._by_trigger = {
            each.trigger_id: each.name for each in found.values() if each.trigger_id is not None
        }
        return found

    def _save(self, found: dict[str, Schedule]) -> None:
        text = msgspec.json.format(msgspec.json.encode(list(found.values())), indent=1)
        try:
            write_file(self._path, lambda file: file.write(text))
        except OSError as error:
            raise StorageFailed(f"{self._path.name} cannot be written: {error}") from error
        self._take(found)
        for watcher in self._watchers:
            watcher()
