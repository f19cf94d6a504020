"""What devices ask by publishing, and how each generation's clients are answered."""

from typing import Any

import pytest
from tests.conformance.mqtt.octets import Kind
from tests.unit.doors.skynet.mqtt_topics.world import Client, World
from tests.waiting import until

from thingtank.doors.skynet import errors as skynet_errors
from thingtank.doors.skynet.errors import RateLimited
from thingtank.doors.skynet.mqtt_topics.asking import WAITING_MAX
from thingtank.doors.skynet.mqtt_topics.names import REQUESTS, heard_of
from thingtank.doors.skynet.mqtt_topics.refusals import ROWS, refusal_of
from thingtank.protocols.mqtt.packet_types import PacketType
from thingtank.protocols.mqtt.reason_codes import REASON_CODES, ReasonCode
from thingtank.tank import errors


async def asked(client: Client, topic: str, fields: dict[str, Any]) -> Any:
    """The answer to one request, the device's changed record aside."""
    client.publish(topic, fields)
    answers: list[Any] = []

    def is_answered() -> bool:
        came = [content for _, content in client.heard()]
        answers.extend(each for each in came if each["topic"] != "config")
        return bool(answers)

    await until(is_answered)
    return answers[0]


async def by_callback(client: Client, topic: str, **fields: Any) -> tuple[str, Any]:
    """As meshblu-mqtt."""
    answer = await asked(client, topic, {**fields, "callbackId": "9f-1"})
    assert answer["_request"] == {"callbackId": "9f-1"}
    return answer["topic"], answer["data"]


async def by_ack(client: Client, topic: str, **fields: Any) -> Any:
    """As skynet-mqtt."""
    answer = await asked(client, topic, {**fields, "ack": 5})
    assert answer["topic"] == "messageAck"
    assert answer["data"]["ack"] == 5
    return answer["data"]["payload"]


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
async def lamp(world: World) -> dict[str, str]:
    return await world.device(name="Lamp", publicKey="pem")


@pytest.fixture
async def client(world: World, lamp: dict[str, str]) -> Client:
    return await world.hearing(lamp)


async def test_whoami_is_ones_own_record_without_its_token(
    client: Client, lamp: dict[str, str]
) -> None:
    topic, record = await by_callback(client, "whoami", uuid="ignored")
    assert (topic, record["name"], record["uuid"]) == ("whoami", "Lamp", lamp["uuid"])
    assert record["online"] is True
    assert record["protocol"] == "mqtt"
    assert "token" not in record
    assert await by_ack(client, "whoami") == record
    client.publish("whoami", b"")
    assert client.events() == [("whoami", record)]


async def test_update_sets_properties_and_says_so_in_each_ones_way(
    world: World, client: Client, lamp: dict[str, str]
) -> None:
    assert await by_callback(client, "update", color="red") == ("update", {})
    answer = await by_ack(client, "update", color="blue", online=True)
    assert answer.pop("timestamp").endswith("Z")
    assert answer == {"uuid": lamp["uuid"], "color": "blue", "online": True, "eventCode": 401}
    assert world.found(lamp["uuid"]).properties["color"] == "blue"
    assert {"ack", "callbackId"}.isdisjoint(world.found(lamp["uuid"]).properties)
    client.publish("update", {"color": "green"})
    assert [event for event, _ in client.events()] == ["config"]


async def test_another_device_is_changed_by_its_token_or_its_right(
    world: World, client: Client, lamp: dict[str, str]
) -> None:
    theirs = await world.device()
    mine = await world.device(configureWhitelist=[lamp["uuid"]])
    assert (await by_callback(client, "update", uuid=mine["uuid"], a=1))[0] == "update"
    assert (await by_callback(client, "update", a=1, **theirs))[0] == "update"
    error = {"message": "unauthorized", "code": 401}
    for uuid, token in ((theirs["uuid"], "wrong"), ("nobody", "wrong"), (theirs["uuid"], "")):
        refused = await by_callback(client, "update", uuid=uuid, token=token, a=2)
        assert refused == ("error", error)
    assert await by_ack(client, "update", uuid=theirs["uuid"]) == {"error": error}
    assert world.found(theirs["uuid"]).properties["a"] == 1


