"""Topics that are the tank's: Xively's, whose names are the paths of its HTTP API.

| topic | what |
| --- | --- |
| `/v2/feeds/504.json`, `v2/feeds/504.json` | a feed, with the rights of who is connected |
| `KEY/v2/feeds/504.json`, `/KEY/v2/feeds/504.json` | the same, with the rights of the key |
| `/v2/feeds/504/datastreams/temperature.csv` | a datastream |
| all else below `v1`, `v2` | as the HTTP API has it, or nothing |

They are never passed on as they are, so wildcards do not match them: a key that somebody puts in a
topic, well or badly, is not told to others.

Source: Xively API v2, MQTT.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

from msgspec import Struct

from thingtank.protocols.xively.api_topics import api_topic_of
from thingtank.tank.access import Caller, may_reach
from thingtank.tank.errors import NotFound
from thingtank.tank.interfaces import Directory

_FORMAT = re.compile(r"\.(json|csv|xml)\Z")
_REMEMBERED_MAX = 4096  # devices write to the same topic again and again
_REMEMBERED_CHARS_MAX = 256
_NUMBER = re.compile(r"[1-9]\d{0,17}\Z")


class TankTopic(Struct, frozen=True):
    """A topic of the tank, read.

    Attributes:
        key: the secret that stands in front; blank for none.
        path: from `/v2` or `/v1` on, as the topic has it.
        feed_id: 0 where it is no feed.
        datastream: percent-decoded; blank for the feed itself.
        format: `json`, `csv` or `xml`; blank where it names none.
    """

    key: str
    path: str
    feed_id: int = 0
    datastream: str = ""
    format: str = ""

    def __repr__(self) -> str:
        return f"TankTopic(path={self.path!r})"


def tank_topic_of(topic: str) -> TankTopic | None:
    """Read a topic name or filter; None if it is not the tank's."""
    if "v2" not in topic and "v1" not in topic:
        return None
    return _remembered(topic) if len(topic) <= _REMEMBERED_CHARS_MAX else _parse(topic)


def _parse(topic: str) -> TankTopic | None:
    parts = api_topic_of(topic)
    if parts is None:
        return None
    # A wildcard is no key: `+/v2/feeds/1` is a filter for topics of other people.
    return _read("" if parts.key in ("+", "#") else parts.key, parts.api, parts.rest)


_remembered = lru_cache(_REMEMBERED_MAX)(_parse)


def _read(key: str, api: str, rest: str) -> TankTopic:
    path = f"/{api}/{rest}"
    resource, _, _ = rest.partition("?")
    found = _FORMAT.search(resource)
    format = found[1] if found else ""
    levels = (resource[: found.start()] if found else resource).split("/")
    match levels:
        case ["feeds", number] if _NUMBER.match(number):
            return TankTopic(key, path, int(number), "", format)
        case ["feeds", number, "datastreams", name] if _NUMBER.match(number) and name:
            return TankTopic(key, path, int(number), unquote(name, errors="replace"), format)
    return TankTopic(key, path, format=format)


def has_wildcard(topic_filter: str) -> bool:
    """Whether a filter stands for more than one topic, or would."""
    return "#" in topic_filter or "+" in topic_filter


def may_write(caller: Caller, topic: TankTopic, directory: Directory) -> bool:
    """Whether somebody may write there; for a feed, whether any of its datastreams at least.

    What the content may be the action decides that writes it.
    """
    if not topic.feed_id:
        return _is_somebody(caller)
    try:
        device = directory.get_device(topic.feed_id)
    except NotFound:
        return False
    if may_reach(caller, "put", device, topic.datastream or None):
        return True
    if topic.datastream or caller.key is None:
        return False
    names = {
        resource.datastream_id
        for permission in caller.key.permissions
        for resource in permission.resources
        if resource.feed_id == topic.feed_id
    }
    return any(name and may_reach(caller, "put", device, name) for name in names)


def may_read(caller: Caller, topic: TankTopic, directory: Directory) -> bool:
    """Whether somebody may be told of it."""
    if not topic.feed_id:
        return _is_somebody(caller)
    try:
        device = directory.get_device(topic.feed_id)
    except NotFound:
        return False
    return may_reach(caller, "get", device, topic.datastream or None)


def _is_somebody(caller: Caller) -> bool:
    """Whether the HTTP API would look at what it asks for, and then decide."""
    return caller.is_operator or caller.account is not None
