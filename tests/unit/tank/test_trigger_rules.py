"""When triggers fire: a table by clause of the spec's section 6.2, and a naive model beside it.

Times are seconds. A case is what arrives (`second: value`, each with its own time) and when it fires.
"""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from thingtank.tank.datapoints import Datapoint
from thingtank.tank.trigger_rules import (
    Firing,
    TriggerState,
    decode_state,
    encode_state,
    forgotten,
    started,
    step,
)
from thingtank.tank.triggers import KINDS, Armed, Trigger

S = 1_000_000
FROZEN_S = 900


def trigger(kind: str, threshold: str = "", *, value: str | None = None, **fields: Any) -> Trigger:
    """A trigger armed at second 0, when the datastream had `value` since second 0."""
    fields.setdefault("quiet_s", 0)
    armed = Armed(1, 0, None if value is None else 0, value)
    return Trigger(1, 1, 1001, "t", kind, threshold, armed=armed, **fields)  # type: ignore[arg-type] # a trigger's fields


def fired(
    found: Trigger, arrivals: list[tuple[int, int, str]], end_s: int = 10**6
) -> list[tuple[float, str | None]]:
    """When it fires, and with which value; arrivals are (second, time, value)."""
    state = started(found)
    firings: list[Firing] = []
    for now_s, at_s, value in arrivals:
        state, more = step(found, state, now_s * S, Datapoint(at_s * S, value))
        firings += more
    _, more = step(found, state, end_s * S)
    return [(firing.at_us / S, firing.value) for firing in (*firings, *more)]


def live(values: dict[int, str]) -> list[tuple[int, int, str]]:
    return [(second, second, value) for second, value in values.items()]


