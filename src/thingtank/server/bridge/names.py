"""What a topic is called on the other side, if it is there at all.

| WAMP | MQTT |
| --- | --- |
| `com.example.lights` | `com/example/lights` |
| component with `/` or `+` | none |
| none | level with `.` or whitespace, or empty, so `/` in front or at the end too |
| `wamp.…`, `tank.…` | nothing of theirs; nor do these names of MQTT cross |
| `v1`, `v2` as first or second component | nothing: Xively's, perhaps with a key in front |
| first component with `$` in front, or of 36 characters | nothing: the broker's, and devices' |

A name that crosses is one name there, and comes back as itself. Only names of topics are told
apart, no patterns: each side compares them with its own subscriptions.
"""

from functools import lru_cache

from thingtank.protocols.mqtt.errors import MqttError
from thingtank.protocols.mqtt.topics import check_topic_name
from thingtank.protocols.wamp.uris import URI_CHARS_MAX, is_reserved, is_uri

_REMEMBERED_MAX = 4096
_OURS = frozenset({"tank", "v1", "v2"})
_API = frozenset({"v1", "v2"})
_UUID_CHARS = 36


def uri_of(topic: str) -> str | None:
    """The WAMP topic that an MQTT topic name is; None for none."""
    return _uri_of(topic) if len(topic) <= URI_CHARS_MAX else None


def topic_of(uri: str) -> str | None:
    """The MQTT topic name that a WAMP topic is; None for none."""
    return _topic_of(uri) if len(uri) <= URI_CHARS_MAX else None


@lru_cache(_REMEMBERED_MAX)
def _uri_of(topic: str) -> str | None:
    if "." in topic:
        return None
    uri = topic.replace("/", ".")
    return uri if is_uri(uri) and _is_users_own(uri) else None


@lru_cache(_REMEMBERED_MAX)
def _topic_of(uri: str) -> str | None:
    if "/" in uri or not is_uri(uri) or not _is_users_own(uri):
        return None
    topic = uri.replace(".", "/")
    try:
        check_topic_name(topic)
    except MqttError:
        return None
    return topic


def _is_users_own(uri: str) -> bool:
    first, _, rest = uri.partition(".")
    second, _, _ = rest.partition(".")
    return not (
        is_reserved(uri)
        or first in _OURS
        or second in _API
        or first.startswith("$")
        or len(first) == _UUID_CHARS
    )
