"""Each client by TLS and Unix sockets, and as each kind of somebody."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.interop.mqtt.client import Client, Publication, Received, Refused
from tests.interop.mqtt.ways import CLIENTS, Way
from tests.live_server import LiveServer

Open = Callable[..., Client]
NEWEST = [Way(name, "tcp", 4 if name == "mosquitto" else 5) for name in CLIENTS]
newest = pytest.mark.parametrize("way", NEWEST, ids=str)


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize(
    ("client", "transport"),
    [(each, "tls") for each in CLIENTS]
    + [(each, "unix") for each in CLIENTS if each != "mqtt_js"],  # which has no Unix sockets
)
def test_client_comes_by_tls_and_by_a_unix_socket(
    open_client: Open, certificates: Path, unused: str, client: str, transport: str, version: int
) -> None:
    login = {"ca": str(certificates / "localhost" / "ca.pem")} if transport == "tls" else {}
    subscriber = open_client(Way(client, transport, version), filters=((unused, 2),), **login)
    payload = bytes(range(256)) * 300
    open_client(Way(client, transport, version), **login).publish(Publication(unused, payload, 2))
    assert subscriber.received(1) == [Received(unused, payload, 2, False)]


@pytest.mark.parametrize("client", CLIENTS)
def test_client_certificate_says_who_a_client_is(
    open_client: Open, certificates: Path, client: str
) -> None:
    way = Way(client, "tls", 4)
    trusting = {"ca": str(certificates / "localhost" / "ca.pem")}
    shown = {
        "certificate": str(certificates / "shade" / "ca.pem"),
        "key": str(certificates / "shade" / "key.pem"),
    }
    shade = open_client(way, filters=(("shades/#", 1),), **trusting, **shown)
    open_client(way, **trusting).publish(Publication("shades/a", b"a stranger's", 1))
    open_client(way, **trusting, **shown).publish(Publication("shades/a", b"its own", 1))
    assert shade.received(1) == [Received("shades/a", b"its own", 1, False)]


@newest
def test_each_kind_of_somebody_may_use_what_is_its_own(
    open_client: Open, server: LiveServer, way: Way, alice: str
) -> None:
    device = server.command("device", "create", f"{way} device")
    uuid, key = str(device["uuid"]), str(device["api_key"])
    feed = f"/v2/feeds/{device['feed_id']}"
    identities = {
        "a key": ({"user_name": key}, feed),
        "a key as password": ({"user_name": "me", "password": key}, feed),
        "a device": ({"user_name": uuid, "password": key}, feed),
        "a user": ({"user_name": "lamp", "password": "a password for the lamp"}, ""),
        "an account": ({"user_name": "alice", "password": alice}, ""),
    }
    for number, (name, (login, own)) in enumerate(identities.items()):
        topic = f"{own}/datastreams/n{number}.json" if own else f"{way}/{name}"
        payload = b'{"current_value": "%d"}' % number
        client = open_client(way, **login, filters=((topic, 1),))
        open_client(way, **login).publish(Publication(topic, payload, 1))
        (got,) = client.received(1)
        assert json.loads(got.payload)["current_value"] == str(number), name


@newest
def test_wrong_password_and_unknown_name_are_refused(open_client: Open, way: Way) -> None:
    for name, password in (("lamp", f"not {way}"), (f"nobody {way}", "a password")):
        with pytest.raises(Refused):
            open_client(way, user_name=name, password=password, filters=(("a", 0),))


@newest
@pytest.mark.parametrize("is_away", [False, True])
def test_nobody_takes_over_a_session_that_is_somebody_elses(
    open_client: Open, way: Way, unused: str, is_away: bool
) -> None:
    mine = {
        "client_id": f"{unused} mine", "user_name": "lamp", "session_s": 3600,
        "password": "a password for the lamp", "filters": ((unused, 1),),
    }  # fmt: skip
    owner = open_client(way, **mine)
    if is_away:
        owner.close()
    for session_s in (0, 3600):
        with pytest.raises(Refused):
            open_client(
                way, client_id=f"{unused} mine", session_s=session_s, filters=((unused, 1),)
            )
    open_client(way).publish(Publication(unused, b"for the lamp", 1))
    owner = open_client(way, **mine) if is_away else owner
    assert owner.received(1) == [Received(unused, b"for the lamp", 1, False)]
