"""What the MQTT bench measures with all brokers, and what is asked of ours."""

from typing import NamedTuple

from tests.bench.mqtt_load import VERSION_5, Work

FAN_IN, PAIRS, FAN_OUT = 50, 100, 200
RATE = 5_000
# Of QoS 0 a publisher may have more under way than a client would have unacknowledged.
QOS0_WINDOW, WINDOW, FAN_OUT_WINDOW = 100, 20, 64


class Case(NamedTuple):
    """One load for all brokers.

    Attributes:
        key: a word for the command line.
        name: in words.
        times_mosquitto: asked of ours, as many times what Mosquitto does; 0 when nothing is.
    """

    key: str
    name: str
    work: Work
    times_mosquitto: float = 0

    @property
    def target(self) -> str:
        return f"≥ {self.times_mosquitto:g} times Mosquitto" if self.times_mosquitto else ""


def _fan_in(qos: int) -> Work:
    window, batch = (QOS0_WINDOW, 10) if qos == 0 else (WINDOW, 4)
    return Work("in", FAN_IN, 1, qos, window, batch)


def _pairs(qos: int) -> Work:
    window, batch = (QOS0_WINDOW, 10) if qos == 0 else (WINDOW, 4)
    return Work("pairs", PAIRS, PAIRS, qos, window, batch)


_FAN_OUT = Work("out", 1, FAN_OUT, 0, FAN_OUT_WINDOW, 8)
CASES = (
    Case("in0", f"{FAN_IN} publishers to 1 subscriber, QoS 0", _fan_in(0), 1.5),
    Case("in1", f"{FAN_IN} publishers to 1 subscriber, QoS 1", _fan_in(1), 1.5),
    Case("pairs0", f"{PAIRS} pairs, QoS 0", _pairs(0), 1.5),
    Case("pairs1", f"{PAIRS} pairs, QoS 1", _pairs(1), 1.5),
    Case("pairs2", f"{PAIRS} pairs, QoS 2", _pairs(2), 1),
    Case("out0", f"1 publisher to {FAN_OUT} subscribers, QoS 0", _FAN_OUT, 2),
    Case("pairs1v5", f"{PAIRS} pairs, QoS 1, MQTT 5", _pairs(1)._replace(version=VERSION_5)),
)
LATENCY_CASES = tuple(
    Case(
        f"rate{qos}",
        f"{RATE:,} messages a second, {FAN_IN} pairs, QoS {qos}",
        Work("pairs", FAN_IN, FAN_IN, qos, window=1000, rate=RATE),
    )
    for qos in (0, 1)
)
EVERY_CASE = {case.key: case for case in (*CASES, *LATENCY_CASES)}
