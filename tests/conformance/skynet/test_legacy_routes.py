"""What programs of early 2014 are answered, beyond the book's box: no headers, a token at most.

Source: the service's `server.js`, February to April 2014, and what it was seen to answer.
"""

import asyncio
from typing import Any

import pytest
from tests.conformance.skynet.conftest import SkyNet

from thingtank.doors.skynet.sockets.relays import Relay
from thingtank.tank.access import Caller
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.messaging.switchboard import Delivery

WRONG = {"error": {"message": "Device not found or token not valid", "code": 404}}


async def register(skynet: SkyNet, form: str = "token=t") -> str:
    return str((await skynet.ask("POST", "/devices", form=form)).json()["uuid"])


@pytest.mark.parametrize(
    ("form", "stored"),
    [
        ("n=5&token=t", {"n": "5"}),
        ("flag=true&token=t", {"flag": "true"}),
        ("list=1&list=2&token=t", {"list": "1,2"}),
        ("json=%7B%22a%22%3A1%7D&token=t", {"json": '{"a":1}'}),
        ("name=x%20y+z&token=t", {}),
        ("blank=&token=t", {"blank": ""}),
    ],
)
async def test_what_registers_as_a_form_stays_text(
    skynet: SkyNet, form: str, stored: dict[str, Any]
) -> None:
    uuid = await register(skynet, form)
    properties = dict(skynet.properties(uuid))
    properties.pop("ipAddress")
    assert properties == stored


@pytest.mark.parametrize(
    ("body", "set_to", "shown"),
    [
        ("n=5", 5, 5),
        ("n=-1.5e3", -1500.0, -1500.0),
        ("n=[1,2]", [1, 2], [1, 2]),
        ('n={"a":{"b":null}}', {"a": {"b": None}}, {"a": {"b": None}}),
        ("n=%22quoted%22", "quoted", "quoted"),
        ("n=05", "05", "05"),
        ("n=text", "text", "text"),
        ("n=true", True, True),
        ("n=null", None, None),
        ("n=", None, ""),
    ],
)
async def test_what_changes_as_a_form_is_json_where_it_can_be(
    skynet: SkyNet, body: str, set_to: Any, shown: Any
) -> None:
    uuid = await register(skynet, "token=t&n=before")
    answer = await skynet.ask("PUT", f"/devices/{uuid}", form=f"token=t&{body}")
    assert answer.json()["n"] == shown
    assert skynet.properties(uuid).get("n") == set_to
    assert ("n" in skynet.properties(uuid)) == (set_to is not None)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"json": {"token": "t", "n": "5"}}, 200),
        ({"content": b'{"token":"t","n":"5"}'}, 200),
        ({"content": b'{"token":"t","n":"5"}', "headers": {"Content-Type": "text/plain"}}, 200),
        ({"form": '{"token":"t","n":"5"}'}, 200),
        ({"content": b"token=t&n=%225%22"}, 200),
        ({"params": {"token": "t", "n": '"5"'}}, 200),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"[1]", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"--x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 400),
    ],
)
async def test_parameters_come_by_query_form_and_json(
    skynet: SkyNet, request_: dict[str, Any], status: int
) -> None:
    uuid = await register(skynet)
    answer = await skynet.ask("PUT", f"/devices/{uuid}", **request_)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert skynet.properties(uuid)["n"] == "5"


@pytest.mark.parametrize(
    ("value", "is_online"), [("true", True), ("false", False), ("1", False), ("True", False)]
)
async def test_online_is_true_only_as_true(skynet: SkyNet, value: str, is_online: bool) -> None:
    uuid = await register(skynet)
    answer = await skynet.ask("PUT", f"/devices/{uuid}", form=f"token=t&online={value}")
    assert answer.json()["online"] is is_online
    found = await skynet.ask("GET", f"/devices?online={'true' if is_online else 'false'}")
    assert found.json() == {"devices": [uuid]}


async def test_online_of_json_counts_too(skynet: SkyNet) -> None:
    uuid = await register(skynet)
    await skynet.ask("PUT", f"/devices/{uuid}", json={"token": "t", "online": True})
    assert (await skynet.ask("GET", f"/devices/{uuid}")).json()["online"] is True


