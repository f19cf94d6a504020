"""Every list, by every name that it has had, on every wire: whom it names may, and no one else.

One device, whose lists are changed; somebody who tries all that they are about; and what came of
it, as the other side shows it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from tests.conformance.skynet_rights.conftest import SOCKETS, Place
from tests.conformance.skynet_rights.wires import Credentials, RestWire, Wire

WIRES = ("REST", *SOCKETS)
AREAS = ("discover", "configure", "receive", "send")
LISTS = {
    "discover": ("discover", "view"),
    "configure": ("configure", "update"),
    "receive": ("receive", "read"),
    "send": ("send",),
}
VERSION_2 = {
    "discover": ("discover", "view"),
    "configure": ("configure", "update"),
    "receive": ("broadcast", "sent"),
    "send": ("message", "from"),
}
ALL_LISTS = [
    f"{name}{suffix}{kind}"
    for names in LISTS.values()
    for name in names
    for suffix in ("", "As")
    for kind in ("Whitelist", "Blacklist")
]


class Target:
    """A device that others try to reach, itself there all the time.

    Attributes:
        uuid: its own.
        ear: hears what reaches it.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self.credentials = place.make(name="target")
        self.uuid = self.credentials[0]
        self.ear = place.wire("engine.io 4", self.credentials)
        self._rest = RestWire(place.url, self.credentials)

    def allow(self, lists: dict[str, Any]) -> None:
        """Have these lists and no others."""
        gone = {name: 1 for name in (*ALL_LISTS, "meshblu", "owner", "x") if name not in lists}
        document = {"$unset": gone, "$set": lists}
        status, _, body = self._rest.ask("PUT", f"/v2/devices/{self.uuid}", document)
        assert status == 204, body

    def close(self) -> None:
        self.ear.close()
        self._rest.close()


@pytest.fixture(scope="module")
def targets(places: dict[str, Place]) -> Iterator[dict[str, Target]]:
    found = {name: Target(place) for name, place in places.items()}
    yield found
    for target in found.values():
        target.close()


class Tries:
    """What one client can try with a device: each says whether it could."""

    def __init__(self, target: Target, wire: Any, name: str) -> None:
        self.target = target
        self.uuid = target.uuid
        self.wire = wire
        self.name = name

    def of(self, area: str) -> dict[str, bool]:
        """All that one area is about."""
        tries: dict[str, dict[str, Callable[[], bool]]] = {
            "discover": self.discovering(),
            "configure": self.configuring(),
            "receive": self.receiving(),
            "send": {"message": self.sends},
        }
        return {name: attempt() for name, attempt in tries[area].items()}

    def discovering(self) -> dict[str, Callable[[], bool]]:
        raise NotImplementedError

    def configuring(self) -> dict[str, Callable[[], bool]]:
        raise NotImplementedError

    def receiving(self) -> dict[str, Callable[[], bool]]:
        raise NotImplementedError

    def send(self) -> None:
        self.wire.ask("message", {"devices": [self.uuid], "payload": "sent"})

    def sends(self) -> bool:
        """Whether a message reaches it."""
        self.target.ear.heard()
        self.send()
        return self.target.ear.heard() == ["sent"]

    def hears(self) -> bool:
        """Whether a broadcast of it arrives."""
        self.wire.heard()
        self.target.ear.ask("message", {"devices": "*", "payload": "broadcast"})
        heard = self.wire.heard()
        assert heard in ([], ["broadcast"])
        return bool(heard)


class SocketTries(Tries):
    """Over socket.io of any age."""

    wire: Wire

    def could(self, event: str, **body: Any) -> Callable[[], bool]:
        def attempt() -> bool:
            answer = self.wire.ask(event, {"uuid": self.uuid, **body})[0]
            return not (
                answer is not None
                and (
                    ("error" in answer and answer["error"] is not None)
                    or answer.get("result") is False
                )
            )

        return attempt

    def discovering(self) -> dict[str, Callable[[], bool]]:
        read = "whoami" if self.name.endswith("0.9") else "device"
        return {read: self.could(read), "devices": self.could("devices")}

    def configuring(self) -> dict[str, Callable[[], bool]]:
        return {
            "update": self.could("update", x=1),
            "events": self.could("events"),
            "data": self.could("data", t=1),
            "revokeTokenByQuery": self.could("revokeTokenByQuery", tag="t"),
        }

    def claims(self) -> bool:
        return self.could("claimdevice")()

    def receiving(self) -> dict[str, Callable[[], bool]]:
        def subscribes() -> bool:
            could = self.could("subscribe", types=["broadcast"])()
            assert self.hears() is could
            self.could("unsubscribe", types=["broadcast"])()
            assert not self.hears()
            return could

        return {"subscribe": subscribes, "getdata": self.could("getdata")}


