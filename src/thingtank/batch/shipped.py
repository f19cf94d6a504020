"""The jobs that come along: programs in files of their own, which run anywhere."""

from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent / "programs"


class Shipped(msgspec.Struct, frozen=True):
    """A job's programs.

    Attributes:
        sql: a file with the same as a query of DuckDB.
    """

    mapper: Path
    reducer: Path
    combiner: Path
    sql: Path


SHIPPED = {
    "sequence-count": Shipped(
        FOLDER / "sequence_mapper.py",
        FOLDER / "sequence_reducer.py",
        FOLDER / "sequence_reducer.py",
        FOLDER / "sequence_count.sql",
    )
}
