"""The MQTT door beside Debian's Mosquitto and amqtt: deliveries, latency, idle connections.

All brokers run at the same time and are loaded in turn, case by case and round by round; ratios are
taken round by round, of what a broker delivered for each second of its processor time. The load
generator is a C program (mqtt_load.c) that checks every delivery and prints its share of a processor.

`python -m tests.bench.bench_mqtt --help` has options for one who improves the broker.
"""

import contextlib
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click
from tests.bench.c_program import LoadRefused
from tests.bench.mqtt_brokers import (
    AMQTT,
    MOSQUITTO,
    Broker,
    amqtt,
    mosquitto,
    thing_tank,
)
from tests.bench.mqtt_cases import CASES, EVERY_CASE, FAN_IN, LATENCY_CASES, Case
from tests.bench.mqtt_feeds import load_feeds
from tests.bench.mqtt_load import (
    VERSION_5,
    MqttLoad,
    Work,
    compiled,
    hold_connections,
    publish_to_absent,
    run_load,
)
from tests.bench.peers import PeerMissing
from tests.bench.report import Result, Spread, number, print_results
from tests.bench.rounds import Rounds
from tests.bench.side_by_side import (
    OURS,
    Pace,
    cases_in_words,
    complaints,
    failures,
    figures,
    generator_result,
    in_turn,
    many_files,
    per_cpu_second,
    per_second,
    rate_notes,
)

CONNECTIONS, AMQTT_CONNECTIONS = 20_000, 2_000
KEPT_SHARE_MIN = 0.97  # of a rate; a machine that others use is late by itself
SPARE_FILES = 200  # that a broker and the generator need besides connections
CONNECTION_KB_MAX = 6
DEVICES, DATAPOINTS_A_SECOND_MIN = 100, 30_000
ABSENT_MESSAGES = 20_000
LATENCY_TIMES = 3  # as many rounds: one stall of the machine is the slowest 1 % of a round
PEERS = (MOSQUITTO, AMQTT)
ONLINE = Work("in", FAN_IN, 1, 1, is_persistent=True)
ABSENT = Work("in", FAN_IN, 1, 1)

CaseRounds = Rounds[MqttLoad]


class Wish(NamedTuple):
    """What to measure.

    Attributes:
        keys: of the cases; all when it is empty.
        version: of MQTT in all cases; 0 for that of each case.
        shows_pids: tell which processes to look into.
        has_stand_in: a second Mosquitto takes the place of ours.
    """

    keys: tuple[str, ...] = ()
    version: int = 0
    shows_pids: bool = False
    has_stand_in: bool = False

    def has(self, key: str) -> bool:
        return not self.keys or key in self.keys

    def of(self, cases: tuple[Case, ...]) -> list[Case]:
        """Those that are wanted, in the version that is."""
        return [
            case._replace(work=case.work._replace(version=self.version or case.work.version))
            for case in cases
            if self.has(case.key)
        ]


def run(quick: bool) -> list[Result]:
    """Measure all brokers that can be had."""
    return _run(Pace(0.1, 0.4, 1, True) if quick else Pace(0.3, 1.5, 4, False), Wish())


def _run(pace: Pace, wish: Wish) -> list[Result]:
    compiled()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(many_files())
        brokers, missing = _start_all(stack, folder, wish)
        if wish.shows_pids:
            for broker in brokers:
                print(broker.name, *broker.pids(), file=sys.stderr)
        # First, as memory that was used before would be used again.
        idle = [_idle(broker, pace) for broker in brokers if wish.has("idle")]
        rounds = [(case, _measure(case, brokers, pace)) for case in wish.of(CASES)]
        quick_ones = [
            broker for broker in brokers if broker.name != AMQTT
        ]  # it takes 4,000 a second
        many = pace if pace.is_quick else pace._replace(rounds=LATENCY_TIMES * pace.rounds)
        steady = [(case, _measure(case, quick_ones, many)) for case in wish.of(LATENCY_CASES)]
        own = _own(brokers[0], folder, pace, wish)
    results = [_rates(*each) for each in rounds]
    for each in steady:
        results += _latencies(*each)
    results += [*idle, *own]
    measured = [of for _, of in rounds + steady]
    return results + ([generator_result(measured)] if measured else []) + missing


