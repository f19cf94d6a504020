"""The WAMP door beside Crossbar.io and fox-wamp: events, calls, latency, idle sessions.

All routers run at the same time and are loaded in turn, case by case and round by round; ratios are
taken round by round, of what a router did for each second of its processor time. The load generator
is a C program (wamp_load.c) whose share of a processor is printed: it is never the bottleneck.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.bench.report import Result, Spread, number
from tests.bench.rounds import Rounds
from tests.bench.side_by_side import (
    OURS,
    Pace,
    complaints,
    failures,
    figures,
    generator_result,
    in_turn,
    per_cpu_second,
    rate_notes,
)
from tests.bench.wamp_load import (
    LoadRefused,
    WampLoad,
    Work,
    compiled,
    hold_sessions,
    run_load,
)
from tests.bench.wamp_routers import PeerMissing, Router, crossbar, fox_wamp, thing_tank

CROSSBAR, FOX_WAMP = PEERS = ("Crossbar.io", "fox-wamp")
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

CaseRounds = Rounds[WampLoad]


def run(quick: bool) -> list[Result]:
    """Measure all routers that can be had."""
    pace = Pace(0.1, 0.4, 1, True) if quick else Pace(0.3, 1.0, 4, False)
    compiled()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        routers, missing = _start_all(stack, folder)
        sessions = [_idle_sessions(router, quick) for router in routers]
        rounds = {case: _measure(case, routers, pace) for case in CASES}
        idle = _measure(_IDLE_CASE, routers, pace)
        half = _half_of(CROSSBAR, rounds[_CALLS_CASE])
        steady = _measure(_steady_case(half), routers, pace) if half else None
    results = [_rates(case, rounds[case]) for case in CASES]
    results.append(_idle_latency(idle))
    if steady is not None:
        results.append(_steady_latency(steady, half))
    measured = [*rounds.values(), idle, *([steady] if steady else [])]
    results += [*sessions, generator_result(measured)]
    return results + missing


def _start_all(stack: contextlib.ExitStack, folder: Path) -> tuple[list[Router], list[Result]]:
    routers, missing = [stack.enter_context(thing_tank(folder))], []
    for name, start in ((CROSSBAR, crossbar), (FOX_WAMP, fox_wamp)):
        try:
            routers.append(stack.enter_context(start(folder)))
        except PeerMissing as error:
            missing.append(Result(name, "", "not measured", "", note=str(error)))
    return routers, missing


def _measure(case: Case, routers: list[Router], pace: Pace) -> CaseRounds:
    encoding, _, batched = case.serializer.partition(".")

    def load(router: Router) -> WampLoad | None:
        line = router.line(case.transport, encoding, bool(batched))
        if line is None:
            return None
        return run_load(line, case.work, router.pids, warm_s=pace.warm_s, run_s=pace.run_s)

    return in_turn(case.name, routers, load, pace)


def _rates(case: Case, rounds: CaseRounds) -> Result:
    speed = rounds.spread(OURS, per_cpu_second)
    assert speed is not None
    ratios = {name: rounds.ratio(OURS, name, per_cpu_second) for name in PEERS}
    crossbar_ratio = ratios[CROSSBAR]
    notes = [*rate_notes(rounds, PEERS), rounds.quietness, *complaints(rounds, PEERS)]
    return Result(
        case.name,
        case.target,
        speed.median,
        f"{case.unit}/CPU-s",
        crossbar_ratio.median if crossbar_ratio else None,
        _is_met(case, speed.median, ratios, failures(rounds, OURS)),
        "; ".join(notes),
    )


def _is_met(case: Case, speed: float, ratios: dict[str, Spread | None], failed: int) -> bool | None:
    wanted = {CROSSBAR: case.times_crossbar, FOX_WAMP: case.times_fox}
    asked = {name: times for name, times in wanted.items() if times}
    if not asked and not case.at_least:
        return None
    reached = [speed >= case.at_least, failed == 0]
    for name, times in asked.items():
        ratio = ratios[name]
        if ratio is None:
            return None  # nothing to compare with
        reached.append(ratio.median >= times)
    return all(reached)


def _half_of(name: str, rounds: CaseRounds) -> int:
    return int(max((load.per_second for load in rounds.every_load(name)), default=0.0) / 2)


def _steady_case(rate: int) -> Case:
    return Case(f"{rate:,} calls a second", Work("call", window=1, rate=rate), unit="calls")


def _p50_ms(load: WampLoad) -> float:
    return load.p50_us / 1000


def _p99_ms(load: WampLoad) -> float:
    return load.p99_us / 1000


def _idle_latency(rounds: CaseRounds) -> Result:
    p50_ms, ratio = rounds.spread(OURS, _p50_ms), rounds.ratio(OURS, CROSSBAR, _p50_ms)
    assert p50_ms is not None
    return Result(
        f"{_IDLE_CASE.name}, one after the other: p50",
        f"≤ {IDLE_CALL_MS_MAX} ms",
        p50_ms.median,
        "ms",
        ratio.median if ratio else None,
        p50_ms.median <= IDLE_CALL_MS_MAX and not failures(rounds, OURS),
        "; ".join([*_latencies(rounds, _p50_ms), rounds.quietness]),
    )


def _steady_latency(rounds: CaseRounds, rate: int) -> Result:
    p99_ms, ratio = rounds.spread(OURS, _p99_ms), rounds.ratio(OURS, CROSSBAR, _p99_ms)
    assert p99_ms is not None
    return Result(
        f"{rate:,} calls a second, half of {CROSSBAR}'s most: p99",
        f"≤ 1/3 of {CROSSBAR}'s",
        p99_ms.median,
        "ms",
        ratio.median if ratio else None,
        ratio.median <= 1 / 3 and not failures(rounds, OURS) if ratio else None,
        "; ".join([*_latencies(rounds, _p99_ms), rounds.quietness]),
    )


def _latencies(rounds: CaseRounds, percentile: Callable[[WampLoad], float]) -> Iterator[str]:
    for name in (OURS, *PEERS):
        spread = rounds.spread(name, percentile)
        if spread is not None:
            yield f"{name} {figures(spread)} ms"


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
