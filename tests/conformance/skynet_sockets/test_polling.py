"""Long polling, upgrades, and all that goes wrong with them.

Source: socket.io 0.9, transports; Engine.IO, HTTP long-polling, Upgrade; what clients were seen to
do: they hang up on polls after a second, and poll again at once.
"""

import asyncio
import json
from typing import Any

import pytest
from tests.conformance.skynet_sockets.world import (
    WIRES,
    Client,
    Engine3Binary,
    Engine3Polling,
    Http,
    LegacyPolling,
    ModernPolling,
    World,
    eventually,
    legacy_packets,
)

from thingtank.doors.skynet.sockets.http import SocketHttp
from thingtank.net.http_request import RequestHead
from thingtank.tank.messaging.messages import message_of
from thingtank.tank.messaging.switchboard import Delivery

POLLING = [name for name in WIRES if "polling" in name]
ENGINE = [name for name in POLLING if not name.startswith("0.9")]


@pytest.fixture(params=POLLING)
async def poller(request: pytest.FixtureRequest, world: World) -> Any:
    return await WIRES[request.param](world).open()


@pytest.fixture(params=ENGINE)
async def engine(request: pytest.FixtureRequest, world: World) -> Any:
    return await WIRES[request.param](world).open()


async def is_held(world: World) -> None:
    """A poll has been read, and waits."""
    await eventually(lambda: any(each.held_poll for each in socketio_clients(world)))


def socketio_clients(world: World) -> Any:
    return list(world.sockets.clients)


async def send_from_elsewhere(world: World, uuid: str, payload: Any) -> None:
    sender = await WIRES["4 websocket"](world).open()
    await sender.identify(await world.device())
    await sender.ask("message", {"devices": uuid, "payload": payload})


async def test_poll_is_held_until_there_is_something(poller: Any, world: World) -> None:
    device = await world.device()
    await poller.identify(device)
    hearing = asyncio.create_task(poller.heard("message"))
    await is_held(world)
    await send_from_elsewhere(world, device["uuid"], "late")
    assert (await hearing)[0]["payload"] == "late"


async def test_nothing_is_lost_with_a_poll_that_was_hung_up_on(poller: Any, world: World) -> None:
    device = await world.device()
    await poller.identify(device)
    for number in range(3):
        abandoned = Http(world)
        await abandoned.send("GET", poller.path)
        await is_held(world)
        abandoned.hang_up()
        await send_from_elsewhere(world, device["uuid"], number)
        assert (await poller.heard("message"))[0]["payload"] == number


async def test_hanging_up_is_seen_even_before_the_loop_is_told(world: World) -> None:
    """The message and the end of the connection come in one turn of the loop."""
    client = await WIRES["0.9 xhr-polling"](world).open()
    assert isinstance(client, LegacyPolling)
    device = await world.device()
    await client.identify(device)
    abandoned = Http(world)
    await abandoned.send("GET", client.path)
    await is_held(world)
    assert abandoned.writer is not None
    sock = abandoned.writer.get_extra_info("socket")
    sock.shutdown(1)  # at once, and nothing else runs until the message is sent
    found = world.tank.directory.find_device_by_uuid(device["uuid"])
    assert found is not None
    message = message_of({"devices": device["uuid"], "payload": "kept"}, "", 0, 0)
    world.tank.messaging.switchboard.deliver(Delivery("received", found, message))
    assert (await client.heard("message"))[0]["payload"] == "kept"


