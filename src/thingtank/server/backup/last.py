"""The last backup that was made of a folder, for `thingtank doctor` and the metrics."""

from pathlib import Path

import msgspec

from thingtank.server.backup.whole_files import write_file

LAST = "last-backup.json"


class LastBackup(msgspec.Struct, frozen=True):
    """The last backup that was made of a folder."""

    made_at: str
    file: str
    bytes: int


def note_last(folder: Path, last: LastBackup) -> None:
    """Have `thingtank doctor` know of it. Raise OSError."""
    content = msgspec.json.encode(last)
    write_file(folder / LAST, lambda file: file.write(content))


def find_last(folder: Path) -> LastBackup | None:
    """The last backup that was made of a folder; None if that is not known."""
    try:
        return msgspec.json.decode((folder / LAST).read_bytes(), type=LastBackup)
    except (OSError, msgspec.DecodeError):
        return None
