"""What a connection had by a token, a key or a device that is gone, it has no longer."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from tests.conformance.skynet_rights.conftest import SOCKETS, Opened, Place
from tests.conformance.skynet_rights.wires import Credentials
from websockets.exceptions import ConnectionClosed

Closed = (ConnectionClosed, ConnectionError, AssertionError)
CHANGES: dict[str, tuple[str, Any]] = {
    "WebSocket": ("update", [{}, {"$set": {"x": 1}}]),
}


def headers_of(who: Credentials) -> dict[str, str]:
    return {"meshblu_auth_uuid": who[0], "meshblu_auth_token": who[1]}


def ask(place: Place, who: Credentials, method: str, path: str, **request: Any) -> Any:
    answer = requests.request(
        method, f"{place.url}{path}", headers=headers_of(who), timeout=20, **request
    )
    assert answer.ok, answer.text
    return answer.json() if answer.content else None


def revoke(place: Place, who: Credentials, extra: str) -> None:
    ask(place, who, "DELETE", f"/devices/{who[0]}/tokens/{extra}")


def end(place: Place, who: Credentials, extra: str) -> None:
    """Unregister it; another has its name then."""
    ask(place, who, "DELETE", f"/devices/{who[0]}")
    made = requests.post(
        f"{place.url}/devices",
        json={"uuid": who[0], "token": "another"},
        headers={"X-ApiKey": place.key},
        timeout=20,
    )
    assert made.ok, made.text


@pytest.mark.parametrize("lose", [revoke, end])
@pytest.mark.parametrize("name", SOCKETS)
def test_who_has_lost_its_token_does_and_hears_nothing_more(
    places: dict[str, Place],
    opened: Opened,
    name: str,
    lose: Callable[[Place, Credentials, str], None],
) -> None:
    place = places["closed"]
    who, friend = place.make(name="me"), place.make(sendWhitelist=["*"])
    extra = ask(place, who, "POST", f"/devices/{who[0]}/tokens")["token"]
    ask(place, who, "PATCH", f"/v2/devices/{who[0]}", json={"sendWhitelist": [friend[0]]})
    client = opened(place, name, (who[0], extra))
    ear = opened(place, "engine.io 4", friend)
    client.ask("message", {"devices": [friend[0]], "payload": "before"})
    assert ear.heard() == ["before"]

    lose(place, who, extra)
    newest = who if lose is revoke else (who[0], "another")
    ask(place, newest, "PATCH", f"/v2/devices/{who[0]}", json={"sendWhitelist": [friend[0]]})
    ask(place, newest, "POST", "/messages", json={"devices": [friend[0]], "payload": "still"})
    ear.ask("message", {"devices": [who[0]], "payload": "secret"})
    client.pushes.clear()
    with contextlib.suppress(*Closed):  # it may be sent away
        client.ask("message", {"devices": [friend[0]], "payload": "after"})
        client.ask(*CHANGES.get(name, ("update", {"uuid": who[0], "x": 1})))
        client.settle()
    assert "secret" not in json.dumps(client.pushes)
    assert ear.heard() == ["still"]
    assert "x" not in ask(place, newest, "GET", "/v2/whoami")


@pytest.mark.parametrize("name", SOCKETS)
def test_a_key_that_is_deleted_ends_what_it_opened(
    places: dict[str, Place], opened: Opened, name: str
) -> None:
    place = places["closed"]
    who = place.make(name="me")
    keys, master = f"{place.server.url}/v2/keys", {"X-ApiKey": place.key}
    methods = ["get", "put", "post", "delete"]
    draft = {"label": "k", "private_access": True, "permissions": [{"access_methods": methods}]}
    made = requests.post(keys, json={"key": draft}, headers=master, timeout=20)
    secret = made.headers["Location"].rpartition("/")[2]
    client = opened(place, name, (who[0], secret))
    change = CHANGES.get(name, ("update", {"uuid": who[0], "x": 1}))
    client.ask(*change)
    assert ask(place, who, "GET", "/v2/whoami")["x"] == 1
    assert requests.delete(f"{keys}/{secret}", headers=master, timeout=20).ok
    ask(place, who, "PUT", f"/v2/devices/{who[0]}", json={"$unset": {"x": 1}})
    with contextlib.suppress(*Closed):
        client.ask(*change)
    assert "x" not in ask(place, who, "GET", "/v2/whoami")
