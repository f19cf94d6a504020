"""Files in a folder of this machine; what `s3` is at AWS."""

from collections.abc import Sequence
from pathlib import Path

from thingtank.local.object_folder import ObjectFolder
from thingtank.sinks.engine import ALL_DELIVERED, BatchBounds, EngineParts, Item, SendResult
from thingtank.sinks.engines.local_failures import told
from thingtank.sinks.engines.objects import (
    GATHER_S,
    ITEMS_MAX,
    OBJECT_BYTES_MAX,
    PrefixSettings,
    objects_of,
)


class Settings(PrefixSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A folder, made by its first file.

    Attributes:
        folder: where; a path that is not whole is below `sinks/objects` in the data folder.
    """

    folder: str

    def __post_init__(self) -> None:
        """Check what is here to be checked."""
        super().__post_init__()
        if not self.folder or "\0" in self.folder:
            raise ValueError("`folder` must be a path")


class FolderEngine:
    """Implements `SinkEngine`: what a batch has of a day is one file, written once."""

    bounds = BatchBounds(ITEMS_MAX, OBJECT_BYTES_MAX)
    wants_payload = True
    gather_s = GATHER_S

    def __init__(self, settings: Settings, parts: EngineParts) -> None:
        """Make one."""
        self._settings = settings
        self._path = parts.folder / "sinks" / "objects" / Path(settings.folder).expanduser()

    def open(self) -> None:
        """See SinkEngine."""
        with told():
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def send(self, items: Sequence[Item]) -> SendResult:
        """See SinkEngine."""
        with told():
            for each in objects_of(self._settings, items):
                ObjectFolder(self._path).put_if_absent(each.key, each.data)
        return ALL_DELIVERED

    def close(self) -> None:
        """See SinkEngine."""

    def describe(self) -> str:
        """See SinkEngine."""
        return f"folder {self._settings.folder}"


def make_engine(settings: Settings, parts: EngineParts) -> FolderEngine:
    """An engine that is not open yet."""
    return FolderEngine(settings, parts)