@pytest.mark.parametrize(
    ("form", "stored"),
    [
        ("n=4&action=push", [1, 2, 4]),
        ("n=2&action=pull", [1]),
        ("n=2&action=addToSet", [1, 2]),
        ("n=9&action=set", 9),
    ],
)
async def test_an_action_is_an_update_operator(skynet: SkyNet, form: str, stored: Any) -> None:
    uuid = await register(skynet)
    await skynet.ask("PUT", f"/devices/{uuid}", form="token=t&n=[1,2]")
    answer = await skynet.ask("PUT", f"/devices/{uuid}", form=f"token=t&{form}")
    assert answer.status_code == 200
    assert skynet.properties(uuid)["n"] == stored


@pytest.mark.parametrize("form", ["n=1&action=rename", "n=1&action=$where", "color=1&action=inc"])
async def test_an_action_that_cannot_be_is_refused(skynet: SkyNet, form: str) -> None:
    uuid = await register(skynet, "token=t&color=red")
    answer = await skynet.ask("PUT", f"/devices/{uuid}", form=f"token=t&{form}")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "Unable to perform secondary operation"
    assert skynet.properties(uuid)["color"] == "red"


async def test_null_and_blank_ask_for_what_has_no_such_property(skynet: SkyNet) -> None:
    plain = await register(skynet)
    await register(skynet, "token=t&color=red")
    for value in ("", "null"):
        assert (await skynet.ask("GET", f"/devices?color={value}")).json() == {"devices": [plain]}


async def test_a_devices_own_devices(skynet: SkyNet) -> None:
    owner = await register(skynet, "token=t")
    lamp = await register(skynet, f"token=x&owner={owner}&type=lamp")
    await register(skynet, f"token=x&owner={owner}&type=fan")
    answer = await skynet.ask("GET", f"/mydevices/{owner}?token=t&type=lamp")
    assert answer.status_code == 200
    (record,) = answer.json()["devices"]
    assert record["uuid"] == lamp
    assert record["owner"] == owner
    assert "token" not in record
    assert (await skynet.ask("GET", f"/mydevices/{owner}?token=bad")).json() == WRONG
    assert (await skynet.ask("GET", f"/mydevices/{owner}")).json() == WRONG
    none = await skynet.ask("GET", f"/mydevices/{lamp}?token=x")
    assert none.status_code == 404
    assert none.json()["error"]["message"] == "Devices not found"


async def test_the_log_is_paged_beyond_ten(skynet: SkyNet) -> None:
    uuid = await register(skynet)
    for number in range(15):
        await skynet.ask("PUT", f"/devices/{uuid}", form=f"token=t&n={number}")
    path = f"/events/{uuid}?token=t"
    first = (await skynet.ask("GET", path)).json()["events"]
    assert [event["n"] for event in first] == list(range(14, 4, -1))
    rest = (await skynet.ask("GET", f"{path}&before={first[-1]['id']}")).json()["events"]
    assert [event.get("n") for event in rest] == [4, 3, 2, 1, 0, None]
    assert len((await skynet.ask("GET", f"{path}&limit=12")).json()["events"]) == 12
    assert (await skynet.ask("GET", f"{path}&limit=x")).status_code == 400


async def test_sensor_data(skynet: SkyNet) -> None:
    uuid = await register(skynet)
    answer = await skynet.ask("POST", f"/data/{uuid}", form="token=t&temperature=78&sky=clear")
    assert answer.status_code == 200
    record = answer.json()
    assert record.pop("timestamp").startswith("2014-03-08T12:00:00.")
    assert record == {
        "uuid": uuid,
        "temperature": "78",
        "sky": "clear",
        "ipAddress": "127.0.0.1",
        "eventCode": 700,
    }
    (shown,) = (await skynet.ask("GET", f"/data/{uuid}?token=t")).json()["data"]
    assert len(shown.pop("id")) == 24
    assert shown.pop("timestamp").startswith("2014-03-08T12:00:00.")
    assert shown == {"uuid": uuid, "temperature": "78", "sky": "clear"}


