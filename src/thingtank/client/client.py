"""The client for programs that wait: every call returns when it is done.

`async_client.py` has the same names for programs that do not.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self, TypeVar

import httpx
from msgspec import UNSET, UnsetType

from thingtank.client import calls, frames
from thingtank.client.calls import FEEDS_PER_PAGE, Answer, Call, DatastreamMembers, FeedMembers, Row
from thingtank.client.errors import ClientError, NotFound, Refused, UnreadableAnswer
from thingtank.client.history_query import Function, HistoryQuery, history_query, pages
from thingtank.client.http import (
    ANSWER_BYTES_MAX,
    Attempts,
    ClientSettings,
    read_answer,
    request_of,
    unreachable,
)
from thingtank.client.models import (
    VALUES_PER_REQUEST_MAX,
    Datapoint,
    Datastream,
    Feed,
    Location,
    Unit,
    Value,
    tags_of,
)
from thingtank.client.retries import RetryPolicy
from thingtank.client.times import Stamps, datetime_of, us_of

if TYPE_CHECKING:
    import pandas
    import polars

    from thingtank.client.subscription import DatastreamSubscription, FeedSubscription

T = TypeVar("T")


class Client:
    """A connection to a Thing Tank, or to anything that speaks Xively's API v2.

    Safe to use from several threads. Close it, or use it in a `with`.

        with Client("http://127.0.0.1:8000", api_key) as client:
            client.feeds[7].datastreams["temperature"].write(21.5)

    Attributes:
        feeds: all that the key reaches.
        settings: what it was made with.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        socket_url: str | None = None,
        timeout_s: float = 10.0,
        retries: RetryPolicy | None = None,
        verify: bool | str = True,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            url: of the web port, such as `http://127.0.0.1:8000`.
            socket_url: of the WebSocket; without it the server's port 8080, or 8094 with TLS.
            timeout_s: for connecting, and for each wait for bytes.
            retries: how patient to be; the default tries five times within some seconds.
            verify: whether to check TLS certificates, or a file of trusted ones.

        Raises:
            ValueError: an address or a key that cannot be one.
        """
        self._begin(
            ClientSettings(url, api_key, socket_url, timeout_s, retries or RetryPolicy(), verify)
        )

    def _begin(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._http = httpx.Client(
            base_url=settings.url,
            headers=settings.headers(),
            timeout=settings.timeout_s,
            verify=settings.tls(),
        )
        self.stamps = Stamps()
        self.feeds = Feeds(self)

    @classmethod
    def of_settings(cls, settings: ClientSettings) -> Self:
        """A client with another one's settings."""
        client = cls.__new__(cls)
        client._begin(settings)
        return client

    def __repr__(self) -> str:
        return f"Client({self.settings.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def subscribe(self, feed_id: int) -> "FeedSubscription":
        """Every change of a feed from now on, as it happens, for `for`."""
        from thingtank.client.subscription import FeedSubscription

        return FeedSubscription(self.settings, feed_id)

    def send(self, call: Call[T], retries: RetryPolicy | None = None) -> T:
        """Send a call, again where that is safe, and read its answer.

        Raises:
            ClientError.
        """
        attempts = Attempts(retries or self.settings.retries, call)
        while True:
            try:
                return call.parse(self._send_once(call))
            except ClientError as error:
                if isinstance(error, Refused) and attempts.was_done_before(error):
                    return call.parse(Answer(b"", ""))
                delay_s = attempts.wait_s(error)
                if delay_s is None:
                    raise
            time.sleep(delay_s)

    def _send_once(self, call: Call[T]) -> Answer:
        request = request_of(self._http, call)
        try:
            response = self._http.send(request, stream=True)
            try:
                body = _body(response)
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        return read_answer(response, body)


