"""What is told of each error on sockets."""

import pytest

import thingtank.tank.errors as tank_errors
from thingtank.doors.skynet import errors as door_errors
from thingtank.doors.skynet.refusals import ROWS, refusal_of
from thingtank.tank.errors import (
    NoSuchDevice,
    NotAllowed,
    Overloaded,
    TankError,
    Unauthenticated,
    ValidationFailed,
)


def kinds() -> list[type[Exception]]:
    """All that can be raised."""
    found: list[type[Exception]] = [TankError, door_errors.SkynetError]
    for kind in found:
        found += kind.__subclasses__()
    return [kind for kind in found if kind.__module__.startswith("thingtank.")]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_error_has_a_row(kind: type[Exception]) -> None:
    if kind in (TankError, door_errors.SkynetError):
        return
    assert any(issubclass(kind, row[0]) for row in ROWS)


def test_who_may_not_know_of_a_device_is_told_what_is_told_of_none() -> None:
    assert refusal_of(NoSuchDevice("of 7")).error() == {
        "message": "Device not found",
        "code": 404,
    }


@pytest.mark.parametrize("error", [Unauthenticated("no such device"), NotAllowed("because")])
def test_reasons_are_not_told(error: TankError) -> None:
    assert refusal_of(error).error() == {"message": "unauthorized", "code": 401}


def test_problems_and_waiting_times_are_told() -> None:
    assert refusal_of(ValidationFailed([("a", "is b")])).error()["message"] == "a is b"
    told = refusal_of(Overloaded("full", retry_after_s=3)).error()
    assert told == {"message": "full", "code": 503, "retryAfter": 3}
    limited = door_errors.RateLimited("queries", 2, 0.25)
    assert refusal_of(limited).error()["retryAfter"] == 0.25


def test_module_of_errors_is_the_one_that_is_walked() -> None:
    assert tank_errors.TankError in kinds()
