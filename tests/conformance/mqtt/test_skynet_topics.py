"""Messages between devices over MQTT, with a running server and its other doors.

Source: Meshblu, mqttServer; the packets of meshblu-mqtt 3.1.3 and skynet-mqtt 0.6.0.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Version
from tests.conformance.mqtt.wire import VERSIONS, Broker, Client
from tests.live_server import LiveServer, start_server

SETTINGS = """
[skynet]
rate_messages_s = 0
rate_queries_s = 0
"""


class House:
    """A server, devices that are made at its REST API, and their MQTT clients."""

    def __init__(self, server: LiveServer) -> None:
        self.http = httpx.Client(base_url=server.sockets["skynet"], timeout=30)
        host, _, port = server.sockets["mqtt"].removeprefix("mqtt://").rpartition(":")
        self.broker = Broker(host, int(port))

    def device(self, **properties: Any) -> dict[str, str]:
        made = self.http.post("/devices", json=properties).raise_for_status().json()
        return {"uuid": made["uuid"], "token": made["token"]}

    def come(self, device: dict[str, str], version: Version = 4, **connect: Any) -> Client:
        user, password = device["uuid"], device["token"].encode()
        return self.broker.connect(version=version, user_name=user, password=password, **connect)

    def send(self, sender: dict[str, str], devices: Any, payload: Any, **more: Any) -> None:
        """By REST."""
        headers = {"meshblu_auth_uuid": sender["uuid"], "meshblu_auth_token": sender["token"]}
        body = {"devices": devices, "payload": payload, **more}
        self.http.post("/messages", headers=headers, json=body).raise_for_status()

    def close(self) -> None:
        self.http.close()
        self.broker.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tank") / "data"
    made.mkdir(mode=0o700)
    (made / "thingtank.toml").write_text(SETTINGS)
    return made


@pytest.fixture(scope="module")
def house(folder: Path) -> Iterator[House]:
    with start_server(folder) as server:
        made = House(server)
        yield made
        made.close()


def event(client: Client) -> tuple[str, Any]:
    """The next event: its name and its data."""
    content = json.loads(client.take().payload)
    return content["topic"], content["data"]


def publish(client: Client, topic: str, content: Any) -> None:
    client.send_publish(topic, json.dumps(content).encode())


def test_meshblu_mqtt_says_mqisdp_of_level_4_and_asks_by_callback_ids(house: House) -> None:
    device = house.device(name="Lamp")
    client = house.broker.open(4)
    user, password = device["uuid"], device["token"].encode()
    # All in one segment, as it does not wait for SUBACK.
    fields = {"user_name": user, "password": password, "keep_alive_s": 10}
    data = octets.connect("mqttjs_1a2b3c4d", 4, name="MQIsdp", **fields)
    data += octets.subscribe(4, 1, [(user, 0)])
    whoami = {"callbackId": "7d0a-1"}
    data += octets.publish(4, "whoami", json.dumps(whoami).encode())
    client.write(data)
    assert client.read().reason_code == 0
    assert client.read().reason_codes == [0]
    answer = client.take()
    content = json.loads(answer.payload)
    assert (answer.topic, answer.qos, answer.retain) == (user, 0, False)
    assert (content["topic"], content["_request"]) == ("whoami", whoami)
    assert content["data"]["name"] == "Lamp"


def test_skynet_mqtt_says_its_uuid_as_client_id_and_asks_by_numbers(house: House) -> None:
    device = house.device()
    client = house.come(device, version=3, client_id=device["uuid"], keep_alive_s=1000)
    client.subscribe(device["uuid"])
    publish(client, "update", {"color": "red", "ack": 1})
    got = dict([event(client), event(client)])
    assert got["config"]["color"] == "red"
    assert got["messageAck"]["ack"] == 1
    assert got["messageAck"]["payload"]["color"] == "red"


@pytest.mark.parametrize("version", VERSIONS)
def test_what_comes_by_rest_is_heard_over_mqtt_and_the_other_way_round(
    house: House, version: Version
) -> None:
    one, other = house.device(), house.device()
    client = house.come(one, version)
    client.subscribe(one["uuid"], f"{other['uuid']}_bc")
    house.send(other, [one["uuid"]], "direct")
    house.send(other, "*", "to all")
    assert event(client)[1]["payload"] == "direct"
    broadcast = client.take()
    assert broadcast.topic == f"{other['uuid']}_bc"
    assert json.loads(broadcast.payload)["data"]["payload"] == "to all"
    auth = {"meshblu_auth_uuid": other["uuid"], "meshblu_auth_token": other["token"]}
    with house.http.stream("GET", "/subscribe", headers=auth) as stream:
        publish(client, "message", {"devices": other["uuid"], "payload": "back"})
        heard = next(stream.iter_text())
    assert '"back"' in heard
    assert one["uuid"] in heard


def test_a_device_is_there_as_long_as_its_client(house: House) -> None:
    device = house.device()
    watcher = house.come(house.device())
    watcher.subscribe(f"{device['uuid']}_bc")
    client = house.come(device)
    assert event(watcher)[1]["payload"] == {"online": True}
    record = house.http.get(f"/devices/{device['uuid']}").json()
    assert record.get("devices", [record])[0]["online"] is True
    client.lose()
    assert event(watcher)[1]["payload"] == {"online": False}


def test_data_is_in_the_feed_when_it_is_acknowledged(house: House) -> None:
    device = house.device()
    client = house.come(device, version=5)
    answer = client.publish("data", b'{"temperature":21.5}', qos=1)
    assert answer is not None
    assert answer.reason_code == 0
    auth = {"meshblu_auth_uuid": device["uuid"], "meshblu_auth_token": device["token"]}
    [record] = house.http.get(f"/data/{device['uuid']}", headers=auth).json()["data"]
    assert record["temperature"] in ("21.5", 21.5)


@pytest.mark.parametrize(
    ("topic_filter", "reason"),
    [("{other}", 0x87), ("{other}/#", 0x87), ("{other}_bc", 0), ("{other}_tb", 0), ("#", 0x87)],
)
def test_a_device_may_subscribe_to_its_own_topics_and_to_broadcasts(
    house: House, topic_filter: str, reason: int
) -> None:
    client = house.come(house.device(), version=5)
    names = (house.device()["uuid"], "3c2e8d7e-0000-4000-8000-000000000000")
    for other in names if "_" in topic_filter else names[:1]:
        suback = client.subscribe(topic_filter.format(other=other))
        assert suback.reason_codes == [reason]


def test_what_came_while_devices_were_away_comes_once_after_a_kill(tmp_path: Path) -> None:
    """Of QoS 0 the tank keeps it, as the devices want; of QoS 1 the session."""
    folder = tmp_path / "data"
    away = []
    with start_server(folder) as server:
        house = House(server)
        for qos in (0, 1):
            device = house.device(keepMessages=True)
            client = house.come(device, client_id=f"away-{qos}", clean=False)
            client.subscribe(device["uuid"], qos=qos)
            client.lose()
            away.append(device)
        devices = [device["uuid"] for device in away]
        sender = house.device()
        client = house.come(sender)
        house.send(sender, devices, 0)
        for number in (1, 2):  # on disk when they are acknowledged
            content = {"devices": devices, "payload": number}
            client.publish("message", json.dumps(content).encode(), qos=1)
        server.kill()
        house.close()
    with start_server(folder) as server:
        house = House(server)
        for qos, device in enumerate(away):
            client = house.come(device, client_id=f"away-{qos}", clean=False)
            assert [event(client)[1]["payload"] for _ in range(3)] == [0, 1, 2]
            client.expect_nothing()
            client.lose()
            house.come(device, client_id=f"away-{qos}", clean=False).expect_nothing()
        house.close()
