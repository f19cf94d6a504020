"""Each error of the tank and of the SkyNet door has an answer, in the words of both ages."""

import json

import pytest

from thingtank.doors.skynet import errors as skynet_errors
from thingtank.doors.skynet.errors import RateLimited, SkynetError, TooManyWrongTokens
from thingtank.doors.skynet.rest.error_table import ROWS, Refused, RestRefusal, refusal
from thingtank.doors.skynet.rest.replies import Reply
from thingtank.doors.skynet.rest.requests import Words
from thingtank.protocols.skynet.parameters import BadParameters
from thingtank.protocols.skynet.queries import BadQuery
from thingtank.tank import errors as tank_errors
from thingtank.tank.errors import TankError, ValidationFailed

WORDS = Words("Not so", 401)


def kinds(base: type[Exception]) -> list[type[Exception]]:
    found = [base]
    for kind in found:
        found += kind.__subclasses__()
    modules = (tank_errors.__name__, skynet_errors.__name__)
    return [kind for kind in dict.fromkeys(found[1:]) if kind.__module__ in modules]


ALL = [*dict.fromkeys([*kinds(TankError), *kinds(SkynetError)]), BadParameters, BadQuery]


def made(kind: type[Exception]) -> Refused:
    if kind is ValidationFailed:
        return ValidationFailed([("title", "can't be blank")])
    if kind is RateLimited:
        return RateLimited("messages", 10, 0.1)
    if kind is TooManyWrongTokens:
        return TooManyWrongTokens("some text", 900)
    error = kind() if kind is skynet_errors.NotReady else kind("text")
    assert isinstance(error, TankError | SkynetError | BadParameters | BadQuery)
    return error


def answered(kind: type[Exception], *, is_legacy: bool, has_shown: bool = True) -> Reply:
    return refusal(made(kind), WORDS, "u", 7, is_legacy=is_legacy, has_shown=has_shown)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_an_answer(kind: type[Exception]) -> None:
    for is_legacy in (True, False):
        reply = answered(kind, is_legacy=is_legacy)
        assert 400 <= reply.status <= 503
        json.loads(reply.body)
    legacy = json.loads(answered(kind, is_legacy=True).body)
    assert legacy["error"]["code"] == answered(kind, is_legacy=True).status
    assert (legacy["timestamp"], legacy["eventCode"]) == (7, 401)


def test_no_row_hides_another() -> None:
    for number, (kind, _, _) in enumerate(ROWS):
        assert not any(issubclass(kind, before) for before, _, _ in ROWS[:number])


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_what_may_be_done_later_says_when(kind: type[Exception]) -> None:
    reply = answered(kind, is_legacy=False)
    assert (reply.retry_after_s > 0) == (reply.status in (429, 503))


@pytest.mark.parametrize(
    "kind",
    [tank_errors.NoSuchDevice, tank_errors.NotAllowed, tank_errors.Unauthenticated],
    ids=lambda kind: kind.__name__,
)
def test_programs_of_2014_cannot_tell_what_was_wrong(kind: type[Exception]) -> None:
    same = answered(tank_errors.NoSuchDevice, is_legacy=True)
    assert answered(kind, is_legacy=True) == same


def test_who_has_shown_nothing_is_told_nothing() -> None:
    for is_legacy in (True, False):
        reply = answered(tank_errors.Unauthenticated, is_legacy=is_legacy, has_shown=False)
        assert (reply.status, reply.body) == (401, b'{"error":"unauthorized"}')


def test_what_the_door_refuses_itself_brings_its_answer() -> None:
    reply = Reply(418)
    error = RestRefusal(reply, "text")
    assert refusal(error, WORDS, "u", 7, is_legacy=True, has_shown=False) is reply
