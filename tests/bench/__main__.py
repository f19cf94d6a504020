"""`python -m tests.bench [--quick] [--json FILE] [NAMES…]`: run benches, print one table."""

import importlib
import sys
import traceback
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tests.bench.report import Result, print_results, save_results

FOLDER = Path(__file__).parent


def bench_names() -> list[str]:
    """All benches there are: `bench_http.py` is `http`."""
    return sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))


@click.command()
@click.argument("names", nargs=-1)
@click.option("--quick", is_flag=True, help="Small sizes: shows that it works, not how fast it is.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Keep the results here.")
def main(names: tuple[str, ...], quick: bool, json_path: Path | None) -> None:
    """Run the benches named (all, when none is) and print one table."""
    known = bench_names()
    for name in names:
        if name not in known:
            raise click.BadParameter(f"no bench {name!r}; there are: {', '.join(known)}")
    results, failed = run_benches(list(names) or known, quick)
    print_results(results)
    if json_path is not None:
        save_results(results, json_path)
    if failed:
        click.echo(f"failed: {', '.join(failed)}", err=True)
        sys.exit(1)


def run_benches(names: list[str], quick: bool) -> tuple[list[Result], list[str]]:
    """Run benches one after another; one that fails does not take the others' figures with it."""
    results: list[Result] = []
    failed: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("benches", total=len(names))
        for name in names:
            progress.update(task, description=name)
            try:
                results += importlib.import_module(f"tests.bench.bench_{name}").run(quick)
            except Exception:  # noqa: BLE001 - shown in full; the other benches still count
                traceback.print_exc()
                failed.append(name)
            progress.advance(task)
    return results, failed


if __name__ == "__main__":
    main()
