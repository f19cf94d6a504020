"""What a writer sent and what was acknowledged: the truth that a tank is compared with.

A write is *sent*, then *acknowledged* or cut off. What was acknowledged must be there; what was cut
off may be there or not, whole; nothing else may. One ledger is one writer's, who sends one request
at a time, so that the order of its writes is known.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Place(NamedTuple):
    """Where a datapoint is: one datastream has one datapoint an instant."""

    name: str
    at_us: int


class Discrepancy(AssertionError):
    """The tank does not hold what it acknowledged, or holds what nobody sent."""


class Ledger:
    """Every place ever written, with the values it may hold; None stands for no datapoint."""

    def __init__(self) -> None:
        self._possible: dict[Place, tuple[str | None, ...]] = {}
        self._in_flight: dict[Place, str | None] = {}
        self.acknowledged_count = 0

    def sent(self, values: Mapping[Place, str | None]) -> None:
        """Note a request before it is sent; None deletes."""
        assert not self._in_flight
        self._in_flight = dict(values)
        for place, value in values.items():
            self._possible[place] = (*self._possible.get(place, (None,)), value)

    def acknowledged(self) -> None:
        """The request that was sent last has been answered as done."""
        for place, value in self._in_flight.items():
            self._possible[place] = (value,)
        self.acknowledged_count += len(self._in_flight)
        self._in_flight = {}

    def refused(self) -> None:
        """It was answered as refused, which promises that nothing of it was kept."""
        for place in self._in_flight:
            self._possible[place] = self._possible[place][:-1]
        self._in_flight = {}

    def holds(self, place: Place) -> bool:
        """Whether something is there for certain."""
        values = self._possible.get(place, (None,))
        return len(values) == 1 and values[0] is not None

    def settle(self, stored: Iterable[tuple[Place, str]], since_us: int, until_us: int) -> None:
        """Compare with what is stored in [since_us, until_us); what is there must stay from now on.

        Raises:
            Discrepancy: lost, changed, doubled or invented datapoints.
        """
        rows = list(stored)
        doubled = [
            place for place, count in Counter(place for place, _ in rows).items() if count > 1
        ]
        if doubled:
            raise Discrepancy(f"{len(doubled)} instants stored more than once: {doubled[:5]}")
        found = dict(rows)
        invented = found.keys() - self._possible.keys()
        if invented:
            raise Discrepancy(f"{len(invented)} never sent: {sorted(invented)[:5]}")
        self._check_request_whole(found)
        wrong = []
        for place, values in self._possible.items():
            if since_us <= place.at_us < until_us:
                if found.get(place) not in values:
                    wrong.append((place, values, found.get(place)))
                self._possible[place] = (found.get(place),)
        if wrong:
            raise Discrepancy(f"{len(wrong)} lost or changed (place, sent, found): {wrong[:5]}")
        self._in_flight = {}

    def _check_request_whole(self, found: Mapping[Place, str]) -> None:
        """The request that was cut off was carried out for all its places or for none."""
        telling = {
            found.get(place) == value
            for place, value in self._in_flight.items()
            if value not in self._possible[place][:-1]
        }
        if len(telling) > 1:
            raise Discrepancy(f"a request was carried out in part: {list(self._in_flight)[:5]}")

    def newest(self, name: str) -> tuple[int, str] | None:
        """The newest datapoint of a settled datastream."""
        held = [
            (place.at_us, values[0])
            for place, values in self._possible.items()
            if place.name == name and values[0] is not None
        ]
        return max(held) if held else None
