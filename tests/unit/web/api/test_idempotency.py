"""Answers are kept for those who ask again: bounded, for a day, and each for its own request."""

import pytest

from thingtank.web.api import idempotency
from thingtank.web.api.idempotency import KEPT_S, Answer, Answers, parse_key
from thingtank.web.problems import IN_PROGRESS, KEY_REUSED, ProblemRaised, ProblemType

DONE = Answer(201, (("Location", "/x"),), b"made")


class Time:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def answers(time: Time) -> Answers:
    return Answers(time)


def refused(answers: Answers, name: str, fingerprint: bytes = b"f") -> ProblemType:
    with pytest.raises(ProblemRaised) as caught:
        answers.begin(name, fingerprint)
    return caught.value.problem.type


def test_a_request_is_done_once(answers: Answers) -> None:
    assert answers.begin("a", b"f") is None
    assert refused(answers, "a") is IN_PROGRESS
    answers.finish("a", b"f", DONE)
    assert answers.begin("a", b"f") is DONE
    assert refused(answers, "a", b"other") is KEY_REUSED
    assert answers.begin("b", b"other") is None


def test_one_that_did_nothing_may_come_again(answers: Answers) -> None:
    assert answers.begin("a", b"f") is None
    answers.give_up("a")
    assert answers.begin("a", b"other") is None


def test_an_answer_is_forgotten_after_a_day(answers: Answers, time: Time) -> None:
    answers.begin("a", b"f")
    answers.finish("a", b"f", DONE)
    time.now_s = KEPT_S - 1
    assert answers.begin("a", b"f") is DONE
    time.now_s = KEPT_S
    assert answers.begin("a", b"f") is None


@pytest.mark.parametrize(
    ("bound", "value"), [("KEPT_MAX", 2), ("KEPT_BYTES_MAX", 2 * len(DONE.body))]
)
def test_the_oldest_answers_go_first(
    answers: Answers, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    monkeypatch.setattr(idempotency, bound, value)
    for name in "abc":
        answers.begin(name, b"f")
        answers.finish(name, b"f", DONE)
    assert [answers.begin(name, b"f") for name in "cba"] == [DONE, DONE, None]


def test_what_is_large_is_not_kept_and_what_runs_is_bounded(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "ANSWER_BYTES_MAX", 3)
    answers.begin("a", b"f")
    answers.finish("a", b"f", DONE)
    assert answers.begin("a", b"f") is None
    monkeypatch.setattr(idempotency, "RUNNING_MAX", 1)
    assert refused(answers, "b") is IN_PROGRESS


@pytest.mark.parametrize("header", ["abc", '"abc"', ' "abc" '])
def test_a_key_may_stand_in_quotes(header: str) -> None:
    assert parse_key(header) == "abc"


@pytest.mark.parametrize("header", ["", '""', '"abc', "a b", "a\tb", "ü", "x" * 256, '"a"b"'])
def test_what_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(ProblemRaised, match="1 to 255 visible characters"):
        parse_key(header)
