"""The topics of the tank's events, and what a topic or a pattern reaches.

| topic | event | arguments |
| --- | --- | --- |
| `tank.feeds.FEED.DATASTREAM` | values were recorded | value, at; `datapoints` |
| `tank.devices.UUID.created`, `.updated`, `.deleted` | so was the device | a device |
| `tank.devices.UUID.presence` | it came or went | whether it is there |
| `tank.devices.UUID.message` | a message to it was sent | the message |
| `tank.devices.UUID.broadcast` | it sent a message to whoever listens | the message |
| `tank.triggers.TRIGGER.fired` | its condition became true | a firing |
| `tank.triggers.TRIGGER.changed`, `.deleted` | so was the trigger; also made | a trigger |
| `tank.requests.FEED.served` | a request that touched the feed was answered | a request |

All have four components, so that `tank.feeds..temperature` (wildcard) is that datastream of any
feed, and `tank.feeds.7.` (prefix) all of feed 7. Names of datastreams may hold dots, which would be
further components or empty ones; in a topic each is written `%2E`, as in a URL, and so in uuids
that clients choose. There is nothing else to escape: names have letters, digits and `_ - + .` only,
uuids `: @` as well, and neither `%`. In a realm of strict URIs
a name of other than `a` to `z`, digits and `_` can be heard only by a pattern.
"""

from functools import lru_cache
from typing import Literal

import msgspec

from thingtank.protocols.wamp.options import Match

ROOT = "tank."
COMPONENTS = 4
_REMEMBERED_MAX = 10_000  # each write asks for its topic, whether anybody listens or not
_REMEMBERED_SCOPES_MAX = 1000

Group = Literal["feeds", "devices", "triggers", "requests"]
WORDS: dict[str, frozenset[str] | None] = {
    "feeds": None,  # any: names of datastreams
    "devices": frozenset({"created", "updated", "deleted", "presence", "message", "broadcast"}),
    "triggers": frozenset({"fired", "changed", "deleted"}),
    "requests": frozenset({"served"}),
}
"""Last components by group."""


class Scope(msgspec.Struct, frozen=True):
    """What a topic or a pattern of the tank's reaches.

    Attributes:
        group: blank for more than one thing, perhaps all; then nothing else is set.
        name: the thing's component: a feed's number, a device's uuid, a trigger's number.
        word: the last component, a datastream's name unescaped; None for all of the thing.
        is_nothing: there is no such topic, and never will be of this version.
    """

    group: str = ""
    name: str = ""
    word: str | None = None
    is_nothing: bool = False


EVERYTHING = Scope()
NOTHING = Scope(is_nothing=True)


@lru_cache(_REMEMBERED_MAX)
def datastream_topic(feed_id: int, datastream: str) -> str:
    """Where values of a datastream are told."""
    return f"tank.feeds.{feed_id}.{escaped(datastream)}"


def escaped(name: str) -> str:
    """A datastream's name or a device's uuid as one component."""
    return name.replace(".", "%2E")


def unescaped(component: str) -> str:
    """The name that `escaped` was given."""
    return component.replace("%2E", ".")


def device_topic(uuid: str, word: str) -> str:
    """Where it is told what became of a device."""
    return f"tank.devices.{escaped(uuid)}.{word}"


def trigger_topic(trigger_id: int, word: str) -> str:
    """Where it is told of a trigger."""
    return f"tank.triggers.{trigger_id}.{word}"


@lru_cache(_REMEMBERED_MAX)
def request_topic(feed_id: int) -> str:
    """Where requests that touched a feed are told."""
    return f"tank.requests.{feed_id}.served"


def is_of_tank(uri: str) -> bool:
    """Whether a URI, or all that a pattern matches, is below `tank.`."""
    return uri.startswith("tank") and uri[4:5] in ("", ".")


@lru_cache(_REMEMBERED_SCOPES_MAX)
def scope_of(uri: str, match: Match) -> Scope | None:
    """What a subscription reaches of the tank; None if nothing that it matches is of the tank."""
    if match == "prefix":
        return _scope_of_prefix(uri)
    components = uri.split(".")
    if match == "wildcard":
        return _scope_of_wildcard(components)
    return _scope(components) if is_of_tank(uri) else None


def _scope_of_prefix(uri: str) -> Scope | None:
    if not uri.startswith(ROOT):
        return EVERYTHING if ROOT.startswith(uri) else None
    # The last component is the beginning of one, even if it looks whole: 7 begins 70.
    whole = uri.split(".")[:-1]
    if len(whole) < COMPONENTS - 1:
        return EVERYTHING
    return _scope([*whole, ""])


def _scope_of_wildcard(components: list[str]) -> Scope | None:
    if components[0] == "tank":
        return _scope(components)
    # An empty first component matches `tank` as well.
    if components[0] or len(components) != COMPONENTS:
        return None
    if components[1] and components[1] not in WORDS:
        return None
    return _scope(components)


def _scope(components: list[str]) -> Scope:
    """The scope of components behind `tank`, of which empty ones stand for any."""
    if len(components) != COMPONENTS:
        return NOTHING
    _, group, name, last = components
    if not group or not name:
        return EVERYTHING
    if group not in WORDS:
        return NOTHING
    words = WORDS[group]
    if not last:
        return Scope(group, name)
    if words is not None and last not in words:
        return NOTHING
    return Scope(group, name, unescaped(last) if words is None else last)
