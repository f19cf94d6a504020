"""What is drawn and how, as it travels to the drawing process."""

import msgspec

from thingtank.protocols.xively.graph_options import GraphOptions


class GraphQuestion(msgspec.Struct, frozen=True):
    """One datastream's values in a range.

    Attributes:
        options: the looks.
        times_us, values: columns of equal length, oldest first; values are texts as stored.
        start_us, end_us: what the horizontal axis spans.
        now_us: the last text of a stream of words holds until then.
        interval_s: one value was read for each of these; 0 when all were.
        minimum, maximum: the datastream's extremes, for `scale=datastream`.
        unit: shown beside the title; may be blank.
    """

    options: GraphOptions
    times_us: list[int]
    values: list[str]
    start_us: int
    end_us: int
    now_us: int
    interval_s: int = 0
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
