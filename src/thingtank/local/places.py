"""Where a data folder has the files of queues and tables."""

from collections.abc import Iterator
from pathlib import Path

QUEUES = Path("sinks", "queues.sqlite3")
TABLES = Path("sinks", "tables.sqlite3")


def files_of(folder: Path) -> Iterator[Path]:
    """Those that there are."""
    return (folder / place for place in (QUEUES, TABLES) if (folder / place).exists())
