"""Each meaning has one URI: all errors of the tank, and of documents."""

import pytest

from thingtank.doors.wamp.tank_peer.error_table import ROWS, answer_of
from thingtank.protocols.wamp.uris import is_uri
from thingtank.protocols.xively.errors import MalformedQuery, Unprocessable
from thingtank.tank import errors
from thingtank.tank.errors import TankError


def tank_errors() -> list[type[TankError]]:
    found = [TankError]
    for kind in found:
        found += kind.__subclasses__()
    return [kind for kind in found[1:] if kind.__module__ == errors.__name__]


def made(kind: type[TankError]) -> TankError:
    if issubclass(kind, errors.ValidationFailed):
        return kind([("title", "can't be blank")])
    return kind("text")


@pytest.mark.parametrize("kind", tank_errors(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_tank_has_a_uri(kind: type[TankError]) -> None:
    answer = answer_of(made(kind))
    assert is_uri(answer.uri, is_strict=True)
    # That one makes a dealer ask another callee, and there is none.
    assert answer.uri != "wamp.error.unavailable"
    assert answer.text
    assert 400 <= answer.status < 600


def test_no_two_meanings_share_a_uri() -> None:
    uris = [uri for _, uri, _ in ROWS]
    assert len(set(uris)) == len(uris)
    assert all(uri.startswith(("wamp.error.", "tank.error.")) for uri in uris)


def test_what_is_wrong_is_told_in_parts() -> None:
    problems = {"problems": [["title", "can't be blank"]]}
    assert answer_of(errors.ValidationFailed([("title", "can't be blank")])).kwargs == problems
    assert answer_of(Unprocessable([("title", "can't be blank")])).kwargs == problems
    assert answer_of(MalformedQuery("limit must be")).kwargs == {
        "problems": [["", "limit must be"]]
    }
    assert answer_of(errors.RateExceeded("x", 7)).kwargs == {"retry_after_s": 7}
    assert answer_of(errors.Overloaded("x", 2)).kwargs == {"retry_after_s": 2}
    assert answer_of(errors.NotAllowed("key lacks put")).kwargs == {}
