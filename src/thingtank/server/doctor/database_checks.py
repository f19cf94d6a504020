"""A database server: whether it answers, which it is, and whether it is free for this folder."""

from collections.abc import Iterator

from thingtank.server.cannot_start import CannotStart
from thingtank.server.doctor.findings import Finding, Patient, ok, problem
from thingtank.server.secret import has_secret

_NAME = "database"


def check_database_server(patient: Patient) -> Iterator[Finding]:
    """What a start would find of it; a SQLite file is looked at with the folder's others."""
    source = patient.config.database
    if source.text.startswith("sqlite:") or not has_secret(patient.folder):
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
