"""Every event and the shape of its acknowledgement, in both generations.

Source: SkyNet and Meshblu, Socket.IO events; the exchanges recorded in early 2014.
"""

import re
from typing import Any, NamedTuple

import pytest
from tests.conformance.skynet_sockets.world import WIRES, Client, World

GENERATIONS = {"early 2014": "0.9 websocket", "later": "4 websocket"}
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Time:
    """Equal to a time as the generation writes it."""

    def __init__(self, is_legacy: bool) -> None:
        self._is_legacy = is_legacy

    def __eq__(self, other: object) -> bool:
        if self._is_legacy:
            return isinstance(other, int) and other > 1_600_000_000_000
        return isinstance(other, str) and ISO_TIME.fullmatch(other) is not None

    __hash__ = None  # type: ignore[assignment] # equal to many


class Text:
    """Equal to a text that fits a pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self._pattern.fullmatch(other) is not None

    __hash__ = None  # type: ignore[assignment] # equal to many

    def __repr__(self) -> str:
        return f"<{self._pattern.pattern}>"


TOKEN, UUID, ROW_ID = Text(r"[\w-]{40,64}"), Text(r"[0-9a-f-]{36}"), Text(r"[0-9a-f]{24}")
MS, ISO = Time(True), Time(False)


class Case(NamedTuple):
    """An event of an identified device, and its acknowledgement.

    Attributes:
        args: `own`, `other` and `mine` in braces are uuids of the device, of one it has no right to
            and of one that it owns; so with `_token` behind.
    """

    name: str
    args: list[Any]
    legacy: Any
    modern: Any


def error(message: str, code: int, **more: Any) -> dict[str, Any]:
    return {"error": {**more, "message": message, "code": code}}


NOT_VALID = "Device not found or token not valid"
NOT_FOUND, UNAUTHORIZED = error("Device not found", 404), error("unauthorized", 401)
LEGACY_OTHER = {"name": "other", "uuid": "{other}", "online": False, "ipAddress": "127.0.0.1"}
LEGACY_ENDS = {"timestamp": MS, "channel": "main", "_id": ROW_ID}
MODERN_OTHER = {**LEGACY_OTHER, "timestamp": ISO}
LEGACY_OWN = {
    "name": "own",
    "uuid": "{own}",
    "online": True,
    "ipAddress": "127.0.0.1",
    "protocol": "websocket",
}
MODERN_OWN = {**LEGACY_OWN, "timestamp": ISO, "onlineSince": ISO, "socketid": "{socketid}"}
MODERN_MINE = {**MODERN_OTHER, "name": "mine", "uuid": "{mine}", "owner": "{own}"}
LEGACY_MINE = {**LEGACY_OTHER, "name": "mine", "uuid": "{mine}", "owner": "{own}", **LEGACY_ENDS}
NO_DEVICES = error("Devices not found", 404)
RECORD = {"temperature": "21.5", "uuid": "{own}"}

CASES = [
    Case(
        "status",
        [],
        {"skynet": "online", "meshblu": "online", "timestamp": MS, "eventCode": 200},
        {
            "skynet": "online",
            "meshblu": "online",
            "fromUuid": "{own}",
            "timestamp": ISO,
            "eventCode": 200,
        },
    ),
    Case(
        "whoami",
        [{"uuid": "{own}"}],
        {**LEGACY_OWN, **LEGACY_ENDS, "socketId": "{socketid}", "eventCode": 500},
        MODERN_OWN,
    ),
    Case(
        "whoami",
        [{"uuid": "{other}"}],
        {**LEGACY_OTHER, **LEGACY_ENDS, "eventCode": 500},
        MODERN_OWN,
    ),
    Case(
        "whoami",
        [{"uuid": "nope"}],
        {**error("Device not found", 404, uuid="nope"), "timestamp": MS, "eventCode": 500},
        MODERN_OWN,
    ),
    Case("whoami", [None], {**LEGACY_OWN, **LEGACY_ENDS, "socketId": "{socketid}", "eventCode": 500}, MODERN_OWN),
    Case("device", [{"uuid": "{other}"}], ..., {"fromUuid": "{own}", "device": MODERN_OTHER}),
    Case("device", [{"uuid": "nope"}], NOT_FOUND, NOT_FOUND),
    Case(
        "devices",
        [{"name": "other"}],
        {"devices": ["{other}"]},
        {"devices": [MODERN_OTHER], "fromUuid": "{own}", "timestamp": ISO, "eventCode": 403},
    ),
    Case(
        "devices",
        [{"name": "nobody"}, None],
        {**NO_DEVICES, "timestamp": MS, "eventCode": 403},
        NO_DEVICES,
    ),
    Case(
        "mydevices",
        [{"name": "mine"}],
        {"devices": [LEGACY_MINE], "fromUuid": "{own}", "timestamp": MS, "eventCode": 403},
        {"devices": [MODERN_MINE], "fromUuid": "{own}", "timestamp": ISO, "eventCode": 403},
    ),
    Case("mydevices", [{"name": "no"}], ..., NO_DEVICES),
    Case(
        "localdevices",
        [{}],
        ...,
        {"devices": [MODERN_MINE, MODERN_OTHER, MODERN_OWN], "fromUuid": "{own}",
         "timestamp": ISO, "eventCode": 403},
    ),
    Case(
        "unclaimeddevices",
        [{}],
        ...,
        {"devices": [MODERN_OTHER, MODERN_OWN], "fromUuid": "{own}", "timestamp": ISO,
         "eventCode": 403},
    ),
    Case(
        "claimdevice",
        [{"uuid": "{other}", "name": "claimed"}],
        ...,
        {"error": None, "results": {**MODERN_OTHER, "name": "claimed", "owner": "{own}"}},
    ),
    Case(
        "claimdevice",
        [{"uuid": "nope"}],
        ...,
        {"error": "not authorized to claim this device", "results": None},
    ),
    Case(
        "register",
        [{"key": 123}],
        {"key": 123, "uuid": UUID, "timestamp": MS, "token": TOKEN, "channel": "main",
         "online": False, "ipAddress": "127.0.0.1", "_id": ROW_ID, "eventCode": 400},
        {"key": 123, "uuid": UUID, "timestamp": ISO, "token": TOKEN, "online": False,
         "ipAddress": "127.0.0.1"},
    ),
    Case(
        "register",
        [{"uuid": "{other}"}],
        {**error("Device UUID already registered", 409), "timestamp": MS, "eventCode": 400},
        error("Device UUID already registered", 409),
    ),
    Case(
        "update",
        [{"uuid": "{own}", "token": "{own_token}", "key": 777}],
        {"uuid": "{own}", "key": 777, "timestamp": MS, "eventCode": 401},
        {**MODERN_OWN, "key": 777, "fromUuid": "{own}"},
    ),
    Case(
        "update",
        [{"uuid": "{other}", "token": "{other_token}", "key": 7}],
        {"uuid": "{other}", "key": 7, "timestamp": MS, "eventCode": 401},
        {**MODERN_OTHER, "key": 7, "fromUuid": "{own}"},
    ),
    Case(
        "update",
        [{"uuid": "{other}", "key": 7}],
        {**error(NOT_VALID, 404), "timestamp": MS, "eventCode": 401},
        UNAUTHORIZED,
    ),
    Case(
        "update",
        [{"uuid": "{other}", "token": "wrong", "key": 7}],
        {**error(NOT_VALID, 404), "timestamp": MS, "eventCode": 401},
        UNAUTHORIZED,
    ),
    Case(
        "update",
        [{"uuid": "nope", "token": "wrong"}],
        {**error(NOT_VALID, 404), "timestamp": MS, "eventCode": 401},
        UNAUTHORIZED,
    ),
    Case(
        "unregister",
        [{"uuid": "{mine}"}],
        {"uuid": "{mine}", "timestamp": MS, "eventCode": 402},
        {"uuid": "{mine}"},
    ),
    Case(
        "unregister",
        [{"uuid": "{other}"}],
        {**error(NOT_VALID, 404), "timestamp": MS, "eventCode": 402},
        UNAUTHORIZED,
    ),
    Case(
        "subscribe",
        [{"uuid": "{other}", "token": "{other_token}"}],
        {"api": "subscribe", "socketid": "{socketid}", "uuid": "{own}"},
        {"api": "subscribe", "socketid": "{socketid}", "fromUuid": "{own}", "toUuid": "{other}",
         "result": True},
    ),
    Case(
        "subscribe",
        [{"uuid": "{other}"}],
        {"api": "subscribe", "result": True},
        {"api": "subscribe", "socketid": "{socketid}", "fromUuid": "{own}", "toUuid": "{other}",
         "result": True},
    ),
    Case(
        "subscribe",
        [{"uuid": "{other}", "token": "wrong"}],
        {"api": "subscribe", "result": False},
        {"error": "unauthorized access"},
    ),
    Case(
        "subscribe",
        [{"uuid": "nope"}],
        {"api": "subscribe", "result": False},
        {"error": "unauthorized access"},
    ),
    Case(
        "subscribe",
        [{"uuid": "{other}", "types": ["nonsense"]}],
        {"api": "subscribe", "result": False, **error("types are some of broadcast, received, sent, config, data", 422)},
        error("types are some of broadcast, received, sent, config, data", 422),
    ),
    Case(
        "unsubscribe",
        [{"uuid": "{other}"}],
        {"api": "unsubscribe", "socketid": "{socketid}", "uuid": "{other}"},
        {"api": "unsubscribe", "uuid": "{other}"},
    ),
    Case("unsubscribe", [], {"api": "unsubscribe", "result": False}, {"error": "unauthorized access"}),
    Case(
        "data",
        [{"uuid": "{own}", "token": "{own_token}", "temperature": 21.5}],
        ...,
        {**RECORD, "timestamp": ISO, "eventCode": 700},
    ),
    Case("data", [{"uuid": "{other}", "temperature": 1}], ..., UNAUTHORIZED),
    Case("data", [{}], ..., error("data has no values", 422)),
    Case("getdata", [{"start": "2020-01-01"}], ..., {"data": [], "fromUuid": "{own}"}),
    Case("getdata", [{"uuid": "nope"}], ..., {"api": "getdata", "result": False}),
    Case(
        "getdata",
        [{"start": "never"}],
        ...,
        {"api": "getdata", "result": False, **error("start is no time", 422)},
    ),
    Case(
        "events",
        [{"uuid": "{other}", "token": "wrong"}],
        {"api": "events", "result": False},
        {"api": "events", "result": False},
    ),
    Case(
        "events",
        [{"uuid": "nope"}],
        {**error(NOT_VALID, 404), "timestamp": MS, "eventCode": 201},
        NOT_FOUND,
    ),
    Case("message", [{"devices": "{other}", "payload": 1}], {"api": "message", "result": False}, None),
    Case(
        "message",
        [{"devices": "{own}", "payload": 1, "receipt": True}],
        ...,
        {"receipts": [{"devices": "{own}", "outcome": "delivered", "count": 1}]},
    ),
    Case(
        "message",
        [{"devices": "{other}", "payload": 1, "receipts": True}],
        {"receipts": [{"devices": "{other}", "outcome": "away", "count": 1}]},
        {"receipts": [{"devices": "{other}", "outcome": "away", "count": 1}]},
    ),
    Case(
        "message",
        [{"payload": 1}],
        {"error": "Invalid Message Format", "problems": ["devices must be a uuid, a list of uuids or *"]},
        {"error": "Invalid Message Format", "problems": ["devices must be a uuid, a list of uuids or *"]},
    ),
    Case("messageAck", [{"devices": "{other}", "ack": 1, "payload": 2}], None, None),
    Case("gatewayConfig", [{"uuid": "{other}"}], error("Gateway offline", 404), error("Gateway offline", 404)),
    Case("gatewayConfig", [{"uuid": "nope"}], error("Gateway not found", 404), error("Gateway not found", 404)),
    Case("tb", ["hello"], None, None),
    Case("tb", [5], ..., error("text must be a text", 422)),
    Case("generateAndStoreToken", [{"uuid": "{own}"}], ..., {"uuid": "{own}", "token": TOKEN}),
    Case(
        "generateAndStoreToken",
        [{"uuid": "{own}", "tag": "tv"}],
        ...,
        {"uuid": "{own}", "token": TOKEN, "tag": "tv"},
    ),
    Case("generateAndStoreToken", [{"uuid": "{other}"}], ..., UNAUTHORIZED),
    Case("resetToken", ["{own}"], ..., {"uuid": "{own}", "token": TOKEN}),
    Case("resetToken", [{"uuid": "{mine}"}], ..., {"uuid": "{mine}", "token": TOKEN}),
    Case("resetToken", ["{other}"], ..., UNAUTHORIZED),
    Case("revokeToken", [{"uuid": "{mine}", "token": "{mine_token}"}], ..., {"uuid": "{mine}"}),
    Case("revokeToken", [{"uuid": "{own}"}], ..., error("token is missing", 422)),
    Case("revokeToken", [{"uuid": "{other}", "token": "{other_token}"}], ..., UNAUTHORIZED),
    Case("revokeTokenByQuery", [{"uuid": "{own}", "tag": "tv"}], ..., {"uuid": "{own}"}),
    Case("dance", [], error("there is no such event", 404), error("there is no such event", 404)),
]  # fmt: skip


OF_ALL_DEVICES = ("devices", "localdevices", "unclaimeddevices")


def filled(value: Any, words: dict[str, str]) -> Any:
    """The same with names in braces replaced."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: words[found[1]], value)
    if isinstance(value, list):
        return [filled(each, words) for each in value]
    if isinstance(value, dict):
        return {name: filled(each, words) for name, each in value.items()}
    return value


