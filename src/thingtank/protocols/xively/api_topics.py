"""Topics of MQTT that are paths of Xively's HTTP API, perhaps with a key in front.

Source: Xively API v2, MQTT.
"""

import re
from typing import NamedTuple

_API = frozenset({"v1", "v2"})
_RESOURCE = re.compile(
    r"(?:feeds|environments|datastreams|triggers|keys|users|products|devices)(?=[/.?]|\Z)"
)


class ApiTopic(NamedTuple):
    """Parts of `KEY/v2/feeds/504.json`: `KEY`, blank for none; `v2`; `feeds/504.json`."""

    key: str
    api: str
    rest: str


def api_topic_of(topic: str) -> ApiTopic | None:
    """Take a topic name or filter apart; None if it is no path of the API."""
    first, _, rest = topic.partition("/")
    if first in _API:
        return ApiTopic("", first, rest)
    second, _, rest = rest.partition("/")
    # A slash in front of a key: it is told to nobody either.
    if not first and second and second not in _API:
        first, (second, _, rest) = second, rest.partition("/")
    if second not in _API or (first and not _RESOURCE.match(rest)):
        return None
    return ApiTopic(first, second, rest)