class RawTries(Tries):
    """Over Meshblu's WebSocket."""

    wire: Wire

    def could(self, kind: str, data: Any) -> bool:
        return not any(frame[0] == "error" for frame in self.wire.ask(kind, data))

    def discovering(self) -> dict[str, Callable[[], bool]]:
        def finds() -> bool:
            ((_, found),) = self.wire.ask("devices", {"uuid": self.uuid})
            return bool(found["devices"])

        return {"device": lambda: self.could("device", {"uuid": self.uuid}), "devices": finds}

    def configuring(self) -> dict[str, Callable[[], bool]]:
        changes = [{"uuid": self.uuid}, {"$set": {"x": 1}}]
        return {"update": lambda: self.could("update", changes)}

    def receiving(self) -> dict[str, Callable[[], bool]]:
        asked = {"uuid": self.uuid, "types": ["broadcast"]}

        def subscribes() -> bool:
            could = self.could("subscribe", asked)
            assert self.hears() is could
            self.could("unsubscribe", asked)
            assert not self.hears()
            return could

        return {"subscribe": subscribes}


class MqttTries(Tries):
    """Over MQTT."""

    def could(self, topic: str, **body: Any) -> Callable[[], bool]:
        def attempt() -> bool:
            answer = self.wire.ask(topic, {"uuid": self.uuid, **body})
            return answer is not None and answer["topic"] != "error"

        return attempt

    def discovering(self) -> dict[str, Callable[[], bool]]:
        return {"getPublicKey": self.could("getPublicKey")}

    def configuring(self) -> dict[str, Callable[[], bool]]:
        return {"update": self.could("update", x=1), "data": self.could("data", t=1)}

    def receiving(self) -> dict[str, Callable[[], bool]]:
        def subscribes() -> bool:
            self.wire.subscribe(f"{self.uuid}_bc")
            could = self.hears()
            self.wire.unsubscribe(f"{self.uuid}_bc")
            assert not self.hears()
            return could

        return {"subscribe": subscribes}


class RestTries(Tries):
    """Over REST, with headers."""

    wire: RestWire

    def could(self, method: str, path: str, body: Any = None) -> Callable[[], bool]:
        def attempt() -> bool:
            status, _, text = self.wire.ask(method, path.replace("U", self.uuid), body)
            assert status < 500
            return status < 400 and text not in ("[]", '{"devices":[]}')

        return attempt

    def discovering(self) -> dict[str, Callable[[], bool]]:
        could = self.could
        return {
            "device": could("GET", "/devices/U"),
            "v2 device": could("GET", "/v2/devices/U"),
            "devices": could("GET", "/devices?uuid=U"),
            "v2 devices": could("GET", "/v2/devices?uuid=U"),
            "search": could("POST", "/search/devices", {"uuid": self.uuid}),
            "publickey": could("GET", "/devices/U/publickey"),
        }

    def configuring(self) -> dict[str, Callable[[], bool]]:
        could = self.could
        return {
            "put": could("PUT", "/devices/U", {"x": 1}),
            "patch": could("PATCH", "/v2/devices/U", {"x": 1}),
            "v2 put": could("PUT", "/v2/devices/U", {"$set": {"x": 1}}),
            "find and update": could("PUT", "/v2/devices/U/find-and-update", {"$set": {"x": 1}}),
            "data": could("POST", "/data/U", {"t": 1}),
            "tokens": could("DELETE", "/devices/U/tokens?tag=t"),
            "search tokens": self.finds_tokens,
            "subscriptions": could("DELETE", "/v2/devices/U/subscriptions"),
        }

    def finds_tokens(self) -> bool:
        return self.wire.ask("POST", "/search/tokens", {"uuid": self.uuid})[0] == 200

    def claims(self) -> bool:
        return self.could("PUT", "/claimdevice/U")()

    def receiving(self) -> dict[str, Callable[[], bool]]:
        return {
            "stream": self.could("GET", "/subscribe/U/broadcast"),
            "getdata": self.could("GET", "/data/U?limit=1"),
        }

    def send(self) -> None:
        self.wire.ask("POST", "/messages", {"devices": [self.uuid], "payload": "sent"})


KINDS: dict[str, type[Tries]] = {"REST": RestTries, "WebSocket": RawTries, "MQTT": MqttTries}


class Clients:
    """Somebody on each wire of each server, there for all tests."""

    def __init__(self, places: dict[str, Place], targets: dict[str, Target]) -> None:
        self._places = places
        self._targets = targets
        self._made: dict[str, Credentials] = {}
        self._tries: dict[tuple[str, str], Tries] = {}

    def tries(self, openness: str, wire: str) -> Tries:
        place = self._places[openness]
        if (openness, wire) not in self._tries:
            client = place.wire(wire, self.me(openness))
            kind = KINDS.get(wire, SocketTries)
            self._tries[openness, wire] = kind(self._targets[openness], client, wire)
        return self._tries[openness, wire]

    def me(self, openness: str) -> Credentials:
        if openness not in self._made:
            self._made[openness] = self._places[openness].make(name="me")
        return self._made[openness]

    def close(self) -> None:
        for tries in self._tries.values():
            tries.wire.close()