async def identified(world: World, wire: str) -> tuple[Client, dict[str, str]]:
    own = await world.device(name="own")
    other = await world.device(name="other")
    mine = await world.device(name="mine", owner=own["uuid"])
    words = {}
    for name, device in (("own", own), ("other", other), ("mine", mine)):
        words |= {name: device["uuid"], f"{name}_token": device["token"]}
    client = await WIRES[wire](world).open()
    await client.identify(own)
    return client, {**words, "socketid": client.socket_id}


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("number", range(0, len(CASES), 12))
async def test_events_are_acknowledged_as_their_generation_expects(
    world: World, make_world: Any, generation: str, number: int
) -> None:
    for case in CASES[number : number + 12]:
        expected = case.legacy if generation == "early 2014" else case.modern
        if expected is ...:
            continue
        if case.name in OF_ALL_DEVICES:
            world = await make_world()
        client, words = await identified(world, GENERATIONS[generation])
        answer = await client.ask(case.name, *filled(case.args, words))
        assert answer == filled(expected, words), case


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_nothing_is_acknowledged_that_does_not_ask_for_it(
    world: World, generation: str
) -> None:
    client, words = await identified(world, GENERATIONS[generation])
    for case in CASES:
        if case.name not in ("resetToken", "unregister", "revokeToken", "tb"):
            await client.emit(case.name, *filled(case.args, words))
    while (await client.ask("whoami", {}))["uuid"] != words["own"]:
        pass
    assert all(ack > 0 for ack in client.acks_left())


