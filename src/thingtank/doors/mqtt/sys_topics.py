"""The broker in numbers, as messages of the topics under `$SYS`.

Topics have the names that Mosquitto gave them, for programs that watch brokers know those. Each is
retained, not on disk, and published when it has changed. `mqtt.sys_readers` says who may read them.

`messages` are application messages here: packets without one are not counted, and so
`messages/received` is what `publish/messages/received` is.
"""

import math
from collections.abc import Callable, Iterator

from thingtank.doors.mqtt.door import MqttDoor
from thingtank.net.traffic import Ticker
from thingtank.protocols.mqtt.messages import Message

PREFIX = "$SYS/broker/"
AVERAGED_MIN = (1, 5, 15)

_US_PER_S = 1_000_000
_S_PER_MIN = 60


class Load:
    """How much a count grows in a minute, averaged over the last minutes.

    An exponential average, as the load of a Unix system is.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._count = 0
        self.per_min = dict.fromkeys(AVERAGED_MIN, 0.0)

    def take(self, count: int, elapsed_s: float) -> None:
        """Look at the count."""
        grown_per_min = (count - self._count) * _S_PER_MIN / elapsed_s
        self._count = count
        for minutes, before in self.per_min.items():
            weight = math.exp(-elapsed_s / (minutes * _S_PER_MIN))
            self.per_min[minutes] = grown_per_min + weight * (before - grown_per_min)


class SysTopics:
    """Publishes them."""

    def __init__(self, door: MqttDoor, version: str, now_us: Callable[[], int]) -> None:
        """Publish nothing yet.

        Args:
            version: of this program.
        """
        self._door = door
        self._version = version
        self._now_us = now_us
        self._started_us = self._taken_us = now_us()
        self._connected_max = 0
        self._loads = {name: Load() for name in self._counts()}
        self._published: dict[str, bytes] = {}
        self._ticker = Ticker(door.settings.sys_interval_s, self.publish)

    def start(self) -> None:
        """Publish all now, and what has changed after each interval; in the running loop."""
        if self._door.settings.sys_interval_s > 0:
            self.publish()
            self._ticker.start()

    def stop(self) -> None:
        """Publish nothing more."""
        self._ticker.stop()

    def publish(self) -> None:
        """Publish what has changed."""
        now_us = self._now_us()
        elapsed_s = max(now_us - self._taken_us, 1) / _US_PER_S
        self._taken_us = now_us
        for name, count in self._counts().items():
            self._loads[name].take(count, elapsed_s)
        for name, value in self._values(now_us):
            payload = value.encode()
            if self._published.get(name) != payload:
                self._published[name] = payload
                self._door.broker.publish(Message(PREFIX + name, payload, is_retain=True))
        self._door.flush_soon()

    def _counts(self) -> dict[str, int]:
        """What has a load, by the name that Mosquitto gave it."""
        door, broker = self._door, self._door.broker
        return {
            "messages/received": broker.received_count,
            "messages/sent": broker.sent_count,
            "publish/received": broker.received_count,
            "publish/sent": broker.sent_count,
            "publish/dropped": broker.dropped_count,
            "bytes/received": door.received_bytes,
            "bytes/sent": door.sent_bytes,
            "sockets": door.opened_count,
        }

    def _values(self, now_us: int) -> Iterator[tuple[str, str]]:
        door, broker = self._door, self._door.broker
        connected_count, total_count = door.connected_count, len(broker.sessions)
        self._connected_max = max(self._connected_max, connected_count)
        kept_count = len(broker.retained)
        waiting_count = sum(session.queued_count for session in broker.sessions.values())
        yield "version", f"Thing Tank {self._version}"
        yield "uptime", f"{(now_us - self._started_us) // _US_PER_S} seconds"
        for name, number in (
            ("clients/connected", connected_count),
            ("clients/disconnected", max(0, total_count - connected_count)),
            ("clients/total", total_count),
            ("clients/maximum", self._connected_max),
            ("clients/expired", broker.reception.expired_count),
            ("subscriptions/count", len(broker.subscriptions)),
            ("retained messages/count", kept_count),
            ("messages/received", broker.received_count),
            ("messages/sent", broker.sent_count),
            ("messages/dropped", broker.dropped_count),
            ("messages/stored", kept_count + waiting_count),
            ("publish/messages/received", broker.received_count),
            ("publish/messages/sent", broker.sent_count),
            ("publish/messages/dropped", broker.dropped_count),
            ("bytes/received", door.received_bytes),
            ("bytes/sent", door.sent_bytes),
        ):
            yield name, str(number)
        for name, load in self._loads.items():
            for minutes, per_min in load.per_min.items():
                yield f"load/{name}/{minutes}min", f"{per_min:.2f}"