async def test_sensor_data_needs_the_token(skynet: SkyNet) -> None:
    uuid = await register(skynet)
    assert (await skynet.ask("POST", f"/data/{uuid}", form="temperature=1")).status_code == 404
    answer = await skynet.ask("POST", f"/data/{uuid}", form="token=bad&temperature=1")
    assert (answer.status_code, answer.json()) == (404, WRONG)


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", ["12", "11", "10", "9", "8", "7", "6", "5", "4", "3"]),
        ("&limit=2", ["12", "11"]),
        ("&limit=0", [str(n) for n in range(12, -1, -1)]),
    ],
)
async def test_data_is_shown_newest_first(skynet: SkyNet, query: str, values: list[str]) -> None:
    uuid = await register(skynet)
    for number in range(13):
        await skynet.ask("POST", f"/data/{uuid}", form=f"token=t&n={number}")
    shown = (await skynet.ask("GET", f"/data/{uuid}?token=t{query}")).json()["data"]
    assert [record["n"] for record in shown] == values


async def test_data_of_a_range_begins_with_its_start_and_ends_before_its_finish(
    skynet: SkyNet,
) -> None:
    uuid = await register(skynet)
    times = []
    for number in range(3):
        answer = await skynet.ask("POST", f"/data/{uuid}", form=f"token=t&n={number}")
        times.append(answer.json()["timestamp"])
    path = f"/data/{uuid}?token=t"
    for query, values in (
        (f"&start={times[1]}", ["2", "1"]),
        (f"&finish={times[1]}", ["0"]),
        (f"&start={times[0]}&finish={times[2]}", ["1", "0"]),
        ("&start=1394280000000", ["2", "1", "0"]),
    ):
        shown = (await skynet.ask("GET", path + query)).json()["data"]
        assert [record["n"] for record in shown] == values, query
    nothing = await skynet.ask("GET", f"{path}&finish=2014-03-08T12:00:00Z")
    assert (nothing.status_code, nothing.json()["error"]["message"]) == (404, "Data not found")
    assert (await skynet.ask("GET", f"{path}&start=soon")).status_code == 400


async def test_a_message_without_a_message_fails_as_it_did(skynet: SkyNet) -> None:
    uuid = await register(skynet)
    for form in (f"devices={uuid}", "message=x", ""):
        answer = await skynet.ask("POST", "/messages", form=form)
        assert answer.status_code == 500
        assert answer.json()["eventCode"] == 300


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ('{"devices":"U","message":"hello"}', "hello"),
        ("devices=U&message=hello", "hello"),
        ('devices=U&message={"color":"red"}', {"color": "red"}),
        ('{"devices":["U"],"message":{"a":1}}', {"a": 1}),
        ('{"devices":"U","payload":{"a":1}}', {"a": 1}),
        ("devices=U&payload=on", "on"),
    ],
)
async def test_messages_come_by_either_name_and_in_any_form(
    skynet: SkyNet, form: str, told: Any
) -> None:
    uuid = await register(skynet)
    ear = skynet.hear(uuid)
    answer = await skynet.ask("POST", "/messages", form=form.replace("U", uuid))
    assert answer.status_code == 200
    name = "payload" if "payload" in form else "message"
    devices = [uuid] if '["U"]' in form else uuid
    assert ear.messages == [{"devices": devices, name: told}]
    assert answer.json()["devices"] == devices
    shown = answer.json()[name]
    if isinstance(shown, dict) and name == "message":
        assert shown.pop("fromUuid") == uuid
        assert (shown.pop("eventCode"), type(shown.pop("timestamp"))) == (300, int)
    assert shown == told


async def test_who_shows_its_token_is_the_sender(skynet: SkyNet) -> None:
    uuid, other = await register(skynet), await register(skynet, "token=x")
    ear = skynet.hear(uuid)
    body = {"devices": uuid, "message": {"a": 1}, "uuid": other, "token": "x", "fromUuid": "me"}
    answer = await skynet.ask("POST", "/messages", json=body)
    assert answer.json()["message"]["fromUuid"] == other
    assert ear.messages == [{"devices": uuid, "message": {"a": 1}, "fromUuid": other}]
    wrong = await skynet.ask("POST", "/messages", json={**body, "token": "bad"})
    assert wrong.status_code == 404
    assert len(ear.messages) == 1


async def test_a_text_message_reaches_the_device_with_the_number(skynet: SkyNet) -> None:
    uuid = await register(skynet, "token=t&phoneNumber=16025550100")
    ear = skynet.hear(uuid)
    answer = await skynet.ask("GET", "/inboundsms?To=16025550100&From=1480&Text=on")
    body = answer.json()
    assert type(body.pop("timestamp")) is int
    assert body == {"devices": [uuid], "message": "on", "eventCode": 301}
    assert ear.messages[0]["message"] == "on"


