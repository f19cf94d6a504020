"""What is published to topics of MQTT and WAMP, on its way to rules that send it on.

The broker of MQTT sees both: what clients of the realm publish comes to it over the bridge. It asks
for each topic once whether a rule wants it. A message of QoS 1 or 2, and an acknowledged event, is
acknowledged when it is on disk for each rule that wants it; one of QoS 0 is left out, and counted,
while the disk is behind.
"""

import asyncio
import base64
import secrets
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import count

from thingtank.net.blotting_texts import blotted_string
from thingtank.protocols.mqtt.intake import Recorded
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, parse_forwarded_properties
from thingtank.protocols.mqtt.subscriptions import Subscriptions
from thingtank.server.sinks.waiting_items import WaitingItems
from thingtank.sinks.engine import Item, TopicFacts
from thingtank.tank.datapoints import number_of
from thingtank.tank.interfaces import Clock

_FIRST_NUMBER_MAX = 1_000_000
_NUMBER_CHARS_MAX = 400  # no number that a float holds is longer for a reason
_REMEMBERED_MAX = 4096
_REMEMBERED_CHARS_MAX = 256


class SinkTopics:
    """Implements `protocols.mqtt.intake.Recorder`; lives in the loop's thread.

    Attributes:
        waiting: where messages go; None before there is a rule.
        on_change: called when other topics are wanted than before.
        now_us: the broker's clock, by which messages expire.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._filters: Subscriptions[str] = Subscriptions()
        self._of_rule: dict[str, tuple[str, ...]] = {}
        # Two items of one instant differ by it, and those of two processes in all likelihood.
        self._numbers = count(secrets.randbelow(_FIRST_NUMBER_MAX))
        self.waiting: WaitingItems | None = None
        self.on_change: Callable[[], None] = _nobody_asks
        self.now_us: Callable[[], int] = clock.now_us

    def add(self, rule_name: str, topics: Iterable[str]) -> None:
        """A rule wants these topics, by their filters."""
        self._of_rule[rule_name] = tuple(topics)
        for topic_filter in self._of_rule[rule_name]:
            self._filters.add(rule_name, Subscription(topic_filter))
        self.on_change()

    def drop(self, rule_name: str) -> None:
        """A rule wants nothing more; it need not be one of topics."""
        topics = self._of_rule.pop(rule_name, None)
        if topics is not None:
            self._filters.remove_all(rule_name, topics)
            self.on_change()

    @property
    def is_behind(self) -> bool:
        """See Recorder; so are the others."""
        return self.waiting is not None and self.waiting.is_behind

    def when_caught_up(self, call: Callable[[], None]) -> None:
        if self.waiting is not None:
            self.waiting.when_caught_up(call)

    def wants(self, topic: str) -> bool:
        return bool(self._of_rule) and bool(self._filters.match(topic).direct)

    def record(self, message: Message, recorded: Recorded | None) -> None:
        names = [name for name, _ in self._filters.match(message.topic).direct]
        if self.waiting is None or not names:
            if recorded is not None:
                asyncio.get_running_loop().call_soon(recorded, None)
            return
        at_us = self._clock.now_us()
        expires_at_us = message.expires_at_us and at_us + message.expires_at_us - self.now_us()
        # By these ids objects of a bucket sort as the messages came.
        item_id = f"{self.waiting.origin}-t-{at_us}-{next(self._numbers) % 1_000_000_000}"
        item = topic_item(item_id, message, at_us, expires_at_us)
        self.waiting.put(names, item, recorded, is_best_effort=message.qos == 0)


def topic_item(item_id: str, message: Message, at_us: int, expires_at_us: int = 0) -> Item:
    """A message as rules send it on.

    Args:
        at_us: when it was published.
        expires_at_us: by the same clock; 0 for never.
    """
    properties = NO_PROPERTIES
    if message.properties:
        properties = parse_forwarded_properties(message.properties)
    text, is_base64 = _text_of(message.payload)
    is_number = not is_base64 and len(text) <= _NUMBER_CHARS_MAX
    return Item(
        item_id,
        "topic",
        0,
        "",
        "",
        at_us,
        text,
        number_of(text) if is_number else None,
        _shown_topic(message.topic),
        facts=TopicFacts(
            message.qos,
            message.is_retain,
            is_base64,
            properties.content_type or "",
            properties.user_properties,
            expires_at_us,
        ),
    )


def _text_of(payload: bytes) -> tuple[str, bool]:
    """A payload as text, and whether that is base64: what is no UTF-8, or has U+0000."""
    if 0 not in payload:  # databases do not take it in a text
        try:
            return payload.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(payload).decode(), True


def _shown_topic(topic: str) -> str:
    """A topic name without what looks like a secret.

    Xively's topics, which may have a key in front, are the tank's and do not come here; but what
    somebody has mistaken for one of them does.
    """
    return _remembered(topic) if len(topic) <= _REMEMBERED_CHARS_MAX else blotted_string(topic)


_remembered = lru_cache(_REMEMBERED_MAX)(blotted_string)


def _nobody_asks() -> None:
    """Before there is a broker."""
