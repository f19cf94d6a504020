"""Writers that go on until the server is gone, and remember what it promised."""

import contextlib
import http.client
import itertools
import random
import threading

from tests.faults.feed_api import Answer, Feed, FeedApi
from tests.faults.ledger import Ledger, Place

DATASTREAMS = ("temperature", "humidity", "state")
WINDOW_US = 600_000_000  # each round writes within ten minutes of the tank's time
STEP_US = 1000


class Writer:
    """Datastreams of its own, their ledger, and a thread that writes while a server answers."""

    def __init__(self, feed: Feed, seed: int, mark: str = "") -> None:
        self.feed = feed
        self.names = tuple(name + mark for name in DATASTREAMS)
        self.ledger = Ledger()
        self.problems: list[str] = []
        self._random = random.Random(seed)
        self._counter = itertools.count(1)
        self._thread: threading.Thread | None = None
        self._window_start_us = 0
        self._written: dict[str, list[int]] = {}

    def start(self, url: str, window_start_us: int) -> None:
        """Write to times within the window, in a thread, until the server is gone."""
        self._window_start_us = window_start_us
        self._written = {name: [] for name in self.names}
        self._thread = threading.Thread(target=self._write, args=(url,))
        self._thread.start()

    def join(self) -> None:
        """Wait until the writer has seen that the server is gone."""
        assert self._thread is not None
        self._thread.join(30)
        assert not self._thread.is_alive(), "a writer hangs"
        assert not self.problems, self.problems

    def _write(self, url: str) -> None:
        # An end of the connection is what is planned.
        with (
            FeedApi(url, self.feed) as api,
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            while True:
                answer = self._one_request(api)
                if answer.status != 200:
                    self.problems.append(f"{answer.status} {answer.body[:200]!r}")
                    return
                self.ledger.acknowledged()

    def _one_request(self, api: FeedApi) -> Answer:
        name = self._random.choice(self.names)
        # A datastream has to exist before it is written by its own URL; a feed's write makes it.
        if not self._written[name]:
            return self._put_feed(api)
        send = self._random.choices(
            (
                self._put_datastream,
                self._post_datapoints,
                self._delete_datapoint,
                self._delete_range,
            ),
            (4, 3, 1, 1),
        )[0]
        return self._put_feed(api) if self._random.random() < 0.4 else send(api, name)

    def _put_feed(self, api: FeedApi) -> Answer:
        points = {name: self._point(name) for name in self.names}
        self.ledger.sent({Place(name, at_us): value for name, (at_us, value) in points.items()})
        return api.put_feed(points)

    def _put_datastream(self, api: FeedApi, name: str) -> Answer:
        at_us, value = self._point(name)
        self.ledger.sent({Place(name, at_us): value})
        return api.put_datastream(name, at_us, value)

    def _post_datapoints(self, api: FeedApi, name: str) -> Answer:
        points = dict(self._point(name) for _ in range(40))
        self.ledger.sent({Place(name, at_us): value for at_us, value in points.items()})
        return api.post_datapoints(name, list(points.items()))

    def _delete_datapoint(self, api: FeedApi, name: str) -> Answer:
        place = Place(name, self._random.choice(self._written[name]))
        if not self.ledger.holds(place):
            return self._put_feed(api)
        self.ledger.sent({place: None})
        return api.delete_datapoint(name, place.at_us)

    def _delete_range(self, api: FeedApi, name: str) -> Answer:
        start_us = self._window_start_us + self._random.randrange(WINDOW_US)
        end_us = min(start_us + WINDOW_US // 50, self._window_start_us + WINDOW_US - 1)
        inside = {Place(name, at) for at in self._written[name] if start_us <= at <= end_us}
        self.ledger.sent({place: None for place in inside if self.ledger.holds(place)})
        return api.delete_range(name, start_us, end_us)

    def _point(self, name: str) -> tuple[int, str]:
        """A time in any order, now and then one that was written before, and a value never used."""
        number = next(self._counter)
        value = (str(number), f"{number / 10}", f"on {number}", f"000{number}")[number % 4]
        written = self._written[name]
        if written and self._random.random() < 0.1:
            return self._random.choice(written), value
        step = self._random.randrange(WINDOW_US // STEP_US)
        written.append(self._window_start_us + step * STEP_US)
        return written[-1], value