def _start_all(
    stack: contextlib.ExitStack, folder: Path, wish: Wish
) -> tuple[list[Broker], list[Result]]:
    first = mosquitto(folder, OURS) if wish.has_stand_in else thing_tank(folder)
    brokers, missing = [stack.enter_context(first)], []
    for name, start in ((MOSQUITTO, mosquitto), (AMQTT, amqtt)):
        try:
            brokers.append(stack.enter_context(start(folder)))
        except PeerMissing as error:
            missing.append(Result(name, "", "not measured", "", note=str(error)))
    return brokers, missing


def _measure(case: Case, brokers: list[Broker], pace: Pace) -> CaseRounds:
    def load(broker: Broker) -> MqttLoad | None:
        speaks = case.work.version in broker.versions
        return _load(broker, case.work, pace) if speaks else None

    return in_turn(case.name, brokers, load, pace)


def _load(broker: Broker, work: Work, pace: Pace) -> MqttLoad:
    return run_load(broker.line, work, broker.pids, warm_s=pace.warm_s, run_s=pace.run_s)


def _rates(case: Case, rounds: CaseRounds) -> Result:
    speed = rounds.spread(OURS, per_cpu_second)
    assert speed is not None
    ratio = rounds.ratio(OURS, MOSQUITTO, per_cpu_second)
    is_met = None
    if case.times_mosquitto and ratio is not None:
        is_met = ratio.median >= case.times_mosquitto and not failures(rounds, OURS)
    return Result(
        case.name,
        case.target,
        speed.median,
        "deliveries/CPU-s",
        ratio.median if ratio else None,
        is_met,
        "; ".join([*rate_notes(rounds, PEERS), rounds.quietness, *complaints(rounds, PEERS)]),
    )


def _latencies(case: Case, rounds: CaseRounds) -> Iterator[Result]:
    for percentile, is_asked in (("p50", False), ("p99", True)):

        def figure_ms(load: MqttLoad, name: str = f"{percentile}_us") -> float:
            found: float = getattr(load, name)
            return found / 1000

        ours = rounds.spread(OURS, figure_ms)
        assert ours is not None
        ratio = rounds.ratio(OURS, MOSQUITTO, figure_ms)
        spreads = {name: rounds.spread(name, figure_ms) for name in (OURS, *PEERS)}
        notes = [f"{name} {figures(of)} ms" for name, of in spreads.items() if of]
        notes += _late(case, rounds)
        yield Result(
            f"{case.name}: {percentile}",
            "≤ Mosquitto's" if is_asked else "",
            ours.median,
            "ms",
            ratio.median if ratio else None,
            ratio.median <= 1 and not failures(rounds, OURS) if is_asked and ratio else None,
            "; ".join([*notes, rounds.quietness, *complaints(rounds, PEERS)]),
        )


def _late(case: Case, rounds: CaseRounds) -> Iterator[str]:
    """Who does not keep up: its latency says how much it lets wait, no more."""
    for name in (OURS, *PEERS):
        speed = rounds.spread(name, per_second)
        if speed is not None and speed.median < KEPT_SHARE_MIN * case.work.rate:
            yield f"{name} DOES NOT KEEP UP: {number(speed.median)} a second"


def _idle(broker: Broker, pace: Pace) -> Result:
    wanted = AMQTT_CONNECTIONS if broker.name == AMQTT else CONNECTIONS
    count = min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES)
    if pace.is_quick:
        count = min(count, 500)
    case, is_ours = f"{count:,} idle connections of {broker.name}", broker.name == OURS
    try:
        held = hold_connections(
            broker.line, count, broker.pids, hold_s=0.5 if pace.is_quick else 3.0
        )
    except LoadRefused as error:
        if is_ours:
            raise
        return Result(case, "", "not measured", "", note=str(error))
    kb_each = held.bytes_each / 1024
    return Result(
        case,
        f"≤ {CONNECTION_KB_MAX} KB each" if is_ours else "",
        kb_each,
        "KB each",
        None,
        kb_each <= CONNECTION_KB_MAX if is_ours else None,
        f"one subscription each; {number(held.opened_a_second)} opened a second, one by one",
    )


