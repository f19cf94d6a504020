"""Files in a folder of this machine; what `s3` is at AWS."""

from collections.abc import Sequence
from pathlib import Path

from thingtank.local.object_folder import ObjectFolder
from thingtank.sinks.engine import (
    ALL_DELIVERED,
    BatchBounds,
    EngineFailed,
    EngineParts,
    Item,
    SendResult,
)
from thingtank.sinks.engines.local_failures import told
from thingtank.sinks.engines.objects import (
    GATHER_S,
    ITEMS_MAX,
    OBJECT_BYTES_MAX,
    PrefixSettings,
    objects_of,
)
from thingtank.sinks.own_places import OBJECTS, OwnPlaces, path_problem, whole_path
from thingtank.tank.failures import FailureKind


class Settings(PrefixSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A folder, made by its first file.

    Attributes:
        folder: where; a path that is not whole is below `sinks/objects` in the data folder. A
            whole one, such as `/srv/readings`, must be outside of the data folder.
    """

    folder: str

    def __post_init__(self) -> None:
        """Check what is here to be checked."""
        super().__post_init__()
        if not self.folder or "\0" in self.folder:
            raise ValueError("`folder` must be a path")
        try:
            whole_path(OBJECTS, self.folder)
        except ValueError as error:
            raise ValueError(f"`folder` {error}") from None


def place_problem(settings: Settings, own: OwnPlaces) -> str:
    """Why nothing may be written there; blank if it may be."""
    folder = whole_path(own.folder / OBJECTS, settings.folder)
    # A prefix leads from a folder around the data folder into it.
    problem = path_problem(folder / f"{settings.prefix}day=", own, OBJECTS)
    return f"`folder` {problem}" if problem else ""


class FolderEngine:
    """Implements `SinkEngine`: what a batch has of a day is one file, written once."""

    bounds = BatchBounds(ITEMS_MAX, OBJECT_BYTES_MAX)
    wants_payload = True
    gather_s = GATHER_S

    def __init__(self, settings: Settings, parts: EngineParts) -> None:
        """Make one."""
        self._settings = settings
        self._own = parts.own
        self._path: Path = whole_path(parts.folder / OBJECTS, settings.folder)

    def open(self) -> None:
        """See SinkEngine."""
        self._check()
        with told(self._path):
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def send(self, items: Sequence[Item]) -> SendResult:
        """See SinkEngine."""
        self._check()
        with told(self._path):
            for each in objects_of(self._settings, items):
                ObjectFolder(self._path).put_if_absent(each.key, each.data)
        return ALL_DELIVERED

    def close(self) -> None:
        """See SinkEngine."""

    def describe(self) -> str:
        """See SinkEngine."""
        return f"folder {self._settings.folder}"

    def _check(self) -> None:
        """Look each time: a link may lead elsewhere by now."""
        if problem := place_problem(self._settings, self._own):
            raise EngineFailed.of(FailureKind.NOT_ALLOWED, problem)


def make_engine(settings: Settings, parts: EngineParts) -> FolderEngine:
    """An engine that is not open yet."""
    return FolderEngine(settings, parts)
