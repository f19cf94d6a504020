"""What the SkyNet bench measures, and what is asked of ours."""

from collections.abc import Mapping
from typing import NamedTuple

from tests.bench import skynet_history
from tests.bench.skynet_load import WIRE_0_9, WIRE_4, Work

CONNECTIONS, SOCKETS, SUBSCRIBERS = 32, 50, 5_000
IN_FLIGHT = 4  # as the historic servers were loaded
DELIVERIES_A_SECOND = 100_000
BROADCAST_RATE = DELIVERIES_A_SECOND // SUBSCRIBERS
BROADCAST_P99_MS_MAX = 300
WIRE_NAMES = {WIRE_0_9: "Socket.IO 0.9", WIRE_4: "Engine.IO 4"}


class Case(NamedTuple):
    """One load for all servers that speak so.

    Attributes:
        key: a word for the command line.
        name: in words.
        unit: what is counted.
        at_least: asked of ours, a second by the clock; 0 when nothing is.
        historic: what the historic servers did, a second by the clock.
    """

    key: str
    name: str
    work: Work
    unit: str = "messages"
    at_least: int = 0
    historic: Mapping[str, int] = skynet_history.NONE

    @property
    def target(self) -> str:
        return f"≥ {self.at_least:,} {self.unit}/s" if self.at_least else ""


def _sockets(topology: str, wire: str) -> Work:
    return Work("sockets", SOCKETS, SOCKETS, topology, wire, window=IN_FLIGHT)


def _broadcast(wire: str, rate: int = 0) -> Work:
    return Work("sockets", 1, SUBSCRIBERS, "out", wire, window=IN_FLIGHT, rate=rate)


_PAIRS = f"{SOCKETS} sockets to {SOCKETS} others, one to one, {IN_FLIGHT} in flight"
_SELF = f"{SOCKETS} sockets to themselves, {IN_FLIGHT} in flight"
_OUT = f"broadcasts to {SUBSCRIBERS:,} subscribers, {IN_FLIGHT} in flight"
CASES = (
    Case(
        "messages",
        f"POST /messages to one connected device, {CONNECTIONS} connections",
        Work("http", CONNECTIONS, 1),
        "requests",
        8_000,
        skynet_history.MESSAGES,
    ),
    Case(
        "data",
        f"POST /data/:uuid, {CONNECTIONS} connections, on disk before the answer",
        Work("http", CONNECTIONS, 0, target="data"),
        "requests",
        6_000,
        skynet_history.DATA,
    ),
    Case("pairs09", f"{_PAIRS}, Socket.IO 0.9", _sockets("pairs", WIRE_0_9), at_least=15_000),
    Case("pairs4", f"{_PAIRS}, Engine.IO 4", _sockets("pairs", WIRE_4), at_least=15_000),
    Case(
        "self09",
        f"{_SELF}, Socket.IO 0.9",
        _sockets("self", WIRE_0_9),
        historic=skynet_history.SOCKETS,
    ),
    Case("self4", f"{_SELF}, Engine.IO 4", _sockets("self", WIRE_4)),
    Case(
        "out09",
        f"{_OUT}, Socket.IO 0.9",
        _broadcast(WIRE_0_9),
        "deliveries",
        DELIVERIES_A_SECOND,
    ),
    Case("out4", f"{_OUT}, Engine.IO 4", _broadcast(WIRE_4), "deliveries", DELIVERIES_A_SECOND),
)
RATED_CASES = tuple(
    Case(
        key,
        f"{BROADCAST_RATE} broadcasts a second to {SUBSCRIBERS:,} subscribers, {WIRE_NAMES[wire]}",
        _broadcast(wire, BROADCAST_RATE),
        "deliveries",
    )
    for key, wire in (("rate09", WIRE_0_9), ("rate4", WIRE_4))
)
EVERY_CASE = {case.key: case for case in CASES + RATED_CASES}