@pytest.mark.parametrize("number", ["", "null", "%20"])
async def test_a_text_message_to_no_number_reaches_nobody(skynet: SkyNet, number: str) -> None:
    ear = skynet.hear(await register(skynet))
    answer = await skynet.ask("GET", f"/inboundsms?To={number}&From=1480&Text=on")
    assert answer.status_code == 400
    assert ear.messages == []


@pytest.mark.parametrize(
    ("properties", "location"),
    [
        ("localhost=192.168.1.7&port=8888", "http://192.168.1.7:8888"),
        ("localhost=localhost&port=80", "http://localhost:80"),
        ("localhost=evil.example&port=80", "/"),
        ("localhost=8.8.8.8&port=80", "/"),
        ("localhost=192.168.1.7&port=99999", "/"),
        ("localhost=192.168.1.7&port=80/x", "/"),
        ("localhost=0.0.0.0&port=80", "/"),
        ("color=red", "/"),
    ],
)
async def test_a_gateway_leads_to_itself_on_a_private_network(
    skynet: SkyNet, properties: str, location: str
) -> None:
    uuid = await register(skynet, f"token=t&type=gateway&{properties}")
    answer = await skynet.ask("GET", f"/gateway/{uuid}")
    assert (answer.status_code, answer.headers["location"]) == (302, location)


class Answering:
    """A gateway on a wire that lets it answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def deliver(self, delivery: Delivery) -> None:
        assert delivery.message is not None
        self.asked.append((delivery.message.event, delivery.message.content))
        if self.answer is not None:
            assert isinstance(delivery.reply, Relay)
            delivery.reply.is_taken = True
            asyncio.get_running_loop().call_soon(delivery.reply, self.answer)


@pytest.mark.parametrize(("answer", "shown"), [({"result": "ok"}, {"result": "ok"}), (None, None)])
async def test_a_gateway_is_asked_to_configure(skynet: SkyNet, answer: Any, shown: Any) -> None:
    uuid = await register(skynet, "token=t&type=gateway")
    device = skynet.directory.find_device_by_uuid(uuid)
    assert device is not None
    gateway = Answering(answer)
    party = Party(Caller(), device)
    skynet.tank.messaging.switchboard.add(gateway, party, device, ("received",))
    body = {"uuid": uuid, "token": "t", "method": "createSubdevice", "options": {"a": 1}}
    for path in ("/gatewayConfig", "/gatewayconfig"):
        told = await skynet.ask("POST", path, json=body)
        assert (told.status_code, told.json()) == (200, shown or {"uuid": uuid})
    event, content = gateway.asked[0]
    assert event == "config"
    assert (content["method"], content["options"], content["devices"]) == (
        "createSubdevice",
        {"a": 1},
        uuid,
    )
    assert "token" not in content


async def test_a_gateway_that_is_not_there(skynet: SkyNet) -> None:
    uuid = await register(skynet, "token=t&type=gateway")
    away = await skynet.ask("POST", "/gatewayConfig", json={"uuid": uuid, "token": "t"})
    assert away.json() == {"error": {"message": "Gateway offline", "code": 404}}
    wrong = await skynet.ask("POST", "/gatewayConfig", json={"uuid": uuid, "token": "bad"})
    assert wrong.json()["error"] == {"message": "Gateway not found", "code": 404}
    assert (await skynet.ask("POST", "/gatewayConfig", json={})).status_code == 400


async def test_a_chosen_uuid_is_kept_and_one_that_is_taken_refused(skynet: SkyNet) -> None:
    first = await skynet.ask("POST", "/devices", form="uuid=my-lamp&token=t")
    assert first.json()["uuid"] == "my-lamp"
    again = await skynet.ask("POST", "/devices", form="uuid=my-lamp&token=t")
    assert again.status_code == 500
    assert again.json()["error"] == {"message": "Device UUID already registered", "code": 500}
    assert (await skynet.ask("POST", "/devices", form="uuid=a/b")).status_code == 400


async def test_ip_address(skynet: SkyNet) -> None:
    assert (await skynet.ask("GET", "/ipaddress")).json() == {"ipAddress": "127.0.0.1"}
