"""A batch is taken apart until the culprits stand alone, and all else goes through in order."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.client.calls import Row
from thingtank.client.delivery import Again, Delivery, Part, Reject, Sent
from thingtank.client.errors import ClientError, Unreachable, UnreadableAnswer, refusal_of
from thingtank.client.retries import RetryPolicy
from thingtank.client.spool import SpooledRow

POLICY = RetryPolicy(wait_s_first=1.0, wait_s_max=8.0)


def batch(*names: str) -> list[SpooledRow]:
    return [SpooledRow(seq, 7, Row(name, seq, str(seq))) for seq, name in enumerate(names)]


def delivered(
    rows: Sequence[SpooledRow], answer: Callable[[Part], ClientError | None]
) -> tuple[list[int], list[int], int]:
    """Which were sent and which set aside, in order, and with how many requests."""
    delivery = Delivery(POLICY)
    delivery.load(rows)
    sent: list[int] = []
    rejected: list[int] = []
    requests = 0
    while (part := delivery.next_part()) is not None:
        requests += 1
        assert requests < 10_000
        match delivery.after(answer(part), 0.0):
            case Sent() as done:
                sent += [row.seq for row in done.rows]
            case Reject() as done:
                rejected += [row.seq for row in done.rows]
            case Again():
                pass
    return sent, rejected, requests


@given(st.sets(st.integers(0, 499), max_size=6), st.sampled_from([422, 400, 413]))
def test_one_bad_value_costs_a_few_requests_and_blocks_nothing(bad: set[int], status: int) -> None:
    def answer(part: Part) -> ClientError | None:
        wrong = any(row.seq in bad for row in part)
        return refusal_of(status, "Unprocessable Entity") if wrong else None

    sent, rejected, requests = delivered(batch(*["t"] * 500), answer)
    assert sent == [number for number in range(500) if number not in bad]
    assert rejected == sorted(bad)
    assert requests <= 1 + 20 * len(bad)


def test_a_datastream_the_key_does_not_open_is_set_aside_whole() -> None:
    def answer(part: Part) -> ClientError | None:
        is_forbidden = any(row.row.name == "secret" for row in part)
        return refusal_of(403, "Forbidden") if is_forbidden else None

    sent, rejected, requests = delivered(batch("a", "secret", "b", "secret", "a"), answer)
    assert (sorted(sent), rejected, requests) == ([0, 2, 4], [1, 3], 4)


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("no route", was_sent=False),
        UnreadableAnswer("html"),
        refusal_of(401, "Unauthorized"),
        refusal_of(429, "Slow down"),
        refusal_of(403, "Forbidden", retry_after_s=3.0),
        refusal_of(500, "Internal Server Error"),
        refusal_of(503, "Service Unavailable"),
        refusal_of(404, "Not Found", is_from_api=False),
        refusal_of(403, "Forbidden", is_from_api=False),
        refusal_of(422, "Proxy says", is_from_api=False),
    ],
    ids=repr,
)
def test_what_is_not_the_batchs_fault_is_waited_out(error: ClientError) -> None:
    delivery = Delivery(POLICY)
    rows = batch("a", "b")
    delivery.load(rows)
    outcome = delivery.after(error, 1.0)
    assert isinstance(outcome, Again)
    assert outcome.wait_s >= 1.0
    assert delivery.next_part() == rows


def test_waits_grow_follow_the_server_and_begin_anew_after_a_success() -> None:
    delivery = Delivery(POLICY)
    delivery.load(batch("a"))
    cut = Unreachable("cut", was_sent=True)
    waits = [delivery.after(cut, 1.0) for _ in range(5)]
    assert waits == [Again(1.0), Again(2.0), Again(4.0), Again(8.0), Again(8.0)]
    busy = refusal_of(503, "Busy", retry_after_s=30.0)
    assert delivery.after(busy, 1.0) == Again(30.0)
    assert isinstance(delivery.after(None, 1.0), Sent)
    delivery.load(batch("a"))
    assert delivery.after(cut, 1.0) == Again(1.0)


def test_values_that_make_the_server_fail_each_time_do_not_block_for_ever() -> None:
    def answer(part: Part) -> ClientError | None:
        return refusal_of(500, "Failed") if any(row.seq == 3 for row in part) else None

    sent, rejected, _ = delivered(batch(*["t"] * 8), answer)
    assert (sent, rejected) == ([0, 1, 2, 4, 5, 6, 7], [3])
