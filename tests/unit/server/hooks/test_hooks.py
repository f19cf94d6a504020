"""From a message, or a change, to a request that arrives: outbox, dispatcher and sinks as served."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from tests.deliveries import answering, eventually, outbox_in, receiver

from thingtank.server.config import load_config
from thingtank.server.deliveries import start_dispatcher
from thingtank.server.hooks import hooks as module
from thingtank.server.hooks.hooks import Hooks
from thingtank.server.hooks.start import make_hook_parts, start_hooks
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.tank.access import OPERATOR, STRANGER
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.messages import Sent, send_message
from thingtank.tank.actions.properties import change_properties
from thingtank.tank.actions.tokens import create_token
from thingtank.tank.changes import DeviceChange
from thingtank.tank.deliveries import Delivery, DeliveryQuery, DeliveryState
from thingtank.tank.errors import Overloaded, StorageFailed
from thingtank.tank.messaging.permissions import Party, Policy
from thingtank.tank.messaging.switchboard import Delivery as Given
from thingtank.tank.outbox import NewDelivery
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

OPEN = Policy(is_open=True)


class Ear:
    """Hears what a device is given."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def deliver(self, delivery: Given) -> None:
        assert delivery.message is not None
        self.heard.append(delivery.message.content)


class World:
    """A tank whose hooks are at work."""

    def __init__(self, tank: Tank, outbox: SqliteOutbox, account_id: int) -> None:
        self.tank = tank
        directory = tank.directory
        assert isinstance(directory, MemoryDirectory)
        self.directory = directory
        self.outbox = outbox
        self.account_id = account_id

    async def device(self, uuid: str, **properties: Any) -> Device:
        draft = DeviceChange(title=uuid, private=False, properties=properties)
        made = await create_device(
            self.tank, OPERATOR, draft, account_id=self.account_id, uuid=uuid, token=f"token-{uuid}"
        )
        return made.device

    async def send(self, sender: Device, devices: Any, payload: Any = 1, **more: Any) -> Sent:
        party = Party(STRANGER, sender)
        return await send_message(
            self.tank, party, {"devices": devices, "payload": payload, **more}
        )

    async def change(self, device: Device, **properties: Any) -> Device:
        def change_of(newest: Device) -> DeviceChange:
            return DeviceChange(properties={**newest.properties, **properties})

        party = Party(STRANGER, device)
        return await change_properties(self.tank, party, device.device_id, change_of)

    async def deliveries(self) -> Sequence[Delivery]:
        """All, oldest first."""
        return list((await self.outbox.list(DeliveryQuery())).deliveries)[::-1]

    async def settled(self, count: int = 1) -> Sequence[Delivery]:
        """All deliveries, when so many are settled and none waits."""

        async def are_settled() -> bool:
            found = await self.deliveries()
            waiting = [one for one in found if one.state is DeliveryState.WAITING]
            return len(found) >= count and not waiting

        await eventually(are_settled)
        return await self.deliveries()

    def ear(self, device: Device) -> Ear:
        ear = Ear()
        party = Party(STRANGER, device)
        self.tank.messaging.switchboard.add(ear, party, device, ["received"])
        return ear


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World_in(tmp_path, "webhooks.allow_private=true") as made:
        yield made


class World_in:
    def __init__(self, folder: Path, *sets: str) -> None:
        self._folder = folder
        self._config = load_config(None, {}, sets).config
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> World:
        async def nobody_is_gone(delivery: Delivery) -> None:
            raise AssertionError

        directory = MemoryDirectory()
        outbox = await self._stack.enter_async_context(outbox_in(self._folder))
        tank = Tank(directory, MemoryArchive(), deliveries=outbox, policy=OPEN)
        parts = make_hook_parts(tank, self._folder)
        start_dispatcher(self._config, outbox, tank.clock, nobody_is_gone, self._stack, parts)
        start_hooks(tank, outbox, self._stack)
        return World(tank, outbox, directory.add_account("alice").account_id)

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def parsed(request: bytes) -> tuple[str, dict[str, str], Any]:
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return line, {name.lower(): text for name, text in headers.items()}, msgspec.json.decode(body)


