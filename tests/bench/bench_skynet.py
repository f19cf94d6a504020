"""The SkyNet door beside bare relays and the historic servers: messages, data, broadcasts, idle sockets.

All servers run at the same time and are loaded in turn, case by case and round by round. The load
generator is a C program (skynet_load.c) that checks every delivery and prints its share of a processor.
What the historic servers did (skynet_history.py) is printed beside.

`python -m tests.bench.bench_skynet --help` has options for one who improves the door.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click
from tests.bench.c_program import LoadRefused
from tests.bench.peers import PeerMissing
from tests.bench.report import Result, number, print_results
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
from tests.bench.skynet_cases import (
    BROADCAST_P99_MS_MAX,
    CASES,
    EVERY_CASE,
    RATED_CASES,
    SUBSCRIBERS,
    WIRE_NAMES,
    Case,
)
from tests.bench.skynet_load import (
    WIRE_0_9,
    WIRE_4,
    SkynetLoad,
    Work,
    compiled,
    hold_sockets,
    run_load,
)
from tests.bench.skynet_servers import (
    BARE,
    PYTHON_SOCKETIO,
    SOCKET_IO_0_9,
    SOCKET_IO_4,
    Server,
    bare,
    python_socketio,
    socket_io_0_9,
    socket_io_4,
    stored_data,
    thing_tank,
)

IDLE_SOCKETS, PEER_IDLE_SOCKETS, QUICK_SOCKETS = 10_000, 2_000, 200
SOCKET_KB_MAX = 15
IDLE_S, PEER_IDLE_S = 30.0, 1.0  # of ours, longer than from one heartbeat to the next
KEPT_SHARE_MIN = 0.97  # of a rate; a machine that others use is late by itself
BROADCAST_ROUNDS_MAX = 2  # thousands of sockets are opened for each
QUICK_SUBSCRIBERS = 200
SLOW_RECEIVERS_MAX = 1_000  # python-socketio takes most of a minute to let thousands go
PEERS = {
    BARE: bare,
    PYTHON_SOCKETIO: python_socketio,
    SOCKET_IO_0_9: socket_io_0_9,
    SOCKET_IO_4: socket_io_4,
}
NEAREST = {WIRE_0_9: SOCKET_IO_0_9, WIRE_4: SOCKET_IO_4}  # what a wire is compared with
CaseRounds = Rounds[SkynetLoad]


class Wish(NamedTuple):
    """What to measure.

    Attributes:
        keys: of the cases; all when it is empty.
        shows_pids: tell which processes to look into.
        is_alone: without peers.
    """

    keys: tuple[str, ...] = ()
    shows_pids: bool = False
    is_alone: bool = False

    def has(self, key: str) -> bool:
        return not self.keys or key in self.keys

    def of(self, cases: tuple[Case, ...], pace: Pace) -> list[Case]:
        """Those that are wanted, with fewer subscribers when it has to be quick."""
        few = QUICK_SUBSCRIBERS if pace.is_quick else SUBSCRIBERS
        return [
            case._replace(work=case.work._replace(receivers=min(case.work.receivers, few)))
            for case in cases
            if self.has(case.key)
        ]


def run(quick: bool) -> list[Result]:
    """Measure ours and all peers that can be had."""
    return _run(Pace(0.1, 0.4, 1, True) if quick else Pace(0.5, 2.0, 4, False), Wish())


def _run(pace: Pace, wish: Wish) -> list[Result]:
    compiled()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(many_files())
        servers, missing = _start_all(stack, folder, wish)
        if wish.shows_pids:
            for server in servers:
                print(server.name, *server.pids(), file=sys.stderr)
        began_us = time.time_ns() // 1000
        # First, as memory that was used before would be used again.
        idle = list(_idle(servers, folder, pace)) if wish.has("idle") else []
        rounds = [(case, _measure(case, servers, pace)) for case in wish.of(CASES, pace)]
        rated = [(case, _measure(case, servers, pace)) for case in wish.of(RATED_CASES, pace)]
        kept = [
            _kept(servers[0], case.work.senders, of, began_us)
            for case, of in rounds
            if case.work.target == "data"
        ]
    results = [_rates(*each) for each in rounds]
    results += [*kept, *(_rated(*each) for each in rated), *idle]
    measured = [of for _, of in rounds + rated]
    return results + ([generator_result(measured)] if measured else []) + missing


def _start_all(
    stack: contextlib.ExitStack, folder: Path, wish: Wish
) -> tuple[list[Server], list[Result]]:
    servers, missing = [stack.enter_context(thing_tank(folder))], []
    for name, start in {} if wish.is_alone else PEERS.items():
        try:
            servers.append(stack.enter_context(start(folder)))
        except PeerMissing as error:
            missing.append(Result(name, "", "not measured", "", note=str(error)))
    return servers, missing


def _measure(case: Case, servers: list[Server], pace: Pace) -> CaseRounds:
    def load(server: Server) -> SkynetLoad | None:
        work = _work_of(server, case.work)
        if work is None:
            return None
        devices = server.devices(work.devices)
        return run_load(
            server.port, work, devices, server.pids, warm_s=pace.warm_s, run_s=pace.run_s
        )

    rounds_max = BROADCAST_ROUNDS_MAX if case.work.topology == "out" else pace.rounds
    return in_turn(case.name, servers, load, pace._replace(rounds=min(rounds_max, pace.rounds)))


def _work_of(server: Server, work: Work) -> Work | None:
    """What a server can be asked to do of it; None when nothing."""
    if work.mode == "http":
        has_sockets = bool(server.wires)
        asked = work._replace(receivers=work.receivers if has_sockets else 0)
        return asked if work.target in server.targets else None
    if work.receivers > SLOW_RECEIVERS_MAX and server.name == PYTHON_SOCKETIO:
        return None
    return work if work.wire in server.wires else None


def _nearest(work: Work) -> str:
    return BARE if work.mode == "http" else NEAREST[work.wire]


def _rates(case: Case, rounds: CaseRounds) -> Result:
    clock, cpu = (rounds.spread(OURS, of) for of in (per_second, per_cpu_second))
    assert clock is not None
    assert cpu is not None
    ratio = rounds.ratio(OURS, _nearest(case.work), per_cpu_second)
    # Where others use the machine, the clock says how much they left over.
    reached = min(cpu.median, clock.median) if rounds.undisturbed else cpu.median
    is_met = None
    if case.at_least:
        is_met = reached >= case.at_least and not failures(rounds, OURS)
    notes = [f"{number(cpu.lowest)} to {number(cpu.highest)}", f"p50 {_median_p50_ms(rounds)} ms"]
    notes += [*rate_notes(rounds, list(PEERS)), *_historic(case, clock.median), rounds.quietness]
    return Result(
        case.name,
        case.target,
        cpu.median,
        f"{case.unit}/CPU-s",
        ratio.median if ratio else None,
        is_met,
        "; ".join([*notes, *complaints(rounds, list(PEERS))]),
    )


def _historic(case: Case, ours: float) -> Iterator[str]:
    for name, did in case.historic.items():
        yield f"{name} {did:,}/s (1 : {number(ours / did)})"


def _median_p50_ms(rounds: CaseRounds) -> str:
    found = rounds.spread(OURS, lambda load: load.p50_us / 1000)
    assert found is not None
    return number(found.median)


def _p99_ms(load: SkynetLoad) -> float:
    return load.p99_us / 1000


def _kept(server: Server, senders: int, rounds: CaseRounds, since_us: int) -> Result:
    """Whether all sensor data that was acknowledged is there."""
    sent = sum(load.total for load in rounds.every_load(OURS))
    stored = stored_data(server, server.devices(senders), since_us)
    return Result(
        "sensor data read back once all is over",
        "as many as were acknowledged",
        stored,
        "readings",
        None,
        stored == sent,
        f"{sent:,} acknowledged in all rounds",
    )


def _rated(case: Case, rounds: CaseRounds) -> Result:
    p99_ms, clock = rounds.spread(OURS, _p99_ms), rounds.spread(OURS, per_second)
    assert p99_ms is not None
    assert clock is not None
    wanted = case.work.rate * case.work.receivers
    notes = [f"{number(clock.median)} {case.unit}/s", f"p50 {_median_p50_ms(rounds)} ms"]
    for name in PEERS:
        of = rounds.spread(name, _p99_ms)
        if of is not None:
            notes.append(f"{name} {figures(of)} ms")
    ratio = rounds.ratio(OURS, _nearest(case.work), _p99_ms)
    return Result(
        f"{case.name}: p99",
        f"≤ {BROADCAST_P99_MS_MAX} ms",
        p99_ms.median,
        "ms",
        ratio.median if ratio else None,
        p99_ms.median <= BROADCAST_P99_MS_MAX
        and clock.median >= KEPT_SHARE_MIN * wanted
        and not failures(rounds, OURS),
        "; ".join([*notes, rounds.quietness, *complaints(rounds, list(PEERS))]),
    )


def _idle(servers: list[Server], folder: Path, pace: Pace) -> Iterator[Result]:
    for wire in WIRE_NAMES:
        own = folder / f"idle-{wire}"
        own.mkdir()
        with thing_tank(own) as server:  # of which no memory was used yet
            yield _idle_sockets(server, wire, pace)
        for server in servers[1:]:
            if wire in server.wires:
                yield _idle_sockets(server, wire, pace)


def _idle_sockets(server: Server, wire: str, pace: Pace) -> Result:
    is_ours = server.name == OURS
    count = QUICK_SOCKETS if pace.is_quick else IDLE_SOCKETS if is_ours else PEER_IDLE_SOCKETS
    devices = server.devices(count)
    case = f"{count:,} idle sockets of {server.name}, {WIRE_NAMES[wire]}"
    hold_s = 0.5 if pace.is_quick else IDLE_S if is_ours else PEER_IDLE_S
    try:
        held = hold_sockets(server.port, wire, devices, server.pids, hold_s=hold_s)
    except LoadRefused as error:
        if is_ours:
            raise
        return Result(case, "", "not measured", "", note=str(error))
    kb_each = held.bytes_each / 1024
    return Result(
        case,
        f"≤ {SOCKET_KB_MAX} KB each" if is_ours else "",
        kb_each,
        "KB each",
        None,
        kb_each <= SOCKET_KB_MAX if is_ours else None,
        f"each identified as a device; {held.heartbeats:,} heartbeats answered in {hold_s:g} s; "
        f"{number(held.opened_a_second)} opened a second, one by one",
    )


_KEYS: Mapping[str, str] = {
    **{key: case.name for key, case in EVERY_CASE.items()},
    "idle": "idle sockets",
}


@click.command(epilog=cases_in_words(_KEYS))
@click.argument("keys", nargs=-1, type=click.Choice(list(_KEYS)), metavar="[CASE]…")
@click.option("--quick", is_flag=True, help="Short runs, one round.")
@click.option("--alone", is_flag=True, help="No peers.")
@click.option("--pids", is_flag=True, help="Print the servers' processes, for py-spy or perf.")
@click.option("--seconds", type=float, default=2.0, show_default=True, help="That a run lasts.")
@click.option("--rounds", type=int, default=4, show_default=True, help="That are wanted.")
def main(
    keys: tuple[str, ...], quick: bool, alone: bool, pids: bool, seconds: float, rounds: int
) -> None:
    """Measure some cases of the SkyNet bench and print one table."""
    pace = Pace(0.1, 0.4, 1, True) if quick else Pace(0.5, seconds, rounds, False)
    print_results(_run(pace, Wish(keys, pids, alone)))


if __name__ == "__main__":
    main()