class Waiting:
    """A `LongRespond` whose peer goes away without anybody being told."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.has_left = False

    def __call__(self, status: int, headers: object, body: bytes) -> None:
        self.statuses.append(status)

    def hold(self, on_gone: object) -> None:
        pass

    def is_gone(self) -> bool:
        return self.has_left


async def test_poll_after_one_that_was_hung_up_on_is_no_second_one(
    engine: Any, world: World
) -> None:
    http, (path, _, query) = SocketHttp(world.sockets), engine.path.partition("?")
    head = RequestHead("GET", path, query.encode(), {}, "http", "127.0.0.1")
    older, newer = Waiting(), Waiting()
    http.answer(head, b"", older)
    older.has_left = True
    http.answer(head, b"", newer)
    assert (older.statuses, newer.statuses) == ([], [])
    await engine.emit("status")
    http.answer(head, b"", Waiting())  # while `newer` still waits
    assert newer.statuses == [200]


class TestEarlyPolls:
    """Socket.io 0.9."""

    async def test_first_poll_says_that_it_is_connected_and_no_more_than_it_has(
        self, world: World
    ) -> None:
        client = LegacyPolling(world)
        client.sid, client.http = await client.handshake(), Http(world)
        answer = await client.http.ask("GET", client.path)
        packets = legacy_packets(answer.body.decode())
        assert packets[0] == "1::"

    async def test_newer_poll_releases_the_older(self, world: World) -> None:
        client = await WIRES["0.9 xhr-polling"](world).open()
        assert isinstance(client, LegacyPolling)
        older, newer = Http(world), Http(world)
        await older.send("GET", client.path)
        await is_held(world)
        await newer.send("GET", client.path)
        assert (await older.receive()).body == b"8::"
        await client.send_packet('5:1+::{"name":"status"}')
        assert (await newer.receive()).body.startswith(b"6:::1+")

    async def test_poll_without_news_ends_by_itself(self, make_world: Any) -> None:
        world = await make_world(poll_s=1)
        client = await WIRES["0.9 xhr-polling"](world).open()
        assert isinstance(client, LegacyPolling)
        assert (await client.http.ask("GET", client.path)).body == b"8::"

    @pytest.mark.parametrize("transport", ["xhr-polling", "jsonp-polling"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_unknown_session_is_to_shake_hands(
        self, world: World, transport: str, method: str
    ) -> None:
        body = b"d=%22%22" if method == "POST" else b""
        answer = await Http(world).ask(method, f"/socket.io/1/{transport}/none?i=0", body)
        assert answer.status == 200
        assert b"7:::1+0" in answer.body

    async def test_session_that_is_not_polled_ends(self, make_world: Any) -> None:
        world = await make_world(abandoned_s=1, poll_s=1)
        await LegacyPolling(world).handshake()
        client = await WIRES["0.9 xhr-polling"](world).open()
        await client.identify(await world.device())
        await eventually(lambda: not world.sockets.clients)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"nonsense",
            b"5:::",
            b"\xff\xfe",
            b"\xef\xbf\xbd99\xef\xbf\xbd2::",
            b"5:::{",
            b"9::",
        ],
    )
    async def test_nonsense_is_ignored(self, world: World, body: bytes) -> None:
        client = await WIRES["0.9 xhr-polling"](world).open()
        assert isinstance(client, LegacyPolling)
        answer = await Http(world).ask("POST", client.path, body, "text/plain")
        assert (answer.status, answer.body) == (200, b"1")
        await client.send_packet('5:1+::{"name":"status"}')
        answer = await client.http.ask("GET", client.path)
        assert b"6:::1+" in answer.body

    async def test_nonsense_in_a_form_is_ignored(self, world: World) -> None:
        client = await WIRES["0.9 jsonp-polling"](world).open()
        answer = await Http(world).ask("POST", client.path, b"d=nonsense", "text/plain")  # type: ignore[attr-defined] # it polls
        assert (answer.status, answer.body) == (200, b"1")
        await client.ask("status")

    async def test_handshake_says_the_times(self, world: World) -> None:
        answer = await Http(world).ask("GET", "/socket.io/1/?t=123")
        sid, *rest = answer.body.decode().split(":")
        assert (answer.status, answer.headers["content-type"]) == (200, "text/plain")
        assert len(sid) == 20
        assert rest == ["60", "60", "websocket,xhr-polling,jsonp-polling"]

    async def test_handshake_may_be_a_script(self, world: World) -> None:
        answer = await Http(world).ask("POST", "/socket.io/1?jsonp=3")
        assert answer.headers["content-type"] == "application/javascript"
        assert answer.body.startswith(b'io.j[3]("')


class TestEnginePolls:
    async def test_handshake_holds_the_open_packet_and_nothing_else(self, engine: Any) -> None:
        assert engine.opened["upgrades"] == ["websocket"]
        assert (engine.opened["pingInterval"], engine.opened["pingTimeout"]) == (25_000, 60_000)

    async def test_two_polls_at_a_time_end_the_session(self, engine: Any, world: World) -> None:
        first, second = Http(world), Http(world)
        await first.send("GET", engine.path)
        await is_held(world)
        answer = await second.ask("GET", engine.path)
        assert answer.status == 400
        assert engine.parted((await first.receive()).body) == ["1"]
        assert not world.sockets.clients

    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_unknown_session_is_told(self, engine: Any, world: World, method: str) -> None:
        engine.sid = "none"
        answer = await Http(world).ask(method, engine.path, b"2" if method == "POST" else b"")
        assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
        assert json.loads(answer.body) == {"code": 1, "message": "Session ID unknown"}

    @pytest.mark.parametrize("body", [b"", b"x", b"\xff", b"9:4", b"\x00\x09\xff4", b"42[", b"7"])
    async def test_nonsense_ends_the_session(self, engine: Any, world: World, body: bytes) -> None:
        answer = await Http(world).ask("POST", engine.path, body, engine.kind)
        assert answer.status == 400
        await eventually(lambda: not world.sockets.clients)
        assert (await Http(world).ask("GET", engine.path)).status == 400

    async def test_ping_of_a_poller_is_answered(self, world: World) -> None:
        client = await WIRES["3 binary polling"](world).open()
        assert isinstance(client, Engine3Binary)
        polling = Http(world)
        await polling.send("GET", client.path)
        await is_held(world)
        await client.send_packet("2probe")
        assert client.parted((await polling.receive()).body) == ["3probe"]

    async def test_text_that_was_encoded_twice_is_read(self, world: World) -> None:
        client = await WIRES["3 polling"](world).open()
        assert isinstance(client, Engine3Polling)
        device = await world.device()
        await client.identify(device)
        packet = client.event("message", ({"devices": device["uuid"], "payload": "二"},), None)
        units = packet.encode().decode("latin-1")
        await Http(world).ask("POST", client.path, f"{len(units)}:{units}".encode(), client.kind)
        assert (await client.heard("message"))[0]["payload"] == "二"

    async def test_long_body_is_taken_and_a_longer_one_is_not(
        self, engine: Any, world: World
    ) -> None:
        device = await world.device()
        await engine.identify(device)
        long = "x" * 100_000  # more than what takes the short way through the HTTP server
        await engine.emit("message", {"devices": device["uuid"], "payload": long})
        assert (await engine.heard("message"))[0]["payload"] == long
        too_long = engine.framed("4" + "x" * 140_000)
        assert (await Http(world).ask("POST", engine.path, too_long, engine.kind)).status == 413


class TestUpgrades:
    async def test_held_poll_is_released_and_nothing_is_lost(
        self, engine: Any, world: World
    ) -> None:
        device = await world.device()
        await engine.identify(device)
        polling = Http(world)
        await polling.send("GET", engine.path)
        await is_held(world)
        ws = await engine.upgrade()
        assert engine.parted((await polling.receive()).body) == ["6"]
        # Until it is complete, what is said goes by polling, both ways.
        await engine.emit("message", {"devices": device["uuid"], "payload": 1})
        assert (await engine.heard("message"))[0]["payload"] == 1
        await engine.send_packet(engine.event("message", ({"devices": device["uuid"]},), 9))
        await ws.send("5")
        assert json.loads(str(await ws.recv())[2:]) == ["message", sent(device)]
        assert await ws.recv() == "439[]"
        await ws.send(engine.event("status", (), 10))
        assert str(await ws.recv()).startswith("4310[")
        await ws.close()
        await eventually(lambda: not world.sockets.clients)

    async def test_kept_messages_that_waited_for_the_upgrade_are_taken_by_it(
        self, engine: Any, world: World
    ) -> None:
        """So new ones come: they wait until the kept ones are taken."""
        device, sender = (
            await world.device(keepMessages=True),
            await WIRES["4 websocket"](world).open(),
        )
        await sender.identify(await world.device())
        await sender.emit("message", {"devices": device["uuid"], "payload": "kept"})
        await sender.ask("status")
        await engine.emit("identity", device)  # and no poll fetches what follows
        ws = await engine.upgrade()
        await ws.send("5")
        payloads = []
        while "kept" not in payloads:
            name, message = json.loads(str(await ws.recv())[2:])
            payloads += [message["payload"]] if name == "message" else []
        await eventually(lambda: not world.tank.messaging.kept.device_ids())
        await sender.emit("message", {"devices": device["uuid"], "payload": "new"})
        assert json.loads(str(await ws.recv())[2:])[1]["payload"] == "new"

    async def test_upgrade_without_a_poll_is_answered_by_the_probe_alone(
        self, world: World
    ) -> None:
        client = Engine3Binary(world)
        await client.connect()
        ws = await client.upgrade()  # `3probe` is the first thing that it brings
        await ws.send("5")
        assert await ws.recv() == "40"
        assert "identify" in str(await ws.recv())

    async def test_upgrade_that_fails_leaves_polling_as_it_is(
        self, engine: Any, world: World
    ) -> None:
        device = await world.device()
        await engine.identify(device)
        for end in ("5", "nonsense", None):
            ws = await engine.upgrade()
            if end == "5":
                await ws.close()
            elif end:
                await ws.send(end)
                await ws.wait_closed()
            else:
                break
        await engine.emit("message", {"devices": device["uuid"], "payload": 1})
        assert (await engine.heard("message"))[0]["payload"] == 1

    async def test_polling_is_over_after_an_upgrade(self, engine: Any, world: World) -> None:
        ws = await engine.upgrade()
        await ws.send("5")
        await ws.send(engine.event("status", (), 1))
        await ws.recv()
        assert (await Http(world).ask("GET", engine.path)).status == 400


def sent(device: dict[str, str]) -> dict[str, Any]:
    return {"devices": device["uuid"], "fromUuid": device["uuid"]}


class TestRequests:
    @pytest.mark.parametrize(
        ("path", "status", "body"),
        [
            ("/socket.io/", 200, b"Welcome to socket.io."),
            ("/socket.io", 200, b"Welcome to socket.io."),
            ("/socket.io/2/", 500, b"Protocol version not supported."),
            ("/socket.io/?EIO=3&transport=telepathy", 400, b'"Transport unknown"'),
            ("/socket.io/?EIO=9&transport=polling", 400, b'"Unsupported protocol version"'),
            ("/socket.io/?EIO=4&transport=websocket", 400, b'"Bad request"'),
            ("/socket.io/socket.io.js", 404, b"no script here"),
            ("/socket.io/1/telepathy/abc", 404, b"nothing here"),
            ("/socket.io/1/a/b/c/d", 404, b"nothing here"),
            ("/socket.io/1/xhr-polling/none?disconnect", 200, b""),
            ("/socket.io/1/websocket/none?disconnect=1", 200, b""),
        ],
    )
    async def test_other_requests_are_answered_too(
        self, world: World, path: str, status: int, body: bytes
    ) -> None:
        answer = await Http(world).ask("GET", path)
        assert answer.status == status
        assert body in answer.body

    async def test_pages_of_any_site_may_ask(self, world: World) -> None:
        path = "/socket.io/?EIO=4&transport=polling"
        answer = await Http(world).ask("GET", path, b"", "", "Origin: http://else.example")
        assert answer.headers["access-control-allow-origin"] == "http://else.example"
        assert answer.headers["access-control-allow-credentials"] == "true"
        asked = await Http(world).ask("OPTIONS", path, b"", "", "Origin: http://else.example")
        assert (asked.status, asked.headers["access-control-allow-headers"]) == (
            200,
            "Content-Type",
        )
        plain = await Http(world).ask("GET", path)
        assert plain.headers["access-control-allow-origin"] == "*"

    @pytest.mark.parametrize("origin", ["http://else.example", "null"])
    async def test_pages_may_be_kept_out_and_programs_come_in(
        self, make_world: Any, origin: str
    ) -> None:
        world = await make_world(allowed_origins=("https://ours.example",))
        path = "/socket.io/?EIO=4&transport=polling"
        kept_out = await Http(world).ask("GET", path, b"", "", f"Origin: {origin}")
        assert (kept_out.status, json.loads(kept_out.body)["message"]) == (403, "Forbidden")
        for come_in in ("https://ours.example", "127.0.0.1:7419"):
            answer = await Http(world).ask("GET", path, b"", "", f"Origin: {come_in}")
            assert answer.status == 200

    async def test_a_script_of_another_sites_page_opens_no_session(self, make_world: Any) -> None:
        world = await make_world()
        script = "Sec-Fetch-Site: cross-site"
        for path in ("/socket.io/1/?jsonp=0", "/socket.io/?EIO=3&transport=polling&j=0"):
            assert (await Http(world).ask("GET", path, b"", "", script)).status == 403
            own = await Http(world).ask("GET", path, b"", "", "Sec-Fetch-Site: same-origin")
            assert own.status == 200

    @pytest.mark.parametrize("trusted", [True, False])
    async def test_clients_behind_a_trusted_proxy_are_told_apart(
        self, make_world: Any, trusted: bool
    ) -> None:
        proxies = ("127.0.0.1",) if trusted else ()
        world = await make_world(trusted_proxies=proxies, connections_per_address_max=1)
        statuses = []
        for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
            path, header = "/socket.io/1/", f"X-Forwarded-For: {address}"
            statuses.append((await Http(world).ask("GET", path, b"", "", header)).status)
        assert statuses == ([200, 503, 200] if trusted else [200, 503, 503])

    async def test_proxy_that_hangs_up_loses_nothing(self, make_world: Any) -> None:
        world = await make_world(trusted_proxies=("127.0.0.1",))
        poller = await WIRES["0.9 xhr-polling"](world).open()
        assert isinstance(poller, LegacyPolling)
        device = await world.device()
        await poller.identify(device)
        abandoned = Http(world)
        await abandoned.send("GET", poller.path, b"", "", "X-Forwarded-For: 192.0.2.1")
        await is_held(world)
        abandoned.hang_up()
        await send_from_elsewhere(world, device["uuid"], 1)
        assert (await poller.heard("message"))[0]["payload"] == 1

    async def test_sessions_are_bounded(self, make_world: Any) -> None:
        world = await make_world(connections_max=2)
        other = await make_world(connections_per_address_max=2)
        for server in (world, other):
            for _ in range(2):
                await LegacyPolling(server).handshake()
            for path in ("/socket.io/1/", "/socket.io/?EIO=4&transport=polling"):
                answer = await Http(server).ask("GET", path)
                assert answer.status == 503
                assert b"too many connections" in answer.body

    async def test_client_that_leaves_makes_room(self, make_world: Any) -> None:
        world = await make_world(connections_max=1)
        for wire in POLLING:
            client: Client = await WIRES[wire](world).open()
            await client.close()
            await eventually(lambda: not world.sockets.clients)

    async def test_what_nobody_polls_for_is_bounded(self, make_world: Any) -> None:
        world = await make_world(unread_bytes_max=10_000)
        for wire in ("0.9 xhr-polling", "4 polling"):
            client, device = await WIRES[wire](world).open(), await world.device()
            await client.identify(device)
            for _ in range(12):
                message = {"devices": device["uuid"], "payload": "x" * 1000}
                await send_or_not(client, message)
            await eventually(lambda: not world.sockets.clients)


async def send_or_not(client: Client, message: dict[str, Any]) -> None:
    """Send, whether or not the session is still there."""
    assert isinstance(client, LegacyPolling | ModernPolling)
    packet = client.event("message", (message,), None)
    await Http(client.world).ask("POST", client.path, packet.encode(), "text/plain")