@pytest.fixture(scope="module")
def clients(places: dict[str, Place], targets: dict[str, Target]) -> Iterator[Clients]:
    found = Clients(places, targets)
    yield found
    found.close()


def base(but_for: str) -> dict[str, Any]:
    """Lists that let everybody discover, and nobody do anything else."""
    nobody = {f"{area}Whitelist": [] for area in AREAS if area != but_for}
    return nobody if but_for == "discover" else {**nobody, "discoverWhitelist": ["*"]}


def allowed(tries: Tries, lists: dict[str, Any]) -> dict[str, set[bool]]:
    """What can be done in each area, with these lists."""
    tries.target.allow(lists)
    return {area: set(tries.of(area).values()) for area in AREAS}


def only(*areas: str) -> dict[str, set[bool]]:
    return {area: {area in areas} for area in AREAS}


@pytest.mark.parametrize("name", [name for names in LISTS.values() for name in names])
@pytest.mark.parametrize("wire", WIRES)
def test_a_whitelist_lets_those_that_it_names_do_what_it_is_about_and_no_more(
    clients: Clients, wire: str, name: str
) -> None:
    tries, me = clients.tries("open", wire), clients.me("open")[0]
    (area,) = [area for area, names in LISTS.items() if name in names]
    seeing = {"discover", area}
    for uuids, expected in (
        ([me], only(*seeing)),
        (["another", me.upper()], only(*seeing)),
        (["*"], only(*seeing)),
        ([], only(*(seeing - {area}))),
        ([me[:-1], "another"], only(*(seeing - {area}))),
    ):
        found = allowed(tries, {**base(area), f"{name}Whitelist": uuids})
        assert found == expected, uuids


@pytest.mark.parametrize(
    ("openness", "name"),
    [
        *(("open", name) for names in LISTS.values() for name in names),
        *(("closed", area) for area in AREAS),
    ],
)
@pytest.mark.parametrize("wire", WIRES)
def test_a_blacklist_keeps_those_that_it_names_from_what_it_is_about(
    clients: Clients, places: dict[str, Place], wire: str, openness: str, name: str
) -> None:
    tries, me = clients.tries(openness, wire), clients.me(openness)[0]
    (area,) = [area for area, names in LISTS.items() if name in names]
    others = {"discover"} - {area}
    is_usual = openness == "open" and area != "configure"
    for uuids, is_allowed in (([me], False), (["*"], False), (["another"], is_usual)):
        found = allowed(tries, {**base(area), f"{name}Blacklist": uuids})
        assert found == only(*(others | {area} if is_allowed else others)), uuids


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("wire", WIRES)
def test_the_lists_of_version_2_do_the_same(clients: Clients, wire: str, area: str) -> None:
    tries, me = clients.tries("closed", wire), clients.me("closed")[0]
    for uuid, is_named in ((me, True), ("*", True), ("another", False)):
        whitelists: dict[str, Any] = {"discover": {"view": [{"uuid": me}]}}
        outer, inner = VERSION_2[area]
        whitelists.setdefault(outer, {})[inner] = [{"uuid": uuid}]
        found = allowed(tries, {"meshblu": {"version": "2.0.0", "whitelists": whitelists}})
        seeing = set() if area == "discover" and not is_named else {"discover"}
        assert found == only(*(seeing | ({area} if is_named else set()))), uuid


@pytest.mark.parametrize("openness", ["open", "closed"])
@pytest.mark.parametrize("wire", WIRES)
def test_without_lists_it_depends_on_how_open_the_tank_is(
    clients: Clients, wire: str, openness: str
) -> None:
    # What is made where the tank is not open is private.
    expected = only("discover", "receive", "send") if openness == "open" else only()
    assert allowed(clients.tries(openness, wire), {}) == expected


@pytest.mark.parametrize("wire", WIRES)
def test_an_owner_may_everything_whatever_the_lists_say(clients: Clients, wire: str) -> None:
    tries, me = clients.tries("closed", wire), clients.me("closed")[0]
    nobody = {f"{area}{kind}": [] for area in AREAS for kind in ("Whitelist", "AsWhitelist")}
    assert allowed(tries, {**nobody, "owner": me}) == only(*AREAS)
    assert allowed(tries, {**nobody, "owner": "another"}) == only()


