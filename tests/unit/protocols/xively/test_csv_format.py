"""CSV: rows of the API v2 and of v1, letter for letter, and the service's words when they are wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.xively import csv_format, csv_v1_format
from thingtank.protocols.xively.csv_rows import join_rows, read_rows, write_row
from thingtank.protocols.xively.documents import (
    DatapointBody,
    DatapointDocument,
    DatastreamBody,
    DatastreamDocument,
    FeedBody,
    FeedReference,
    FeedsBody,
    LocationBody,
)
from thingtank.protocols.xively.errors import ErrorBody, MalformedCsv

T = "2012-08-12T00:00:00Z"
U = "2012-08-12T00:00:05Z"
FEED = FeedReference(7, "http://t/users/a", T)


def points(*pairs: tuple[str, str]) -> list[DatapointDocument]:
    return [DatapointDocument(value, at) for at, value in pairs]


FEEDS = [
    ("one value", "0,29", [DatastreamDocument("0", "29")]),
    ("a value and its time", f"a,{T},1", [DatastreamDocument("a", "1", T)]),
    ("blanks around", "  0, 00035\r\nb , 0012 \n 2, T , \" red car \"\n\n", [DatastreamDocument("0", "00035"), DatastreamDocument("b", "0012"), DatastreamDocument("2", "red car", "T")]),
    ("a line end of old", "a,1\rb,2", [DatastreamDocument("a", "1"), DatastreamDocument("b", "2")]),
    ("a byte order mark", "\ufeffa,1", [DatastreamDocument("a", "1")]),
    ("quotes", 'a,"1,5 ""m""\nx"', [DatastreamDocument("a", '1,5 "m"\nx')]),
    ("quotes inside", 'a,5" pipe', [DatastreamDocument("a", '5" pipe')]),
    ("one that was never written", 'temp,,""', [DatastreamDocument("temp")]),
    ("nil attributes", "0,,", [DatastreamDocument("0")]),
    ("a blank value at a time", f'a,{T},""', [DatastreamDocument("a", "", T)]),
    ("a repeated id", f"a,{T},1\nb,2\na,{U},3", [DatastreamDocument("a", datapoints=points((T, "1"), (U, "3"))), DatastreamDocument("b", "2")]),
    ("another script", "温,1", [DatastreamDocument("温", "1")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"), [row[1:] for row in FEEDS], ids=[row[0] for row in FEEDS]
)
def test_3_3_rows_are_datastreams(text: str, expected: list[DatastreamDocument]) -> None:
    assert csv_format.parse_feed(text.encode()).datastreams == expected
    assert csv_format.parse_datastreams(text.encode()) == expected


DATASTREAMS = [
    ("7", DatastreamDocument(None, "7")),
    (" 0000017 \r\n", DatastreamDocument(None, "0000017")),
    (f"{T},7", DatastreamDocument(None, "7", T)),
    (f"{T},1\n{U},2", DatastreamDocument(datapoints=points((T, "1"), (U, "2")))),
]


@pytest.mark.parametrize(("text", "expected"), DATASTREAMS)
def test_4_2_a_datastream_is_a_value_or_rows_with_times(
    text: str, expected: DatastreamDocument
) -> None:
    assert csv_format.parse_datastream(text.encode()) == expected


def test_5_1_datapoints_are_rows_with_times_or_one_value_from_now() -> None:
    rows = f"{T},1\n{U},2".encode()
    assert csv_format.parse_datapoints(rows) == points((T, "1"), (U, "2"))
    assert csv_format.parse_datapoints(b"5") == [DatapointDocument("5")]
    assert csv_format.parse_datapoint(b"5") == DatapointDocument("5")
    assert csv_format.parse_datapoint(f"{T},5".encode()) == DatapointDocument("5", T)


TOO_MANY = (
    "CSV is invalid. Too many fields; must only be a single value, or a timestamp and a value"
)
NO_TIMES = "CSV is invalid. If multiple values are included, then a timestamp and value must be submitted for every row"
V1_ROWS = "CSV is invalid. Currently we can only accept CSV for your most recent set of values. You have submitted 3 rows of data."
REFUSED: list[tuple[Any, str | bytes, str]] = [
    (csv_format.parse_feed, "", "Submitted CSV is empty."),
    (csv_format.parse_feed, " \r\n\n", "Submitted CSV is empty."),
    (csv_format.parse_feed, "1", "CSV is invalid. Incorrect number of fields"),
    (csv_format.parse_feed, "a,1,2,3", "CSV is invalid. Incorrect number of fields"),
    (csv_format.parse_feed, "a,1\nb", "CSV is invalid. Incorrect number of fields"),
    (csv_format.parse_feed, "a,1\na,2", "CSV is invalid. If multiple values given they must include a timestamp for all values"),
    (csv_format.parse_feed, f"a,{T},1\na,,2", "CSV is invalid. If multiple values given they must include a timestamp for all values"),
    (csv_format.parse_feed, 'a,"1', "CSV is invalid. unexpected end of data on line 1"),
    (csv_format.parse_feed, 'a,1\nb,"1"2', "CSV is invalid. ',' expected after '\"' on line 2"),
    (csv_format.parse_feed, b"a,1\nb,\xff", "CSV is invalid. Not UTF-8 at byte 6"),
    (csv_format.parse_feed, "a,1\n" * 60_000, "CSV is invalid. More than 50000 rows"),
    (csv_format.parse_feed, "a," + "1" * 5000, "CSV is invalid. A field has more than 4096 characters"),
    (csv_format.parse_feed, "a,1" + "1" * 200_000, "CSV is invalid. field larger than field limit (131072) on line 1"),
    (csv_format.parse_feed, "," * 1000, "CSV is invalid. A row has more than 1000 fields"),
    (csv_format.parse_datastream, "", "CSV is invalid. Submitted data appears to be empty"),
    (csv_format.parse_datastream, "a,b,c", TOO_MANY),
    (csv_format.parse_datastream, f"{T},1\na,b,c", TOO_MANY),
    (csv_format.parse_datastream, "1\n2", NO_TIMES),
    (csv_format.parse_datastream, f"{T},1\n2", NO_TIMES),
    (csv_format.parse_datapoints, f"{T},1\n2", NO_TIMES),
    (csv_format.parse_datapoint, f"{T},1\n{T},2", "CSV is invalid. Can only construct a datapoint from a single row of data"),
    (csv_v1_format.parse_feed, "", "Submitted CSV is empty."),
    (csv_v1_format.parse_feed, "This,2\nWrong,3\nIs,4", V1_ROWS),
    (csv_v1_format.parse_datastream, "", "CSV is invalid. Submitted data appears to be empty"),
    (csv_v1_format.parse_datastream, "1,2", "CSV is invalid. Too many fields; must only be a single value"),
    (csv_v1_format.parse_datastream, "1\n2", "CSV is invalid. Can only construct a datastream from a single row of data"),
]  # fmt: skip


@pytest.mark.parametrize(("parse", "body", "text"), REFUSED, ids=[row[2][:70] for row in REFUSED])
def test_what_is_wrong_is_refused_in_the_services_words(
    parse: Any, body: str | bytes, text: str
) -> None:
    with pytest.raises(MalformedCsv) as refusal:
        parse(body if isinstance(body, bytes) else body.encode())
    assert refusal.value.body == ErrorBody("CSV Parser Error", text)
    assert refusal.value.status == 400


def feed(*datastreams: DatastreamBody) -> FeedBody:
    return FeedBody(
        id=7, title="x", private="true", feed="", status="live", updated=T, created=T, creator="",
        version="1.0.0", location=LocationBody(domain="physical"), datastreams=list(datastreams),
    )  # fmt: skip


def test_a_read_ends_without_a_line_end_and_shows_what_was_never_written() -> None:
    body = feed(DatastreamBody("a", "1", T), DatastreamBody("temp"), DatastreamBody("b", "x,y", U))
    assert csv_format.serialize_feed(body) == f'a,{T},1\ntemp,,""\nb,{U},"x,y"'.encode()
    assert csv_format.serialize_feed(feed()) == b""
    page = FeedsBody(2, 0, 50, [body, feed(DatastreamBody("c", "", T))])
    assert csv_format.serialize_feeds(page).decode().split("\n") == [
        f"7,a,{T},1", '7,temp,,""', f'7,b,{U},"x,y"', f'7,c,{T},""',
    ]  # fmt: skip


def test_a_history_is_merged_in_the_order_of_time() -> None:
    later, sooner = "2013-10-27T02:30:00.000000+01:00", "2013-10-27T02:45:00.000000+02:00"
    body = feed(
        DatastreamBody("a", "9", T, datapoints=[DatapointBody("1", T), DatapointBody("3", later)]),
        DatastreamBody("b", "9", T, datapoints=[DatapointBody("2", sooner), DatapointBody("0", T)]),
        DatastreamBody("temp"),
    )
    assert csv_format.serialize_feed(body).decode().split("\n") == [
        f"a,{T},1", f"b,{T},0", f"b,{sooner},2", f"a,{later},3",
    ]  # fmt: skip


def test_a_history_without_datapoints_is_empty_and_not_the_current_value() -> None:
    datastream = DatastreamBody("a", "1", T)
    assert csv_format.serialize_feed(feed(datastream), is_history=True) == b""
    assert csv_format.serialize_datastream(datastream, FEED, is_history=True) == b""
    assert csv_format.serialize_datastream(datastream, FEED) == f"{T},1".encode()
    datastream.datapoints = [DatapointBody("1", T), DatapointBody("2", U)]
    assert csv_format.serialize_datastream(datastream, FEED) == f"{T},1\n{U},2".encode()


def test_an_error_is_a_line_of_text() -> None:
    assert csv_format.serialize_error(ErrorBody("Not found", "no feed")) == b"Not found: no feed"
    assert csv_format.serialize_error(ErrorBody("Bad", ["a", "b"])) == b"Bad: a; b"


def test_8_2_positions_are_ids_in_v1() -> None:
    read = csv_v1_format.parse_feed(b'  00035  ,  0012," red car",').datastreams
    assert read == [
        DatastreamDocument("0", "00035"),
        DatastreamDocument("1", "0012"),
        DatastreamDocument("2", "red car"),
        DatastreamDocument("3"),
    ]
    assert csv_v1_format.parse_datastream(b" 7 ") == DatastreamDocument(None, "7")
    body = feed(
        *[DatastreamBody(str(i), f"v{i}", T) for i in (10, 2, 0)], DatastreamBody("x", "y", T)
    )
    assert csv_v1_format.serialize_feed(body) == b"v0,v2,v10,y"
    assert csv_v1_format.serialize_datastream(DatastreamBody("0", "a,b", T), FEED) == b'"a,b"'
    assert csv_v1_format.serialize_datastream(DatastreamBody("0"), FEED) == b""


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"])).map(str.strip), min_size=2, max_size=4
        ),
        max_size=4,
    )
)
def test_rows_come_back_whatever_stands_in_them(rows: list[list[str]]) -> None:
    rows = [["id", *row] for row in rows]
    written = join_rows(map(write_row, rows))
    assert not written.endswith(b"\n")
    assert read_rows(written) == rows


@given(st.text(st.sampled_from('a1,.; \t"\n\r\0\x0bé'), max_size=12))
def test_a_plain_row_is_read_as_a_row_among_others_is(text: str) -> None:
    def read(body: str) -> list[list[str]] | str:
        try:
            return read_rows(body.encode())
        except MalformedCsv as error:
            return str(error)

    alone, among = read(text), read(text.strip() + "\nz,z")
    if text.strip() and isinstance(among, list):
        assert alone == among[:-1]
