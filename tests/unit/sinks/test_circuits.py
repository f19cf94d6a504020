"""A receiver that cannot be reached is left alone, longer each time, and asked by one attempt."""

from thingtank.sinks import circuits
from thingtank.sinks.circuits import Circuits


def test_it_takes_several_failures_in_a_row() -> None:
    them = Circuits(3, 300)
    assert [them.failed("a", 0), them.failed("a", 0)] == [0, 0]
    them.succeeded("a")
    assert [them.failed("a", 0), them.failed("a", 0)] == [0, 0]
    assert not them.is_on_trial("a")
    assert them.failed("a", 0) == 5
    assert them.is_on_trial("a")
    assert (them.pause_s("a", 0), them.pause_s("a", 4), them.pause_s("a", 5)) == (5, 1, 0)
    assert them.pause_s("b", 0) == 0


def test_it_is_left_alone_twice_as_long_each_time_up_to_a_bound() -> None:
    them = Circuits(1, 30)
    now_s, pauses = 0.0, []
    for _ in range(5):
        pauses.append(them.failed("a", now_s))
        now_s += them.pause_s("a", now_s)
    assert pauses == [5, 10, 20, 30, 30]


def test_attempts_that_began_before_count_once() -> None:
    them = Circuits(2, 300)
    assert [them.failed("a", 1) for _ in range(4)] == [0, 5, 0, 0]


def test_a_success_forgets_all() -> None:
    them = Circuits(1, 300)
    them.failed("a", 0)
    assert them.succeeded("a")
    assert (them.pause_s("a", 0), them.is_on_trial("a")) == (0, False)


def test_a_success_says_whether_it_was_left_alone() -> None:
    them = Circuits(2, 300)
    assert not them.succeeded("a")
    them.failed("a", 0)
    assert not them.succeeded("a")
    assert [them.failed("a", 0), them.failed("a", 0)] == [0, 5]
    assert them.succeeded("a")
    assert not them.succeeded("a")


def test_an_attempt_that_was_asked_for_meanwhile_changes_nothing_when_it_fails() -> None:
    them = Circuits(1, 300)
    assert them.failed("a", 0) == 5
    assert [them.failed("a", now_s) for now_s in (1, 2, 3)] == [0, 0, 0]
    assert them.pause_s("a", 4) == 1
    assert them.failed("a", 5) == 10


def test_only_so_many_are_remembered() -> None:
    them = Circuits(1, 300)
    for number in range(circuits.RECEIVERS_MAX + 10):
        them.failed(str(number), 0)
    assert len(them._failing) == circuits.RECEIVERS_MAX
    assert them.pause_s("0", 0) == 0
    assert them.pause_s(str(circuits.RECEIVERS_MAX), 0) == 5
