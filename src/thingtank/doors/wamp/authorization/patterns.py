"""How patterns of URIs relate: whether one covers another, meets it, and which of two decides.

A pattern stands for all well-formed URIs that it matches, and there are always some.

| a prefix | covers | meets |
| --- | --- | --- |
| `com.app.` | `com.app.x`, prefix `com.app.x`, wildcard `com.app..y` | wildcard `.app.` too |
| `` | everything | everything |

| a wildcard | covers | meets |
| --- | --- | --- |
| `com..x` | `com.a.x`, wildcard `com.a.x` | prefix `com.`, wildcard `.a.` |
"""

from typing import NamedTuple

from thingtank.protocols.wamp.options import Match

_RANKS: dict[Match, int] = {"exact": 0, "prefix": 1, "wildcard": 2}


class Pattern(NamedTuple):
    """A URI and how it is compared."""

    uri: str
    match: Match = "exact"


def covers(outer: Pattern, inner: Pattern) -> bool:
    """Whether `outer` matches every URI that `inner` matches."""
    if outer.match == "exact":
        return inner == outer
    if outer.match == "prefix":
        beginning = inner.uri
        if inner.match == "wildcard":
            beginning = _literal_beginning(inner.uri)
        return beginning.startswith(outer.uri)
    if inner.match == "prefix":
        return False  # it matches URIs of any number of components
    wanted, given = outer.uri.split("."), inner.uri.split(".")
    return len(wanted) == len(given) and all(
        not each or each == other for each, other in zip(wanted, given, strict=True)
    )


def meets(one: Pattern, other: Pattern) -> bool:
    """Whether some URI matches both."""
    one, other = sorted((one, other), key=lambda pattern: _RANKS[pattern.match])
    if one.match == "exact":
        return covers(other, one)
    if other.match == "prefix":
        return one.uri.startswith(other.uri) or other.uri.startswith(one.uri)
    components = other.uri.split(".")
    if one.match == "wildcard":
        others = one.uri.split(".")
        return len(others) == len(components) and all(
            not a or not b or a == b for a, b in zip(components, others, strict=True)
        )
    *whole, partial = one.uri.split(".")
    if len(whole) >= len(components):
        return False
    return all(
        not component or component == each
        for component, each in zip(components, whole, strict=False)
    ) and (not components[len(whole)] or components[len(whole)].startswith(partial))


def decides_before(one: Pattern, other: Pattern) -> bool:
    """Whether `one` decides where both match: exact, the longer prefix, the better wildcard.

    As the dealer chooses: the wildcard with more literal components before its first wildcard.
    """
    if one.match != other.match:
        return _RANKS[one.match] < _RANKS[other.match]
    if one.match == "prefix":
        return len(one.uri) > len(other.uri)
    return _are_wild(one.uri) < _are_wild(other.uri)


def narrowed(pattern: Pattern, first: str) -> Pattern | None:
    """What of a prefix or wildcard lies below a first component; None for nothing."""
    uri = pattern.uri
    beginning = f"{first}."
    if pattern.match == "prefix":
        if uri.startswith(beginning):
            return pattern
        return Pattern(beginning, "prefix") if beginning.startswith(uri) else None
    component, dot, rest = uri.partition(".")
    return Pattern(first + dot + rest, "wildcard") if component in ("", first) else None


def _are_wild(uri: str) -> list[bool]:
    return [not component for component in uri.split(".")]


def _literal_beginning(uri: str) -> str:
    """What all URIs begin with that a wildcard matches."""
    beginning = ""
    for component in uri.split("."):
        if not component:
            return beginning
        beginning += f"{component}."
    return uri
