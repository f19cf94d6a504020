"""The curl lines of the book's box 8.41, answered as recorded but for ids and times.

Source: the service of March 2014, run and recorded; see each case.
"""

import re
from typing import Any

from tests.conformance.skynet.conftest import SkyNet

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ROW_ID = re.compile(r"[0-9a-f]{24}")
TOLD_MS = range(1_394_280_000_000, 1_394_280_001_000)


class Like(str):
    """Equal to any text that fits its pattern."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(self, other) is not None

    __hash__ = str.__hash__


class Millis:
    """Equal to any whole number of milliseconds at about the test's time."""

    def __eq__(self, other: object) -> bool:
        return type(other) is int and other in TOLD_MS

    __hash__ = None  # type: ignore[assignment] # how Python says that it has none


ANY_UUID, ANY_ROW, MS = Like(UUID.pattern), Like(ROW_ID.pattern), Millis()


async def registered(skynet: SkyNet) -> dict[str, Any]:
    answer = await skynet.ask(
        "POST", "/devices", form="name=mydevicename&token=mytoken&color=green"
    )
    return dict(answer.json())


def same(answer: Any, status: int, body: Any) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    found = answer.json()
    assert found == body
    assert types_of(found) == types_of(body)


def types_of(value: Any) -> Any:
    """JSON's types, because 1 is True in Python."""
    if isinstance(value, dict):
        return {name: types_of(member) for name, member in value.items()}
    if isinstance(value, list):
        return list(map(types_of, value))
    return "number" if isinstance(value, Millis) or type(value) is int else isinstance(value, bool)


async def test_registering_a_device(skynet: SkyNet) -> None:
    answer = await skynet.ask(
        "POST", "/devices", form="name=mydevicename&token=mytoken&color=green"
    )
    same(
        answer,
        200,
        {
            "name": "mydevicename",
            "token": "mytoken",
            "color": "green",
            "ipAddress": "127.0.0.1",
            "uuid": ANY_UUID,
            "timestamp": MS,
            "channel": "main",
            "online": False,
            "_id": ANY_ROW,
            "eventCode": 400,
        },
    )


async def test_reading_it(skynet: SkyNet) -> None:
    made = await registered(skynet)
    answer = await skynet.ask("GET", f"/devices/{made['uuid']}")
    expected = {name: value for name, value in made.items() if name != "token"}
    same(answer, 200, {**expected, "eventCode": 500})


async def test_changing_it(skynet: SkyNet) -> None:
    uuid = (await registered(skynet))["uuid"]
    answer = await skynet.ask("PUT", f"/devices/{uuid}", form="token=mytoken&color=red")
    same(answer, 200, {"uuid": uuid, "color": "red", "timestamp": MS, "eventCode": 401})
    assert skynet.properties(uuid)["color"] == "red"


async def test_sending_it_a_message_in_json_under_a_forms_content_type(skynet: SkyNet) -> None:
    uuid = (await registered(skynet))["uuid"]
    ear = skynet.hear(uuid)
    answer = await skynet.ask(
        "POST", "/messages", form=f'{{"devices": "{uuid}", "message": {{"color":"red"}}}}'
    )
    message = {"color": "red", "fromUuid": uuid, "timestamp": MS, "eventCode": 300}
    same(answer, 200, {"devices": uuid, "message": message})
    # The service never delivered it; and nobody may claim to be the recipient.
    assert ear.messages == [{"devices": uuid, "message": {"color": "red"}}]


async def test_its_event_log(skynet: SkyNet) -> None:
    made = await registered(skynet)
    uuid = made["uuid"]
    await skynet.ask("GET", f"/devices/{uuid}")
    await skynet.ask("GET", "/devices?color=green")
    await skynet.ask("PUT", f"/devices/{uuid}", form="token=mytoken&color=red")
    await skynet.ask(
        "POST", "/messages", form=f'{{"devices":"{uuid}","message":{{"color":"red"}}}}'
    )
    answer = await skynet.ask("GET", f"/events/{uuid}?token=mytoken")
    same(
        answer,
        200,
        {
            "events": [
                {
                    "color": "red",
                    "fromUuid": uuid,
                    "timestamp": MS,
                    "eventCode": 300,
                    "id": ANY_ROW,
                },
                {"uuid": uuid, "color": "red", "timestamp": MS, "eventCode": 401, "id": ANY_ROW},
                {"devices": [uuid], "timestamp": MS, "eventCode": 403, "id": ANY_ROW},
                {
                    "name": "mydevicename",
                    "color": "green",
                    "ipAddress": "127.0.0.1",
                    "uuid": uuid,
                    "timestamp": MS,
                    "channel": "main",
                    "online": False,
                    "eventCode": 500,
                    "id": made["_id"],
                },
            ]
        },
    )


