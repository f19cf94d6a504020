"""`thingtank product`: kinds of devices, their serials, activation."""

from pathlib import Path
from typing import Any, BinaryIO

import click

from thingtank.cli.options import (
    data_option,
    json_option,
    owner_option,
    page_option,
    per_page_option,
    yes_option,
)
from thingtank.cli.session import Refusal, Session

FILE_BYTES_MAX = 30_000_000  # 100,000 of the longest serials


@click.group()
def product() -> None:
    """Products: a feed template and a list of serials for many devices of a kind."""


@product.command()
@click.argument("name")
@click.option("--description", default="", help="What it is.")
@click.option("--title", default="", help="Of its feeds; default: the name with the serial.")
@click.option("--tag", "tags", multiple=True, help="Of its feeds; may be given several times.")
@click.option("--private/--public", default=True, help="Who sees its feeds.")
@click.option("--website", default="", help="Of its feeds.")
@click.option(
    "--channel", "channels", multiple=True, metavar="NAME[=UNIT]",
    help="Of its feeds: temperature=°C; may be given several times.",
)  # fmt: skip
@owner_option
@json_option
@data_option
def create(data: Path, as_json: bool, **asked: Any) -> None:
    """Make a product without devices."""
    with Session(data, makes_folder=True) as session:
        made = session.call("product.create", **asked)
    if not as_json:
        click.echo(f"Made {made['name']}.")
    _print_product(made, as_json, ("product_id", "secret"))
    if not as_json:
        click.echo(f"Its serials come next: thingtank product serials add {made['product_id']} -")


@product.command("list")
@click.option("--state", type=click.Choice(["develop", "deploy"]), help="Only those.")
@page_option
@per_page_option
@owner_option
@json_option
@data_option
def list_all(data: Path, as_json: bool, state: str | None, **asked: Any) -> None:
    """List an account's products, newest first."""
    from thingtank.cli.output import print_json, print_rest, print_table, with_times

    with Session(data) as session:
        found = session.call("product.list", state=state or "", **asked)
    rows = found["products"]
    if as_json:
        products = [with_times(row, created_us="created_at") for row in rows]
        print_json({"total_count": found["total_count"], "products": products})
        return
    names = ("product_id", "name", "state", "activated_devices_count", "devices_count")
    print_table(
        ["id", "name", "state", "activated", "devices"],
        [tuple(row[name] for name in names) for row in rows],
        "No products. Make one with: thingtank product create NAME",
    )
    print_rest(found, asked["page"], asked["per_page"])


@product.command()
@click.argument("product_id")
@json_option
@data_option
def show(data: Path, as_json: bool, product_id: str) -> None:
    """Show a product with its secret and template."""
    with Session(data) as session:
        found = session.call("product.show", product_id=product_id)
    named = ("name", "product_id", "owner", "state", "secret", "devices_count")
    _print_product(found, as_json, (*named, "activated_devices_count", "tags", "channels"))


def _print_product(found: dict[str, Any], as_json: bool, names: tuple[str, ...]) -> None:
    from thingtank.cli.output import print_facts, print_json, with_times

    if as_json:
        print_json(with_times(found, created_us="created_at"))
    else:
        print_facts([(name, found[name]) for name in names])


@product.command()
@click.argument("product_id")
@yes_option
@json_option
@data_option
def delete(data: Path, as_json: bool, yes: bool, product_id: str) -> None:
    """Delete a product and its serials; feeds and keys of its devices stay in use."""
    from thingtank.cli.output import counted, print_json

    with Session(data) as session:
        found = session.call("product.show", product_id=product_id)
        if not yes:
            devices = counted(found["devices_count"], "serial")
            click.confirm(f"Delete {found['name']} with {devices}?", abort=True)
        gone = session.call("product.delete", product_id=product_id)
    if as_json:
        print_json({"product_id": gone["product_id"], "name": gone["name"]})
    else:
        click.echo(f"Deleted {gone['name']}.")


@product.group()
def serials() -> None:
    """The serials of a product's devices."""


@serials.command("add")
@click.argument("product_id")
@click.argument("file", type=click.File("rb"))
@json_option
@data_option
def add_serials(data: Path, as_json: bool, product_id: str, file: BinaryIO) -> None:
    """Add the serials of FILE, or of stdin for -: all or none.

    One a line, or CSV with a column `serial`.
    """
    from thingtank.cli.output import counted, print_json

    found = _serials_of(file)
    with Session(data) as session:
        done = session.call("product.add_serials", product_id=product_id, serials=found)
    if as_json:
        print_json(done)
    else:
        click.echo(f"Added {counted(done['added_count'], 'serial')}.")


def _serials_of(file: BinaryIO) -> list[str]:
    """Read a list; what is wrong with its content is refused here, before an instance is opened."""
    from thingtank.tank.errors import LimitReached, ValidationFailed
    from thingtank.tank.products import parse_serials

    content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise Refusal(f"the file is larger than {FILE_BYTES_MAX} bytes")
    try:
        # The instance has its own limit, which a setting moves; this one only bounds the memory.
        return parse_serials(content.decode("utf-8-sig"), FILE_BYTES_MAX)
    except UnicodeDecodeError:
        raise Refusal("the file is not UTF-8 text") from None
    except (ValidationFailed, LimitReached) as error:
        raise Refusal(str(error)) from None


@serials.command("list")
@click.argument("product_id")
@click.option("--serial", default="", help="A serial, or a part of one.")
@click.option("--activated/--waiting", default=None, help="Only those.")
@page_option
@per_page_option
@json_option
@data_option
def list_serials(data: Path, as_json: bool, **asked: Any) -> None:
    """List a product's devices in the order they were added, with their activation codes."""
    from thingtank.cli.output import print_json, print_rest, print_table, time_of, with_times

    with Session(data) as session:
        found = session.call("product.list_serials", **asked)
    rows = found["devices"]
    if as_json:
        devices = [with_times(row, activated_us="activated_at") for row in rows]
        print_json({"total_count": found["total_count"], "devices": devices})
        return
    print_table(
        ["serial", "activation code", "activated", "feed"],
        [
            (row["serial"], row["activation_code"], time_of(row["activated_us"]), row["feed_id"])
            for row in rows
        ],
        f"No serials. Add some with: thingtank product serials add {asked['product_id']} FILE",
    )
    print_rest(found, asked["page"], asked["per_page"])


@product.command()
@click.argument("code")
@json_option
@data_option
def activate(data: Path, as_json: bool, code: str) -> None:
    """Activate the device of an activation code; print its feed and key."""
    from thingtank.cli.output import print_facts, print_json

    with Session(data) as session:
        made = session.call("product.activate", code=code)
    if as_json:
        print_json(made)
    else:
        print_facts([(name, made[name]) for name in ("feed_id", "api_key", "channels")])


@product.command()
@click.argument("product_id")
@click.argument("serial")
@yes_option
@json_option
@data_option
def deactivate(data: Path, as_json: bool, yes: bool, product_id: str, serial: str) -> None:
    """Let a device be activated afresh: its keys are dead at once, its feed stays."""
    from thingtank.cli.output import print_json, with_times

    if not yes:
        click.confirm(f"Deactivate {serial}? Its keys are dead at once", abort=True)
    with Session(data) as session:
        row = session.call("product.deactivate", product_id=product_id, serial=serial)
    if as_json:
        print_json(with_times(row, activated_us="activated_at"))
    else:
        click.echo(f"Deactivated {row['serial']}.")
