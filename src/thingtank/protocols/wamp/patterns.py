"""URIs that subscriptions and registrations are under, and which of them a URI matches.

| match | matches | found by |
| --- | --- | --- |
| exact | the URI itself | the URI |
| prefix | what begins with its characters | its beginning, of each length that there is |
| wildcard | as many components, equal where its own is not empty | its components, for each shape |

A shape says how many components there are and which are literal. At most one wildcard of a shape
matches a URI: the one with the same components in those places. The order among matches is the
one in which a dealer chooses.

Source: WAMP, Pattern-based Subscriptions; Pattern-based Registrations.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar

from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.uris import URI_CHARS_MAX

REMEMBERED_MAX = 4096

Value = TypeVar("Value")


class Patterns(Generic[Value]):
    """One value for each URI and match. Fast for URIs that are asked for again."""

    def __init__(self, remembered_max: int = REMEMBERED_MAX) -> None:
        """Start empty.

        Args:
            remembered_max: for how many URIs the matches are remembered.
        """
        self._values: dict[Match, dict[str, Value]] = {"exact": {}, "prefix": {}, "wildcard": {}}
        self._exact = self._values["exact"]
        self._prefix_lengths: dict[int, int] = {}
        self._lengths_longest_first: list[int] = []
        self._shapes: dict[int, list[_Shape[Value]]] = {}
        self._remembered: dict[str, tuple[Value, ...]] = {}
        self._remembered_max = remembered_max

    def add(self, uri: str, match: Match, value: Value) -> None:
        """Put a value under a URI and match, in place of the one that is there."""
        is_new = uri not in self._values[match]
        self._values[match][uri] = value
        if match == "prefix" and is_new:
            self._count_prefix(len(uri), 1)
        elif match == "wildcard":
            self._shape_of(uri).values[_literals_of(uri)] = value
        self._forget(uri, match)

    def remove(self, uri: str, match: Match) -> Value:
        """Take a value away.

        Raises:
            KeyError: there is none.
        """
        value = self._values[match].pop(uri)
        if match == "prefix":
            self._count_prefix(len(uri), -1)
        elif match == "wildcard":
            shape = self._shape_of(uri)
            del shape.values[_literals_of(uri)]
            if not shape.values:
                self._remove_shape(shape)
        self._forget(uri, match)
        return value

    def get(self, uri: str, match: Match) -> Value | None:
        """The value under exactly this URI and match."""
        return self._values[match].get(uri)

    def matching(self, uri: str) -> tuple[Value, ...]:
        """All values whose pattern matches: exact, prefixes longest first, wildcards best first.

        Args:
            uri: without empty components.
        """
        found = self._remembered.get(uri)
        if found is None:
            found = tuple(self._find(uri))
            if len(self._remembered) >= self._remembered_max:
                self._remembered.clear()
            if len(uri) <= URI_CHARS_MAX:
                self._remembered[uri] = found
        return found

    def best(self, uri: str) -> Value | None:
        """What a call of this URI goes to: exact, else the longest prefix, else a wildcard.

        Among wildcards, the one with more literal components before its first wildcard; then with
        more up to the next, and so on.
        """
        value = self._exact.get(uri)
        if value is not None:
            return value
        found = self.matching(uri)
        return found[0] if found else None

    def by_match(self, match: Match) -> Iterator[tuple[str, Value]]:
        """URIs and values of one match, in the order in which they came."""
        return iter(self._values[match].items())

    def __iter__(self) -> Iterator[Value]:
        """All values: exact, prefix, wildcard."""
        for values in self._values.values():
            yield from values.values()

    def __len__(self) -> int:
        return sum(map(len, self._values.values()))

    def _find(self, uri: str) -> Iterator[Value]:
        if uri in self._exact:
            yield self._exact[uri]
        prefixes = self._values["prefix"]
        for length in self._lengths_longest_first:
            if length <= len(uri) and (beginning := uri[:length]) in prefixes:
                yield prefixes[beginning]
        if self._shapes:
            components = uri.split(".")
            for shape in self._shapes.get(len(components), ()):
                literals = shape.literals_of(components)
                if literals in shape.values:
                    yield shape.values[literals]

    def _forget(self, uri: str, match: Match) -> None:
        if match == "exact":
            self._remembered.pop(uri, None)
        else:
            self._remembered.clear()

    def _count_prefix(self, length: int, change: int) -> None:
        count = self._prefix_lengths.get(length, 0) + change
        if count:
            self._prefix_lengths[length] = count
        else:
            del self._prefix_lengths[length]
        if len(self._prefix_lengths) != len(self._lengths_longest_first):
            self._lengths_longest_first = sorted(self._prefix_lengths, reverse=True)

    def _shape_of(self, uri: str) -> "_Shape[Value]":
        components = uri.split(".")
        are_wild = tuple(not component for component in components)
        shapes = self._shapes.setdefault(len(components), [])
        # A run of literals that is longer has one more where the other has a wildcard. False
        # comes first, so the order of these tuples is the one that is asked for.
        place = bisect_left(shapes, are_wild, key=lambda shape: shape.are_wild)
        if place == len(shapes) or shapes[place].are_wild != are_wild:
            shapes.insert(place, _Shape(are_wild))
        return shapes[place]

    def _remove_shape(self, shape: "_Shape[Value]") -> None:
        shapes = self._shapes[len(shape.are_wild)]
        shapes.remove(shape)
        if not shapes:
            del self._shapes[len(shape.are_wild)]


class Listed(Protocol):
    """What the meta APIs list: a subscription or a registration."""

    id: int
    match: Match


def ids_by_match(things: Iterable[Listed]) -> dict[Match, list[int]]:
    """Their ids, each match a list, in their order."""
    ids: dict[Match, list[int]] = {"exact": [], "prefix": [], "wildcard": []}
    for thing in things:
        ids[thing.match].append(thing.id)
    return ids


class _Shape(Generic[Value]):
    """The wildcards with the same number of components and literals in the same places.

    Attributes:
        are_wild: for each component, whether it is empty.
        literals_of: picks those components of a URI that must be equal.
        values: by those components.
    """

    def __init__(self, are_wild: tuple[bool, ...]) -> None:
        self.are_wild = are_wild
        self.literals_of = _picker(are_wild)
        self.values: dict[Any, Value] = {}


def _picker(are_wild: tuple[bool, ...]) -> Callable[[list[str]], Any]:
    places = [place for place, is_wild in enumerate(are_wild) if not is_wild]
    return itemgetter(*places) if places else lambda components: ()


def _literals_of(uri: str) -> Any:
    """What the picker of its shape finds in each URI that matches this wildcard."""
    literals = tuple(component for component in uri.split(".") if component)
    return literals[0] if len(literals) == 1 else literals
