"""Rounds of a bench: which count, and what is compared within one round only."""

from dataclasses import dataclass

from tests.bench.rounds import Rounds


@dataclass(frozen=True)
class Ran:
    speed: float
    others_share: float = 0.0


def speed(of: Ran) -> float:
    return of.speed


def test_disturbed_rounds_do_not_count_when_others_were_quiet() -> None:
    rounds = Rounds([{"a": Ran(10)}, {"a": Ran(1, 0.5)}, {"a": Ran(12)}])
    spread = rounds.spread("a", speed)
    assert spread is not None
    assert (spread.lowest, spread.median, spread.highest) == (10, 11, 12)
    assert rounds.quietness == "2 of 3 rounds undisturbed"


def test_quieter_half_counts_when_all_were_disturbed() -> None:
    rounds = Rounds([{"a": Ran(share, share)} for share in (0.9, 0.2, 0.3, 0.8)])
    assert [load.speed for load in rounds.loads("a")] == [0.2, 0.3]
    assert "the quieter half counts" in rounds.quietness


def test_ratio_is_taken_within_a_round() -> None:
    rounds = Rounds([{"a": Ran(20), "b": Ran(10)}, {"a": Ran(6), "b": Ran(2)}, {"a": Ran(9)}])
    ratio = rounds.ratio("a", "b", speed)
    assert ratio is not None
    assert (ratio.lowest, ratio.highest, ratio.rounds) == (2, 3, 2)
    assert rounds.ratio("a", "nobody", speed) is None


def test_rounds_end_when_enough_were_undisturbed_or_half_as_many_more_were_not() -> None:
    assert len(Rounds.of(lambda: {"a": Ran(1)}, 4).all) == 4
    assert len(Rounds.of(lambda: {"a": Ran(1, 1.0)}, 4).all) == 6