@pytest.mark.parametrize(
    "topic", ["update", "data", "resetToken", "generateAndStoreToken", "getPublicKey"]
)
async def test_a_device_that_one_may_not_discover_is_like_one_that_is_not_there(
    world: World, client: Client, topic: str
) -> None:
    hidden = await world.device(discoverWhitelist=[])
    answers = [await by_callback(client, topic, uuid=uuid, a=1) for uuid in (hidden["uuid"], "no")]
    assert answers[0] == answers[1] == ("error", {"message": "Device not found", "code": 404})


async def test_data_is_recorded_and_broadcast(
    world: World, client: Client, lamp: dict[str, str]
) -> None:
    other = await world.client(await world.device())
    other.subscribe(f"{lamp['uuid']}_bc")
    topic, record = await by_callback(client, "data", temperature=21.5, uuid=lamp["uuid"])
    assert record.pop("timestamp")
    assert (topic, record) == ("data", {"uuid": lamp["uuid"], "temperature": "21.5"})
    assert (await by_ack(client, "data", temperature=22))["eventCode"] == 700
    values = [content["data"]["payload"] for _, content in await other.hears(2)]
    assert values == [{"temperature": 21.5}, {"temperature": 22}]
    stream = world.directory.datastreams(world.found(lamp["uuid"]).device_id)
    assert list(stream) == ["temperature"]


async def test_tokens_are_made_and_told_once_and_open_the_device(
    world: World, client: Client, lamp: dict[str, str]
) -> None:
    topic, made = await by_callback(client, "generateAndStoreToken", tag="phone")
    assert (topic, made["uuid"], made["tag"]) == ("generateAndStoreToken", lamp["uuid"], "phone")
    await world.client({**lamp, "token": made["token"]}, client_id="phone")
    topic, made = await by_callback(client, "resetToken", uuid=lamp["uuid"])
    assert topic == "token"
    await world.client({**lamp, "token": made["token"]}, client_id="again")
    refused = Client(world, client_id="old")
    await refused.come(lamp)
    assert refused.connack.reason_code == 4


async def test_public_keys_are_told(client: Client, world: World, lamp: dict[str, str]) -> None:
    other = await world.device()
    key = await by_callback(client, "getPublicKey", uuid=lamp["uuid"])
    assert key == ("publicKey", {"publicKey": "pem"})
    assert (await by_callback(client, "getPublicKey", uuid=other["uuid"]))[1] == {"publicKey": None}


async def test_requests_of_one_client_are_done_in_order(client: Client) -> None:
    client.publish("update", {"n": 1})
    client.publish("whoami", {})
    client.publish("update", {"n": 2})
    client.publish("whoami", {})
    events = []
    while len(events) < 4:
        events += [(content["topic"], content["data"]["n"]) for _, content in await client.hears()]
    assert events == [("config", 1), ("whoami", 1), ("config", 2), ("whoami", 2)]


DEEP = b"[" * 300 + b"]" * 300
BAD = [b"\xff", b"[1]", b"text", b"{" * 500, b'"x"', b'{"a":']


