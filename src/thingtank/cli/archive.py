"""`thingtank archive`: carry datapoints out and in."""

from pathlib import Path
from typing import Any

import click

from thingtank.cli.options import KeepFor, data_option, json_option, yes_option
from thingtank.cli.session import Session
from thingtank.tank.durations import duration_text

FORMATS = ("csv", "jsonl", "parquet")


@click.group()
def archive() -> None:
    """What was ever recorded."""


@archive.command()
@json_option
@data_option
def stats(data: Path, as_json: bool) -> None:
    """Say how much is stored, and where.

    What was overwritten, and in the cold tier also what was deleted, counts until its days are
    compacted again.
    """
    from thingtank.cli.output import counted, print_facts, print_json, time_of, with_times

    with Session(data) as session:
        found = session.call("archive.stats")
    if as_json:
        print_json(with_times(found, oldest_us="oldest_at", newest_us="newest_at"))
        return
    print_facts(
        [
            (
                "hot",
                f"{counted(found['hot_rows'], 'datapoint')}, {counted(found['hot_bytes'], 'byte')}",
            ),
            (
                "cold",
                f"{counted(found['cold_rows'], 'datapoint')} stored, deleted ones included,"
                f" {counted(found['cold_bytes'], 'byte')}"
                f" in {counted(found['segment_count'], 'segment')}",
            ),
            *_bucket_facts(found["bucket"]),
            ("journal", counted(found["journal_bytes"], "byte")),
            ("oldest", time_of(found["oldest_us"])),
            ("newest", time_of(found["newest_us"])),
        ]
    )


@archive.command()
@json_option
@data_option
def compact(data: Path, as_json: bool) -> None:
    """Move days that are over to the cold tier now; the server also does it by itself.

    How long datapoints stay hot is the setting archive.hot_s.
    """
    from thingtank.cli.output import counted, print_json
    from thingtank.cli.transfer import progress_bar

    with Session(data) as session, progress_bar() as progress:
        bar = progress.add_task("Compacting", total=None)
        done = 0
        while (found := session.call("archive.compact"))["done_count"]:
            done += found["done_count"]
            progress.update(bar, completed=done, total=done + found["left_count"])
        bucket = session.call("archive.stats")["bucket"]
    if as_json:
        print_json({"period_count": done})
    else:
        click.echo(
            f"Compacted {counted(done, 'period')}." if done else "Nothing is old enough to compact."
        )
    for name, value in _bucket_facts(bucket)[1:]:
        click.echo(f"{name} {value}", err=True)


def _bucket_facts(bucket: dict[str, Any] | None) -> list[tuple[str, object]]:
    """What there is to say of the cold tier's bucket: how much, and what is wrong."""
    from thingtank.cli.output import counted

    if bucket is None:
        return []
    waiting = counted(bucket["waiting_count"], "file")
    facts: list[tuple[str, object]] = [
        (
            "bucket",
            f"{counted(bucket['bytes'], 'byte')} in {bucket['address']}, {bucket['cached_bytes']:,}"
            f" of them here as well; {waiting} to go there",
        )
    ]
    if bucket["failure"]:
        facts.append(("bucket fails", bucket["failure"]))
    if bucket["is_anothers"]:
        facts.append(("bucket is of", "another data folder; see: thingtank archive adopt --help"))
    return facts


@archive.command()
@yes_option
@data_option
def adopt(data: Path, yes: bool) -> None:
    """Have the cold tier's bucket belong to this data folder from now on.

    Files below the prefix of `archive.cold` belong to one folder, which alone puts files there and
    takes them away. A copy of it, such as a restored backup, reads them only. When the first is no
    longer in use, its copy adopts them.
    """
    if not yes:
        click.confirm(
            "Another data folder that still uses this bucket could not put files there any more,"
            " and loses those that this one replaces. Go on?",
            abort=True,
        )
    with Session(data) as session:
        session.call("archive.adopt")
    click.echo("The bucket belongs to this data folder now.")


@archive.command()
@click.argument("feed")
@click.argument("keep", type=KeepFor(), required=False)
@json_option
@data_option
def retention(data: Path, as_json: bool, feed: str, keep: int | None) -> None:
    """Set how long a feed keeps its datapoints (KEEP: 90d, 1y or forever), or tell it.

    A channel's newest datapoint always stays. What is older than KEEP goes at once, and from then
    on every hour.
    """
    from thingtank.cli.output import print_json

    asked = {} if keep is None else {"retention_s": keep or None}
    with Session(data) as session:
        found = session.call("archive.retention", feed=feed, **asked)
    if as_json:
        print_json(found)
        return
    kept = found["retention_s"]
    span = "for ever" if kept is None else f"for {duration_text(kept)}"
    click.echo(f"{found['title']} (feed {found['feed_id']}) keeps its datapoints {span}.")


format_option = click.option(
    "--format", "kind", type=click.Choice(FORMATS), help="Default: by the file's ending."
)


@archive.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--feed", "feeds", multiple=True, help="Only this feed (id or uuid); several may be.")
@click.option("--channel", "channels", multiple=True, help="Only channels of this name.")
@click.option("--start", default="", help="ISO 8601, included.")
@click.option("--end", default="", help="ISO 8601, excluded.")
@format_option
@data_option
def export(data: Path, file: Path, kind: str | None, **asked: Any) -> None:
    """Write datapoints to a CSV, JSON-lines or Parquet file; - for standard output."""
    from thingtank.cli.output import counted
    from thingtank.cli.transfer import export_file

    with Session(data) as session:
        count = export_file(session, file, _format_of(file, kind), **asked)
    click.echo(f"Exported {counted(count, 'datapoint')}.", err=True)


@archive.command("import")
@click.argument(
    "file", type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True)
)
@click.option("--create-channels", is_flag=True, help="Make channels that feeds do not have yet.")
@format_option
@json_option
@data_option
def import_(data: Path, file: Path, kind: str | None, create_channels: bool, as_json: bool) -> None:
    """Read datapoints from a file that `export` wrote, or one like it; - for standard input.

    Columns: feed_id, channel, at (ISO 8601), value. What is written again overwrites.
    """
    from thingtank.cli.output import counted, print_json
    from thingtank.cli.transfer import import_file

    with Session(data) as session:
        count = import_file(session, file, _format_of(file, kind), create_channels)
    if as_json:
        print_json({"count": count})
    else:
        click.echo(f"Imported {counted(count, 'datapoint')}.")


def _format_of(file: Path, kind: str | None) -> str:
    ending = file.suffix.lower().removeprefix(".")
    found = kind or {"json": "jsonl", "ndjson": "jsonl"}.get(ending, ending)
    if found not in FORMATS:
        raise click.UsageError(f"say the format with --format: one of {', '.join(FORMATS)}")
    if found == "parquet" and str(file) == "-":
        raise click.UsageError("Parquet needs a file, not standard input or output")
    return found
