"""Every client with itself, by every transport and serializer that it has."""

from collections.abc import Callable

import pytest
from tests.interop.wamp import scenarios
from tests.interop.wamp.clients import CLIENTS, WAYS, ClientSession, Way
from tests.interop.wamp.scenarios import Party

SessionBy = Callable[[Way, str], ClientSession]
CANCELS = [(way, mode) for way in WAYS for mode in CLIENTS[way.client].cancel_modes]


@pytest.fixture
def two(way: Way, session_by: SessionBy) -> tuple[Party, Party]:
    return Party(way, session_by(way, "left")), Party(way, session_by(way, "right"))


def ways_that(*words: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "way", [way for way in WAYS if way.can.issuperset(words)], ids=str
    )


@ways_that()
def test_acknowledged_events_arrive_whole_and_in_order(
    two: tuple[Party, Party], unused: str
) -> None:
    scenarios.publication(*two, unused)


@ways_that("own_events")
def test_a_publisher_hears_itself_where_it_asks_to(two: tuple[Party, Party], unused: str) -> None:
    session = two[0].session
    session.subscribe(unused)
    session.publish(unused, "silent")
    session.publish(unused, "heard", options={"acknowledge": True, "exclude_me": False})
    assert [event["args"] for event in session.events(unused)] == [["heard"]]


@ways_that()
def test_patterns_match_and_events_tell_their_topic(two: tuple[Party, Party], unused: str) -> None:
    scenarios.patterns(*two, unused)


@ways_that()
def test_calls_give_back_what_the_procedure_returns(two: tuple[Party, Party], unused: str) -> None:
    scenarios.call(*two, unused)


@ways_that()
def test_errors_of_procedures_reach_the_caller(two: tuple[Party, Party], unused: str) -> None:
    scenarios.failure(*two, unused)


@ways_that("progress")
def test_progressive_results_come_before_the_last(two: tuple[Party, Party], unused: str) -> None:
    scenarios.progress(*two, unused)


@pytest.mark.parametrize(("way", "mode"), CANCELS, ids=str)
def test_a_canceled_call_ends(two: tuple[Party, Party], unused: str, mode: str | None) -> None:
    scenarios.cancel(*two, unused, mode)
