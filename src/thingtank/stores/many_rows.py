"""Statements with many rows each.

Each step of a statement gives the interpreter to the loop and has to wait until the loop gives it
back; row by row, a busy loop would let few through.
"""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

_ROWS_AT_ONCE = (256, 16, 1)


def execute_rows(
    connection: sqlite3.Connection,
    text: str,
    rows: Sequence[tuple[Any, ...]],
    *,
    row: str = "",
    between: str = ", ",
) -> None:
    """Execute a statement with rows in the place of `{}`.

    Args:
        row: the text of one; blank for `(?, …)`.
    """
    done = 0
    for at_once in _ROWS_AT_ONCE:
        if len(rows) - done < at_once:
            continue
        each = row or "(" + ", ".join("?" * len(rows[0])) + ")"
        statement = text.format(between.join([each] * at_once))
        while len(rows) - done >= at_once:
            values = list(chain.from_iterable(rows[done : done + at_once]))
            connection.execute(statement, values)
            done += at_once