@pytest.mark.parametrize("payload", BAD, ids=lambda payload: repr(payload[:8]))
@pytest.mark.parametrize("topic", sorted(REQUESTS - {"tb", "whoami"}))
async def test_what_is_no_request_is_refused_and_costs_nobody_anything(
    client: Client, topic: str, payload: bytes
) -> None:
    client.publish(topic, payload)
    client.publish(topic, payload, qos=1)
    assert [each.kind for each in client.packets if each.kind != Kind.PUBLISH] == [Kind.PUBACK]
    assert not client.is_closed
    assert (await by_callback(client, "whoami"))[0] == "whoami"


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("message", b"nonsense", ReasonCode.PAYLOAD_FORMAT_INVALID),
        ("message", b"{}", ReasonCode.PAYLOAD_FORMAT_INVALID),
        ("tb", b"\xff", ReasonCode.PAYLOAD_FORMAT_INVALID),
        ("message", b" " * 200_000, ReasonCode.PAYLOAD_FORMAT_INVALID),
        ("message", b'{"devices":"*","payload":%b}' % DEEP, ReasonCode.PAYLOAD_FORMAT_INVALID),
        ("update", b'{"uuid":"nobody"}', ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR),
        ("message", b'{"devices":"nobody","payload":1}', ReasonCode.SUCCESS),
        ("whoami", b"{}", ReasonCode.SUCCESS),
    ],
)
@pytest.mark.parametrize("qos", [1, 2])
async def test_version_5_is_told_why(
    world: World, topic: str, payload: bytes, reason: ReasonCode, qos: int
) -> None:
    client = await world.client(await world.device(), version=5)
    client.publish(topic, payload, qos=qos)
    [answer] = client.packets
    assert answer.kind == (Kind.PUBACK if qos == 1 else Kind.PUBREC)
    assert answer.reason_code == reason


async def test_one_message_too_many_is_refused_with_when_to_try_again() -> None:
    world = World(skynet={"rate_messages_s": 1.0})
    device = await world.device()
    client = await world.hearing(device, version=5)
    content = {"devices": device["uuid"], "payload": 1}
    client.publish("message", content, qos=1)
    client.publish("message", {**content, "callbackId": "x"}, qos=1)
    told = [each.reason_code for each in client.packets if each.kind == Kind.PUBACK]
    assert told == [ReasonCode.SUCCESS, ReasonCode.QUOTA_EXCEEDED]
    events = client.events()
    assert [event for event, _ in events] == ["message", "error"]
    assert events[1][1]["code"] == 429
    assert 0 < events[1][1]["retryAfter"] <= 1


async def test_of_requests_that_wait_there_are_so_many_and_no_more(world: World) -> None:
    device = await world.device()
    client = await world.hearing(device)
    asking = world.topics.asking_of(client.connection.session)  # type: ignore[arg-type] # it is open
    asking.is_busy = True
    for _ in range(WAITING_MAX + 5):
        client.publish("whoami", {})
    assert len(asking._waiting) == WAITING_MAX


@pytest.mark.parametrize(
    ("topic_filter", "heard"),
    [
        ("lamp", ("lamp", "own")),
        ("lamp_bc", ("lamp", "broadcasts")),
        ("lamp_tb", ("lamp", "texts")),
        ("+", None),
        ("#", None),
        ("lamp/#", None),
        ("lamp/message", None),
        ("$share/g/lamp", None),
        ("+_bc", None),
        ("a b", None),
        ("x" * 65, None),
        ("x" * 65 + "_bc", None),
        ("", None),
    ],
)
def test_a_topic_filter_is_about_a_device_or_not(topic_filter: str, heard: Any) -> None:
    found = heard_of(topic_filter)
    assert (None if found is None else tuple(found)) == heard


def kinds(module: Any, base: type[Exception]) -> list[type[Exception]]:
    values = vars(module).values()
    return [
        each
        for each in values
        if isinstance(each, type) and issubclass(each, base) and each is not base
    ]


@pytest.mark.parametrize(
    "kind",
    [
        *kinds(errors, errors.TankError),
        *kinds(skynet_errors, skynet_errors.SkynetError),
    ],
)
def test_every_error_has_a_row_and_a_code_that_puback_may_carry(kind: type[Any]) -> None:
    if kind is errors.ValidationFailed:
        error = kind([("a", "b")])
    elif kind is RateLimited:
        error = kind("messages", 1.0, 0.5)
    else:
        error = kind() if kind is skynet_errors.NotReady else kind("text")
    reason = refusal_of(error).reason
    is_carried = reason in REASON_CODES[PacketType.PUBACK].values()
    assert is_carried or reason is ReasonCode.SERVER_BUSY


def test_no_row_hides_another() -> None:
    for number, (kind, *_) in enumerate(ROWS):
        assert not any(issubclass(kind, before[0]) for before in ROWS[:number])
