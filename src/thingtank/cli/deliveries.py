"""`thingtank delivery`: see what triggers sent, and have it tried again."""

from pathlib import Path
from typing import Any

import click

from thingtank.cli.options import data_option, json_option
from thingtank.cli.session import Session

# As `tank.deliveries.DeliveryState`; see `triggers.KINDS`.
STATES = ("waiting", "delivered", "dead", "cancelled")


@click.group()
def delivery() -> None:
    """Deliveries: what triggers sent, and what became of it."""


@delivery.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only these; dead: given up.")
@click.option("--trigger", type=int, help="Only this trigger's.")
@click.option("--feed", type=int, help="Only this feed's.")
@click.option("--owner", default="", metavar="LOGIN", help="Only this account's.")
@click.option("--before", type=int, metavar="DELIVERY_ID", help="Only older ones than this.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@json_option
@data_option
def list_all(data: Path, as_json: bool, **asked: Any) -> None:
    """List deliveries, newest first."""
    from thingtank.cli.output import print_json, print_table, time_of

    with Session(data) as session:
        found = session.call("delivery.list", **asked)
    rows = found["deliveries"]
    if as_json:
        print_json({**found, "deliveries": [_worded(row) for row in rows]})
        return
    print_table(
        ["id", "fired", "state", "trigger", "to", "attempts", "answer"],
        [
            (
                row["delivery_id"],
                time_of(row["created_us"]),
                f"{row['state']} (test)" if row["is_test"] else row["state"],
                row["trigger_id"] or row["channel"],
                row["target"],
                row["attempt_count"],
                row["error"] or row["status"],
            )
            for row in rows
        ],
        "No deliveries. They appear when a trigger fires, or with: thingtank trigger test ID",
    )
    if found["next_before"] is not None:
        click.echo(f"More with --before {found['next_before']}")


@delivery.command()
@click.argument("delivery_id", type=int)
@json_option
@data_option
def show(data: Path, as_json: bool, delivery_id: int) -> None:
    """Show a delivery with its attempts and what the receiver answered."""
    from thingtank.cli.output import print_facts, print_json, print_table, time_of

    with Session(data) as session:
        found = session.call("delivery.show", delivery_id=delivery_id)
    if as_json:
        print_json(worded_details(found))
        return
    attempts = found.pop("attempts")
    print_facts(list(_worded(found).items()))
    print_table(
        ["attempt", "took", "status", "error", "answer"],
        [
            (
                time_of(row["at_us"]),
                f"{row['duration_us'] / 1000:.0f} ms",
                row["status"],
                row["error"] or None,
                row["answer"] or None,
            )
            for row in attempts
        ],
        "Not tried yet." if found["state"] == "waiting" else "Never tried.",
    )


@delivery.command()
@click.argument("delivery_id", type=int)
@json_option
@data_option
def retry(data: Path, as_json: bool, delivery_id: int) -> None:
    """Have a dead or cancelled delivery tried again; one that waits, at once."""
    _changed(data, as_json, "delivery.retry", delivery_id, "is tried again")


@delivery.command()
@click.argument("delivery_id", type=int)
@json_option
@data_option
def cancel(data: Path, as_json: bool, delivery_id: int) -> None:
    """Have a waiting delivery tried no more."""
    _changed(data, as_json, "delivery.cancel", delivery_id, "is cancelled")


def _changed(data: Path, as_json: bool, operation: str, delivery_id: int, done: str) -> None:
    from thingtank.cli.output import print_json

    with Session(data) as session:
        row = session.call(operation, delivery_id=delivery_id)
    if as_json:
        print_json(_worded(row))
    else:
        click.echo(f"Delivery {delivery_id} to {row['target']} {done}.")


def _worded(row: dict[str, Any]) -> dict[str, Any]:
    from thingtank.cli.output import with_times

    return with_times(row, created_us="created_at", due_us="due_at", done_us="done_at")


def worded_details(row: dict[str, Any]) -> dict[str, Any]:
    """A delivery with its attempts, times in words."""
    from thingtank.cli.output import with_times

    attempts = [with_times(attempt, at_us="at") for attempt in row["attempts"]]
    return {**_worded(row), "attempts": attempts}
