"""Answers that do not end: what devices say as it happens, framed for each age of programs.

Source: the service of 2014, `/subscribe/:uuid`; Meshblu 1.18, `/subscribe…`, `/data…?stream=true`.
"""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.conformance.skynet.conftest import SkyNet

from thingtank.doors.skynet.rest import streams
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.tank.messaging.permissions import Party


class Client:
    """An ASGI client whose answer does not end."""

    def __init__(self, skynet: SkyNet, path: str, auth: tuple[str, str] | None = None) -> None:
        url = urlsplit(path)
        headers = [(b"host", b"localhost")]
        if auth is not None:
            headers += [
                (b"meshblu_auth_uuid", auth[0].encode()),
                (b"meshblu_auth_token", auth[1].encode()),
            ]
        self._scope = {
            "type": "http", "method": "GET", "path": url.path, "raw_path": url.path.encode(),
            "query_string": url.query.encode(), "headers": headers, "scheme": "http",
            "client": ("127.0.0.1", 1),
        }  # fmt: skip
        self._left = asyncio.Event()
        self._is_asked = False
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self._task = asyncio.create_task(skynet.rest(self._scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._is_asked:
            self._is_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        self.body += message.get("body", b"")

    async def __aenter__(self) -> "Client":
        await self.settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def leave(self) -> None:
        self._left.set()
        await asyncio.wait_for(self._task, 2)

    async def ended(self) -> None:
        await asyncio.wait_for(self._task, 2)

    async def lines(self) -> list[Any]:
        await self.settle()
        return [json.loads(line) for line in self.body.splitlines()]


@pytest.fixture
def skynet() -> SkyNet:
    return SkyNet()


async def send(
    skynet: SkyNet, auth: tuple[str, str], devices: Any, payload: Any, **more: Any
) -> None:
    body = {"devices": devices, "payload": payload, **more}
    answer = await skynet.ask("POST", "/messages", auth=auth, json=body)
    assert answer.status_code == 200


async def test_programs_of_2014_get_a_list_that_is_never_closed(skynet: SkyNet) -> None:
    auth = uuid, token = await skynet.made()
    async with Client(skynet, f"/subscribe/{uuid}?token={token}") as client:
        assert client.status == 200
        assert client.body == b"[\n"
        await skynet.ask("POST", "/messages", form=f'{{"devices":"{uuid}","message":{{"a":1}}}}')
        await send(skynet, auth, "*", {"b": 2})
        await client.settle()
        first, second = client.body.removeprefix(b"[\n").split(b"\n,\n")
    direct, broadcast = json.loads(first), json.loads(second)
    assert (direct["message"], direct["devices"], direct["eventCode"]) == ({"a": 1}, uuid, 300)
    assert type(direct["timestamp"]) is int
    assert (broadcast["message"], broadcast["fromUuid"]) == ({"b": 2}, uuid)


async def test_meshblus_programs_get_an_object_a_line(skynet: SkyNet) -> None:
    auth, other = await skynet.made(), await skynet.made()
    for path in ("/subscribe", f"/subscribe/{auth[0]}"):
        async with Client(skynet, path, auth) as client:
            assert client.headers[b"content-type"] == b"application/json"
            assert client.body == b""
            await send(skynet, other, [auth[0]], 1)
            await send(skynet, auth, "*", 2)
            assert await client.lines() == [
                {"devices": [auth[0]], "payload": 1, "fromUuid": other[0]},
                {"devices": "*", "payload": 2, "fromUuid": auth[0]},
            ]
            assert client.body.endswith(b"\n")


@pytest.mark.parametrize(
    ("path", "payloads"),
    [
        ("/subscribe/U", ["received", "broadcast", "sent"]),
        ("/subscribe/U/broadcast", ["broadcast"]),
        ("/subscribe/U/received", ["received"]),
        ("/subscribe/U/sent", ["broadcast", "sent"]),
        ("/subscribe/U?types=received", ["received"]),
        ("/subscribe/U?types[]=received&types[]=broadcast", ["received", "broadcast"]),
        ("/subscribe/U?topics=s*", ["sent"]),
        ("/subscribe/U?topics=*&topics=-s*", ["received", "broadcast"]),
    ],
)
async def test_kinds_and_topics(skynet: SkyNet, path: str, payloads: list[str]) -> None:
    auth, other = await skynet.made(), await skynet.made()
    async with Client(skynet, path.replace("U", auth[0]), auth) as client:
        await send(skynet, other, auth[0], "received", topic="one")
        await send(skynet, auth, "*", "broadcast")
        await send(skynet, auth, other[0], "sent", topic="so")
        assert [line["payload"] for line in await client.lines()] == payloads


async def test_others_hear_what_is_broadcast_and_no_more(skynet: SkyNet) -> None:
    auth, other = await skynet.made(), await skynet.made()
    async with Client(skynet, f"/subscribe/{auth[0]}", other) as client:
        await send(skynet, other, auth[0], "received")
        await send(skynet, auth, "*", "broadcast")
        assert [line["payload"] for line in await client.lines()] == ["broadcast"]
    async with Client(skynet, f"/subscribe/{auth[0]}/received", other) as client:
        assert client.status == 422
    async with Client(skynet, f"/subscribe/{auth[0]}?token={auth[1]}", other) as client:
        await send(skynet, other, auth[0], "received")
        assert [line["payload"] for line in await client.lines()] == ["received"]


async def test_sensor_data(skynet: SkyNet) -> None:
    auth = uuid, token = await skynet.made()
    async with (
        Client(skynet, f"/data/{uuid}?stream=true", auth) as client,
        Client(skynet, f"/data/{uuid}?stream=true&token={token}") as old,
    ):
        await skynet.ask("POST", f"/data/{uuid}", auth=auth, json={"t": 1.5, "sky": "clear"})
        await skynet.ask("POST", f"/data/{uuid}", auth=auth, json={"t": 2})
        assert await client.lines() == [{"t": 1.5, "sky": "clear"}, {"t": 2}]
        assert json.loads(old.body + b"]") == [{"t": 1.5, "sky": "clear"}, {"t": 2}]


async def test_a_payload_only_device_gets_no_more(skynet: SkyNet) -> None:
    auth, other = await skynet.made(payloadOnly=True), await skynet.made()
    async with Client(skynet, "/subscribe", auth) as client:
        await send(skynet, other, auth[0], {"a": 1})
        assert await client.lines() == [{"a": 1}]


async def test_what_was_kept_comes_first(skynet: SkyNet) -> None:
    auth, other = await skynet.made(keepMessages=True), await skynet.made()
    for number in range(3):
        await send(skynet, other, auth[0], number)
    async with Client(skynet, "/subscribe", auth) as client:
        await send(skynet, other, auth[0], 3)
        lines = await client.lines()
    assert [line["payload"] for line in lines] == [0, 1, 2, 3]
    assert ["kept" in line for line in lines] == [True, True, True, False]
    async with Client(skynet, "/subscribe", auth) as client:
        assert await client.lines() == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/subscribe/U?token=bad", 404),
        ("/subscribe/nobody?token=bad", 404),
        ("/subscribe", 404),
        ("/data/U?stream=true&token=bad", 404),
        ("/subscribe/U?topics[a]=b", 400),
    ],
)
async def test_programs_of_2014_are_refused(skynet: SkyNet, path: str, status: int) -> None:
    uuid, _ = await skynet.made()
    async with Client(skynet, path.replace("U", uuid)) as client:
        assert client.status == status
        assert b"content-length" in client.headers


