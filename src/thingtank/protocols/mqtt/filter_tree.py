"""Values by topic filter, found by the topics that the filters match.

Filters without wildcards are keys of one dict. Those with wildcards are in a tree by level, in
which only what branches has a node:

    site/1/+/temp      site ─┬─ 1 ── site/1/+/temp
    site/2/+/temp            └─ 2 (+) ─┬─ temp ── site/2/+/temp
    site/2/+/wind                      ├─ wind ── site/2/+/wind
    site/2/+/#                         └─ # ───── site/2/+/#

A filter's end is its value itself, in the place where it leaves the others; a node's `rest` are
levels that all below it have in common. So there are fewer nodes than filters, however long they
are. Each node has two things below it at least; what loses its second is joined with its place.

| filter | matches | not |
| --- | --- | --- |
| `a/#` | `a`, `a/`, `a/b`, `a/b/c` | `ab` |
| `a/+` | `a/`, `a/b` | `a`, `a/b/c` |
| `+/+`, `/+` | `/b` | `b` |
| `#`, `+/x` | `a/x` | `$a/x` |
| `$a/#`, `$a/+` | `$a/x` | |

To match a topic of n levels, 2^n paths may have to be gone at most, and never more than there are
filters that begin like the topic. None of it depends on how many filters begin in other ways.

Source: MQTT 5, 4.7.
"""

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import msgspec


class Filtered(Protocol):
    """What a tree holds.

    Attributes:
        path: the topic filter, without `$share/NAME/`.
    """

    path: str


Value = TypeVar("Value", bound=Filtered)
Below: TypeAlias = "_Node | Filtered"
Place: TypeAlias = "_Node | Filtered | None"


class FilterTree(Generic[Value]):
    """One value for each topic filter. Values must not be `_Node`s."""

    def __init__(self) -> None:
        """Start empty."""
        self._exact: dict[str, Value] = {}
        self._root = _Node()
        self._wild_count = 0

    def __len__(self) -> int:
        return len(self._exact) + self._wild_count

    def find(self, path: str) -> Value | None:
        """The value of exactly this filter."""
        if not is_wild(path):
            return self._exact.get(path)
        levels = path.split("/")
        place, depth = self._root, 0
        while True:
            end = depth + len(place.rest)
            if tuple(levels[depth:end]) != place.rest:
                return None
            below: Any = place.below(levels, end)
            if type(below) is not _Node:
                return below if below is not None and below.path == path else None
            place, depth = below, end + 1

    def add(self, value: Value) -> None:
        """Put a value under its filter, which has none."""
        path = value.path
        if not is_wild(path):
            self._exact[path] = value
            return
        self._wild_count += 1
        levels = path.split("/")
        place, depth = self._root, 0
        while (below := place.below(levels, depth)) is not None:
            node = _branched(below, levels, depth + 1)
            if node is not below:
                place.put(levels, depth, node)
            place, depth = node, depth + 1 + len(node.rest)
        place.put(levels, depth, value)

    def remove(self, path: str) -> None:
        """Take the value of a filter away, which has one."""
        if not is_wild(path):
            del self._exact[path]
            return
        self._wild_count -= 1
        levels = path.split("/")
        above, above_depth = self._root, 0
        place, depth = self._root, 0
        while type(below := place.below(levels, depth)) is _Node:
            above, above_depth = place, depth
            place, depth = below, depth + 1 + len(below.rest)
        place.take(levels, depth)
        if place is not self._root and (only := place.only()) is not None:
            above.put(levels, above_depth, only)

    def matching(self, topic: str) -> list[Value]:
        """The values of all filters that match a topic, that of the topic itself first."""
        value = self._exact.get(topic)
        found: list[Any] = [] if value is None else [value]
        if self._wild_count:
            self._match_wild(topic, found)
        return found

    def _match_wild(self, topic: str, found: list[Any]) -> None:
        levels = topic.split("/")
        count = len(levels)
        root = self._root
        waiting: list[tuple[Any, int]] = []
        if not topic.startswith("$"):  # MQTT 5, 4.7.2-1
            if root.beyond is not None:
                found.append(root.beyond)
            if root.any is not None:
                waiting.append((root.any, 1))
        if root.children is not None and (below := root.children.get(levels[0])) is not None:
            waiting.append((below, 1))
        while waiting:
            place, depth = waiting.pop()
            if type(place) is not _Node:
                if _ends_like(place.path, levels, depth):
                    found.append(place)
                continue
            if rest := place.rest:
                start, depth = depth, depth + len(rest)
                if depth > count or not _begins_like(rest, levels, start):
                    continue
            if place.beyond is not None:  # MQTT 5, 4.7.1.2: the parent level as well
                found.append(place.beyond)
            if depth == count:
                if place.here is not None:
                    found.append(place.here)
                continue
            if place.any is not None:
                waiting.append((place.any, depth + 1))
            if place.children is not None:
                below = place.children.get(levels[depth])
                if below is not None:
                    waiting.append((below, depth + 1))


