"""A device that one may not discover is, on every wire and in every question, as if not there.

The answers are the same byte for byte, but for the uuid that was asked about and the time.
"""

from typing import Any

import pytest
import requests
from tests.conformance.skynet_rights import operations
from tests.conformance.skynet_rights.conftest import SOCKETS, Opened, Place, unknown_uuid
from tests.conformance.skynet_rights.operations import about
from tests.conformance.skynet_rights.wires import RestWire, Wire, neutral

# Everything else is open to everybody, so that discovery alone is what keeps them out.
_OTHERWISE_OPEN = {"configureWhitelist": ["*"], "receiveWhitelist": ["*"], "sendWhitelist": []}
HIDING: dict[str, dict[str, Any]] = {
    "an empty list": {"discoverWhitelist": [], **_OTHERWISE_OPEN},
    "a list of 2014": {"viewWhitelist": ["another"], **_OTHERWISE_OPEN},
    "a blacklist": {"discoverBlacklist": ["*"], **_OTHERWISE_OPEN},
    "version 2": {"meshblu": {"version": "2.0.0", "whitelists": {}}},
}


WHERE_AND_HOW = pytest.mark.parametrize(
    ("openness", "lists"),
    [*(("closed", how) for how in HIDING), ("open", "an empty list"), ("open", "a blacklist")],
)