async def test_public_key_is_acknowledged_by_an_error_and_a_key(world: World) -> None:
    client, words = await identified(world, "4 websocket")
    assert await client.ask_all("getPublicKey", words["own"]) == [None, None]
    await client.ask("update", {"uuid": words["own"], "publicKey": "PEM"})
    assert await client.ask_all("getPublicKey", {"uuid": words["own"]}) == [None, "PEM"]
    assert await client.ask_all("getPublicKey", "nope") == [NOT_FOUND["error"]]


async def test_data_comes_back_newest_first(client: Client, world: World) -> None:
    device = await world.device()
    await client.identify(device)
    for number in (1, 2):
        answer = await client.ask("data", {**device, "n": number})
        assert (answer["n"], answer["eventCode"]) == (str(number), 700)
    answer = await client.ask("getdata", {**device, "limit": 1})
    assert [each["n"] for each in answer["data"]] == ["2"]
    times = [each["timestamp"] for each in (await client.ask("getdata", device))["data"]]
    older = await client.ask("getdata", {**device, "finish": times[0]})
    assert times[1] in [each["timestamp"] for each in older["data"]] or times[0] == times[1]


async def test_events_of_a_device_are_read_in_pages(client: Client, world: World) -> None:
    device = await world.device()
    await client.identify(device)
    for number in range(3):
        await client.ask("update", {"uuid": device["uuid"], "n": number})
    first = (await client.ask("events", {**device, "limit": 2}))["events"]
    then = (await client.ask("events", {**device, "before": first[-1]["id"], "limit": 1}))["events"]
    assert [event["n"] for event in (*first, *then)] == [2, 1, 0]
    assert {event["eventCode"] for event in first} == {401}
    assert first[0]["timestamp"] == Time(client.is_legacy)


