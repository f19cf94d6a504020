"""Each error of the tank, and of documents, has a reason code that PUBACK may carry, or ends it."""

import pytest

from thingtank.doors.mqtt.tank_topics.error_table import ROWS, answer_of, reason_of
from thingtank.doors.xively.error_table import answer_of as http_answer_of
from thingtank.protocols.mqtt.packet_types import PacketType
from thingtank.protocols.mqtt.reason_codes import REASON_CODES, ReasonCode
from thingtank.protocols.xively import errors as xively_errors
from thingtank.protocols.xively.errors import NotRouted, Unprocessable, XivelyError
from thingtank.tank import errors
from thingtank.tank.errors import TankError

PUBACK_CODES = REASON_CODES[PacketType.PUBACK].values()


def kinds(base: type[Exception], module: str) -> list[type[Exception]]:
    found = [base]
    for kind in found:
        found += kind.__subclasses__()
    return [kind for kind in found[1:] if kind.__module__ == module]


def made(kind: type[Exception]) -> Exception:
    if issubclass(kind, errors.ValidationFailed | Unprocessable):
        return kind([("title", "can't be blank")])
    return kind("PUT", "/v2/nonsense") if issubclass(kind, NotRouted) else kind("text")


@pytest.mark.parametrize(
    "kind",
    [*kinds(TankError, errors.__name__), *kinds(XivelyError, xively_errors.__name__)],
    ids=lambda kind: kind.__name__,
)
def test_every_error_has_a_reason_code(kind: type[Exception]) -> None:
    error = made(kind)
    assert isinstance(error, TankError | XivelyError)
    reason, status = answer_of(error)
    assert reason >= ReasonCode.UNSPECIFIED_ERROR
    assert reason in PUBACK_CODES or reason is ReasonCode.SERVER_BUSY
    assert (reason is ReasonCode.SERVER_BUSY) == isinstance(error, errors.Unavailable)
    assert status == http_answer_of(error)[0]


def test_no_row_hides_another() -> None:
    for number, (kind, _, _) in enumerate(ROWS):
        assert not any(issubclass(kind, before) for before, _, _ in ROWS[:number])


@pytest.mark.parametrize("kind", kinds(TankError, errors.__name__), ids=lambda kind: kind.__name__)
def test_what_http_answers_is_the_same_reason(kind: type[Exception]) -> None:
    error = made(kind)
    assert isinstance(error, TankError)
    reason, status = answer_of(error)
    exceptions = {errors.RateExceeded, errors.LimitReached}  # statuses that stand for others too
    assert kind in exceptions or reason_of(status) is reason


@pytest.mark.parametrize("status", [200, 201, 204])
def test_what_was_done_is_a_success(status: int) -> None:
    assert reason_of(status) is ReasonCode.SUCCESS
