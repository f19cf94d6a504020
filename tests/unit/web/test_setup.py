"""Pages are made a bounded number at a time, and nobody waits for ever."""

import asyncio
from typing import Any

import httpx

from thingtank.web.setup import bounded


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
