"""Pages are made a bounded number at a time of bounded requests, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from thingtank.web.setup import bounded, limited


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


async def test_a_body_is_read_up_to_its_bound_and_no_further() -> None:
    async def in_pieces(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * 10

    transport = httpx.ASGITransport(limited(echo, 100))
    async with httpx.AsyncClient(transport=transport, base_url="http://tank.test") as client:
        assert (await client.post("/", content=b"x" * 100)).text == "100"
        assert (await client.post("/", content=b"x" * 101)).status_code == 413
        assert (await client.post("/", content=in_pieces(10))).text == "100"
        with pytest.raises(ConnectionAbortedError):  # without a length, as far as the bound
            await client.post("/", content=in_pieces(11))