def _own(broker: Broker, folder: Path, pace: Pace, wish: Wish) -> list[Result]:
    """What has no peer: feeds, and sessions that are on disk before PUBACK."""
    results = []
    if wish.has("feeds") and broker.server is not None:
        results.append(_feeds(broker, folder, pace))
    if wish.has("durable"):
        results += _durable(broker, pace)
    return results


def _feeds(broker: Broker, folder: Path, pace: Pace) -> Result:
    seen = load_feeds(
        broker, DEVICES, folder, rounds=pace.rounds, warm_s=pace.warm_s, run_s=pace.run_s
    )
    cpu = Spread.of([load.per_cpu_second for load in seen.loads])
    clock = Spread.of([load.per_second for load in seen.loads])
    failures = sum(load.failures for load in seen.loads)
    is_whole = seen.stored == seen.sent and not failures
    notes = [f"{number(clock.median)}/s by the clock", str(cpu)]
    notes.append(f"{seen.stored:,} read back of {seen.sent:,} acknowledged")
    if failures:
        notes.append(f"{failures:,} LOST or wrong, or rounds of nothing")
    return Result(
        f"{DEVICES} devices write datapoints to their feeds, QoS 1, synced before PUBACK",
        f"≥ {DATAPOINTS_A_SECOND_MIN:,}, all of them stored",
        cpu.median,
        "datapoints/CPU-s",
        None,
        is_whole and cpu.median >= DATAPOINTS_A_SECOND_MIN,
        "; ".join(notes),
    )


def _durable(broker: Broker, pace: Pace) -> Iterator[Result]:
    case = f"{FAN_IN} publishers to 1 subscriber with a persistent session, QoS 1"
    online = [_load(broker, ONLINE, pace) for _ in range(pace.rounds)]
    messages = 1_000 if pace.is_quick else ABSENT_MESSAGES
    absent = [
        publish_to_absent(broker.line, ABSENT, messages, broker.pids) for _ in range(pace.rounds)
    ]
    yield _durable_result(f"{case}, connected", online, "deliveries/CPU-s")
    away = _durable_result(f"{case}, away", absent, "acknowledged/CPU-s")
    drained = Spread.of([messages / load.drain_s for load in absent])
    back = f"{number(drained.median)}/s delivered when it came back, {drained}"
    yield away._replace(note=f"{away.note}; {messages:,} messages; {back}")


def _durable_result(case: str, loads: list[MqttLoad], unit: str) -> Result:
    cpu = Spread.of([load.per_cpu_second for load in loads])
    clock = Spread.of([load.per_second for load in loads])
    failures = sum(load.failures for load in loads)
    note = f"{number(clock.median)}/s by the clock; {cpu}"
    if failures:
        note += f"; {failures:,} LOST or wrong, or rounds of nothing"
    return Result(case, "nothing lost", cpu.median, unit, None, not failures, note)


_KEYS: Mapping[str, str] = {
    **{key: case.name for key, case in EVERY_CASE.items()},
    "idle": "idle connections",
    "feeds": "datapoints into feeds",
    "durable": "persistent sessions",
}


@click.command(epilog=cases_in_words(_KEYS))
@click.argument("keys", nargs=-1, type=click.Choice(list(_KEYS)), metavar="[CASE]…")
@click.option("--quick", is_flag=True, help="Short runs, one round.")
@click.option("--mqtt5", is_flag=True, help="MQTT 5 in all cases.")
@click.option("--pids", is_flag=True, help="Print the brokers' processes, for py-spy or perf.")
@click.option("--seconds", type=float, default=1.5, show_default=True, help="That a run lasts.")
@click.option("--rounds", type=int, default=4, show_default=True, help="That are wanted.")
@click.option("--stand-in", is_flag=True, help="Mosquitto in place of Thing Tank: shows the noise.")
def main(
    keys: tuple[str, ...],
    quick: bool,
    mqtt5: bool,
    pids: bool,
    seconds: float,
    rounds: int,
    stand_in: bool,
) -> None:
    """Measure some cases of the MQTT bench and print one table."""
    pace = Pace(0.1, 0.4, 1, True) if quick else Pace(0.3, seconds, rounds, False)
    print_results(_run(pace, Wish(keys, VERSION_5 if mqtt5 else 0, pids, stand_in)))


if __name__ == "__main__":
    main()