class _Node(msgspec.Struct, gc=False, eq=False):
    """Where filters branch. No node is above itself, so the garbage collector need not look.

    Attributes:
        rest: levels that all below have in common after that by which it is found.
        here: the value of the filter that ends here.
        beyond: of the one that ends with `#` here.
        any: those that go on with `+`.
        children: those that go on with a name.
    """

    rest: tuple[str, ...] = ()
    here: Place = None
    beyond: Place = None
    any: Place = None
    children: dict[str, Below] | None = None

    def below(self, levels: list[str], depth: int) -> Place:
        """What is in the place of a filter that has come down to here."""
        if depth >= len(levels):
            return self.here if depth == len(levels) else None
        level = levels[depth]
        if level == "+":
            return self.any
        if level == "#":
            return self.beyond
        return None if self.children is None else self.children.get(level)

    def put(self, levels: Sequence[str], depth: int, below: Below) -> None:
        """Put something in the place of a filter that has come down to here."""
        if depth == len(levels):
            self.here = below
        elif levels[depth] == "+":
            self.any = below
        elif levels[depth] == "#":
            self.beyond = below
        elif self.children is None:
            self.children = {levels[depth]: below}
        else:
            self.children[levels[depth]] = below

    def take(self, levels: list[str], depth: int) -> None:
        """Empty the place of a filter that has come down to here."""
        if depth == len(levels):
            self.here = None
        elif levels[depth] == "+":
            self.any = None
        elif levels[depth] == "#":
            self.beyond = None
        elif self.children is not None:
            del self.children[levels[depth]]
            if not self.children:
                self.children = None

    def only(self) -> Place:
        """What may take its place, when it has one thing below it."""
        # Of these, only what goes on with "+" may be a node.
        wild = [each for each in (self.here, self.beyond, self.any) if each is not None]
        if len(wild) + len(self.children or ()) > 1:
            return None
        level, below = ("+", wild[0]) if wild else next(iter((self.children or {}).items()))
        if type(below) is _Node:
            below.rest = (*self.rest, level, *below.rest)
        return below


def is_wild(path: str) -> bool:
    """Whether a filter has wildcards: they are levels of their own, or it would not be one."""
    return "+" in path or path.endswith("#")


def _branched(below: Below, levels: list[str], depth: int) -> _Node:
    """What is below, as a node that a filter passes through and may leave at its end.

    Args:
        levels: of the filter.
        depth: of the first that is not yet known to be in common.
    """
    theirs = below.rest if isinstance(below, _Node) else tuple(below.path.split("/")[depth:])
    common = _common_count(theirs, levels, depth)
    if isinstance(below, _Node):
        if common == len(theirs):
            return below
        below.rest = theirs[common + 1 :]
    node = _Node(theirs[:common])
    node.put(theirs, common, below)
    return node


def _common_count(theirs: tuple[str, ...], levels: list[str], depth: int) -> int:
    count = 0
    for their, own in zip(theirs, levels[depth:], strict=False):
        if their != own:
            break
        count += 1
    return count


def _begins_like(rest: tuple[str, ...], levels: list[str], depth: int) -> bool:
    return all(level in ("+", levels[at]) for at, level in enumerate(rest, depth))


def _ends_like(path: str, levels: list[str], depth: int) -> bool:
    """Whether a filter matches a topic, of which the levels before `depth` do."""
    filter_levels = path.split("/")
    count = len(levels)
    for at in range(depth, len(filter_levels)):
        level = filter_levels[at]
        if level == "#":
            return True
        if at >= count or (level != levels[at] and level != "+"):
            return False
    return len(filter_levels) == count
