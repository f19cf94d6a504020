"""Pages are made a bounded number at a time of bounded requests, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from thingtank.web import pages
from thingtank.web.pages import bounded, limited, with_strangers_share


async def test_who_waits_too_long_for_a_turn_is_told_to_come_again() -> None:
    may_end = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await may_end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})

    app = bounded(slow, at_once_max=1, turn_s_max=0.1)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://tank.test") as client:
        first = asyncio.create_task(client.get("/"))
        await asyncio.sleep(0.01)
        second = await client.get("/")
        may_end.set()
        assert (await first).text == "page"
        assert (second.status_code, second.headers["retry-after"]) == (503, "5")
        assert (await client.get("/")).text == "page"


class Cookies:
    """Django's settings, as far as they are asked for here."""

    SESSION_COOKIE_NAME = "session_1"


async def test_strangers_leave_turns_to_who_is_signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "django_settings", Cookies)
    may_end = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await may_end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})

    app = with_strangers_share(bounded(slow, 4, 0.2), at_once_max=2, turn_s_max=0.2)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://tank.test") as client:
        strangers = [asyncio.create_task(client.get(path)) for path in ("/feeds/1", "/directory/")]
        await asyncio.sleep(0.01)
        assert (await client.get("/feeds/2")).status_code == 503
        others = [
            asyncio.create_task(client.get("/feeds/1", headers={"Cookie": "session_1=x"})),
            asyncio.create_task(client.get("/sign-in")),
        ]
        await asyncio.sleep(0.01)
        assert (await client.get("/sign-in")).status_code == 503  # all four are taken
        may_end.set()
        replies = await asyncio.gather(*strangers, *others)
        assert [reply.status_code for reply in replies] == [200] * 4


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with how many bytes came, as Django does once it has them all."""
    count = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError
        count += len(message["body"])
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(count).encode()})


async def in_pieces(count: int) -> AsyncIterator[bytes]:
    """A body whose length is not told."""
    for _ in range(count):
        yield b"x" * 10


async def test_a_body_is_read_up_to_its_bound_and_no_further() -> None:
    transport = httpx.ASGITransport(limited(echo, 100))
    async with httpx.AsyncClient(transport=transport, base_url="http://tank.test") as client:
        assert (await client.post("/", content=b"x" * 100)).text == "100"
        assert (await client.post("/", content=b"x" * 101)).status_code == 413
        assert (await client.post("/", content=in_pieces(10))).text == "100"
        with pytest.raises(ConnectionAbortedError):  # without a length, as far as the bound
            await client.post("/", content=in_pieces(11))


async def test_a_body_for_the_rest_api_has_a_lower_bound_also_without_a_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "API_BODY_BYTES_MAX", 50)
    transport = httpx.ASGITransport(limited(echo, 100))
    async with httpx.AsyncClient(transport=transport, base_url="http://tank.test") as client:
        assert (await client.post("/api/devices", content=in_pieces(5))).text == "50"
        with pytest.raises(ConnectionAbortedError):
            await client.post("/api/devices", content=in_pieces(6))


async def test_programs_of_the_rest_api_are_told_by_problem_details() -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(10)

    app = bounded(limited(never, 100), at_once_max=1, turn_s_max=0.05)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://tank.test") as client:
        large = await client.post("/api/devices", content=b"x" * 101)
        first = asyncio.create_task(client.get("/api/devices"))
        await asyncio.sleep(0.01)
        second = await client.get("/api/devices")
        first.cancel()
    for answer, status, name in ((large, 413, "too-large"), (second, 503, "overloaded")):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == f"/api/problems/{name}"
    assert second.headers["retry-after"] == "5"
