"""What is sent again and after how long; what is not."""

from datetime import UTC, datetime

import pytest

from thingtank.client import errors
from thingtank.client.errors import ClientError, Unreachable, UnreadableAnswer, refusal_of
from thingtank.client.http import retry_after_s
from thingtank.client.retries import RetryPolicy, wait_s

POLICY = RetryPolicy(attempts_max=4, wait_s_first=1.0, wait_s_max=3.0, retry_after_s_max=60.0)
NEVER, CUT = Unreachable("refused", was_sent=False), Unreachable("cut off", was_sent=True)


def refused(status: int, retry_after_s: float | None = None, title: str = "No") -> ClientError:
    return refusal_of(status, title, retry_after_s=retry_after_s)


# error, idempotent?, wait before the second attempt with chance 0 (half of the whole), None: give up
CASES = [
    (NEVER, True, 0.5),
    (NEVER, False, 0.5),
    (CUT, True, 0.5),
    (CUT, False, None),
    (refused(500), True, 0.5),
    (refused(500), False, None),
    (refused(502), True, 0.5),
    (refused(503), True, 0.5),
    (refused(503), False, 0.5),
    (refused(503, 7), False, 7),
    (refused(429, 7), False, 7),
    (refused(429), False, 0.5),
    (refused(403, 7), False, 7),
    (refused(403, title="Rate limit exceeded"), True, 0.5),
    (refused(503, 61), True, None),
    (refused(403), True, None),
    (refused(401), True, None),
    (refused(404), True, None),
    (refused(422), True, None),
    (refused(400), True, None),
    (refused(302), True, None),
    (UnreadableAnswer("html"), True, None),
]


@pytest.mark.parametrize(("error", "is_idempotent", "expected_s"), CASES, ids=repr)
def test_only_what_does_no_harm_twice_is_sent_again(
    error: ClientError, is_idempotent: bool, expected_s: float | None
) -> None:
    assert wait_s(POLICY, error, 1, is_idempotent=is_idempotent, chance=0.0) == expected_s


def test_waits_double_up_to_the_bound_and_end() -> None:
    found = [wait_s(POLICY, CUT, n, is_idempotent=True, chance=1.0) for n in (1, 2, 3, 4)]
    assert found == [1.0, 2.0, 3.0, None]


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("120", 120.0),
        (" 3 ", 3.0),
        ("Mon, 01 Jan 2024 00:01:00 GMT", 60.0),
        ("Mon, 01 Jan 2024 00:01:00", 60.0),
        ("Sun, 31 Dec 2023 23:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(text: str | None, expected_s: float | None) -> None:
    assert retry_after_s(text, datetime(2024, 1, 1, tzinfo=UTC)) == expected_s


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (413, errors.Invalid),
        (422, errors.Invalid),
        (429, errors.RateLimited),
        (500, errors.ServerFailed),
        (503, errors.Unavailable),
        (599, errors.ServerFailed),
        (302, errors.Refused),
        (418, errors.Refused),
    ],
)
def test_every_status_has_its_error(status: int, kind: type[errors.Refused]) -> None:
    error = refusal_of(status, "Title", ["one", "two"])
    assert type(error) is kind
    assert str(error) == f"{status} Title: one; two"
