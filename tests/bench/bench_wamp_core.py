"""What WAMP's broker costs an event, beside reading the PUBLISH and writing the EVENT.

The receivers take bytes and do nothing. The figures are the best of several rounds: others' load
makes them longer, nothing makes them shorter.
"""

import timeit
from collections.abc import Callable
from itertools import count
from random import getrandbits
from typing import Any

from tests.bench.report import Result

from thingtank.protocols.wamp.broker import Broker
from thingtank.protocols.wamp.messages import Publish, Subscribe
from thingtank.protocols.wamp.options import Match, PublishOptions, SubscribeOptions
from thingtank.protocols.wamp.patterns import Patterns
from thingtank.protocols.wamp.payloads import payload_of
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.serializer import MESSAGE_BYTES_MAX, Serializer
from thingtank.protocols.wamp.serializers import JSON, MSGPACK, SERIALIZERS

TOPIC = "com.example.station7.temperature"
ARGS = ["x" * 64]
ROUTE_US_MAX = 1.0

SESSION_IDS = count(1)


class Sink(Peer):
    """A session that takes everything and keeps nothing."""

    def __init__(self, serializer: Serializer) -> None:
        super().__init__(next(SESSION_IDS), "authid", "role", {}, serializer, MESSAGE_BYTES_MAX)

    def send_bytes(self, data: bytes) -> None:
        pass

    def send_event(self, data: bytes) -> None:
        pass


def run(quick: bool) -> list[Result]:
    """Measure plain and other events to one and to many, and finding patterns."""
    rounds = 3 if quick else 25
    results = []
    for name, serializer in SERIALIZERS.items():
        results.append(event(f"{name}, 1 to 1", serializer, [serializer], rounds))
    for receiver_count in (100, 1000):
        receivers: list[Serializer] = [MSGPACK] * receiver_count
        results.append(event(f"msgpack, 1 to {receiver_count}", MSGPACK, receivers, rounds))
    mixed = list(SERIALIZERS.values()) * 33
    results.append(event("msgpack, 1 to 99 of three serializers", MSGPACK, mixed, rounds))
    options: dict[str, dict[str, Any]] = {
        "acknowledged": {"acknowledge": True},
        "disclosed": {"disclose_me": True},
        "retained": {"retain": True},
        "not to two authids": {"exclude_authid": ["ann", "bob"]},
    }
    for case, each in options.items():
        results.append(event(f"msgpack, 1 to 1, {case}", MSGPACK, [MSGPACK], rounds, **each))
    results.append(event("json, 1 to 1 by prefix", JSON, [JSON], rounds, match="prefix"))
    return [*results, *patterns(rounds)]


def event(
    case: str,
    sender: Serializer,
    receivers: list[Serializer],
    rounds: int,
    match: Match = "exact",
    **options: Any,
) -> Result:
    """What `publish` takes, and how much of that is not writing EVENTs."""
    broker = Broker(lambda: getrandbits(53) + 1, lambda: 0)
    for serializer in receivers:
        broker.subscribe(Sink(serializer), Subscribe(1, SubscribeOptions(match), TOPIC))
    publisher = Sink(sender)
    message = Publish(1, PublishOptions(**options), TOPIC, payload_of(sender, ARGS))
    took_us = best_us(lambda: broker.publish(publisher, message), rounds)
    payload = message.payload
    written_us = sum(
        best_us(lambda to=each: to.encode_event(1, 2**52, None, payload), rounds)
        for each in set(receivers)
    )
    own_us = took_us - written_us
    is_plain = not options and match == "exact" and len(receivers) == 1
    return Result(
        f"broker: {case}",
        f"≤ {ROUTE_US_MAX} µs beside writing" if is_plain else "",
        took_us,
        "µs",
        ok=own_us <= ROUTE_US_MAX if is_plain else None,
        note=f"{own_us:.2f} µs beside writing, {own_us / len(receivers):.3f} a receiver",
    )


def patterns(rounds: int) -> list[Result]:
    """Finding what a topic matches among many patterns: for the first time, and again."""
    table: Patterns[int] = Patterns()
    for number in range(10_000):
        table.add(f"com.station{number}.", "prefix", number)
        table.add(f"com.station{number}..temperature", "wildcard", number)
        table.add(f"com.station{number}.s1.temperature", "exact", number)
    topic = "com.station77.s1.temperature"

    def anew() -> None:
        table._remembered.clear()
        table.matching(topic)

    return [
        Result("patterns: 1 of 30,000 anew", "", best_us(anew, rounds), "µs"),
        Result(
            "patterns: 1 of 30,000 again", "", best_us(lambda: table.matching(topic), rounds), "µs"
        ),
    ]


def best_us(call: Callable[[], Any], rounds: int) -> float:
    """Microseconds a call, in the best of some rounds."""
    number = max(1, timeit.Timer(call).autorange()[0] // 20)
    return min(timeit.repeat(call, number=number, repeat=rounds)) / number * 1e6
