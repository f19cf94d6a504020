"""What it costs to find who gets a message among a million MQTT subscriptions with wildcards.

Each in a process of its own, so that its memory is what it takes. Topics are asked for once each,
so nothing is remembered, except where the case says so.
"""

import gc
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter_ns

from tests.bench.report import Result

from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.retained import Retained
from thingtank.protocols.mqtt.subscriptions import Subscriptions

MATCH_US_MAX = 20
SEED = 1883
CLIENTS = 10_000
TOPICS = 20_000
DEEP = "/".join(f"level{number}" for number in range(20))


class Client:
    """One that subscribes."""


def run(quick: bool) -> list[Result]:
    """Measure matching among many subscriptions, and searching many retained messages."""
    count = 20_000 if quick else 1_000_000
    return [*subscriptions_results(count), *retained_results(count)]


def subscriptions_results(count: int) -> list[Result]:
    found = child("subscriptions", count)
    name = f"MQTT, {count:,} subscriptions"
    return [
        Result(
            f"{name}: a topic matched",
            f"≤ {MATCH_US_MAX} µs",
            found["match_us"],
            "µs",
            ok=found["match_us"] <= MATCH_US_MAX,
            note=f"median of {TOPICS:,} topics; p99 {found['match_p99_us']:.1f} µs; {found['receivers']:.2f} receivers and groups each",
        ),
        Result(f"{name}: matched again", "", found["again_us"], "µs", note="remembered"),
        Result(f"{name}: to add one", "", found["add_us"], "µs", note="mean"),
        Result(f"{name}: to remove one", "", found["remove_us"], "µs", note="mean"),
        Result(
            f"{name}: memory",
            "",
            found["added_bytes"],
            "B a subscription",
            note=f"beside {found['own_bytes']:.0f} B of the subscription and its filter, which its session has",
        ),
        Result(
            f"{name}: garbage collection",
            "",
            found["gc_ms"],
            "ms",
            note="a full one, by how much they lengthen it",
        ),
    ]


def retained_results(count: int) -> list[Result]:
    found = child("retained", count)
    name = f"MQTT, {count:,} retained messages"
    return [
        Result(f"{name}: one by its topic", "", found["exact_us"], "µs", note="search"),
        Result(f"{name}: `site/N/+/temp`", "", found["plus_us"], "µs", note="4 found"),
        Result(f"{name}: `+/+/room0/temp`, a piece", "", found["piece_ms"], "ms", note="p99"),
        Result(f"{name}: `#`, each", "", found["all_us"], "µs", note="in pieces of 100"),
        Result(f"{name}: to keep one", "", found["keep_us"], "µs", note="mean"),
        Result(f"{name}: memory", "", found["added_bytes"], "B each", note="beside the message"),
    ]  # fmt: skip


