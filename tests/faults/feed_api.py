"""A plain client of one feed: standard library only, so that what it saw is beyond doubt."""

import datetime
import http.client
import json
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from tests.prepared_commands import run_prepared

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
PAGE = 1000  # Xively's limit of datapoints in an answer
ANSWER_S_MAX = 20.0


class Feed(NamedTuple):
    """A feed and a key that may do everything on it."""

    feed_id: int
    api_key: str


class Answer(NamedTuple):
    """Status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


def text_of_us(at_us: int) -> str:
    """An instant as Xively writes it."""
    return f"{EPOCH + datetime.timedelta(microseconds=at_us):%Y-%m-%dT%H:%M:%S.%fZ}"


def us_of_text(text: str) -> int:
    """An instant as Xively wrote it."""
    span = datetime.datetime.fromisoformat(text) - EPOCH
    return span // datetime.timedelta(microseconds=1)


def thingtank(folder: Path, *words: str) -> str:
    """Run the command on a data folder; its output.

    Raises:
        AssertionError: it failed; with all it printed.
    """
    done = run_prepared(*words, "--data", str(folder))
    assert done.returncode == 0, f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def create_feed(folder: Path, title: str) -> Feed:
    """Make a device by the command line, while its server runs."""
    made = json.loads(thingtank(folder, "device", "create", title, "--json"))
    return Feed(int(made["feed_id"]), made["api_key"])


class FeedApi:
    """One keep-alive connection to one feed."""

    def __init__(self, url: str, feed: Feed) -> None:
        self._netloc = urlsplit(url).netloc
        self.feed = feed
        self._path = f"/v2/feeds/{feed.feed_id}"
        self._connection = http.client.HTTPConnection(self._netloc, timeout=ANSWER_S_MAX)

    def __enter__(self) -> "FeedApi":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def request(self, method: str, path: str, document: object = None) -> Answer:
        """Send one request below the feed's path.

        Raises:
            OSError, http.client.HTTPException: there was no whole answer.
        """
        body = None if document is None else json.dumps(document).encode()
        headers = {"X-ApiKey": self.feed.api_key, "Content-Type": "application/json"}
        self._connection.request(method, self._path + path, body, headers)
        reply = self._connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        return Answer(reply.status, found, reply.read())

    def put_feed(self, points: dict[str, tuple[int, str]]) -> Answer:
        """Write one datapoint to each of several datastreams, in one request."""
        datastreams = [
            {"id": name, "at": text_of_us(at_us), "current_value": value}
            for name, (at_us, value) in points.items()
        ]
        return self.request("PUT", ".json", {"version": "1.0.0", "datastreams": datastreams})

    def put_datastream(self, name: str, at_us: int, value: str) -> Answer:
        """Write one datapoint to one datastream."""
        document = {"current_value": value, "at": text_of_us(at_us)}
        return self.request("PUT", f"/datastreams/{quote(name)}.json", document)

    def post_datapoints(self, name: str, points: list[tuple[int, str]]) -> Answer:
        """Write many datapoints to one datastream."""
        rows = [{"at": text_of_us(at_us), "value": value} for at_us, value in points]
        return self.request(
            "POST", f"/datastreams/{quote(name)}/datapoints.json", {"datapoints": rows}
        )

    def delete_datapoint(self, name: str, at_us: int) -> Answer:
        """Delete one datapoint."""
        return self.request(
            "DELETE", f"/datastreams/{quote(name)}/datapoints/{text_of_us(at_us)}.json"
        )

    def delete_range(self, name: str, start_us: int, end_us: int) -> Answer:
        """Delete the datapoints of a range, both ends included."""
        terms = f"start={text_of_us(start_us)}&end={text_of_us(end_us)}"
        return self.request("DELETE", f"/datastreams/{quote(name)}/datapoints.json?{terms}")

    def current_values(self) -> dict[str, tuple[int, str]]:
        """Newest time and value of each datastream that has one."""
        answer = self.request("GET", ".json")
        assert answer.status == 200, answer
        return {
            datastream["id"]: (us_of_text(datastream["at"]), datastream["current_value"])
            for datastream in answer.json().get("datastreams", [])
            if "current_value" in datastream
        }

    def datastreams(self) -> set[str]:
        """The names of the feed's datastreams."""
        answer = self.request("GET", ".json")
        assert answer.status == 200, answer
        return {datastream["id"] for datastream in answer.json().get("datastreams", [])}

    def history(self, name: str, start_us: int, end_us: int) -> list[tuple[int, str]]:
        """All datapoints of a range of at most six hours, as stored, page by page."""
        rows: list[tuple[int, str]] = []
        while True:
            terms = f"start={text_of_us(start_us)}&end={text_of_us(end_us)}"
            answer = self.request(
                "GET", f"/datastreams/{quote(name)}.json?{terms}&interval=0&limit={PAGE}"
            )
            assert answer.status == 200, answer
            page = [
                (us_of_text(item["at"]), item["value"])
                for item in answer.json().get("datapoints", [])
            ]
            rows += page
            if len(page) < PAGE:
                return rows
            start_us = page[-1][0] + 1
