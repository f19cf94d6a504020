"""Rounds in which several servers are loaded in turn, and which of them count.

Server and generator need both cores of a small machine, so a round in which others were at work says
little. Those that were undisturbed count; if there are none, the half that was disturbed least.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from tests.bench.report import Spread

OTHERS_SHARE_MAX = 0.15  # of a processor, that others may use in a round that counts


class Loaded(Protocol):
    """What one run of a load generator saw."""

    @property
    def others_share(self) -> float:
        """How many processors others kept busy."""


L = TypeVar("L", bound=Loaded)


class Rounds(Generic[L]):
    """The rounds of one case; in each, a load by the server's name. One may be missing."""

    def __init__(self, rounds: Sequence[Mapping[str, L]]) -> None:
        self.all = list(rounds)

    @classmethod
    def of(cls, one_round: Callable[[], Mapping[str, L]], wanted: int) -> "Rounds[L]":
        """Rounds until as many as are wanted were undisturbed, at most half as many more."""
        made = cls([])
        for _ in range(wanted + wanted // 2):
            made.all.append(one_round())
            if len(made.undisturbed) == wanted:
                break
        return made

    @property
    def undisturbed(self) -> list[Mapping[str, L]]:
        """Those in which nobody else was at work."""
        return [each for each in self.all if _disturbance(each) < OTHERS_SHARE_MAX]

    @property
    def counted(self) -> list[Mapping[str, L]]:
        """The undisturbed ones; else the half that was disturbed least."""
        return self.undisturbed or sorted(self.all, key=_disturbance)[: (len(self.all) + 1) // 2]

    def loads(self, name: str) -> list[L]:
        """Of one server, in the rounds that count."""
        return [each[name] for each in self.counted if name in each]

    def every_load(self, name: str = "") -> Iterator[L]:
        """Of one server or all, in all rounds."""
        for each in self.all:
            yield from (load for of, load in each.items() if name in ("", of))

    def spread(self, name: str, figure: Callable[[L], float]) -> Spread | None:
        """A figure of one server over the rounds that count; None without any."""
        found = [figure(load) for load in self.loads(name)]
        return Spread.of(found) if found else None

    def ratio(self, name: str, other: str, figure: Callable[[L], float]) -> Spread | None:
        """One server's figure to another's, round by round."""
        ratios = [
            figure(each[name]) / figure(each[other])
            for each in self.counted
            if name in each and other in each and figure(each[other])
        ]
        return Spread.of(ratios) if ratios else None

    @property
    def quietness(self) -> str:
        """How many rounds were undisturbed, in words."""
        quiet = len(self.undisturbed)
        chosen = "" if quiet else ", the quieter half counts"
        return f"{quiet} of {len(self.all)} rounds undisturbed{chosen}"


def _disturbance(of: Mapping[str, Loaded]) -> float:
    return max((load.others_share for load in of.values()), default=0.0)
