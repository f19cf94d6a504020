"""Several servers under one load generator: how long, in which order, and what is said of them."""

import contextlib
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import NamedTuple, Protocol, TypeVar

from tests.bench.c_program import LoadRefused
from tests.bench.report import Result, Spread, number
from tests.bench.rounds import Rounds

OURS = "Thing Tank"
GENERATOR_SHARE_MAX = 0.85


class Pace(NamedTuple):
    """How long each run lasts, and how many rounds are wanted."""

    warm_s: float
    run_s: float
    rounds: int
    is_quick: bool


class Load(Protocol):
    """What one run saw; the attributes are described where they are made."""

    @property
    def cpu_s(self) -> float: ...
    @property
    def lost(self) -> int: ...
    @property
    def bad(self) -> int: ...
    @property
    def done(self) -> int: ...
    @property
    def per_second(self) -> float: ...
    @property
    def per_cpu_second(self) -> float: ...
    @property
    def failures(self) -> int: ...
    @property
    def generator_share(self) -> float: ...
    @property
    def others_share(self) -> float: ...


class Named(Protocol):
    """A server that runs."""

    @property
    def name(self) -> str: ...


L = TypeVar("L", bound=Load)
S = TypeVar("S", bound=Named)


@contextlib.contextmanager
def many_files() -> Iterator[None]:
    """As many open files as the system lets, for the servers that are started meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def in_turn(
    case: str, servers: Sequence[S], load: Callable[[S], L | None], pace: Pace
) -> Rounds[L]:
    """Load servers from first to last and back, so that nobody always follows the same one.

    Args:
        load: of one server; None when it does not do such things. A peer may refuse, which is told.
    """

    def loads(order: Sequence[S]) -> Iterator[tuple[str, L]]:
        for server in order:
            try:
                seen = load(server)
            except LoadRefused as error:
                if server.name == OURS:
                    raise
                print(f"{server.name}, {case}: {error}", file=sys.stderr)
                continue
            if seen is not None:
                yield server.name, seen

    orders = cycle([list(servers), list(servers)[::-1]])
    return Rounds.of(lambda: dict(loads(next(orders))), pace.rounds)


def per_cpu_second(load: Load) -> float:
    return load.per_cpu_second


def per_second(load: Load) -> float:
    return load.per_second


def figures(of: Spread) -> str:
    """Median and extremes."""
    return f"{number(of.median)} ({number(of.lowest)} to {number(of.highest)})"


def failures(rounds: Rounds[L], name: str) -> int:
    """Of one server, in all rounds."""
    return sum(load.failures for load in rounds.every_load(name))


def rate_notes(rounds: Rounds[L], peers: Sequence[str]) -> Iterator[str]:
    """What ours and the peers do by the clock and for a second of processor time, and who limits."""
    for name in (OURS, *peers):
        cpu, clock = (rounds.spread(name, of) for of in (per_cpu_second, per_second))
        if cpu is None or clock is None:
            continue
        if name == OURS:
            yield f"{number(clock.median)}/s by the clock"
            continue
        ratio = rounds.ratio(OURS, name, per_cpu_second)
        compared = f", ratio {figures(ratio)}" if ratio else ""
        yield f"{name} {number(cpu.median)}/CPU-s, {number(clock.median)}/s{compared}"
    share = max(load.generator_share for load in rounds.every_load())
    too_much = ", THE BOTTLENECK" if share > GENERATOR_SHARE_MAX else ""
    yield f"generator {share:.2f} of a core{too_much}"


def complaints(rounds: Rounds[L], peers: Sequence[str]) -> Iterator[str]:
    """Who lost or changed what."""
    for name in (OURS, *peers):
        if failures(rounds, name):
            loads = list(rounds.every_load(name))
            lost, bad = sum(load.lost for load in loads), sum(load.bad for load in loads)
            stuck = sum(load.done == 0 for load in loads)
            yield f"{name} LOST {lost:,}, {bad:,} out of order or changed, {stuck} rounds of nothing"


def generator_result(measured: Sequence[Rounds[L]]) -> Result:
    """How much of a processor the load generator took in all cases."""
    loads = [load for rounds in measured for load in rounds.every_load()]
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


def cases_in_words(keys: Mapping[str, str]) -> str:
    """For the help of a command line."""
    return "Cases: " + "; ".join(f"{key}: {name}" for key, name in keys.items())
