"""The WAMP door beside Crossbar.io and fox-wamp: events, calls, latency, idle sessions.

All routers run at the same time and are loaded in turn, case by case and round by round; ratios are
taken round by round, of what a router did for each second of its processor time. The load generator
is a C program (wamp_load.c) whose share of a processor is printed: it is never the bottleneck.
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.bench.report import Result, Spread, number
from tests.bench.wamp_load import (
    LoadRefused,
    WampLoad,
    Work,
    compiled,
    hold_sessions,
    run_load,
)
from tests.bench.wamp_routers import PeerMissing, Router, crossbar, fox_wamp, thing_tank

OURS, CROSSBAR, FOX_WAMP = "Thing Tank", "Crossbar.io", "fox-wamp"
OTHERS_SHARE_MAX = 0.15  # of a processor, that others may use in a round that counts
GENERATOR_SHARE_MAX = 0.85
SESSIONS, PEER_SESSIONS = 10_000, 2_000
SESSION_KB_MAX = 12
IDLE_CALL_MS_MAX = 0.2
OUTSTANDING = 128

TO_ONE = Work("publish", 1, window=2048, batch=256)
TO_HUNDRED = Work("publish", 100, window=64, batch=8)
ACKNOWLEDGED = Work("publish", 1, window=OUTSTANDING, is_acknowledged=True)
CALLS = Work("call", window=OUTSTANDING)
IDLE_CALLS = Work("call", window=1)


class Case(NamedTuple):
    """What is measured, and what is asked of it.

    Attributes:
        name: in words.
        serializer: such as `cbor` or `cbor.batched`.
        at_least: done a CPU-second; 0 when that is not asked.
        times_crossbar, times_fox: as many times what they do; 0 when that is not asked.
    """

    name: str
    work: Work
    transport: str = "ws"
    serializer: str = "json"
    unit: str = "events"
    at_least: int = 0
    times_crossbar: float = 0
    times_fox: float = 0

    @property
    def target(self) -> str:
        asked = []
        if self.at_least:
            asked.append(f"≥ {self.at_least:,} {self.unit}/s")
        if self.times_crossbar:
            asked.append(f"≥ {self.times_crossbar:g} times {CROSSBAR}")
        if self.times_fox:
            asked.append(f"≥ {self.times_fox:g} times {FOX_WAMP}")
        return ", ".join(asked)


_ONE = "1 publisher to 1 subscriber, 64 bytes"
_HUNDRED = "1 publisher to 100 subscribers"
CASES = (
    Case(f"{_ONE}, JSON", TO_ONE, times_crossbar=12, times_fox=1.3),
    Case(f"{_ONE}, MessagePack", TO_ONE, serializer="msgpack", times_crossbar=12),
    Case(f"{_ONE}, CBOR", TO_ONE, serializer="cbor", times_crossbar=12),
    Case(f"{_ONE}, batched CBOR", TO_ONE, serializer="cbor.batched"),
    Case(f"{_ONE}, JSON, RawSocket", TO_ONE, "raw"),
    Case(f"{_HUNDRED}, JSON", TO_HUNDRED, at_least=300_000),
    Case(f"{_HUNDRED}, JSON, RawSocket", TO_HUNDRED, "raw", at_least=300_000),
    Case(
        "acknowledged publish to 1 subscriber", ACKNOWLEDGED, unit="publications", at_least=50_000
    ),
    Case(f"calls, {OUTSTANDING} outstanding", CALLS, unit="calls", at_least=35_000),
)
_CALLS_CASE = CASES[-1]
_IDLE_CASE = Case("call of an idle router", IDLE_CALLS, unit="calls")

Round = dict[str, WampLoad]  # by router; one without a load was refused or does not speak so


class Pace(NamedTuple):
    """How long each run lasts, and how many rounds are wanted."""

    warm_s: float
    run_s: float
    rounds: int


def run(quick: bool) -> list[Result]:
    """Measure all routers that can be had."""
    pace = Pace(0.1, 0.4, 1) if quick else Pace(0.3, 1.0, 4)
    compiled()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        routers, missing = _start_all(stack, folder)
        sessions = [_idle_sessions(router, quick) for router in routers]
        rounds = {case: _measure(case, routers, pace) for case in CASES}
        idle = _measure(_IDLE_CASE, routers, pace)
        half = _half_of(CROSSBAR, rounds[_CALLS_CASE])
        steady = _measure(_steady_case(half), routers, pace) if half else []
    results = [_rates(case, rounds[case]) for case in CASES]
    results += [_idle_latency(idle), *_steady_latency(steady, half), *sessions]
    results.append(_generator([*rounds.values(), idle, steady]))
    return results + missing


def _start_all(stack: contextlib.ExitStack, folder: Path) -> tuple[list[Router], list[Result]]:
    routers, missing = [stack.enter_context(thing_tank(folder))], []
    for name, start in ((CROSSBAR, crossbar), (FOX_WAMP, fox_wamp)):
        try:
            routers.append(stack.enter_context(start(folder)))
        except PeerMissing as error:
            missing.append(Result(name, "", "not measured", "", note=str(error)))
    return routers, missing


def _measure(case: Case, routers: list[Router], pace: Pace) -> list[Round]:
    """Rounds until as many as are wanted were undisturbed, at most half as many more."""
    rounds: list[Round] = []
    for _ in range(pace.rounds + pace.rounds // 2):
        rounds.append(dict(_loads(case, routers, pace)))
        if len(_undisturbed(rounds)) == pace.rounds:
            break
    return rounds


def _loads(case: Case, routers: list[Router], pace: Pace) -> Iterator[tuple[str, WampLoad]]:
    encoding, _, batched = case.serializer.partition(".")
    for router in routers:
        line = router.line(case.transport, encoding, bool(batched))
        if line is None:
            continue
        try:
            load = run_load(line, case.work, router.pids, warm_s=pace.warm_s, run_s=pace.run_s)
        except LoadRefused as error:
            if router.name == OURS:
                raise
            print(f"{router.name}, {case.name}: {error}", file=sys.stderr)
            continue
        yield router.name, load


def _undisturbed(rounds: list[Round]) -> list[Round]:
    """Those in which nobody else was at work: router and generator need both cores."""
    return [each for each in rounds if all(_is_quiet(load) for load in each.values())]


def _is_quiet(load: WampLoad) -> bool:
    return load.others_share < OTHERS_SHARE_MAX


def _counted(rounds: list[Round]) -> list[Round]:
    """The undisturbed rounds; if there are none, the half that was disturbed least."""
    return _undisturbed(rounds) or sorted(rounds, key=_disturbance)[: (len(rounds) + 1) // 2]


def _disturbance(of: Round) -> float:
    return max((load.others_share for load in of.values()), default=0.0)


def _of(rounds: list[Round], name: str) -> list[WampLoad]:
    return [each[name] for each in rounds if name in each]


def _ratio(rounds: list[Round], name: str) -> Spread | None:
    ratios = [
        each[OURS].per_cpu_second / each[name].per_cpu_second
        for each in rounds
        if name in each and each[name].per_cpu_second
    ]
    return Spread.of(ratios) if ratios else None


def _rates(case: Case, rounds: list[Round]) -> Result:
    counted = _counted(rounds)
    speed = Spread.of([load.per_cpu_second for load in _of(counted, OURS)])
    ratios = {name: _ratio(counted, name) for name in (CROSSBAR, FOX_WAMP)}
    return Result(
        case.name,
        case.target,
        speed.median,
        f"{case.unit}/CPU-s",
        ratios[CROSSBAR].median if ratios[CROSSBAR] else None,
        _is_met(case, speed.median, ratios, _failures(rounds)),
        "; ".join([*_notes(counted, ratios), _quietness(rounds), *_complaints(rounds)]),
    )


def _is_met(
    case: Case, speed: float, ratios: dict[str, Spread | None], failures: int
) -> bool | None:
    wanted = {CROSSBAR: case.times_crossbar, FOX_WAMP: case.times_fox}
    asked = {name: times for name, times in wanted.items() if times}
    if not asked and not case.at_least:
        return None
    reached = [speed >= case.at_least, failures == 0]
    for name, times in asked.items():
        ratio = ratios[name]
        if ratio is None:
            return None  # nothing to compare with
        reached.append(ratio.median >= times)
    return all(reached)


def _notes(counted: list[Round], ratios: dict[str, Spread | None]) -> Iterator[str]:
    wall = median(load.per_second for load in _of(counted, OURS))
    yield f"{number(wall)}/s by the clock"
    for name, ratio in ratios.items():
        loads = _of(counted, name)
        if ratio is not None:
            cpu = median(load.per_cpu_second for load in loads)
            clock = median(load.per_second for load in loads)
            yield (
                f"{name} {number(cpu)}/CPU-s, {number(clock)}/s, ratio {number(ratio.median)} "
                f"({number(ratio.lowest)} to {number(ratio.highest)})"
            )
    share = max(load.generator_share for each in counted for load in each.values())
    yield f"generator {share:.2f} of a core" + (
        ", THE BOTTLENECK" if share > GENERATOR_SHARE_MAX else ""
    )


def _quietness(rounds: list[Round]) -> str:
    quiet = len(_undisturbed(rounds))
    chosen = "" if quiet else ", the quieter half counts"
    return f"{quiet} of {len(rounds)} rounds undisturbed{chosen}"


def _failures(rounds: list[Round]) -> int:
    return sum(abs(load.lost) + load.bad for load in _of(rounds, OURS))


def _complaints(rounds: list[Round]) -> Iterator[str]:
    for name in (OURS, CROSSBAR, FOX_WAMP):
        loads = _of(rounds, name)
        lost, bad = sum(load.lost for load in loads), sum(load.bad for load in loads)
        if lost or bad:
            yield f"{name} LOST {lost:,}, {bad:,} out of order or changed"


def _half_of(name: str, rounds: list[Round]) -> int:
    loads = _of(rounds, name)
    return int(max(load.per_second for load in loads) / 2) if loads else 0


def _steady_case(rate: int) -> Case:
    return Case(f"{rate:,} calls a second", Work("call", window=1, rate=rate), unit="calls")


def _idle_latency(rounds: list[Round]) -> Result:
    counted = _counted(rounds)
    p50_ms = Spread.of([load.p50_us / 1000 for load in _of(counted, OURS)])
    return Result(
        f"{_IDLE_CASE.name}, one after the other: p50",
        f"≤ {IDLE_CALL_MS_MAX} ms",
        p50_ms.median,
        "ms",
        _latency_ratio(counted, "p50_us"),
        p50_ms.median <= IDLE_CALL_MS_MAX and not _failures(rounds),
        "; ".join([*_latencies(counted, "p50_us"), _quietness(rounds)]),
    )


def _steady_latency(rounds: list[Round], rate: int) -> list[Result]:
    if not rounds:
        return []
    counted = _counted(rounds)
    ratio = _latency_ratio(counted, "p99_us")
    return [
        Result(
            f"{rate:,} calls a second, half of {CROSSBAR}'s most: p99",
            f"≤ 1/3 of {CROSSBAR}'s",
            median(load.p99_us / 1000 for load in _of(counted, OURS)),
            "ms",
            ratio,
            None if ratio is None else ratio <= 1 / 3 and not _failures(rounds),
            "; ".join([*_latencies(counted, "p99_us"), _quietness(rounds)]),
        )
    ]


def _latency_ratio(counted: list[Round], percentile: str) -> float | None:
    ratios = [
        getattr(each[OURS], percentile) / getattr(each[CROSSBAR], percentile)
        for each in counted
        if CROSSBAR in each
    ]
    return median(ratios) if ratios else None


def _latencies(counted: list[Round], percentile: str) -> Iterator[str]:
    for name in (OURS, CROSSBAR, FOX_WAMP):
        found = [getattr(load, percentile) / 1000 for load in _of(counted, name)]
        if found:
            spread = Spread.of(found)
            yield (
                f"{name} {number(spread.median)} ms "
                f"({number(spread.lowest)} to {number(spread.highest)})"
            )


def _idle_sessions(router: Router, quick: bool) -> Result:
    is_ours = router.name == OURS
    count = 500 if quick else SESSIONS if is_ours else PEER_SESSIONS
    line = router.line("ws", "json", False)
    assert line is not None
    case = f"{count:,} idle sessions of {router.name}"
    try:
        held = hold_sessions(line, count, router.pids, hold_s=1 if quick else 3)
    except LoadRefused as error:
        if is_ours:
            raise
        return Result(case, "", "not measured", "", note=str(error))
    kb_each = held.bytes_each / 1024
    return Result(
        case,
        f"≤ {SESSION_KB_MAX} KB each" if is_ours else "",
        kb_each,
        "KB each",
        None,
        kb_each <= SESSION_KB_MAX if is_ours else None,
        f"keep-alives on; {number(held.opened_a_second)} opened a second, one after the other",
    )


def _generator(measured: list[list[Round]]) -> Result:
    loads = [load for rounds in measured for each in rounds for load in each.values()]
    share = max(load.generator_share for load in loads)
    done = max(load.done / load.cpu_s for load in loads if load.cpu_s)
    return Result(
        "the load generator",
        "never the bottleneck",
        share,
        "of a core at most",
        None,
        share <= GENERATOR_SHARE_MAX,
        f"took up to {number(done)} messages for each second of its own processor time",
    )
