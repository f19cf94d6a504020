"""What a bench reports: rows of cases with target and measurement, printed with the machine.

Each `bench_….py` has `run(quick: bool) -> list[Result]`; `python -m tests.bench` runs them all.
"""

import datetime
import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

PACKAGES = ("thingtank", "duckdb", "numpy", "msgspec", "uvicorn", "httptools", "uvloop", "Django")


class Result(NamedTuple):
    """One measured case.

    Attributes:
        case: what was done, in words.
        target: what is asked for, in words; blank when the case only informs.
        measured: the figure (a median where there were rounds), or words.
        unit: of `measured`, such as `datapoints/s`; blank for words.
        ratio: to the thing it is compared with in the same run; None when to nothing.
        ok: whether the target is met; None when there is none.
        note: how it was measured, or what to know about it.
    """

    case: str
    target: str
    measured: float | str
    unit: str
    ratio: float | None = None
    ok: bool | None = None
    note: str = ""


class Spread(NamedTuple):
    """Median of several rounds with the extremes, so that noise shows."""

    median: float
    lowest: float
    highest: float
    rounds: int

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """Summarize n >= 1 figures."""
        return cls(median(figures), min(figures), max(figures), len(figures))

    def __str__(self) -> str:
        return f"{self.rounds} rounds, {number(self.lowest)} to {number(self.highest)}"


def number(figure: float | str) -> str:
    """A figure with as many digits as mean anything."""
    if isinstance(figure, str):
        return figure
    if abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.3g}" if abs(figure) < 10 else f"{figure:.1f}"


def machine() -> dict[str, str]:
    """What the figures were measured on and with."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _cpu_name(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: _version(name) for name in PACKAGES},
    }


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def print_results(results: Sequence[Result], console: Console | None = None) -> None:
    """Print the machine and one table."""
    console = console or Console(width=None if sys.stdout.isatty() else 140)
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()), style="dim")
    table = Table(show_lines=True)
    for heading in ("case", "target", "measured", "ratio", "", "how"):
        table.add_column(heading, overflow="fold")
    for result in results:
        mark = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[result.ok]
        ratio = "" if result.ratio is None else f"{result.ratio:.2f}"
        measured = f"{number(result.measured)} {result.unit}".strip()
        table.add_row(result.case, result.target, measured, ratio, mark, result.note)
    console.print(table)


def save_results(results: Sequence[Result], path: Path) -> None:
    """Write the machine and the results as JSON."""
    document = {"machine": machine(), "results": [result._asdict() for result in results]}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
