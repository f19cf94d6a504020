"""Each client with each other, and octets from each serializer to each."""

import itertools
from collections.abc import Callable

import pytest
from tests.interop.wamp import scenarios
from tests.interop.wamp.clients import CLIENTS, WAYS, ClientSession, Way
from tests.interop.wamp.scenarios import Party

SessionBy = Callable[[Way, str], ClientSession]
OCTETS = bytes(range(256))
OCTETS_IN_JSON = "\0AAECAwQ="  # WAMP, "Binary conversion of JSON strings": NUL, then base64


def _pairs() -> list[tuple[Way, Way]]:
    """Each ordered pair of different clients; by which ways changes from pair to pair."""
    by_client = {name: itertools.cycle([w for w in WAYS if w.client == name]) for name in CLIENTS}
    pairs = itertools.permutations(CLIENTS, 2)
    return [(next(by_client[left]), next(by_client[right])) for left, right in pairs]


def pairs_that(left: str = "", right: str = "") -> pytest.MarkDecorator:
    """A test with each pair of clients that can do something."""
    pairs = [
        pair
        for pair in _pairs()
        if pair[0].can.issuperset(left.split()) and pair[1].can.issuperset(right.split())
    ]
    return pytest.mark.parametrize(
        "pair", pairs, ids=lambda pair: "+".join(str(way) for way in pair)
    )


@pytest.fixture
def two(pair: tuple[Way, Way], session_by: SessionBy) -> tuple[Party, Party]:
    left, right = (Party(way, session_by(way, "left")) for way in pair)
    return left, right


@pairs_that()
def test_events_go_from_one_client_to_another(two: tuple[Party, Party], unused: str) -> None:
    scenarios.publication(*two, unused)


@pairs_that()
def test_calls_and_their_errors_go_from_one_client_to_another(
    two: tuple[Party, Party], unused: str
) -> None:
    scenarios.call(*two, f"{unused}.echo")
    scenarios.failure(*two, f"{unused}.fail")


@pairs_that("progress cancel", "slow_endpoints")
def test_progress_and_cancel_go_from_one_client_to_another(
    two: tuple[Party, Party], unused: str
) -> None:
    scenarios.progress(*two, f"{unused}.count")
    mode = CLIENTS[two[0].way.client].cancel_modes[0]
    scenarios.cancel(*two, f"{unused}.wait", mode)


@pytest.mark.parametrize("sender", [way for way in WAYS if "octets" in way.can], ids=str)
def test_octets_arrive_as_octets_in_every_serializer(
    sender: Way, session_by: SessionBy, unused: str
) -> None:
    receivers = [session_by(way, "right") for way in WAYS if "octets" in way.can]
    for receiver in receivers:
        receiver.subscribe(unused)
    session_by(sender, "left").publish(unused, OCTETS, deep=[{"er": OCTETS}])
    for receiver in receivers:
        (event,) = receiver.events(unused)
        assert event["args"] == [OCTETS]
        assert event["kwargs"] == {"deep": [{"er": OCTETS}]}


def test_a_client_without_octets_in_json_gets_the_text_that_stands_for_them(
    session_by: SessionBy, unused: str
) -> None:
    reader = session_by(Way("wampy", "ws", "json"), "right")
    reader.subscribe(unused)
    session_by(Way("xconn", "rs", "msgpack"), "left").publish(unused, bytes(range(5)))
    assert reader.events(unused)[0]["args"] == [OCTETS_IN_JSON]
