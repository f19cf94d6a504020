"""`thingtank key`: make, list, show, change and delete API keys."""

from pathlib import Path
from typing import Any

import click

from thingtank.cli.options import (
    Duration,
    Methods,
    data_option,
    json_option,
    owner_option,
    page_option,
    per_page_option,
    yes_option,
)
from thingtank.cli.session import Session


@click.group()
def key() -> None:
    """API keys."""


@key.command()
@click.argument("label")
@click.option("--feed", "feeds", type=int, multiple=True, help="Only this feed; several may be.")
@click.option("--channel", "channels", multiple=True, help="Only this channel of the one feed.")
@click.option(
    "--allow", "methods", type=Methods(), default="get,put,post,delete", show_default=True
)
@click.option("--private-access/--no-private-access", default=True, help="May see private feeds.")
@click.option("--source-ip", default="", help="Only from this address.")
@click.option("--referer", default="", help="Only with this host in the Referer header.")
@click.option(
    "--minimum-interval", "minimum_interval_s", type=click.IntRange(0), default=0,
    metavar="SECONDS", help="The finest history it may read.",
)  # fmt: skip
@click.option("--expires", "expires_in_s", type=Duration(), help="Dead after that: 12h, 30d.")
@owner_option
@json_option
@data_option
def create(data: Path, as_json: bool, **asked: Any) -> None:
    """Make a key: a master key, unless options narrow it."""
    from thingtank.cli.output import print_facts, print_json, with_times

    with Session(data, makes_folder=True) as session:
        made = session.call("key.create", **asked)
    if as_json:
        print_json(with_times(made, expires_us="expires_at"))
        return
    kind = "a master key" if made["is_master"] else "a key"
    click.echo(f"Made {kind} for {made['owner']}.")
    print_facts([("key_id", made["key_id"]), ("api_key", made["api_key"])])


@key.command("list")
@click.option("--feed", type=int, help="Only keys that name this feed.")
@page_option
@per_page_option
@owner_option
@json_option
@data_option
def list_all(data: Path, as_json: bool, **asked: Any) -> None:
    """List an account's keys, oldest first, without their secrets."""
    from thingtank.cli.output import print_json, print_rest, print_table, time_of, with_times

    with Session(data) as session:
        found = session.call("key.list", **asked)
    rows = found["keys"]
    if as_json:
        keys = [with_times(row, expires_us="expires_at") for row in rows]
        print_json({"total_count": found["total_count"], "keys": keys})
        return
    print_table(
        ["id", "label", "may", "feeds", "private", "expires"],
        [
            (
                row["key_id"],
                row["label"],
                row["methods"],
                row["feeds"] or "all",
                row["private_access"],
                time_of(row["expires_us"]) or "never",
            )
            for row in rows
        ],
        "No keys. Make one with: thingtank key create LABEL",
    )
    print_rest(found, asked["page"], asked["per_page"])


@key.command()
@click.argument("key_id", type=int)
@json_option
@data_option
def show(data: Path, as_json: bool, key_id: int) -> None:
    """Show a key with its secret."""
    from thingtank.cli.output import print_facts, print_json, with_times

    with Session(data) as session:
        found = session.call("key.show", key_id=key_id)
    if as_json:
        print_json(with_times(found, expires_us="expires_at"))
    else:
        print_facts([(name, found[name]) for name in ("label", "owner", "methods", "api_key")])


@key.command()
@click.argument("key_id", type=int)
@click.option("--label", help="Another label.")
@click.option("--feed", "feeds", type=int, multiple=True, help="Only this feed; several may be.")
@click.option("--all-feeds", is_flag=True, help="All that its owner can reach.")
@click.option("--channel", "channels", multiple=True, help="Only this channel of the one feed.")
@click.option("--allow", "methods", type=Methods(), help="What it may do.")
@click.option("--private-access/--no-private-access", default=None, help="May see private feeds.")
@click.option("--source-ip", help="Only from this address; '' for any.")
@click.option("--referer", help="Only with this host in the Referer header; '' for any.")
@click.option(
    "--minimum-interval", "minimum_interval_s", type=click.IntRange(0), metavar="SECONDS",
    help="The finest history it may read; 0 for any.",
)  # fmt: skip
@click.option("--expires", "expires_in_s", type=Duration(), help="Dead after that: 12h, 30d.")
@click.option("--never-expires", is_flag=True, help="Alive until it is deleted.")
@json_option
@data_option
def update(
    data: Path, as_json: bool, key_id: int, all_feeds: bool, never_expires: bool, **asked: Any
) -> None:
    """Change what is given; the rest of the key, and its secret, stay."""
    from thingtank.cli.output import print_facts, print_json, with_times

    # Options that are not given are None, or empty where several may be.
    changes = {name: value for name, value in asked.items() if value not in (None, ())}
    if all_feeds and (asked["feeds"] or asked["channels"]):
        raise click.UsageError("--all-feeds goes with neither --feed nor --channel")
    if never_expires and asked["expires_in_s"] is not None:
        raise click.UsageError("give --expires or --never-expires, not both")
    if all_feeds:
        changes["feeds"] = ()
    if never_expires:
        changes["expires_in_s"] = None
    if not changes:
        raise click.UsageError("nothing to change; see --help")
    with Session(data) as session:
        row = session.call("key.update", key_id=key_id, **changes)
    if as_json:
        print_json(with_times(row, expires_us="expires_at"))
        return
    click.echo(f"Changed {row['label']}.")
    print_facts([("methods", row["methods"]), ("feeds", row["feeds"] or "all")])


@key.command()
@click.argument("key_id", type=int)
@yes_option
@json_option
@data_option
def regenerate(data: Path, as_json: bool, yes: bool, key_id: int) -> None:
    """Give a key another secret; the old one is dead at once."""
    from thingtank.cli.output import print_facts, print_json, with_times

    if not yes:
        click.confirm(f"Regenerate key {key_id}? Its old secret is dead at once", abort=True)
    with Session(data) as session:
        made = session.call("key.regenerate", key_id=key_id)
    if as_json:
        print_json(with_times(made, expires_us="expires_at"))
        return
    click.echo(f"Regenerated {made['label']}.")
    print_facts([("key_id", made["key_id"]), ("api_key", made["api_key"])])


@key.command()
@click.argument("key_id", type=int)
@yes_option
@json_option
@data_option
def delete(data: Path, as_json: bool, yes: bool, key_id: int) -> None:
    """Delete a key; it is dead at once."""
    from thingtank.cli.output import print_json

    if not yes:
        click.confirm(f"Delete key {key_id}?", abort=True)
    with Session(data) as session:
        gone = session.call("key.delete", key_id=key_id)
    if as_json:
        print_json({"key_id": gone["key_id"], "label": gone["label"]})
    else:
        click.echo(f"Deleted {gone['label']}.")
