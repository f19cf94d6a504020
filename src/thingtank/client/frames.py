"""History as a table of pandas or Polars, where the library is installed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from thingtank.client.models import Datapoint

if TYPE_CHECKING:
    import pandas
    import polars


def to_pandas(datapoints: Sequence[Datapoint]) -> "pandas.DataFrame":
    """One column `value`, the index `at` in UTC.

    Numbers where all values are numbers, texts otherwise.

    Raises:
        ImportError: pandas is not installed.
    """
    import pandas

    times = pandas.DatetimeIndex(
        [point.at for point in datapoints], dtype="datetime64[us, UTC]", name="at"
    )
    values = column_of(datapoints)
    kind = "float64" if _are_numbers(values) else "object"
    return pandas.DataFrame({"value": pandas.Series(values, index=times, dtype=kind)})


def to_polars(datapoints: Sequence[Datapoint]) -> "polars.DataFrame":
    """Columns `at` (microseconds, UTC) and `value`; numbers where all values are numbers.

    Raises:
        ImportError: Polars is not installed.
    """
    import polars

    values = column_of(datapoints)
    kind = polars.Float64 if _are_numbers(values) else polars.String
    return polars.DataFrame(
        {
            "at": polars.Series(
                [point.at for point in datapoints], dtype=polars.Datetime("us", "UTC")
            ),
            "value": polars.Series(values, dtype=kind),
        }
    )


def column_of(datapoints: Sequence[Datapoint]) -> list[float] | list[str]:
    """The values: numbers if each of them is one, else their texts."""
    numbers = [point.number for point in datapoints]
    if None in numbers:
        return [point.value for point in datapoints]
    return [number for number in numbers if number is not None]


def _are_numbers(values: list[float] | list[str]) -> bool:
    return not values or isinstance(values[0], float)