def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise UnreadableAnswer(f"the answer has more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


class Feeds:
    """All feeds that the key reaches. `feeds[7]` is one of them, without asking the server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getitem__(self, feed_id: int) -> "FeedClient":
        return FeedClient(self._client, feed_id)

    def list(
        self, *, q: str = "", tag: str = "", user: str = "", terms: Mapping[str, str] | None = None
    ) -> Iterator[Feed]:
        """Public feeds and one's own, page by page as they are asked for.

        Args:
            q: words in title, description or tags.
            terms: more of the API's parameters, such as `{"status": "live"}`.
        """
        chosen = {name: text for name, text in (("q", q), ("tag", tag), ("user", user)) if text}
        page = 1
        while True:
            found = self._client.send(calls.list_feeds(page, {**(terms or {}), **chosen}))
            yield from found
            if len(found) < FEEDS_PER_PAGE:
                return
            page += 1

    def get(self, feed_id: int) -> Feed:
        """A feed with its datastreams and their current values. Raises NotFound, Forbidden."""
        return self._client.send(calls.get_feed(feed_id))

    def create(
        self,
        title: str,
        *,
        private: bool | UnsetType = UNSET,
        description: str | UnsetType = UNSET,
        tags: Sequence[str] | UnsetType = UNSET,
        website: str | UnsetType = UNSET,
        email: str | UnsetType = UNSET,
        location: Location | UnsetType = UNSET,
    ) -> "FeedClient":
        """Make a feed. Raises Invalid, Forbidden."""
        members = FeedMembers(
            title=title,
            private=private,
            description=description,
            tags=tags_of(tags),
            website=website,
            email=email,
            location=location,
        )
        return self[self._client.send(calls.create_feed(members))]

    def update(
        self,
        feed_id: int,
        *,
        title: str | UnsetType = UNSET,
        private: bool | UnsetType = UNSET,
        description: str | UnsetType = UNSET,
        tags: Sequence[str] | UnsetType = UNSET,
        website: str | UnsetType = UNSET,
        email: str | UnsetType = UNSET,
        location: Location | UnsetType = UNSET,
    ) -> None:
        """Set what is given, leave the rest. Raises Invalid, NotFound, Forbidden."""
        members = FeedMembers(
            title=title,
            private=private,
            description=description,
            tags=tags_of(tags),
            website=website,
            email=email,
            location=location,
        )
        self._client.send(calls.update_feed(feed_id, members))

    def delete(self, feed_id: int) -> None:
        """Delete a feed with all that it holds. Raises NotFound, Forbidden."""
        self._client.send(calls.delete_feed(feed_id))


class FeedClient:
    """One feed, by its id. Making it asks the server nothing."""

    def __init__(self, client: Client, feed_id: int) -> None:
        calls.feed_path(feed_id)
        self._client = client
        self.id = feed_id
        self.datastreams = Datastreams(client, feed_id)

    def __repr__(self) -> str:
        return f"FeedClient({self.id})"

    def get(self) -> Feed:
        """The feed as it is now. Raises NotFound, Forbidden."""
        return self._client.feeds.get(self.id)

    def delete(self) -> None:
        """Delete the feed with all that it holds. Raises NotFound, Forbidden."""
        self._client.feeds.delete(self.id)

    def write(self, values: Mapping[str, Value], at: datetime | None = None) -> None:
        """Write a value to each of several datastreams; returns when they are on the server's disk.

        Args:
            values: by datastream; those that are missing are made.
            at: the instant they are from; now without it.

        Raises:
            Invalid, NotFound, Forbidden; ValueError, TypeError for what no datastream can hold.
        """
        at_us = self._client.stamps.next_us() if at is None else us_of(at)
        rows = [calls.row(name, value, at_us) for name, value in values.items()]
        for part in calls.parts(rows, VALUES_PER_REQUEST_MAX):
            self._client.send(calls.write_feed(self.id, part))

    def subscribe(self) -> "FeedSubscription":
        """Every change of the feed from now on."""
        return self._client.subscribe(self.id)


class Datastreams:
    """The datastreams of a feed. `datastreams["temperature"]` asks the server nothing."""

    def __init__(self, client: Client, feed_id: int) -> None:
        self._client = client
        self._feed_id = feed_id

    def __getitem__(self, name: str) -> "DatastreamClient":
        return DatastreamClient(self._client, self._feed_id, name)

    def list(self) -> list[Datastream]:
        """All datastreams of the feed with their current values."""
        return list(self._client.feeds.get(self._feed_id).datastreams.values())


class DatastreamClient:
    """One datastream, by its feed and its id."""

    def __init__(self, client: Client, feed_id: int, name: str) -> None:
        calls.datastream_path(feed_id, name)
        self._client = client
        self.feed_id = feed_id
        self.id = name

    def __repr__(self) -> str:
        return f"DatastreamClient({self.feed_id}, {self.id!r})"

    def get(self) -> Datastream:
        """The datastream as it is now. Raises NotFound, Forbidden."""
        return self._client.send(calls.get_datastream(self.feed_id, self.id))

    def create(
        self, *, tags: Sequence[str] | UnsetType = UNSET, unit: Unit | UnsetType = UNSET
    ) -> None:
        """Make it before its first value; a write makes it too. Raises Invalid: it exists."""
        members = DatastreamMembers(tags_of(tags), unit)
        self._client.send(calls.create_datastream(self.feed_id, self.id, members))

    def update(
        self, *, tags: Sequence[str] | UnsetType = UNSET, unit: Unit | UnsetType = UNSET
    ) -> None:
        """Set tags or unit, leave the rest. Raises Invalid, NotFound, Forbidden."""
        members = DatastreamMembers(tags_of(tags), unit)
        self._client.send(calls.update_datastream(self.feed_id, self.id, members))

    def delete(self) -> None:
        """Delete it with its datapoints. Raises NotFound, Forbidden."""
        self._client.send(calls.delete_datastream(self.feed_id, self.id))

    def write(self, value: Value, at: datetime | None = None) -> datetime:
        """Write a value; returns when it is on the server's disk. The datastream is made if needed.

        Args:
            at: the instant it is from; now without it.

        Returns:
            The instant it was written for.

        Raises:
            Invalid, NotFound, Forbidden; ValueError, TypeError for what no datastream can hold.
        """
        at_us = self._client.stamps.next_us() if at is None else us_of(at)
        self._write([calls.row(self.id, value, at_us)])
        return datetime_of(at_us)

    def write_many(self, values: Iterable[tuple[datetime, Value]]) -> int:
        """Write many values with their instants, in as few requests as the API allows.

        Returns:
            How many were written. After an error those before it may be written; doing it again
            does no harm.
        """
        rows = [calls.row(self.id, value, us_of(at)) for at, value in values]
        for part in calls.parts(rows, VALUES_PER_REQUEST_MAX):
            self._write(part)
        return len(rows)

    def _write(self, rows: Sequence[Row]) -> None:
        try:  # by the datastream's own address, for keys that open only this datastream
            self._client.send(calls.write_datastream(self.feed_id, self.id, rows))
        except NotFound as error:
            if not error.is_from_api:
                raise
            self._client.send(calls.write_feed(self.feed_id, rows))

    def history(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        duration: timedelta | None = None,
        interval: int | None = None,
        function: Function | None = None,
        discrete: bool = False,
        find_previous: bool = False,
    ) -> "History":
        """What was written, oldest first, however much it is.

        Args:
            start, end, duration: two of them, or one that runs up to now; none for the last 24
                hours. Both ends belong to the range.
            interval: seconds between values; 0 for every value; None for the finest that the server
                gives for such a range. Others are rounded up to the next it knows.
            function: `average`, `sum`, `min` or `max` of each interval instead of its last value.
            discrete: values at exact steps.
            find_previous: also the last value before the range.

        Raises:
            ValueError: the terms contradict each other.
        """
        query = history_query(
            start,
            end,
            duration,
            interval,
            function,
            is_discrete=discrete,
            find_previous=find_previous,
        )
        return History(self._client, self.feed_id, self.id, query)

    def get_datapoint(self, at: datetime) -> Datapoint:
        """The datapoint of an instant. Raises NotFound."""
        return self._client.send(calls.get_datapoint(self.feed_id, self.id, at))

    def delete_datapoint(self, at: datetime) -> None:
        """Delete the datapoint of an instant. Raises NotFound."""
        self._client.send(calls.delete_datapoint(self.feed_id, self.id, at))

    def delete_datapoints(self, start: datetime | None = None, end: datetime | None = None) -> None:
        """Delete a range, both ends included. Raises ValueError when neither end is given."""
        self._client.send(calls.delete_datapoints(self.feed_id, self.id, start, end))

    def subscribe(self) -> "DatastreamSubscription":
        """Every change of the datastream from now on."""
        from thingtank.client.subscription import DatastreamSubscription

        return DatastreamSubscription(self._client.settings, self.feed_id, self.id)


class History:
    """A question about history; each run over it asks the server anew, page by page."""

    def __init__(self, client: Client, feed_id: int, name: str, query: HistoryQuery) -> None:
        self._client = client
        self._feed_id = feed_id
        self._name = name
        self.query = query

    def __iter__(self) -> Iterator[Datapoint]:
        asking = pages(self.query)
        parameters = next(asking, None)
        while parameters is not None:
            found = self._client.send(calls.read_history(self._feed_id, self._name, parameters))
            yield from found
            try:
                parameters = asking.send(found)
            except StopIteration:
                return

    def to_list(self) -> list[Datapoint]:
        """All of it."""
        return list(self)

    def to_pandas(self) -> "pandas.DataFrame":
        """All of it: index `at` in UTC, column `value`. Raises ImportError without pandas."""
        return frames.to_pandas(self.to_list())

    def to_polars(self) -> "polars.DataFrame":
        """All of it: columns `at` and `value`. Raises ImportError without Polars."""
        return frames.to_polars(self.to_list())
