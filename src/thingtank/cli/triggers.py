"""`thingtank trigger`: make, list, show, test and delete triggers."""

import time
from pathlib import Path
from typing import Any

import click

from thingtank.cli.options import (
    Duration,
    NumbersCommand,
    data_option,
    json_option,
    page_option,
    per_page_option,
    yes_option,
)
from thingtank.cli.session import Refusal, Session

# As `tank.triggers.KINDS`, which would be loaded with the whole tank just to print help.
KINDS = ("gt", "gte", "lt", "lte", "eq", "change", "frozen", "live")
TEST_S_MAX = 45.0  # it is tried once; e-mail may take half a minute
_POLL_S = 0.2


@click.group()
def trigger() -> None:
    """Triggers: be told when a value meets a condition."""


@trigger.command(cls=NumbersCommand)
@click.argument("feed")
@click.argument("channel")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("threshold", default="")
@click.option("--url", default="", help="Post to this address.")
@click.option("--email", default="", help="Write to this address; besides --url, or instead.")
@click.option("--clear", "clear_value", default="", help="The condition ends only beyond it.")
@click.option("--hold", "hold_s", type=Duration(), default=0, help="Must hold so long: 30s, 5m.")
@click.option(
    "--quiet", "quiet_s", type=Duration(), default="5s", show_default=True,
    help="At least so long between two firings.",
)  # fmt: skip
@json_option
@data_option
def create(data: Path, as_json: bool, **asked: Any) -> None:
    """Make a trigger on a feed's channel; THRESHOLD is for gt, gte, lt, lte and eq.

    `change` fires for every other value, `frozen` after 15 minutes without one, `live` at the first
    one after that.
    """
    from thingtank.cli.output import print_json

    with Session(data) as session:
        made = session.call("trigger.create", **asked)
    if as_json:
        print_json(_worded(made))
    else:
        click.echo(f"Made trigger {made['trigger_id']}: {_condition(made)}.")
        click.echo(f"Send a test with: thingtank trigger test {made['trigger_id']}")


@trigger.command("list")
@click.option("--feed", default="", help="Only this feed's.")
@page_option
@per_page_option
@click.option("--owner", default="", metavar="LOGIN", help="Only this account's.")
@json_option
@data_option
def list_all(data: Path, as_json: bool, **asked: Any) -> None:
    """List triggers, oldest first."""
    from thingtank.cli.output import print_json, print_rest, print_table, time_of

    with Session(data) as session:
        found = session.call("trigger.list", **asked)
    rows = found["triggers"]
    if as_json:
        triggers = [_worded(row) for row in rows]
        print_json({"total_count": found["total_count"], "triggers": triggers})
        return
    print_table(
        ["id", "feed", "device", "condition", "tells", "state", "fired"],
        [
            (
                row["trigger_id"],
                row["feed_id"],
                row["device"],
                _condition(row),
                [target for target in (row["url"], row["email"]) if target],
                _state(row),
                time_of(row["notified_us"]) or "never",
            )
            for row in rows
        ],
        "No triggers. Make one with: thingtank trigger create FEED CHANNEL gt 30 --url URL",
    )
    print_rest(found, asked["page"], asked["per_page"])


@trigger.command()
@click.argument("trigger_id", type=int)
@json_option
@data_option
def show(data: Path, as_json: bool, trigger_id: int) -> None:
    """Show a trigger."""
    from thingtank.cli.output import print_facts, print_json

    with Session(data) as session:
        found = session.call("trigger.show", trigger_id=trigger_id)
    worded = _worded(found)
    if as_json:
        print_json(worded)
    else:
        print_facts([*worded.items(), ("state", _state(found))])


@trigger.command()
@click.argument("trigger_id", type=int)
@json_option
@data_option
def enable(data: Path, as_json: bool, trigger_id: int) -> None:
    """Let a trigger watch, from now on."""
    _changed(data, as_json, "trigger.enable", trigger_id, "Enabled")


@trigger.command()
@click.argument("trigger_id", type=int)
@json_option
@data_option
def disable(data: Path, as_json: bool, trigger_id: int) -> None:
    """Let a trigger rest; nothing is sent until it is enabled."""
    _changed(data, as_json, "trigger.disable", trigger_id, "Disabled")


@trigger.command()
@click.argument("trigger_id", type=int)
@yes_option
@json_option
@data_option
def delete(data: Path, as_json: bool, yes: bool, trigger_id: int) -> None:
    """Delete a trigger; what it sent stays in the log."""
    if not yes:
        click.confirm(f"Delete trigger {trigger_id}?", abort=True)
    _changed(data, as_json, "trigger.delete", trigger_id, "Deleted")


@trigger.command()
@click.argument("trigger_id", type=int)
@json_option
@data_option
def test(data: Path, as_json: bool, trigger_id: int) -> None:
    """Send a test and wait for the answer; exit code 1 when it does not arrive."""
    from thingtank.cli.output import print_json

    with Session(data) as session:
        sent = session.call("trigger.test", trigger_id=trigger_id)["deliveries"]
        settled = [_settled(session, row["delivery_id"]) for row in sent]
    if as_json:
        from thingtank.cli.deliveries import worded_details

        print_json({"deliveries": [worded_details(row) for row in settled]})
    for row in settled:
        if not as_json and row["state"] == "delivered":
            status = f": {row['status']}" if row["status"] else ""
            click.echo(f"{row['channel']} delivered to {row['target']}{status}")
    failed = [row for row in settled if row["state"] != "delivered"]
    if failed:
        raise Refusal("; ".join(f"{row['channel']}: {_why_not(row)}" for row in failed))


def _settled(session: Session, delivery_id: int) -> dict[str, Any]:
    deadline_s = time.monotonic() + TEST_S_MAX
    while True:
        found: dict[str, Any] = session.call("delivery.show", delivery_id=delivery_id)
        if found["state"] != "waiting" or time.monotonic() > deadline_s:
            return found
        time.sleep(_POLL_S)


def _why_not(row: dict[str, Any]) -> str:
    if row["state"] == "waiting":
        return f"no answer within {TEST_S_MAX:.0f} s; see: thingtank delivery list"
    return str(row["error"] or row["state"])


def _changed(data: Path, as_json: bool, operation: str, trigger_id: int, done: str) -> None:
    from thingtank.cli.output import print_json

    with Session(data) as session:
        row = session.call(operation, trigger_id=trigger_id)
    if as_json:
        print_json(_worded(row))
    else:
        click.echo(f"{done} trigger {trigger_id}: {_condition(row)}.")


def _worded(row: dict[str, Any]) -> dict[str, Any]:
    from thingtank.cli.output import with_times

    return with_times(row, notified_us="notified_at")


def _condition(row: dict[str, Any]) -> str:
    return " ".join(part for part in (row["channel"], row["kind"], row["threshold"]) if part)


def _state(row: dict[str, Any]) -> str:
    if not row["is_enabled"]:
        return "disabled"
    if row["is_active"] is None:
        return "enabled"  # no server runs that would know more
    return "true" if row["is_active"] else "armed"