async def test_a_message_is_posted_to_the_recipients_hook_as_json(world: World) -> None:
    async with receiver(answering()) as there:
        hook = {
            "url": there.url,
            "headers": {"X-Room": "kitchen"},
            "auth": {"user": "u", "pass": "p"},
        }
        lamp = await world.device("lamp", meshblu={"messageHooks": [hook]})
        button = await world.device("button")
        await world.send(button, "lamp", {"color": "red"}, topic="light")
        (delivery,) = await world.settled()
    assert (delivery.state, delivery.channel, delivery.device_id) == (
        DeliveryState.DELIVERED,
        "hook",
        lamp.device_id,
    )
    (request,) = there.requests
    line, headers, body = parsed(request)
    assert line == "POST /hook HTTP/1.1"
    assert headers["content-type"] == "application/json"
    assert (headers["x-meshblu-message-type"], headers["x-meshblu-uuid"]) == ("received", "lamp")
    assert (headers["x-room"], headers["authorization"]) == ("kitchen", "Basic dTpw")
    assert headers["webhook-id"] == delivery.message_id
    assert body == {
        "devices": "lamp",
        "payload": {"color": "red"},
        "topic": "light",
        "fromUuid": "button",
    }


async def test_who_sends_is_told_when_the_delivery_is_on_disk_and_not_before(world: World) -> None:
    await world.device("lamp", meshblu={"messageHooks": [{"url": "https://a.invalid/"}]})
    button = await world.device("button")
    await world.send(button, "lamp")
    assert len(await world.deliveries()) == 1


async def test_messages_that_are_sent_and_broadcast_have_hooks_too_and_each_is_sent_on_once(
    world: World,
) -> None:
    async with receiver(answering()) as there:
        hooks = {name: [{"type": "webhook", "url": there.url}] for name in ("sent", "broadcast")}
        button = await world.device("button", meshblu={"forwarders": hooks})
        await world.device("a")
        await world.device("b")
        await world.send(button, ["a", "b"])
        await world.send(button, "*", 2)
        await world.settled(3)
    told = [parsed(request) for request in there.requests]
    types = sorted(
        (headers["x-meshblu-message-type"], body["payload"]) for _, headers, body in told
    )
    assert types == [("broadcast", 2), ("sent", 1), ("sent", 2)]


async def test_what_a_device_is_subscribed_to_for_good_goes_to_its_hook_as_well(
    world: World,
) -> None:
    subscriptions = [{"emitterUuid": "button", "type": "broadcast"}]
    lamp = {"messageHooks": [{"url": "https://a.invalid/"}], "subscriptions": subscriptions}
    lamp_id = (await world.device("lamp", meshblu=lamp)).device_id
    button = await world.device("button")
    await world.send(button, "*", "hello")
    world.tank.messaging.presence.claim(button, is_online=True)
    (delivery,) = await world.deliveries()
    assert (delivery.device_id, b"hello" in delivery.body) == (lamp_id, True)


async def test_a_changed_record_is_posted_but_not_a_token_or_a_datastream(world: World) -> None:
    async with receiver(answering()) as there:
        hook = {"url": there.url, "auth": {"bearer": "a-secret"}}
        lamp = await world.device("lamp", meshblu={"configHooks": [hook]}, owner="boss")
        await world.change(lamp, color="red")
        await create_token(world.tank, OPERATOR, lamp.device_id)
        await world.settled()
        await world.change(lamp, color="blue")
        deliveries = await world.settled(2)
    assert all(b"a-secret" not in one.body for one in deliveries)
    told = [parsed(request) for request in there.requests]
    assert {headers["authorization"] for _, headers, _ in told} == {"Bearer a-secret"}
    assert [
        (headers["x-meshblu-message-type"], body["color"], body["owner"])
        for _, headers, body in told
    ] == [("config", "red", "boss"), ("config", "blue", "boss")]


