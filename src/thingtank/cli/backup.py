"""`thingtank backup` and `thingtank restore`: all of an instance in one file, and back."""

import datetime
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from thingtank.aws.addresses import S3Address, is_s3
from thingtank.cli.backup_places import BackupPlace, Place, opened, pack_to_bucket, s3_client
from thingtank.cli.options import config_option, data_option, json_option, set_option
from thingtank.cli.session import Refusal, Session

_TOOLS = {  # that copy what is not in it
    "sqlite": "sqlite3 FILE '.backup COPY'",
    "postgresql": "pg_dump",
    "mysql": "mysqldump",
    "mongodb": "mongodump",
}
SECRETS = "It holds all secrets of the instance in the clear: keep it as you would keep them."


class _FileGroup(click.Group):
    """A group whose commands may be left out: what is none of them is a file for `create`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; `create`, for which it is a file."""
        return super().get_command(ctx, cmd_name) or self.commands["create"]

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command."""
        if args and args[0] not in self.commands:
            args = ["create", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options in front of the file are of `create`; only the group's help is its own."""
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["create", *args]
        return super().parse_args(ctx, args)


backup_argument = click.argument(
    "place",
    metavar="FILE",
    type=BackupPlace(path_type=Path, dir_okay=False, exists=True, allow_dash=True),
)