async def test_a_closed_server_streams_to_nobody_unknown(closed: SkyNet) -> None:
    (uuid, _), auth = await closed.made(), await closed.made()
    for path in ("/subscribe", f"/subscribe/{uuid}", "/subscribe/nobody", f"/data/{uuid}?stream=1"):
        async with Client(closed, path) as client:
            assert (client.status, client.body) == (401, b'{"error":"unauthorized"}')
    async with (
        Client(closed, f"/subscribe/{uuid}", auth) as one,
        Client(closed, "/subscribe/nobody", auth) as none,
    ):
        assert one.status == none.status == 404
        assert one.body == none.body


async def test_a_stream_ends_with_its_token(
    skynet: SkyNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LOOK_S", 0.01)
    auth, other = await skynet.made(), await skynet.made()
    made = await skynet.ask("POST", f"/devices/{auth[0]}/tokens", auth=auth, json={"tag": "x"})
    client = Client(skynet, "/subscribe", (auth[0], made.json()["token"]))
    await client.settle()
    await skynet.ask("DELETE", f"/devices/{auth[0]}/tokens?tag=x", auth=auth)
    await send(skynet, other, auth[0], 1)
    await client.ended()
    assert client.body == b""


async def test_who_takes_nothing_is_dropped() -> None:
    skynet = SkyNet(settings=SkynetSettings(unread_bytes_max=1000, rate_messages_s=0))
    auth = await skynet.made()
    device = skynet.directory.find_device_by_uuid(auth[0])
    stream = streams.Stream(
        skynet.door, Party(skynet.door.parties.stranger("").caller, device), is_legacy=False
    )
    stream.subscribed.listen(stream.party, device, ("received",))  # type: ignore[arg-type] # it is there
    for _ in range(20):
        await send(skynet, auth, auth[0], "x" * 100)
    assert stream.is_over
    assert stream.take() == b""  # nothing is kept for a peer that is to go


async def test_streams_are_counted_and_end_when_the_server_stops() -> None:
    skynet = SkyNet(settings=SkynetSettings(connections_per_address_max=2, rate_queries_s=0))
    auth = await skynet.made()
    first, second = Client(skynet, "/subscribe", auth), Client(skynet, "/subscribe", auth)
    await first.settle()
    third = Client(skynet, "/subscribe", auth)
    await third.ended()
    assert third.status == 503
    await first.leave()
    async with Client(skynet, "/subscribe", auth) as fourth:
        assert fourth.status == 200
        skynet.rest.stop()
        await second.ended()
        await fourth.ended()
    async with Client(skynet, "/subscribe", auth) as late:
        assert late.status == 503
    assert not skynet.tank.messaging.switchboard.has_listeners(
        "received",
        skynet.directory.find_device_by_uuid(auth[0]).device_id,  # type: ignore[union-attr] # it is there
    )


async def test_the_request_log_shows_streams(skynet: SkyNet) -> None:
    uuid, token = await skynet.made()
    async with Client(skynet, f"/subscribe/{uuid}?token={token}"):
        pass
    async with Client(skynet, f"/subscribe/{uuid}?token=bad"):
        pass
    told = [(each.asked.path, each.status) for each in skynet.served]
    assert told == [(f"/subscribe/{uuid}?token=…", 200), (f"/subscribe/{uuid}?token=…", 404)]


async def test_nobody_streams_in_anothers_name(skynet: SkyNet) -> None:
    auth = await skynet.made()
    client = Client(skynet, "/subscribe", auth)
    client._scope["headers"].append((b"x-meshblu-as", auth[0].encode()))  # type: ignore[union-attr] # a list of headers
    await client.ended()
    assert client.status in (403, 422)