CASES: list[tuple[str, Trigger, dict[int, str], list[float]]] = [
    ("gt: when the condition becomes true", trigger("gt", "20"), {1: "19", 2: "21"}, [2]),
    ("gt: not at the threshold", trigger("gt", "20"), {1: "20"}, []),
    ("gte: at the threshold", trigger("gte", "20"), {1: "20"}, [1]),
    ("lt: below", trigger("lt", "20"), {1: "20", 2: "19.9"}, [2]),
    ("lte: at the threshold", trigger("lte", "20"), {1: "20.1", 2: "20"}, [2]),
    ("eq: numbers by value, not spelling", trigger("eq", "20"), {1: "20.0"}, [1]),
    ("eq: text letter for letter", trigger("eq", "on"), {1: "On", 2: "on"}, [2]),
    ("eq: number against text never", trigger("eq", "20"), {1: "twenty"}, []),
    ("gt: text never", trigger("gt", "20"), {1: "x", 2: "21x"}, []),
    ("lt: text never", trigger("lt", "20"), {1: ""}, []),
    ("numbers are compared as numbers", trigger("gt", "9"), {1: "10", 2: "8"}, [1]),
    ("negative and exponent", trigger("lt", "-1e1"), {1: "-9", 2: "-10.5"}, [2]),
    ("silent while it stays true", trigger("gt", "20"), {1: "21", 2: "22", 3: "23"}, [1]),
    ("re-arms when false", trigger("gt", "20"), {1: "21", 2: "20", 3: "21"}, [1, 3]),
    ("re-arms by text, which is not above", trigger("gt", "20"), {1: "21", 2: "off", 3: "21"}, [1, 3]),
    ("true before it was made: the next value", trigger("gt", "20", value="30"), {5: "31"}, [5]),
    ("change: any differing value", trigger("change", value="1"), {1: "2", 2: "2", 3: "x"}, [1, 3]),
    ("change: not by spelling", trigger("change", value="21"), {1: "21.0", 2: "+21"}, []),
    ("change: text", trigger("change", value="on"), {1: "off", 2: "on"}, [1, 2]),
    ("change: the first value ever is none", trigger("change"), {1: "5", 2: "6"}, [2]),
    ("frozen: no update for 15 minutes", trigger("frozen"), {10: "1"}, [910]),
    ("frozen: once", trigger("frozen"), {10: "1", 5000: "2"}, [910, 5900]),
    ("frozen: same value is an update", trigger("frozen"), {10: "1", 600: "1", 1200: "1"}, [2100]),
    ("frozen: counted from the making on", trigger("frozen", value="1"), {}, [900]),
    ("live: first update after frozen", trigger("live", value="1"), {100: "1", 1000: "1", 1001: "2"}, [1000]),
    ("live: exactly 15 minutes", trigger("live", value="1"), {900: "1"}, [900]),
    ("live: not while it goes on", trigger("live", value="1"), {899: "1", 1700: "1"}, []),
    ("live: the first value ever", trigger("live"), {3: "1", 4: "1"}, [3]),
    ("5 s between two", trigger("gt", "0", quiet_s=5), {1: "1", 7: "0", 8: "1"}, [1, 8]),
    ("a crossing in quiet time waits for its end", trigger("gt", "0", quiet_s=5), {1: "1", 2: "0", 3: "1"}, [1, 6]),
    ("unless it has ended by then", trigger("gt", "0", quiet_s=5), {1: "1", 2: "0", 3: "1", 4: "0"}, [1]),
    ("a change in quiet time is told at its end", trigger("change", value="a", quiet_s=5), {1: "b", 2: "c", 3: "d"}, [1, 6]),
    ("unless the value is back", trigger("change", value="a", quiet_s=5), {1: "b", 2: "c", 3: "b"}, [1]),
    ("quiet time is of each firing", trigger("change", value="a", quiet_s=5), {1: "b", 2: "c", 7: "d"}, [1, 6, 11]),
    ("gt: ends only beyond the clear value", trigger("gt", "20", clear_value="18"), {1: "21", 2: "19", 3: "21", 4: "18", 5: "21"}, [1, 5]),
    ("gte: clear value", trigger("gte", "20", clear_value="18"), {1: "20", 2: "18", 3: "20", 4: "17", 5: "20"}, [1, 5]),
    ("lt: a text is not beyond the clear value", trigger("lt", "10", clear_value="15"), {1: "20", 2: "5", 3: "error", 4: "5", 5: "16", 6: "5"}, [2, 6]),
    ("lt: a text ends what has no clear value", trigger("lt", "10"), {1: "20", 2: "5", 3: "error", 4: "5"}, [2, 4]),
    ("lt: clear value", trigger("lt", "0", clear_value="2"), {1: "-1", 2: "1", 3: "-1", 4: "2", 5: "-1"}, [1, 5]),
    ("must hold", trigger("gt", "20", hold_s=60), {1: "21"}, [61]),
    ("must hold without a break", trigger("gt", "20", hold_s=60), {1: "21", 30: "20", 40: "21"}, [100]),
    ("holds by any value", trigger("gt", "20", hold_s=60), {1: "21", 30: "25", 70: "20"}, [61]),
    ("broken in the last moment", trigger("gt", "20", hold_s=60), {1: "21", 60: "20"}, []),
    ("due before the value that ends it", trigger("gt", "20", hold_s=60), {1: "21", 61: "20"}, [61]),
    ("frozen may hold too", trigger("frozen", hold_s=100), {10: "1"}, [1010]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "values", "seconds"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_6_2_when_it_fires(found: Trigger, values: dict[int, str], seconds: list[float]) -> None:
    assert [at for at, _ in fired(found, live(values))] == seconds


def test_6_2_back_dated_datapoints_are_never_looked_at() -> None:
    arrivals = [(1, 1, "10"), (2, 0, "30"), (3, 3, "10"), (4, 2, "40")]
    assert fired(trigger("gt", "20"), arrivals) == []
    assert fired(trigger("change", value=None), arrivals) == []
    assert fired(trigger("frozen"), [(1, 1, "1"), (800, 0, "1")], 901) == [(901, "1")]


def test_an_overwritten_newest_datapoint_counts_and_a_repeated_one_does_not() -> None:
    assert fired(trigger("gt", "20"), [(1, 1, "10"), (2, 1, "30")]) == [(2, "30")]
    assert fired(trigger("frozen"), [(1, 1, "10"), (500, 1, "10")], 901) == [(901, "10")]


def test_a_firing_tells_the_value_that_was_newest_then() -> None:
    assert fired(trigger("gt", "20", hold_s=10), live({1: "21", 5: "25"})) == [(11, "25")]


def test_what_was_written_before_the_trigger_was_made_is_not_looked_at() -> None:
    armed = Armed(1, 100 * S, 99 * S, "30")
    found = Trigger(1, 1, 1001, "t", "gt", "20", armed=armed, quiet_s=0)
    assert fired(found, [(101, 98, "31"), (101, 99, "30")]) == []
    assert fired(found, [(101, 99, "31")]) == [(101, "31")]


def test_a_clock_set_back_does_not_make_quiet_time_longer() -> None:
    found = trigger("gt", "0", quiet_s=5)
    state, _ = step(found, started(found), 10**6 * S, Datapoint(1, "1"))
    state, _ = step(found, state, 2 * S, Datapoint(2, "0"))
    state, firings = step(found, state, 3 * S, Datapoint(3, "1"))
    assert firings == ()
    assert state.due_us == 8 * S


def test_after_its_newest_datapoint_was_deleted_an_older_one_may_be_the_newest() -> None:
    found = trigger("gt", "20")
    state, _ = step(found, started(found), 5 * S, Datapoint(5 * S, "10"))
    assert forgotten(state, 6 * S, 9 * S) == state
    assert forgotten(state, 2 * S, 5 * S) == state
    state = forgotten(state, 3 * S, 6 * S)
    assert step(found, state, 6 * S, Datapoint(2 * S, "30"))[1] == ()
    assert step(found, state, 6 * S, Datapoint(3 * S, "30"))[1] == (Firing(6 * S, 3 * S, "30"),)


def test_states_survive_as_bytes() -> None:
    state = TriggerState(7, -5, "grün", 2**50, True, 3, None, "x")
    assert decode_state(encode_state(state)) == state
    assert decode_state(b"") is None
    assert decode_state(b"\x93garbage") is None


def naive(found: Trigger, arrivals: dict[int, list[str]], end_s: int) -> list[int]:
    """The same rules, told second by second from scratch: no due instants, nothing clever."""
    told, last_fired = found.armed.value, None
    is_true, since, is_owed = False, 0, False
    last_update: int | None = None if found.armed.value is None else 0
    silent_since, has_frozen = 0, False
    firings: list[int] = []

    def quiet_is_over(now: int) -> bool:
        return last_fired is None or now >= last_fired + found.quiet_s

    for now in range(1, end_s + 1):
        for value in [None, *arrivals.get(now, [])]:
            if value is not None:
                if found.kind == "change":
                    told = value if told is None else told
                    is_owed = float(value) != float(told)
                elif found.kind == "live":
                    is_owed = is_owed or last_update is None or now - last_update >= FROZEN_S
                elif found.kind != "frozen":
                    bound = float(
                        found.clear_value if is_true and found.clear_value else found.threshold
                    )
                    number = float(value)
                    holds = {
                        "gt": number > bound, "gte": number >= bound, "lt": number < bound,
                        "lte": number <= bound, "eq": number == bound,
                    }[found.kind]  # fmt: skip
                    if holds and not is_true:
                        since, is_owed = now, True
                    is_owed = is_owed and holds
                    is_true = holds
                last_update, newest = now, value
                silent_since, has_frozen = now, False
            ready = is_owed and (found.kind in ("change", "live") or now >= since + found.hold_s)
            if found.kind == "frozen":
                ready = not has_frozen and now >= silent_since + FROZEN_S + found.hold_s
            if ready and quiet_is_over(now):
                firings.append(now)
                last_fired, is_owed, has_frozen = now, False, True
                told = newest if last_update else told
    return firings


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    initial=st.none() | st.sampled_from("012345"),
    clear_gap=st.sampled_from([None, 0, 1, 2]),
    hold_s=st.sampled_from([0, 0, 1, 3, 10]),
    quiet_s=st.sampled_from([0, 1, 2, 5, 20]),
    arrivals=st.dictionaries(
        st.integers(1, 60) | st.integers(900, 1000) | st.integers(1850, 1900),
        st.lists(st.sampled_from("012345"), min_size=1, max_size=3),
        max_size=40,
    ),
)
@example("gt", None, 1, 3, 5, {1: ["3", "2"], 4: ["5"], 5: ["0"], 6: ["4"]})
def test_a_naive_model_fires_at_the_same_instants(
    kind: str,
    initial: str | None,
    clear_gap: int | None,
    hold_s: int,
    quiet_s: int,
    arrivals: dict[int, list[str]],
) -> None:
    clear = ""
    if clear_gap is not None and kind in ("gt", "gte", "lt", "lte"):
        clear = str(2 - clear_gap if kind in ("gt", "gte") else 2 + clear_gap)
    found = trigger(
        kind, "2", value=initial, clear_value=clear, quiet_s=quiet_s,
        hold_s=hold_s if kind not in ("change", "live") else 0,
    )  # fmt: skip
    end_s = 3000
    # Several a second have times of their own that rise, as each must be the newest at its turn.
    steps = [
        (second, second * 10 + number, value)
        for second in sorted(arrivals)
        for number, value in enumerate(arrivals[second])
    ]
    assert [at for at, _ in fired(found, steps, end_s)] == naive(found, arrivals, end_s)