async def test_the_books_listing_is_the_first_and_the_last_of_these(skynet: SkyNet) -> None:
    made = await registered(skynet)
    uuid = made["uuid"]
    await skynet.ask("GET", f"/devices/{uuid}")
    await skynet.ask(
        "POST", "/messages", form=f'{{"devices":"{uuid}","message":{{"color":"red"}}}}'
    )
    events = (await skynet.ask("GET", f"/events/{uuid}?token=mytoken")).json()["events"]
    assert [event["eventCode"] for event in events] == [300, 500]
    assert events[1]["id"] == made["_id"]


async def test_wrong_tokens_and_devices_that_are_not_there(skynet: SkyNet) -> None:
    uuid = (await registered(skynet))["uuid"]
    wrong = {"message": "Device not found or token not valid", "code": 404}
    same(await skynet.ask("GET", f"/events/{uuid}?token=bad"), 404, {"error": wrong})
    same(
        await skynet.ask("PUT", f"/devices/{uuid}", form="token=bad&color=red"),
        404,
        {"error": wrong, "timestamp": MS, "eventCode": 401},
    )
    same(
        await skynet.ask("GET", "/devices/nonexistent"),
        404,
        {
            "error": {"uuid": "nonexistent", "message": "Device not found", "code": 404},
            "timestamp": MS,
            "eventCode": 500,
        },
    )
    same(
        await skynet.ask("DELETE", f"/devices/{uuid}", form="token=bad"),
        404,
        {"error": wrong, "timestamp": MS, "eventCode": 402},
    )


async def test_asking_for_devices(skynet: SkyNet) -> None:
    uuid = (await registered(skynet))["uuid"]
    same(await skynet.ask("GET", "/devices?color=green"), 200, {"devices": [uuid]})
    same(
        await skynet.ask("GET", "/devices?color=none"),
        404,
        {
            "error": {"message": "Devices not found", "code": 404},
            "timestamp": MS,
            "eventCode": 403,
        },
    )


async def test_authenticating(skynet: SkyNet) -> None:
    uuid = (await registered(skynet))["uuid"]
    for token, status in (("mytoken", 200), ("bad", 404)):
        answer = await skynet.ask("GET", f"/authenticate/{uuid}?token={token}")
        same(answer, status, {"uuid": uuid, "authentication": status == 200})


async def test_deleting_it(skynet: SkyNet) -> None:
    uuid = (await registered(skynet))["uuid"]
    answer = await skynet.ask("DELETE", f"/devices/{uuid}", form="token=mytoken")
    same(answer, 200, {"uuid": uuid, "timestamp": MS, "eventCode": 402})
    assert (await skynet.ask("GET", f"/devices/{uuid}")).status_code == 404


async def test_changing_to_what_is_json(skynet: SkyNet) -> None:
    uuid = (await registered(skynet))["uuid"]
    form = "token=mytoken&online=true&temp=hello&temp2=null&myArray=[1,2,3]&n=5"
    same(
        await skynet.ask("PUT", f"/devices/{uuid}", form=form),
        200,
        {
            "uuid": uuid,
            "online": True,
            "temp": "hello",
            "temp2": None,
            "myArray": [1, 2, 3],
            "n": 5,
            "timestamp": MS,
            "eventCode": 401,
        },
    )
    assert (await skynet.ask("GET", f"/devices/{uuid}")).json()["online"] is True
    same(
        await skynet.ask("PUT", f"/devices/{uuid}", form="token=mytoken&myArray=4&action=push"),
        200,
        {"uuid": uuid, "timestamp": MS, "myArray": 4, "action": "push", "eventCode": 401},
    )
    assert skynet.properties(uuid)["myArray"] == [1, 2, 3, 4]


async def test_status(skynet: SkyNet) -> None:
    answer = await skynet.ask("GET", "/status")
    expected = {"skynet": "online", "meshblu": "online", "timestamp": MS, "eventCode": 200}
    same(answer, 200, expected)
