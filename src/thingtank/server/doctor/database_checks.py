"""The database: whether it is there, which it is, and whether it is free for this folder."""

from collections.abc import Iterator
from pathlib import Path

from thingtank.server.cannot_start import CannotStart
from thingtank.server.doctor.findings import Finding, Patient, ok, problem
from thingtank.server.secret import has_secret
from thingtank.stores.stored import holds_datapoints
from thingtank.web.database.url import BadDatabaseUrl, database_of

_NAME = "database"


def check_database_server(patient: Patient) -> Iterator[Finding]:
    """What a start would find of it; what is in a SQLite file is looked at with others' files."""
    source = patient.config.database
    if source.text.startswith("sqlite:"):
        yield from _lost_file(patient)
        return
    if not has_secret(patient.folder):
        return
    # Django, which takes a second: not for who has no server.
    from thingtank.server.database_commands import check_database

    try:
        found = check_database(patient.config, patient.folder)
    except CannotStart as error:
        reason, _, remedy = str(error).partition("; ")
        yield problem(_NAME, reason, remedy or "see docs/howto/choose-a-database.md")
        return
    shown = f"{found.kind} {found.version}, {found.database}"
    if found.is_in_use and not patient.is_running:
        yield problem(
            _NAME,
            f"{shown} is in use by another Thing Tank",
            "stop it, or give each a database of its own",
        )
    else:
        yield ok(_NAME, f"{shown} answers; its tables are {found.tables}")


def _lost_file(patient: Patient) -> Iterator[Finding]:
    """Of a SQLite file, without Django: that an archive is left of what it was the directory of."""
    if patient.is_running:
        return
    try:
        database = database_of(patient.config.database, patient.folder)
    except BadDatabaseUrl:
        return  # the settings' checks tell
    file = Path(database.settings["NAME"])
    is_there = file.exists() and file.stat().st_size > 0
    if not is_there and holds_datapoints(patient.folder):
        yield problem(
            _NAME,
            f"{file} is missing or empty, and the archive in {patient.folder} has values of its"
            " channels",
            "restore it from your backup; to begin without the old devices, use a new folder",
        )
