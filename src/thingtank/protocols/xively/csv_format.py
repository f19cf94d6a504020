"""CSV of the API v2: values and times only, for very simple devices.

A blank value without a time is no value: so reads a datastream that was never written, `temp,,""`,
and a client may send back what it read.

Source: Xively API v2, data formats; xively-rb, parsers/csv and templates/csv.
"""

from collections.abc import Sequence

from thingtank.protocols.xively.csv_rows import join_rows, read_rows, write_row
from thingtank.protocols.xively.documents import (
    DatapointBody,
    DatapointDocument,
    DatastreamBody,
    DatastreamDocument,
    FeedBody,
    FeedDocument,
    FeedReference,
    FeedsBody,
)
from thingtank.protocols.xively.errors import ErrorBody, MalformedCsv
from thingtank.protocols.xively.times import parse_times

EMPTY = "Submitted CSV is empty."
FIELDS = "CSV is invalid. Incorrect number of fields"
REPEATED = "CSV is invalid. If multiple values given they must include a timestamp for all values"
DATASTREAM_EMPTY = "CSV is invalid. Submitted data appears to be empty"
DATASTREAM_FIELDS = (
    "CSV is invalid. Too many fields; must only be a single value, or a timestamp and a value"
)
DATASTREAM_REPEATED = (
    "CSV is invalid. If multiple values are included, "
    "then a timestamp and value must be submitted for every row"
)
DATAPOINT_REPEATED = "CSV is invalid. Can only construct a datapoint from a single row of data"


# --- in ------------------------------------------------------------------------------------------


def parse_feed(body: bytes) -> FeedDocument:
    """Read rows `id,value` or `id,at,value`; raises MalformedCsv."""
    return FeedDocument(datastreams=parse_datastreams(body))


def parse_datastreams(body: bytes) -> list[DatastreamDocument]:
    """Read the rows that create datastreams; raises as `parse_feed`."""
    rows = read_rows(body)
    if not rows:
        raise MalformedCsv(EMPTY)
    if len(rows) == 1 and 2 <= len(rows[0]) <= 3:  # as from nearly every device, for less
        name, *fields = rows[0]
        return [DatastreamDocument(name, *_value(fields))]
    values_of_id: dict[str, list[list[str]]] = {}
    for row in rows:
        if not 2 <= len(row) <= 3:
            raise MalformedCsv(FIELDS)
        values_of_id.setdefault(row[0], []).append(row[1:])
    return [
        DatastreamDocument(name, *_value(values[0]))
        if len(values) == 1
        else DatastreamDocument(name, datapoints=_datapoints(values, REPEATED))
        for name, values in values_of_id.items()
    ]


def parse_datastream(body: bytes) -> DatastreamDocument:
    """Read one `value` or `at,value`, or many `at,value`; raises MalformedCsv."""
    rows = _rows_of_datastream(body)
    if len(rows) > 1:
        return DatastreamDocument(datapoints=_datapoints(rows, DATASTREAM_REPEATED))
    value, at = _value(rows[0])
    return DatastreamDocument(current_value=value, at=at)


def parse_datapoints(body: bytes) -> list[DatapointDocument]:
    """Read rows `at,value`, or one value that is from now; raises MalformedCsv."""
    rows = _rows_of_datastream(body)
    return _datapoints(rows, DATASTREAM_REPEATED) if len(rows) > 1 else [_datapoint(rows[0])]


def parse_datapoint(body: bytes) -> DatapointDocument:
    """Read the new value of a datapoint, `value` or `at,value`; raises MalformedCsv."""
    rows = _rows_of_datastream(body)
    if len(rows) > 1:
        raise MalformedCsv(DATAPOINT_REPEATED)
    return _datapoint(rows[0])


def _rows_of_datastream(body: bytes) -> list[list[str]]:
    rows = read_rows(body)
    if not rows:
        raise MalformedCsv(DATASTREAM_EMPTY)
    if max(map(len, rows)) > 2:
        raise MalformedCsv(DATASTREAM_FIELDS)
    return rows


def _value(fields: Sequence[str]) -> tuple[str | None, str | None]:
    """Value and time of `value` or `at,value`."""
    *ats, value = fields
    at = ats[0] if ats and ats[0] else None
    return (value if value or at else None), at


def _datapoint(fields: Sequence[str]) -> DatapointDocument:
    return DatapointDocument(*_value(fields))


def _datapoints(rows: Sequence[Sequence[str]], refusal: str) -> list[DatapointDocument]:
    datapoints = [_datapoint(row) for row in rows]
    if not all(point.at for point in datapoints):
        raise MalformedCsv(refusal)
    return datapoints


# --- out -----------------------------------------------------------------------------------------


def serialize_feed(body: FeedBody, *, is_history: bool = False) -> bytes:
    """Write `id,at,value` rows: the current values, or all datapoints in the order of time.

    Args:
        is_history: whether history was asked for, of which there may be none.
    """
    if is_history or any(datastream.datapoints for datastream in body.datastreams):
        return join_rows(_history_rows(body.datastreams))
    return join_rows(
        write_row((datastream.id, datastream.at, datastream.current_value or ""))
        for datastream in body.datastreams
    )


def _history_rows(datastreams: Sequence[DatastreamBody]) -> list[str]:
    rows = [(item.id, point) for item in datastreams for point in item.datapoints]
    instants = parse_times([point.at for _, point in rows])
    order = sorted(range(len(rows)), key=instants.__getitem__)
    return [write_row((rows[i][0], rows[i][1].at, rows[i][1].value)) for i in order]


def serialize_feeds(body: FeedsBody) -> bytes:
    """Write the current values of a page of feeds as rows `feed_id,datastream_id,at,value`."""
    return join_rows(
        write_row((feed.id, datastream.id, datastream.at, datastream.current_value or ""))
        for feed in body.results
        for datastream in feed.datastreams
    )


def serialize_datastream(
    body: DatastreamBody, feed: FeedReference, *, is_history: bool = False
) -> bytes:
    """Write `at,value`: the current value, or each datapoint.

    Args:
        is_history: whether history was asked for, of which there may be none.
    """
    if is_history or body.datapoints:
        return join_rows(write_row((point.at, point.value)) for point in body.datapoints)
    return write_row((body.at, body.current_value or "")).encode()


def serialize_datapoint(body: DatapointBody) -> bytes:
    """Write `at,value`."""
    return write_row((body.at, body.value)).encode()


def serialize_error(body: ErrorBody) -> bytes:
    """Write a refusal as plain text: `title: errors`."""
    errors = body.errors if isinstance(body.errors, str) else "; ".join(body.errors)
    return f"{body.title}: {errors}".encode()