async def test_a_lent_token_opens_the_device_during_the_request_only(world: World) -> None:
    directory = world.tank.directory
    seen: list[tuple[str, bool]] = []

    async def behave(request: bytes, writer: asyncio.StreamWriter) -> None:
        _, headers, _ = parsed(request)
        kind, _, pair = headers["authorization"].partition(" ")
        uuid, _, token = base64.b64decode(pair).decode().partition(":")
        assert (kind, uuid) == ("Bearer", "lamp")
        seen.append((token, directory.has_token(lamp.device_id, token)))
        await answering(500 if len(seen) == 1 else 200)(request, writer)

    async with receiver(behave) as there:
        hook = {"url": there.url, "generateAndForwardMeshbluCredentials": True}
        lamp = await world.device("lamp", meshblu={"configHooks": [hook]})
        await world.change(lamp, color="red")

        async def is_tried() -> bool:
            return len(seen) == 1 and not directory.count_tokens(lamp.device_id)

        await eventually(is_tried)
        (delivery,) = await world.deliveries()
        # A crash leaves a token; the next attempt takes it away before it makes its own.
        tag = f"hook {delivery.delivery_id}"
        await directory.insert_token(lamp.device_id, "left", tag, 0, tokens_max=100)
        await world.outbox.retry(delivery.delivery_id, world.tank.clock.now_us())
        assert len(await world.settled()) == 1  # the token was no change that another hook tells
    assert [was_good for _, was_good in seen] == [True, True]
    assert seen[0][0] != seen[1][0]
    assert not any(directory.has_token(lamp.device_id, token) for token, _ in seen)
    assert not directory.has_token(lamp.device_id, "left")


def documented_verify() -> Callable[[dict[str, str], str], str]:
    page = (Path(__file__).parents[4] / "docs/howto/send-messages-on.md").read_text()
    known: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], known)  # noqa: S102 - the page's own
    verify: Callable[[dict[str, str], str], str] = known["verify"]
    return verify


async def test_a_signed_request_verifies_with_the_public_key_also_beside_a_token(
    world: World, tmp_path: Path
) -> None:
    async with receiver(answering()) as there:
        hooks = [
            {"url": there.url, "signRequest": True},
            {
                "url": there.url + "2",
                "signRequest": True,
                "generateAndForwardMeshbluCredentials": True,
            },
        ]
        await world.device("lamp", meshblu={"messageHooks": hooks})
        await world.send(await world.device("button"), "lamp")
        await world.settled(2)
    pem = await world.tank.messaging.public_key()
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    verify = documented_verify()
    kinds = set()
    for request in there.requests:
        _, headers, _ = parsed(request)
        kinds.add(headers["authorization"].partition(" ")[0])
        assert verify(headers, pem) == "lamp"
        with pytest.raises(InvalidSignature):
            verify({**headers, "x-meshblu-uuid": "other"}, pem)
    assert kinds == {"Signature", "Bearer"}
    file = tmp_path / "hook_signing_key.pem"
    assert file.stat().st_mode & 0o777 == 0o600
    again = make_hook_parts(world.tank, tmp_path)  # as the next start does
    key.verify(await again.sign(b"x"), b"x", padding.PKCS1v15(), hashes.SHA256())
    file.write_text("nonsense")
    with pytest.raises(StorageFailed, match="hook_signing_key"):
        await make_hook_parts(world.tank, tmp_path).sign(b"x")


async def test_a_message_is_forwarded_from_device_to_device_and_not_in_circles(
    world: World,
) -> None:
    a = await world.device("a", meshblu={"messageForward": ["b"]})
    b = await world.device("b", meshblu={"messageForward": ["c", "a"]})
    c = await world.device("c", meshblu={"messageForward": ["b"]})
    ears = [world.ear(device) for device in (a, b, c)]
    await world.send(await world.device("button"), "a", "hello")

    async def have_all_heard() -> bool:
        # a → b → c and a; c → b once more, which forwards it no more.
        return [len(ear.heard) for ear in ears] == [2, 2, 1]

    await eventually(have_all_heard)
    await world.settled(4)
    assert [len(ear.heard) for ear in ears] == [2, 2, 1]
    assert ears[2].heard == [
        {"devices": ["c"], "payload": "hello", "fromUuid": "b", "forwardedFor": ["a", "b"]}
    ]
    assert {one.state for one in await world.deliveries()} == {DeliveryState.DELIVERED}


