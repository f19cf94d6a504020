"""Each call of the API as a value: what to send, whether it may be sent twice, how to read it.

Both clients send these; what they say is written once.

Source: Xively API v2, API resources.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from thingtank.client import models
from thingtank.client.errors import UnreadableAnswer
from thingtank.client.models import Datapoint, Datastream, Feed, Location, Unit, Value
from thingtank.client.times import text_of, us_of

T = TypeVar("T")

FEEDS_PER_PAGE = 100


class Answer(msgspec.Struct, frozen=True):
    """An answer that is no refusal."""

    body: bytes
    location: str


class Call(msgspec.Struct, Generic[T], frozen=True):
    """One request and how its answer is read.

    Attributes:
        path: below the server's address, percent-encoded, without the `.json` that is sent behind
            it: an id such as `a.xml` is not taken for a format then.
        document: the JSON body, None for none.
        is_idempotent: sending it twice means the same as once.
        parse: raises UnreadableAnswer.
    """

    method: str
    path: str
    parse: Callable[[Answer], T]
    parameters: Mapping[str, str] = {}
    document: object = None
    is_idempotent: bool = True


class Row(msgspec.Struct, frozen=True, gc=False):
    """One value on its way to one datastream."""

    name: str
    at_us: int
    value: str


def row(name: str, value: Value, at_us: int) -> Row:
    """A checked row. Raises ValueError, TypeError."""
    return Row(models.check_name(name), at_us, models.text_of_value(value))


def parts(rows: Sequence[Row], count: int) -> Iterator[Sequence[Row]]:
    """The rows in order, at most `count` at once."""
    for start in range(0, len(rows), count):
        yield rows[start : start + count]


def feed_path(feed_id: int) -> str:
    """`/v2/feeds/F`. Raises ValueError."""
    if isinstance(feed_id, bool) or not isinstance(feed_id, int) or feed_id < 0:
        raise ValueError(f"a feed's id is a whole number, not {feed_id!r}")
    return f"/v2/feeds/{feed_id}"


def datastream_path(feed_id: int, name: str) -> str:
    """`/v2/feeds/F/datastreams/D`. Raises ValueError."""
    return f"{feed_path(feed_id)}/datastreams/{quote(models.check_name(name), safe='+')}"


def _nothing(_: Answer) -> None:
    return None


def _body(parse: Callable[[bytes], T]) -> Callable[[Answer], T]:
    return lambda answer: parse(answer.body)


# --- feeds ---


def list_feeds(page: int, terms: Mapping[str, str]) -> Call[list[Feed]]:
    """One page of feeds, FEEDS_PER_PAGE of them."""
    parameters = {**terms, "page": str(page), "per_page": str(FEEDS_PER_PAGE)}
    return Call("GET", "/v2/feeds", _body(models.parse_feeds), parameters)


def get_feed(feed_id: int) -> Call[Feed]:
    """A feed with its datastreams."""
    return Call("GET", feed_path(feed_id), _body(models.parse_feed))


class FeedMembers(msgspec.Struct, frozen=True, omit_defaults=True):
    """What may be set of a feed. UNSET stays as it is; a blank text clears."""

    title: str | UnsetType = UNSET
    private: bool | UnsetType = UNSET
    description: str | UnsetType = UNSET
    tags: Sequence[str] | UnsetType = UNSET
    website: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    icon: str | UnsetType = UNSET
    location: Location | UnsetType = UNSET


def create_feed(members: FeedMembers) -> Call[int]:
    """Make a feed; its id. Not repeated when in doubt: it would be made twice."""
    return Call("POST", "/v2/feeds", _made_id, document=members, is_idempotent=False)


def _made_id(answer: Answer) -> int:
    text = answer.location.rstrip("/").rpartition("/")[2]
    if not (text.isascii() and text.isdigit()):
        raise UnreadableAnswer("a feed was made, and the answer does not say which")
    return int(text)


def update_feed(feed_id: int, members: FeedMembers) -> Call[None]:
    """Set members of a feed."""
    return Call("PUT", feed_path(feed_id), _nothing, document=members)


def delete_feed(feed_id: int) -> Call[None]:
    """Delete a feed with all that it holds."""
    return Call("DELETE", feed_path(feed_id), _nothing)


# --- datastreams ---


class DatastreamMembers(msgspec.Struct, frozen=True, omit_defaults=True):
    """What may be set of a datastream. UNSET stays as it is."""

    tags: Sequence[str] | UnsetType = UNSET
    unit: Unit | UnsetType = UNSET


class _NewDatastream(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    tags: Sequence[str] | UnsetType = UNSET
    unit: Unit | UnsetType = UNSET


def get_datastream(feed_id: int, name: str) -> Call[Datastream]:
    """A datastream."""
    return Call("GET", datastream_path(feed_id, name), _body(models.parse_datastream))


def create_datastream(feed_id: int, name: str, members: DatastreamMembers) -> Call[None]:
    """Make a datastream without a value."""
    made = _NewDatastream(models.check_name(name), members.tags, members.unit)
    path = f"{feed_path(feed_id)}/datastreams"
    document = {"version": "1.0.0", "datastreams": [made]}
    return Call("POST", path, _nothing, document=document, is_idempotent=False)


def update_datastream(feed_id: int, name: str, members: DatastreamMembers) -> Call[None]:
    """Set members of a datastream."""
    return Call("PUT", datastream_path(feed_id, name), _nothing, document=members)


def delete_datastream(feed_id: int, name: str) -> Call[None]:
    """Delete a datastream with its datapoints."""
    return Call("DELETE", datastream_path(feed_id, name), _nothing)


# --- datapoints ---


def write_feed(feed_id: int, rows: Sequence[Row]) -> Call[None]:
    """Write values to datastreams of a feed; those that are missing are made."""
    by_name: dict[str, list[Row]] = {}
    for found in rows:
        by_name.setdefault(found.name, []).append(found)
    datastreams = [{"id": name, **_datapoints(mine)} for name, mine in by_name.items()]
    document = {"version": "1.0.0", "datastreams": datastreams}
    return Call("PUT", feed_path(feed_id), _nothing, document=document)


def write_datastream(feed_id: int, name: str, rows: Sequence[Row]) -> Call[None]:
    """Write values to one datastream that exists."""
    return Call("PUT", datastream_path(feed_id, name), _nothing, document=_datapoints(rows))


def _datapoints(rows: Sequence[Row]) -> dict[str, object]:
    if len(rows) == 1:
        return {"current_value": rows[0].value, "at": text_of(rows[0].at_us)}
    return {"datapoints": [{"at": text_of(row.at_us), "value": row.value} for row in rows]}


def get_datapoint(feed_id: int, name: str, at: datetime) -> Call[Datapoint]:
    """The datapoint of an instant."""
    return Call("GET", _datapoint_path(feed_id, name, at), _body(models.parse_datapoint))


def delete_datapoint(feed_id: int, name: str, at: datetime) -> Call[None]:
    """Delete the datapoint of an instant."""
    return Call("DELETE", _datapoint_path(feed_id, name, at), _nothing)


def _datapoint_path(feed_id: int, name: str, at: datetime) -> str:
    return f"{datastream_path(feed_id, name)}/datapoints/{text_of(us_of(at))}"


def delete_datapoints(
    feed_id: int, name: str, start: datetime | None, end: datetime | None
) -> Call[None]:
    """Delete a range, both ends included. Raises ValueError when neither end is given."""
    if start is None and end is None:
        raise ValueError("a range needs a start or an end; delete() deletes everything")
    parameters = {
        key: text_of(us_of(at)) for key, at in (("start", start), ("end", end)) if at is not None
    }
    path = f"{datastream_path(feed_id, name)}/datapoints"
    return Call("DELETE", path, _nothing, parameters)


def read_history(feed_id: int, name: str, parameters: Mapping[str, str]) -> Call[list[Datapoint]]:
    """One page of a datastream's datapoints, oldest first."""
    return Call("GET", datastream_path(feed_id, name), _body(models.parse_history), parameters)
