"""Which topics there are.

| topic | what |
| --- | --- |
| `message`, `whoami`, … (`REQUESTS`) | a device asks the tank for something, by publishing |
| a uuid | what the tank tells a device: messages to it, answers, its record |
| a uuid and `_bc` | what a device broadcasts |
| a uuid and `_tb` | texts that it broadcasts |
"""

import re
from typing import Literal, NamedTuple

REQUESTS = frozenset(
    {
        "message", "messageAck", "data", "update", "whoami", "config", "gatewayConfig",
        "resetToken", "generateAndStoreToken", "getPublicKey", "tb", "directText",
    }
)  # fmt: skip
UUID_CHARS = 36  # of one that no client chose
_BROADCAST = re.compile(r"([A-Za-z0-9\-_.:@]{1,64})(_bc|_tb)")
_UUID = re.compile(r"[A-Za-z0-9\-_.:@]{1,64}")

What = Literal["own", "broadcasts", "texts"]


class Heard(NamedTuple):
    """What a topic tells of which device."""

    uuid: str
    what: What


class MessageNames:
    """The topics, for who decides about rights."""

    def is_request(self, topic: str) -> bool:
        """Whether a device asks the tank for something there."""
        return topic in REQUESTS

    def is_broadcast(self, topic: str) -> bool:
        """Whether it is what a device broadcasts, or would; a device need not be there."""
        return topic.endswith(("_bc", "_tb")) and _BROADCAST.fullmatch(topic) is not None


def heard_of(topic_filter: str) -> Heard | None:
    """What a client asks to hear by a topic filter; None for a filter of other topics."""
    if _UUID.fullmatch(topic_filter) is None and _BROADCAST.fullmatch(topic_filter) is None:
        return None
    if topic_filter.endswith("_bc"):
        return Heard(topic_filter[:-3], "broadcasts")
    if topic_filter.endswith("_tb"):
        return Heard(topic_filter[:-3], "texts")
    return Heard(topic_filter, "own")