async def test_devices_that_all_forward_to_each_other_send_a_message_on_once_each(
    world: World,
) -> None:
    names = [f"mesh-{number}" for number in range(4)]
    for name in names:
        others = [other for other in names if other != name]
        await world.device(name, meshblu={"messageForward": others})
    button = await world.device("button")
    await world.send(button, "mesh-0", "first")
    assert len(await world.settled(12)) == 12
    await world.send(button, "mesh-0", "second")
    assert len(await world.settled(24)) == 24


async def test_a_message_that_could_not_be_forwarded_for_want_of_disk_is_forwarded_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.device("a", meshblu={"messageForward": ["b"]})
    await world.device("b", meshblu={"messageForward": ["c"]})
    ear = world.ear(await world.device("c"))
    record, failures = world.outbox.record, iter([False, True])

    async def fails_once(*args: Any) -> None:
        if next(failures, False):
            raise StorageFailed("disk full")
        await record(*args)

    monkeypatch.setattr(world.outbox, "record", fails_once)
    await world.send(await world.device("button"), "a", "hello")
    first = (await world.deliveries())[0]

    async def waits_again() -> bool:
        return (await world.outbox.get(first.delivery_id)).attempt_count == 1

    await eventually(waits_again)
    await world.outbox.retry(first.delivery_id, world.tank.clock.now_us())
    await world.settled(2)
    assert [content["payload"] for content in ear.heard] == ["hello"]


async def test_a_changed_record_is_forwarded_without_what_others_may_not_see(world: World) -> None:
    lamp = await world.device("lamp", owner="boss", meshblu={"configForward": [{"uuid": "panel"}]})
    ear = world.ear(await world.device("panel"))
    await world.change(lamp, color="red")
    await world.settled()
    (message,) = ear.heard
    assert (message["topic"], message["fromUuid"], message["payload"]["color"]) == (
        "config",
        "lamp",
        "red",
    )
    assert not {"owner", "meshblu"} & message["payload"].keys()


async def test_who_may_not_send_to_a_device_cannot_forward_to_it_nor_learn_that_it_is_there(
    world: World,
) -> None:
    lamp = {"messageForward": ["closed", "missing"]}
    await world.device("lamp", meshblu=lamp)
    ear = world.ear(await world.device("closed", sendWhitelist=[]))
    await world.send(await world.device("button"), "lamp")
    found = await world.settled(2)
    assert {one.state for one in found} == {DeliveryState.DEAD}
    assert found[0].error == found[1].error
    assert not ear.heard


async def test_a_hook_that_was_taken_away_is_tried_no_more(world: World) -> None:
    async with receiver(answering(500)) as there:
        lamp = await world.device("lamp", meshblu={"messageHooks": [{"url": there.url}]})
        await world.send(await world.device("button"), "lamp")

        async def is_tried() -> bool:
            (delivery,) = await world.deliveries()
            return delivery.attempt_count == 1

        await eventually(is_tried)
        await world.change(lamp, meshblu={})
        await world.outbox.retry(1, world.tank.clock.now_us())
        (delivery,) = await world.settled()
    assert (delivery.state, len(there.requests)) == (DeliveryState.DEAD, 1)
    assert "no more in meshblu.messageHooks" in delivery.error