def aws_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which AWS."""
    return config_option(set_option(function))


@click.group(cls=_FileGroup)
def backup() -> None:
    """All of an instance in one file; `thingtank backup FILE` makes it.

    FILE may be an object in a bucket, s3://BUCKET/KEY, of the AWS that section [aws] of the
    settings names. The server goes on meanwhile. `thingtank restore FILE` makes a data folder of
    it.
    """


@backup.command()
@click.argument("place", metavar="FILE", type=BackupPlace(path_type=Path))
@json_option
@aws_options
@data_option
def create(
    data: Path, file: Path | None, sets: tuple[str, ...], as_json: bool, place: Place
) -> None:
    """Write a backup to FILE, a name with the time in a folder, or - for standard output.

    In a bucket it goes as it is made, s3://BUCKET/FOLDER/ gives it a name with the time, and there
    is nothing under its name before it is complete.

    What was acknowledged before it began is in it. It holds all secrets of the instance in the
    clear, and only this user may read it. Certificates, and a settings file that is not in the data
    folder, are not in it.
    """
    from thingtank.cli.output import counted, print_json
    from thingtank.server.backup.last import LastBackup, note_last
    from thingtank.server.backup.parts import parts_of

    now = datetime.datetime.now(datetime.UTC)
    target = _target(place, now)
    with _explained("the backup"), ExitStack() as stack:
        s3 = stack.enter_context(s3_client(data, file, sets)) if is_s3(str(target)) else None
        session = stack.enter_context(Session(data))
        parts = stack.enter_context(parts_of(data))
        manifest, size_bytes = _pack(session, data, parts, target, s3)
        if target is not None:
            where = str(target.absolute() if isinstance(target, Path) else target)
            note_last(data, LastBackup(manifest.made_at, where, size_bytes))
    if target is None:
        return
    if as_json:
        found = {"file": str(target), "bytes": size_bytes, "made_at": manifest.made_at}
        print_json({**found, "database": manifest.database})
        return
    click.echo(f"Wrote {target}: {counted(size_bytes, 'byte')}.")
    click.echo(SECRETS)
    if manifest.database:
        click.echo(_elsewhere(manifest.database))
    if manifest.cold:
        click.echo(_in_bucket(manifest.cold))


def _in_bucket(address: str) -> str:
    return (
        f"Older values are in {address}, and not in it. What it needs there stays for"
        " archive.cold_keep_s after it was replaced."
    )


def _target(file: Place, now: datetime.datetime) -> Place | None:
    from thingtank.server.backup.making import default_name

    if isinstance(file, S3Address):
        return file.of(default_name(now)) if file.key == "" or file.key.endswith("/") else file
    if str(file) == "-":
        return None
    if file.is_dir():
        return file / default_name(now)
    if not file.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder {file.absolute().parent}")
    return file


def _pack(
    session: Session, data: Path, parts: Path, target: Place | None, s3: Any
) -> tuple[Any, int]:
    import msgspec

    from thingtank.cli.transfer import progress_bar
    from thingtank.server.backup.making import check_room, make_manifest, pack
    from thingtank.server.backup.package import write_package
    from thingtank.server.backup.parts import Copied

    check_room(data, target.absolute().parent if isinstance(target, Path) else None)
    with progress_bar() as progress:
        bar = progress.add_task("Copying", total=None)
        copied = msgspec.convert(session.call("backup.copy"), Copied)
        total = sum(path.stat().st_size for path in parts.rglob("*") if path.is_file())
        progress.update(bar, description="Reading", total=2 * total)
        manifest = make_manifest(parts, copied, lambda count: progress.advance(bar, count))
        progress.update(bar, description="Writing")

        def advance(count: int) -> None:
            progress.advance(bar, count)

        if target is None:
            write_package(parts, manifest, sys.stdout.buffer, advance)
            sys.stdout.buffer.flush()
            return manifest, 0
        if isinstance(target, S3Address):
            return manifest, pack_to_bucket(s3, parts, manifest, target, advance)
        return manifest, pack(parts, manifest, target, advance)


def _elsewhere(database: str) -> str:
    return (
        f"Accounts, devices and keys are in {_named(database)}, which is not in it. Back that up"
        f" now, with {_TOOLS.get(database, 'its own tools')}: a copy that is older than this backup"
        " does not fit it."
    )


def _named(database: str) -> str:
    if database == "sqlite":
        return "a SQLite file outside of the data folder"
    return f"a {database} database"


@backup.command()
@backup_argument
@json_option
@aws_options
@data_option
def verify(
    data: Path, file: Path | None, sets: tuple[str, ...], as_json: bool, place: Place
) -> None:
    """Read a backup to its end and compare it with its sums."""
    from thingtank.cli.output import counted, print_json

    with _explained(str(place)), _package(place, data, file, sets) as (package, advance):
        package.read(lambda _path: _Nowhere(), advance)
    manifest = package.manifest
    if as_json:
        print_json(
            {
                "version": manifest.version,
                "made_at": manifest.made_at,
                "file_count": len(manifest.files),
                "bytes": manifest.bytes,
                "database": manifest.database,
            }
        )
        return
    click.echo(
        f"{place} is whole: {counted(len(manifest.files), 'file')},"
        f" {counted(manifest.bytes, 'byte')}, made {manifest.made_at} by Thing Tank"
        f" {manifest.version}."
    )


@click.command()
@backup_argument
@aws_options
@data_option
def restore(data: Path, file: Path | None, sets: tuple[str, ...], place: Place) -> None:
    """Make a data folder of a backup, from FILE, s3://BUCKET/KEY, or - for standard input.

    The folder must be new or empty. Nothing is in its place before all of the backup was read and
    found whole.
    """
    from thingtank.server.backup.restoring import restore as restore_package

    with _explained(str(place)), _package(place, data, file, sets) as (package, advance):
        restore_package(package, data, advance)
    manifest = package.manifest
    click.echo(f"Restored {data} as it was at {manifest.made_at}.")
    if manifest.database:
        click.echo(
            f"Accounts, devices and keys were in {_named(manifest.database)}: restore that too,"
            " from what was made right after this backup."
        )
    if manifest.cold:
        click.echo(
            f"Older values are in {manifest.cold}, which it reads only. When the folder that it is"
            f" a copy of is no longer in use: thingtank archive adopt --data {data}"
        )
    click.echo(f"Start it with: thingtank serve --data {data}")


class _Nowhere:
    """Takes all, keeps nothing."""

    def write(self, data: bytes) -> int:
        """Take some."""
        return len(data)

    def __enter__(self) -> "_Nowhere":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@contextmanager
def _package(
    place: Place, data: Path, file: Path | None, sets: tuple[str, ...]
) -> Iterator[tuple[Any, Callable[[int], None]]]:
    from thingtank.cli.transfer import progress_bar
    from thingtank.server.backup.package import Package

    with progress_bar() as progress, opened(place, data, file, sets) as source:
        package = Package(source)
        bar = progress.add_task("Reading", total=package.manifest.bytes)
        yield package, lambda count: progress.advance(bar, count)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Have a person told why, in a sentence."""
    from thingtank.server.backup.package import DamagedBackup
    from thingtank.server.backup.parts import CannotBackUp
    from thingtank.server.backup.restoring import CannotRestore

    try:
        yield
    except DamagedBackup as error:
        _refuse(f"{what} is no good: {error}")
    except (CannotBackUp, CannotRestore) as error:
        _refuse(str(error))
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _refuse(f"{what} cannot be used: {error.strerror or error}{where}")


def _refuse(why: str) -> NoReturn:
    raise Refusal(why) from None