class Hidden:
    """A hidden device, one that is not there, and what its owner sees of it."""

    def __init__(self, place: Place, lists: dict[str, Any]) -> None:
        self._place = place
        self.me = place.make(name="me")
        self.uuid, token = self.credentials = place.make(
            name="hidden", color="red", keepMessages=True, localhost="h.invalid", port="1", **lists
        )
        self.unknown = unknown_uuid()
        self._before = self.record()
        assert token

    def record(self) -> Any:
        """The device as it sees itself."""
        headers = {"meshblu_auth_uuid": self.uuid, "meshblu_auth_token": self.credentials[1]}
        url = f"{self._place.url}/v2/devices/{self.uuid}"
        answer = requests.get(url, headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def check_untouched(self) -> None:
        """It is as it was, and nothing was kept for it."""
        assert self.record() == self._before
        ear = self._place.wire("engine.io 4", self.credentials)
        try:
            assert ear.heard() == []
        finally:
            ear.close()


def told_apart(hidden: Hidden, asked: Any, answer: Any, answer_of_unknown: Any) -> list[Any]:
    """What an answer gives away, if it is not the one for a device that is not there."""
    one, other = (
        neutral(each, hidden.uuid, hidden.unknown) for each in (answer, answer_of_unknown)
    )
    return [] if one == other else [(asked, one, other)]


def ask_rest(wire: RestWire, request: Any, hidden: Hidden, uuid: str) -> Any:
    method, path, body = about(request, U=uuid, ME=hidden.me[0])
    return wire.ask(method, path, body)


@WHERE_AND_HOW
@pytest.mark.parametrize("age", ["REST of 2014", "REST"])
def test_over_rest(
    places: dict[str, Place], opened: Opened, openness: str, age: str, lists: str
) -> None:
    place = places[openness]
    hidden = Hidden(place, HIDING[lists])
    wire = opened(place, age, hidden.me if age == "REST" else None)
    differing = []
    for requests_ in operations.REST.values():
        for request in requests_:
            answers = [
                ask_rest(wire, request, hidden, uuid) for uuid in (hidden.uuid, hidden.unknown)
            ]
            differing += told_apart(hidden, request, *answers)
    assert differing == []
    hidden.check_untouched()


@pytest.mark.parametrize("area", ["discover", "configure", "receive", "send"])
def test_over_rest_in_its_name(places: dict[str, Place], opened: Opened, area: str) -> None:
    place = places["closed"]
    hidden = Hidden(place, HIDING["an empty list"])
    wire = opened(place, "REST", hidden.me)
    differing = []
    for method, path, body in (
        ("GET", "/v2/whoami", None),
        ("GET", "/v2/devices", None),
        ("PATCH", "/v2/devices/ME", {"x": 1}),
        ("POST", "/messages", {"devices": "ME", "payload": 1}),
        ("GET", "/data/ME", None),
    ):
        answers = [
            wire.ask(method, *about([path, body], ME=hidden.me[0], U=uuid), x_meshblu_as=uuid)
            for uuid in (hidden.uuid, hidden.unknown)
        ]
        assert answers[0][0] == 403
        differing += told_apart(hidden, (method, path), *answers)
    assert differing == []


@WHERE_AND_HOW
@pytest.mark.parametrize(
    ("name", "who"),
    [
        *((name, "a device") for name in SOCKETS),
        *((name, "a stranger") for name in SOCKETS if name != "MQTT"),  # to it they are not ours
    ],
)
def test_over_sockets(
    places: dict[str, Place], opened: Opened, name: str, who: str, openness: str, lists: str
) -> None:
    place = places[openness]
    hidden = Hidden(place, HIDING[lists])
    wire = opened(place, name, hidden.me if who == "a device" else None)
    assert differences(wire, hidden, operations.questions_of(name)) == []
    hidden.check_untouched()
    assert wire.heard() == []


@pytest.mark.parametrize("name", SOCKETS)
def test_one_that_may_be_discovered_is_told_apart(
    places: dict[str, Place], opened: Opened, name: str
) -> None:
    """These questions can tell, and do where they may."""
    place = places["open"]
    seen = Hidden(place, {"discoverWhitelist": ["*"]})
    wire = opened(place, name, seen.me)
    told = [asked[0] for asked, _, _ in differences(wire, seen, operations.questions_of(name))]
    expected = {"MQTT": {"getPublicKey", "update"}, "WebSocket": {"device", "devices", "update"}}
    assert expected.get(name, {"device", "devices", "subscribe"}) <= set(told)


def differences(wire: Wire, hidden: Hidden, questions: Any, **names: str) -> list[Any]:
    differing = []
    for asked, body in questions:
        answers = [
            wire.ask(asked, about(body, U=uuid, **names)) for uuid in (hidden.uuid, hidden.unknown)
        ]
        differing += told_apart(hidden, (asked, body), *answers)
    return differing


@pytest.mark.parametrize("topic", ["U", "U_bc", "U_tb", "U/x", "u/U"])
def test_mqtt_takes_subscriptions_to_both_alike(
    places: dict[str, Place], opened: Opened, topic: str
) -> None:
    place = places["closed"]
    hidden = Hidden(place, HIDING["an empty list"])
    wire = opened(place, "MQTT", hidden.me)
    codes = [wire.subscribe(topic.replace("U", uuid)) for uuid in (hidden.uuid, hidden.unknown)]
    assert codes[0] == codes[1]
    wire.ask("whoami", {})
    speaker = opened(place, "engine.io 4", hidden.credentials)
    for devices in ("*", hidden.uuid):
        speaker.ask("message", {"devices": devices, "payload": "secret"})
    assert wire.heard() == []


@pytest.mark.parametrize("name", ["REST of 2014", *SOCKETS])
def test_a_wrong_token_for_it_is_wrong_like_one_for_a_device_that_is_not_there(
    places: dict[str, Place], opened: Opened, name: str
) -> None:
    place = places["closed"]
    hidden = Hidden(place, HIDING["an empty list"])
    if name == "REST of 2014":
        wire = opened(place, name, None)
        differing = []
        for request in operations.LEGACY_WITH_TOKEN:
            answers = [
                wire.ask(*about(request, U=uuid, T="wrong"))
                for uuid in (hidden.uuid, hidden.unknown)
            ]
            differing += told_apart(hidden, request, *answers)
        assert differing == []
    else:
        questions = operations.questions_with_token(name)
        wire = opened(place, name, hidden.me)
        assert differences(wire, hidden, questions, T="wrong") == []
    hidden.check_untouched()


def test_a_uuid_that_is_taken_cannot_be_registered_again(
    places: dict[str, Place], opened: Opened
) -> None:
    """This alone tells that there is a device; a name can be had once."""
    place = places["closed"]
    hidden = Hidden(place, HIDING["an empty list"])
    wire = opened(place, "REST", hidden.me)
    status, _, body = wire.ask("POST", "/devices", {"uuid": hidden.uuid, "token": "mine"})
    assert status == 500
    assert body == '{"message":"Device UUID already registered","code":500}'
    hidden.check_untouched()


def test_every_question_that_the_door_takes_is_asked_here() -> None:
    assert set(operations.REST) == operations.ROUTES_ABOUT_DEVICES
    assert set(operations.SOCKETIO) == operations.EVENTS_ABOUT_DEVICES
    assert set(operations.RAW) == operations.FRAMES_ABOUT_DEVICES
    assert set(operations.MQTT) == operations.TOPICS_ABOUT_DEVICES