def child(what: str, count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.bench_mqtt_subscriptions", what, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def filters(count: int) -> Iterator[str]:
    """Of 20: 12 of a site, 4 of a device, 2 exact, 1 shared, 1 deep."""
    for number in range(count):
        kind = number % 20
        if kind < 12:
            yield f"site/{number}/+/temp"
        elif kind < 16:
            yield f"+/dev/{number}/#"
        elif kind < 18:
            yield f"site/{number - kind}/room/temp"
        elif kind == 18:
            yield f"$share/workers{number % 7}/site/{number - kind}/#"
        else:
            yield f"{DEEP}/{number}/+/{DEEP}/#"


def topics(count: int, dice: random.Random) -> list[str]:
    """Most match one or more; one in ten none."""
    found = []
    for _ in range(TOPICS):
        number = dice.randrange(count)
        kind = dice.randrange(20)
        if kind < 12:
            found.append(f"site/{number - number % 20}/room/temp")
        elif kind < 16:
            found.append(f"north/dev/{number}/sensors/1/temp")
        elif kind < 18:
            found.append(f"site/{number}/room/wind")
        else:
            found.append(f"{DEEP}/{number - number % 20 + 19}/x/{DEEP}/y")
    return found


def measure_subscriptions(count: int) -> dict[str, float]:
    dice = random.Random(SEED)
    clients = [Client() for _ in range(CLIENTS)]
    asked = topics(count, dice)
    start_bytes, start_gc_ms = resident_bytes(), gc_ms()
    given = [Subscription(each, qos=1) for each in filters(count)]
    given_bytes = resident_bytes()
    subscriptions: Subscriptions[Client] = Subscriptions()
    add_us = mean_us(
        lambda: [
            subscriptions.add(clients[number % CLIENTS], each) for number, each in enumerate(given)
        ],
        count,
    )
    full_bytes = resident_bytes()
    lengthened_ms = gc_ms() - start_gc_ms
    gc.disable()
    times_us = [each_us(lambda topic=topic: subscriptions.match(topic)) for topic in asked]
    again_us = [each_us(lambda: subscriptions.match(asked[-1])) for _ in range(1000)]
    matched = [subscriptions.match(topic) for topic in asked]
    removed = range(0, count, 10)
    remove_us = mean_us(
        lambda: [
            subscriptions.remove(clients[number % CLIENTS], given[number].topic_filter)
            for number in removed
        ],
        len(removed),
    )
    return {
        "match_us": median(times_us),
        "match_p99_us": quantiles(times_us, n=100)[98],
        "again_us": median(again_us),
        "receivers": sum(len(each.direct) + len(each.shared) for each in matched) / TOPICS,
        "add_us": add_us,
        "remove_us": remove_us,
        "own_bytes": (given_bytes - start_bytes) / count,
        "added_bytes": (full_bytes - given_bytes) / count,
        "gc_ms": lengthened_ms,
    }


def measure_retained(count: int) -> dict[str, float]:
    dice = random.Random(SEED)
    messages = [
        Message(f"site/{number // 16}/room{number // 4 % 4}/{('temp', 'wind', 'rain', 'sun')[number % 4]}", b"21.5")
        for number in range(count)
    ]  # fmt: skip
    dice.shuffle(messages)
    given_bytes = resident_bytes()
    retained = Retained(count, 2**40)
    keep_us = mean_us(lambda: [retained.keep(each) for each in messages], count)
    added_bytes = resident_bytes() - given_bytes
    sites = [dice.randrange(count // 16) for _ in range(2000)]
    pieces_us = pieces(retained, "+/+/room0/temp", 100)
    return {
        "exact_us": median(
            each_us(lambda topic=each.topic: retained.search(topic).take(0, 100))
            for each in messages[:2000]
        ),
        "plus_us": median(
            each_us(lambda site=site: list(retained.matching(f"site/{site}/+/temp", 0)))
            for site in sites
        ),
        "piece_ms": quantiles(pieces_us, n=100)[98] / 1000,
        "all_us": sum(pieces(retained, "#", 100)) / count,
        "keep_us": keep_us,
        "added_bytes": added_bytes / count,
    }


def pieces(retained: Retained, topic_filter: str, size: int) -> list[float]:
    """Microseconds that each piece of a search takes."""
    search, times_us = retained.search(topic_filter), []
    while not search.is_done:
        times_us.append(each_us(lambda: search.take(0, size)))
    return times_us


def each_us(call: Callable[[], object]) -> float:
    start_ns = perf_counter_ns()
    call()
    return (perf_counter_ns() - start_ns) / 1000


def mean_us(call: Callable[[], object], count: int) -> float:
    return each_us(call) / count


def gc_ms() -> float:
    gc.collect()
    return min(each_us(gc.collect) for _ in range(3)) / 1000


def resident_bytes() -> int:
    gc.collect()
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    measures = {"subscriptions": measure_subscriptions, "retained": measure_retained}
    print(json.dumps(measures[sys.argv[1]](int(sys.argv[2]))))
