"""`python -m tests.official_clients xively-js|libxively PATH`: Xively's own libraries, by hand.

They are on no package registry, so neither CI nor this repository can have them. Whoever has a
checkout of one gives its folder here; the library runs as it is there.
"""

import sys
from pathlib import Path

import click
from tests.official_clients import libxively, xively_js

CHECKOUT = click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run an official Xively library against a server of its own and judge each call.

    Prints a line a check. Ends with 0 when all passed, 1 when one failed, 2 when something that
    the run needs is missing.
    """


@main.command("xively-js", short_help="The library for web pages, in Chromium.")
@click.argument("path", type=CHECKOUT)
def run_xively_js(path: Path) -> None:
    """The library for web pages (github.com/xively/xively-js), in headless Chromium."""
    sys.exit(xively_js.run(path))


@main.command("libxively", short_help="The C library, by its examples.")
@click.argument("path", type=CHECKOUT)
def run_libxively(path: Path) -> None:
    """The C library (github.com/xively/libxively), its examples built in a temporary folder."""
    sys.exit(libxively.run(path))


if __name__ == "__main__":
    main(prog_name="python -m tests.official_clients")
