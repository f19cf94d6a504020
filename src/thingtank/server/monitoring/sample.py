"""One value, as `/metrics` tells it."""

from collections.abc import Mapping
from typing import NamedTuple

from thingtank.stores.histogram import Histogram


class Sample(NamedTuple):
    """One value of a family; a histogram's are its buckets."""

    family: str
    value: float | Histogram
    labels: Mapping[str, str] = {}
