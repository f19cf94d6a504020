"""The instance's own files: whether they can be read, whether a server is well, the last backup."""

import contextlib
import datetime
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from thingtank.aws.addresses import is_s3
from thingtank.server.backup.last import find_last
from thingtank.server.backup.parts import is_unfinished
from thingtank.server.doctor.findings import Finding, Patient, ok, problem, warning
from thingtank.server.secret import has_secret, is_in_use

BACKUP_DAYS_MAX = 7
_RESTORES = "restore the folder from a backup"
_MENDS = "see the log of the server, and what the disk checks say"


def check_data(patient: Patient) -> Iterator[Finding]:
    """Whether the files can be read; of a server that runs, what it says itself."""
    folder = patient.folder
    if is_unfinished(folder):
        yield problem("data", f"a restore to {folder} did not come to its end",
                      f"do it again: thingtank restore FILE --data {folder}")  # fmt: skip
        return
    if patient.is_running:
        yield from _readiness(patient)
        return
    if not folder.is_dir():
        remedy = "name that of your Thing Tank with --data; a start would make this one"
        yield warning("data", f"there is no such folder: {folder}", remedy)
        return
    if not has_secret(folder) and not is_in_use(folder):
        remedy = "name the folder of yours with --data; a start would make one here"
        yield warning("data", f"there is no Thing Tank in {folder}", remedy)
        return
    # DuckDB, which takes a while to import: not for who has a server that answers.
    from thingtank.stores.soundness import archive_damage

    damaged = [text for text in map(_damage, sorted(folder.glob("*.sqlite3"))) if text]
    damaged += archive_damage(folder)
    for text in damaged:
        yield problem("data", text, _RESTORES)
    if not damaged:
        yield ok("data", "no server runs; its files are there and can be read")


def _readiness(patient: Patient) -> Iterator[Finding]:
    for text in patient.damage:
        yield problem("data", text, _RESTORES)
    failing = [name for name, holds in patient.checks.items() if not holds]
    for name in failing:
        yield problem("server", f"the server's check of its {name} fails", _MENDS)
    if not failing:
        yield ok("server", f"it runs, and its checks hold: {', '.join(patient.checks)}")


def _damage(path: Path) -> str:
    """What is wrong with a database that nobody has open; blank for nothing."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            # Not all of it, which takes long where much is stored: the head and the list of tables.
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            for (name,) in tables.fetchall():
                quoted = name.replace('"', '""')
                connection.execute(f'SELECT * FROM "{quoted}" LIMIT 1').fetchone()  # noqa: S608 - quoted
    except sqlite3.Error as error:
        return f"{path} cannot be read: {error}"
    return ""


def check_backup(patient: Patient) -> Iterator[Finding]:
    """When the last one was made."""
    if not has_secret(patient.folder):
        return  # nothing to back up yet
    last = find_last(patient.folder)
    remedy = f"make one: thingtank backup FOLDER --data {patient.folder}"
    if last is None:
        yield warning("backup", "none was made by `thingtank backup`", remedy)
        return
    made = datetime.datetime.fromisoformat(last.made_at)
    days = (datetime.datetime.now(datetime.UTC) - made).days
    text = f"the last was made {last.made_at}: {last.file}"
    if not is_s3(last.file) and not Path(last.file).exists():
        yield warning("backup", f"{text}, which is not there any more",
                      "see that it was carried to a safe place, or make another")  # fmt: skip
    elif days > BACKUP_DAYS_MAX:
        yield warning("backup", f"{text}, {days} days ago", remedy)
    else:
        yield ok("backup", text)