@pytest.mark.parametrize("openness", ["open", "closed"])
@pytest.mark.parametrize("wire", ["REST", "socket.io 0.9", "engine.io 3", "engine.io 4"])
def test_a_device_is_claimed_by_whom_its_lists_name_or_where_it_has_none(
    clients: Clients, wire: str, openness: str
) -> None:
    tries, me = clients.tries(openness, wire), clients.me(openness)[0]
    assert isinstance(tries, RestTries | SocketTries)
    seen = {"discoverWhitelist": ["*"]}
    for lists, is_allowed in (
        ({**seen, "configureWhitelist": [me]}, True),
        ({**seen, "configureWhitelist": [me], "owner": "another"}, True),
        ({**seen, "configureWhitelist": []}, False),
        ({**seen, "configureBlacklist": [me]}, False),
        ({**seen, "owner": "another"}, False),
        (seen, openness == "open"),
        ({"discoverWhitelist": []}, False),
    ):
        tries.target.allow(lists)
        assert tries.claims() is is_allowed, lists
        # Whoever has it owns it.
        assert set(tries.of("configure").values()) == {is_allowed}
        tries.target.ear.heard()


@pytest.mark.parametrize("name", ["receiveAs", "readAs", "sendAs", "discoverAs"])
@pytest.mark.parametrize("wire", [wire for wire in WIRES if wire not in ("REST", "MQTT")])
def test_only_in_its_name_does_one_hear_what_it_hears(
    clients: Clients, wire: str, name: str
) -> None:
    tries, me = clients.tries("closed", wire), clients.me("closed")[0]
    asked = {"uuid": tries.uuid, "types": ["received", "sent"]}
    tries.target.allow({**base(""), f"{name}Whitelist": [me]})
    tries.wire.ask("subscribe", asked)
    tries.wire.heard()
    # To itself: received and sent at once, and heard once.
    tries.target.ear.ask("message", {"devices": tries.uuid, "payload": "own"})
    expected = ["own"] if name in ("receiveAs", "readAs") else []
    assert tries.wire.heard() == expected
    tries.wire.ask("unsubscribe", asked)
    tries.target.ear.heard()


@pytest.mark.parametrize("area", AREAS)
def test_over_rest_one_acts_in_its_name_where_it_allows_that(clients: Clients, area: str) -> None:
    tries, me = clients.tries("closed", "REST"), clients.me("closed")[0]
    path = f"/v2/devices/{tries.uuid}"
    attempts: dict[str, tuple[str, str, Any]] = {
        "discover": ("GET", path, None),
        "configure": ("PATCH", path, {"x": 1}),
        "receive": ("GET", f"/data/{tries.uuid}", None),
        "send": ("POST", "/messages", {"devices": [me], "payload": 1}),
    }
    for named, is_named in (([me], True), (["another"], False)):
        tries.target.allow({f"{area}AsWhitelist": named})
        for other, (method, asked, body) in attempts.items():
            status, _, text = tries.wire.ask(method, asked, body, x_meshblu_as=tries.uuid)
            could = status < 400 or (other == "receive" and "Data not found" in text)
            assert could is (is_named and other == area), (other, status, text)


def test_a_right_that_is_taken_away_is_gone_from_connections_that_are_open(
    clients: Clients,
) -> None:
    me = clients.me("closed")[0]
    for wire in SOCKETS:
        tries = clients.tries("closed", wire)
        everything = {f"{area}Whitelist": [me] for area in AREAS}
        tries.target.allow(everything)
        if isinstance(tries, MqttTries):
            tries.wire.subscribe(f"{tries.uuid}_bc")
        else:
            tries.wire.ask("subscribe", {"uuid": tries.uuid, "types": ["broadcast"]})
        assert tries.hears()
        tries.target.allow({**everything, "receiveWhitelist": []})
        assert not tries.hears()
        tries.target.allow({**everything, "discoverWhitelist": []})
        assert not tries.hears()
        tries.target.allow(everything)
        assert tries.hears()


def test_only_who_may_configure_a_device_ends_it(places: dict[str, Place]) -> None:
    place = places["closed"]
    me = place.make(name="me")
    for wire in WIRES[:-1]:  # MQTT has no such topic
        uuid, token = place.make(discoverWhitelist=["*"], configureWhitelist=[])
        own = {"meshblu_auth_uuid": uuid, "meshblu_auth_token": token}
        url = f"{place.url}/v2/devices/{uuid}"
        client = place.wire(wire, me)
        for is_allowed in (False, True):
            if is_allowed:
                changes = {"configureWhitelist": [me[0]]}
                requests.patch(url, json=changes, headers=own, timeout=20).raise_for_status()
            if wire == "REST":
                client.ask("DELETE", f"/devices/{uuid}")
            else:
                client.ask("unregister", {"uuid": uuid})
            status = requests.get(url, headers=own, timeout=20).status_code
            assert status == (401 if is_allowed else 200), (wire, is_allowed)
        client.close()