async def test_a_receiver_that_fails_holds_up_its_own_hook_alone(world: World) -> None:
    async with receiver(answering(500)) as bad, receiver(answering()) as good:
        hooks = [{"url": bad.url}, {"url": good.url}]
        await world.device("lamp", meshblu={"messageHooks": hooks})
        button = await world.device("button")
        for number in range(3):
            await world.send(button, "lamp", number)

        async def have_arrived() -> bool:
            return len(good.requests) == 3

        await eventually(have_arrived)
    assert [parsed(request)[2]["payload"] for request in good.requests] == [0, 1, 2]
    assert len(bad.requests) == 1


async def test_private_addresses_are_refused_unless_the_settings_allow_them(tmp_path: Path) -> None:
    async with World_in(tmp_path) as world, receiver(answering()) as there:
        await world.device("lamp", meshblu={"messageHooks": [{"url": there.url}]})
        await world.send(await world.device("button"), "lamp")
        (delivery,) = await world.settled()
    assert (delivery.state, there.requests) == (DeliveryState.DEAD, [])
    assert "loopback" in delivery.error


async def test_hooks_of_an_account_that_is_switched_off_rest(world: World) -> None:
    off = world.directory.add_account("off", is_active=False)
    button = await world.device("button")
    world.account_id = off.account_id
    await world.device("lamp", meshblu={"messageHooks": [{"url": "https://a.invalid/"}]})
    await world.send(button, "lamp")
    assert not await world.deliveries()


async def test_what_is_too_large_is_not_sent_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONTENT_BYTES_MAX", 200)
    await world.device("lamp", meshblu={"messageHooks": [{"url": "https://a.invalid/"}]})
    button = await world.device("button")
    await world.send(button, "lamp", "x" * 300)
    await world.send(button, "lamp", "x")
    assert len(await world.deliveries()) == 1


async def test_presence_and_messages_to_devices_without_hooks_are_not_recorded(
    world: World,
) -> None:
    lamp = await world.device("lamp", meshblu={"forwarders": "nonsense"})
    await world.send(lamp, ["lamp", "*"])
    world.tank.messaging.presence.claim(lamp, is_online=True)
    assert not await world.deliveries()


class FailingOutbox:
    """Takes nothing."""

    def __init__(self) -> None:
        self.error: Exception = StorageFailed("the disk is full")

    async def record(
        self, reader: str, seq: int, states: Mapping[int, bytes], deliveries: Sequence[NewDelivery]
    ) -> None:
        raise self.error

    async def place(self, reader: str) -> int:
        return 0

    async def states(self) -> dict[int, bytes]:
        return {}


async def test_who_sends_is_told_when_the_disk_does_not_take_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory = MemoryDirectory()
    tank = Tank(directory, MemoryArchive(), policy=OPEN)
    world = World(tank, None, directory.add_account("alice").account_id)  # type: ignore[arg-type] # no outbox
    outbox = FailingOutbox()
    hooks = Hooks(tank, outbox)
    hooks.start()
    lamp = await world.device("lamp", meshblu={"messageHooks": [{"url": "https://a.invalid/"}]})
    button = await world.device("button")
    ear = world.ear(lamp)
    with pytest.raises(StorageFailed, match="full"):
        await world.send(button, "lamp")
    outbox.error = RuntimeError("a bug")
    with pytest.raises(StorageFailed, match="fault"):
        await world.send(button, "lamp")
    monkeypatch.setattr(module, "WAITING_MAX", 0)
    with pytest.raises(Overloaded):
        await world.send(button, "lamp")
    assert len(ear.heard) == 3
    await hooks.stop()


async def test_what_waits_at_the_end_is_recorded(tmp_path: Path) -> None:
    async with outbox_in(tmp_path) as outbox:
        directory = MemoryDirectory()
        tank = Tank(directory, MemoryArchive(), policy=OPEN)
        world = World(tank, outbox, directory.add_account("alice").account_id)
        hooks = Hooks(tank, outbox)
        hooks.start()
        lamp = await world.device("lamp", meshblu={"configHooks": [{"url": "https://a.invalid/"}]})
        await world.change(lamp, color="red")
        await hooks.stop()
        assert len(await world.deliveries()) == 1
