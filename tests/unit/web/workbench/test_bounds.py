"""Long answers have a share for each: in all, for strangers, for an account, for an address."""

import contextlib

import pytest

from thingtank.tank.access import Caller
from thingtank.tank.things import Account
from thingtank.web.tank_access import VISITOR
from thingtank.web.workbench.bounds import TooManyVisits, VisitLimits, Visits

LIMITS = VisitLimits(total_max=8, strangers_max=4, per_account_max=3, per_address_max=2)
ALICE, BOB, CAROL = (Caller(Account(number, f"account {number}")) for number in (1, 2, 3))


def taken(visits: Visits, stack: contextlib.ExitStack, caller: Caller, address: str) -> str:
    try:
        stack.enter_context(visits.one(caller, address))
    except TooManyVisits as error:
        return "own share" if error.is_own else "all taken"
    return "taken"


def test_each_has_a_share_and_leaves_room_for_the_others() -> None:
    visits = Visits(LIMITS)
    with contextlib.ExitStack() as stack:
        asked = [("10.0.0.1", "taken"), ("10.0.0.1", "taken"), ("10.0.0.1", "own share"), ("10.0.0.2", "taken"), ("10.0.0.3", "taken"), ("10.0.0.4", "all taken")]  # fmt: skip
        assert [taken(visits, stack, VISITOR, address) for address, _ in asked] == [said for _, said in asked]  # fmt: skip
        # Accounts are counted wherever they are, and find room although strangers have all of theirs.
        assert [taken(visits, stack, ALICE, f"10.0.1.{k}") for k in range(4)] == ["taken"] * 3 + ["own share"]  # fmt: skip
        assert taken(visits, stack, BOB, "10.0.0.1") == "taken"
        assert taken(visits, stack, CAROL, "10.0.0.1") == "all taken"


def test_an_ended_visit_makes_room() -> None:
    visits = Visits(VisitLimits(1, 1, 1, 1))
    for caller in (VISITOR, ALICE, VISITOR, BOB):
        with (
            visits.one(caller, "10.0.0.1"),
            pytest.raises(TooManyVisits),
            visits.one(caller, "::1"),
        ):
            pass
    with contextlib.suppress(ZeroDivisionError), visits.one(ALICE, ""):
        raise ZeroDivisionError
    with visits.one(ALICE, ""):
        pass
