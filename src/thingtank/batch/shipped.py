"""The jobs that come along: programs in files of their own, which run anywhere."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from thingtank.batch.sequence_count import SEQ_DEFAULT

FOLDER = Path(__file__).parent / "programs"


class Shipped(msgspec.Struct, frozen=True):
    """A job's programs.

    Attributes:
        sql: a file with the same as a query of DuckDB.
        variables: for the query, what the programs take where nothing is given.
    """

    mapper: Path
    reducer: Path
    combiner: Path
    sql: Path
    variables: Mapping[str, str]


SHIPPED = {
    "sequence-count": Shipped(
        FOLDER / "sequence_mapper.py",
        FOLDER / "sequence_reducer.py",
        FOLDER / "sequence_reducer.py",
        FOLDER / "sequence_count.sql",
        {"SEQ": SEQ_DEFAULT},
    )
}
