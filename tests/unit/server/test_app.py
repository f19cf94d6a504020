"""The web port's own answers."""

from typing import Any

import httpx
import pytest

from thingtank.server.app import WebApp


async def unused(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("not asked for")


@pytest.mark.parametrize(
    ("is_failing", "status", "word"), [(False, 200, "ok"), (True, 503, "failing")]
)
async def test_health_is_told_without_details(is_failing: bool, status: int, word: str) -> None:
    app = WebApp(unused, unused, unused, unused, unused, unused, lambda: is_failing)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://tank.test"
    ) as client:
        reply = await client.get("/healthz")
    assert (reply.status_code, reply.json()["status"]) == (status, word)
    assert "/" not in reply.json().get("reason", "")
    assert reply.headers["cache-control"] == "no-store"
