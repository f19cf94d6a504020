"""What passes between the head, which holds the newest writes, and the history store behind it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from thingtank.tank.arrays import Float64s, Int32s, Int64s


class Rows(NamedTuple):
    """Datapoints as columns of one length; not to be changed.

    Attributes:
        stream_ids: whose datapoint each row is.
        at_us: microseconds since the epoch, UTC.
        numbers: NaN where the value is not a number.
        texts: row → text, only where the number's usual spelling does not give the value back.
    """

    stream_ids: Int32s
    at_us: Int64s
    numbers: Float64s
    texts: Mapping[int, str]


class Deletion(NamedTuple):
    """The datapoints of some datastreams in [start_us, end_us) go."""

    stream_ids: Sequence[int]
    start_us: int
    end_us: int


class Overlay(NamedTuple):
    """What reads must lay over the history store's answer.

    Attributes:
        rows: in any order, one for each instant of a datastream; they win over stored ones.
        deletions: hide stored rows, never these.
    """

    rows: Rows
    deletions: Sequence[Deletion]