async def test_device_goes_on_after_it_was_given_another_token(
    client: Client, world: World
) -> None:
    device, other = await world.device(), await world.device()
    await client.identify(device)
    await client.ask("subscribe", {"uuid": other["uuid"]})
    token = (await client.ask("resetToken", device["uuid"]))["token"]
    sender = await WIRES["4 websocket"](world).open()
    await sender.identify(other)
    assert (await client.heard("message"))[0]["topic"] == "device-status"
    await sender.ask("message", {"devices": device["uuid"], "payload": 1})
    assert (await client.heard("message"))[0]["payload"] == 1
    await client.identify({**device, "token": token})


async def test_device_that_unregisters_itself_hears_of_it_and_is_a_stranger_then(
    client: Client, world: World
) -> None:
    device = await world.device()
    await client.identify(device)
    answer = await client.ask("unregister", device)
    assert answer["uuid"] == device["uuid"]
    (record,) = await client.heard("unregistered")
    assert record["uuid"] == device["uuid"]
    assert "token" not in record
    await client.emit("identity", device)
    assert (await client.heard("notReady"))[0]["status"] == 401
    await client.identify({})


async def test_rate_limit_says_when_to_try_again(make_world: Any) -> None:
    world = await make_world(rate_queries_s=2)
    for wire in GENERATIONS.values():
        client = await WIRES[wire](world).open()
        await client.identify(await world.device())
        for _ in range(2):
            await client.ask("whoami", {})
        answer = await client.ask("whoami", {})
        assert answer["error"]["code"] == 429
        assert 0 < answer["error"]["retryAfter"] <= 0.5


async def test_who_asks_for_no_acknowledgement_is_warned_of_the_rate_once(make_world: Any) -> None:
    world = await make_world(rate_messages_s=1)
    for wire in GENERATIONS.values():
        client, device = await WIRES[wire](world).open(), await world.device()
        await client.identify(device)
        for _ in range(4):
            await client.emit("message", {"devices": device["uuid"], "payload": 1})
        await client.heard("message")
        (warned,) = await client.heard("ratelimited")
        assert (warned["code"], warned["message"]) == (429, "Too Many Requests")
        assert 0 < warned["retryAfter"] <= 1
        await client.hears_nothing()


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_bug_is_no_secret_and_no_end(
    world: World, generation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, words = await identified(world, GENERATIONS[generation])

    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("inside")

    with monkeypatch.context() as patched:
        patched.setattr("thingtank.doors.skynet.operations.devices.read", broken)
        answer = await client.ask("whoami", {"uuid": words["own"]})
    assert answer["error"]["code"] == 500
    assert "inside" not in str(answer)
    assert (await client.ask("whoami", {"uuid": words["own"]}))["uuid"] == words["own"]
