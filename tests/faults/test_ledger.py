"""The judge of the fault tests tells each kind of damage from what a kill may do."""

import pytest
from tests.faults.ledger import Discrepancy, Ledger, Place

A, B = Place("a", 1), Place("b", 2)
ALL_TIME = (0, 10)


def written(*values: tuple[Place, str | None]) -> Ledger:
    ledger = Ledger()
    for place, value in values:
        ledger.sent({place: value})
        ledger.acknowledged()
    return ledger


@pytest.mark.parametrize(
    ("damage", "stored"),
    [
        ("lost", []),
        ("changed", [(A, "2")]),
        ("doubled", [(A, "1"), (A, "1")]),
        ("invented", [(A, "1"), (B, "1")]),
    ],
)
def test_damage_is_found(damage: str, stored: list[tuple[Place, str]]) -> None:
    with pytest.raises(Discrepancy):
        written((A, "1")).settle(stored, *ALL_TIME)


def test_deleted_datapoint_must_stay_away() -> None:
    ledger = written((A, "1"), (A, None))
    ledger.settle([], *ALL_TIME)
    with pytest.raises(Discrepancy):
        ledger.settle([(A, "1")], *ALL_TIME)


@pytest.mark.parametrize("stored", [[(A, "1")], [(A, "2"), (B, "3")]])
def test_request_cut_off_may_have_been_carried_out_or_not(stored: list[tuple[Place, str]]) -> None:
    ledger = written((A, "1"))
    ledger.sent({A: "2", B: "3"})
    ledger.settle(stored, *ALL_TIME)


def test_request_cut_off_may_not_be_carried_out_in_part() -> None:
    ledger = written((A, "1"))
    ledger.sent({A: "2", B: "3"})
    with pytest.raises(Discrepancy):
        ledger.settle([(A, "2")], *ALL_TIME)


def test_what_was_seen_after_a_kill_must_stay() -> None:
    ledger = Ledger()
    ledger.sent({A: "1"})
    ledger.settle([(A, "1")], *ALL_TIME)
    with pytest.raises(Discrepancy):
        ledger.settle([], *ALL_TIME)


def test_refused_request_must_leave_nothing() -> None:
    ledger = written((A, "1"))
    ledger.sent({A: "2"})
    ledger.refused()
    with pytest.raises(Discrepancy):
        ledger.settle([(A, "2")], *ALL_TIME)
