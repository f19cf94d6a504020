"""One line a check: what passed, what failed and why."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click
from tests.live_server import LiveServer

Client = TypeVar("Client")
Check = tuple[str, Callable[[Client], None]]


class Mismatch(Exception):
    """Something is not as it should be; the text says what."""


class Missing(click.ClickException):
    """The run needs something that is not there; the text says what to do."""

    exit_code = 2


def expect(what: str, found: object, wanted: object) -> None:
    """Raise Mismatch unless both are equal."""
    if found != wanted:
        raise Mismatch(f"{what}: {found!r}, expected {wanted!r}")


def needed_files(folder: Path, names: Sequence[str], repository: str) -> list[Path]:
    """Files of a checkout, in the order of their names."""
    paths = [folder / name for name in names]
    for path in paths:
        if not path.is_file():
            raise Missing(
                f"{folder} has no {path.relative_to(folder)}; give the folder of a checkout:"
                f" git clone https://github.com/{repository}"
            )
    return paths


@contextmanager
def time_limit(server: LiveServer, limit_s: float) -> Iterator[None]:
    """End this process and its server when what is inside does not end.

    A page in an endless loop answers nothing, and there is no way to be woken from asking it; the
    browser ends by itself when this process does.
    """

    def end() -> None:
        click.echo(f"FAILED  the run did not end within {limit_s:g} seconds")
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)
        os._exit(1)

    timer = threading.Timer(limit_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def run_checks(checks: Sequence[Check[Client]], client: Client) -> int:
    """Run all checks, whatever fails.

    Returns:
        The exit code: 0 when all passed.
    """
    failed_count = 0
    for name, check in checks:
        try:
            check(client)
        except Exception as error:  # noqa: BLE001 - the other checks still count
            failed_count += 1
            text = str(error) if isinstance(error, Mismatch) else f"{type(error).__name__}: {error}"
            click.echo(f"FAILED  {name}: {text}".replace("\n", "\n        "))
        else:
            click.echo(f"ok      {name}")
    click.echo(f"{len(checks)} checks, {failed_count} failed")
    return 1 if failed_count else 0
