"""`thingtank mqtt sub`: prints messages as they come, and connects again after a loss."""

import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thingtank.cli.mqtt_client import (
    TURN_S,
    MqttClient,
    Refused,
    until_interrupted,
    words_of,
)
from thingtank.cli.mqtt_connection import Connection
from thingtank.cli.mqtt_output import Message, NotJson
from thingtank.cli.mqtt_properties import properties_of
from thingtank.cli.session import Refusal

TIMED_OUT = 27  # as mosquitto_sub ends then
RETRY_S, RETRY_S_MAX = 0.5, 30.0


@dataclass(frozen=True)
class Subscribing:
    """What is subscribed to, what of it is printed, and until when.

    Attributes:
        printer: makes a message what is printed of it.
        timeout_s: from the first connection on.
        count: messages to be handled.
    """

    topics: tuple[str, ...]
    unsubscribed: tuple[str, ...]
    printer: Callable[[Message], bytes]
    qos: int = 0
    count: int | None = None
    timeout_s: float | None = None
    only_subscribes: bool = False
    filtered_out: tuple[str, ...] = ()
    skips_retained: bool = False
    retained_only: bool = False
    removes_retained: bool = False
    retains_as_published: bool = False
    chance_percent: float = 100.0


def subscribe(connection: Connection, subscribing: Subscribing) -> None:
    """Connect, subscribe, and print until it is enough.

    Raises:
        Refusal: the server refused, or was never reached; exit code 27 when the time is up.
    """
    with until_interrupted(connection):
        subscriber = _Subscriber(MqttClient(connection), subscribing)
        try:
            subscriber.run()
        finally:
            subscriber.end()


@dataclass
class _Left:
    """What is still to be done before the end."""

    count: int | None
    removals: int = 0
    is_enough: bool = False


class _Subscriber:
    """Handles what comes, on the thread that waits for it."""

    def __init__(self, client: MqttClient, subscribing: Subscribing) -> None:
        self._client = client
        self._how = subscribing
        self._left = _Left(subscribing.count)
        self._refusal: Refused | None = None
        self._aliases: dict[int, str] = {}
        self._deadline_s = float("inf")
        client.on_connected = self._connected
        client.paho.on_subscribe = self._subscribed
        client.paho.on_message = self._came
        client.paho.on_publish = self._removed

    def run(self) -> None:
        """Go on until it is enough."""
        self._client.connect()
        if self._how.timeout_s is not None:
            self._deadline_s = time.monotonic() + self._how.timeout_s
        while not self._is_done():
            self._check_deadline()
            if not self._client.turn(self._deadline_s - time.monotonic()):
                self._connect_again()

    def end(self) -> None:
        """Say goodbye."""
        self._client.disconnect()

    def _is_done(self) -> bool:
        if self._refusal is not None:
            raise self._refusal
        return self._left.is_enough and not self._left.removals

    def _check_deadline(self) -> None:
        if time.monotonic() >= self._deadline_s:
            raise Refused("timed out", TIMED_OUT)

    def _connect_again(self) -> None:
        wait_s = RETRY_S
        loss = self._client.loss()
        if not self._client.may_return:
            raise loss
        self._client.note(f"{loss.message}; connecting again.")
        while True:
            self._pause(wait_s * random.uniform(0.9, 1.1))  # noqa: S311 # no secret
            wait_s = min(wait_s * 2, RETRY_S_MAX)
            try:
                self._client.connect(self._deadline_s - time.monotonic())
            except Refused:
                if not self._client.may_return:
                    raise
            except Refusal:
                continue
            else:
                return

    def _pause(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while (left_s := min(until_s, self._deadline_s) - time.monotonic()) > 0:
            time.sleep(min(left_s, TURN_S))
        self._check_deadline()

    def _connected(self) -> None:
        self._aliases.clear()
        how, paho, given = self._how, self._client.paho, self._client.connection.properties
        if how.topics:
            paho.subscribe(
                [(topic, self._options()) for topic in how.topics],
                properties=properties_of("subscribe", given),
            )
        if how.unsubscribed:
            paho.unsubscribe(list(how.unsubscribed), properties_of("unsubscribe", given))
        if not how.topics and how.only_subscribes:
            self._left.is_enough = True

    def _options(self) -> Any:
        if not self._client.connection.is_v5:
            return self._how.qos
        from paho.mqtt.subscribeoptions import SubscribeOptions

        return SubscribeOptions(qos=self._how.qos, retainAsPublished=self._how.retains_as_published)

    def _subscribed(self, _: Any, __: Any, ___: Any, codes: list[Any], properties: Any) -> None:
        refused = [
            f"{topic}: {words_of(code, properties)}"
            for topic, code in zip(self._how.topics, codes, strict=False)
            if code.is_failure
        ]
        if refused and len(refused) == len(codes):
            self._refusal = Refused("subscription refused: " + "; ".join(refused))
            return
        for words in refused:
            self._client.note(f"Subscription refused: {words}")
        if self._how.only_subscribes:
            self._left.is_enough = True

    def _came(self, _: Any, __: Any, found: Any) -> None:
        from paho.mqtt.client import topic_matches_sub

        how, left = self._how, self._left
        if left.is_enough:
            return
        if how.retained_only and not found.retain:
            left.is_enough = True
            return
        message = self._message_of(found)
        if any(topic_matches_sub(out, message.topic) for out in how.filtered_out):
            return
        if how.removes_retained and found.retain:
            left.removals += 1
            self._client.paho.publish(message.topic, b"", qos=1, retain=True)
        if how.skips_retained and found.retain:
            return
        self._print(message)
        if left.count is not None:
            left.count -= 1
            left.is_enough = left.count == 0

    def _message_of(self, found: Any) -> Message:
        properties = getattr(found, "properties", None)
        topic: str = found.topic
        alias = getattr(properties, "TopicAlias", None)
        if alias is not None and topic:
            self._aliases[alias] = topic
        elif alias is not None:
            topic = self._aliases.get(alias, "")
        return Message(
            topic, bytes(found.payload), found.qos, found.retain, found.mid, properties,
            time.time_ns(),
        )  # fmt: skip

    def _print(self, message: Message) -> None:
        if random.uniform(0, 100) > self._how.chance_percent:  # noqa: S311 # no secret
            return
        try:
            octets = self._how.printer(message)
        except NotJson:
            self._client.note(f"the payload on topic {message.topic} is not JSON")
            return
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()

    def _removed(self, _: Any, __: Any, ___: Any, code: Any, properties: Any) -> None:
        self._left.removals -= 1
        if code.is_failure:
            self._client.note(f"A retained message was not removed: {words_of(code, properties)}")
