"""Answers `/healthz`, `/readyz` and `/metrics` of the web port."""

from collections.abc import Callable
from typing import Any

import msgspec

from thingtank.server.monitoring.readers import Readers
from thingtank.server.monitoring.readiness import Phase, Readiness
from thingtank.server.monitoring.sample import Sample
from thingtank.server.monitoring.samples import Samples

PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
_FAILING = "the archive or the outbox cannot use its files; what comes waits, and the log says why"
_FORBIDDEN = (
    "metrics are for this machine and the networks of metrics.allowed_networks, by an address or a"
    " name of web.allowed_hosts, for who has the token, and for admins\n"
)


class MonitoringApp:
    """An ASGI app."""

    def __init__(
        self,
        readiness: Readiness,
        samples: Samples,
        readers: Readers,
        is_failing: Callable[[], bool],
    ) -> None:
        """Answer by these.

        Args:
            is_failing: whether a file that the server writes cannot be used. Why is in the log:
                strangers may read that answer, and errors name paths.
        """
        self._readiness = readiness
        self._samples = samples
        self._readers = readers
        self._is_failing = is_failing

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request for one of PATHS."""
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, b"", b"text/plain", (b"allow", b"GET, HEAD"))
        elif scope["path"] == "/healthz":
            is_failing = self._is_failing()
            words = {"status": "failing", "reason": _FAILING} if is_failing else {"status": "ok"}
            await _answer_json(send, 503 if is_failing else 200, words)
        elif scope["path"] == "/readyz":
            await self._answer_readiness(scope, send)
        else:
            await self._answer_metrics(scope, send)

    async def _answer_readiness(self, scope: Any, send: Any) -> None:
        phase = self._readiness.phase
        if phase is not Phase.RUNNING:
            await _answer_json(send, 503, {"status": phase.value})
            return
        results = await self._readiness.results()
        is_ready = all(results.values())
        words: dict[str, Any] = {"status": "ready" if is_ready else "failing"}
        if await self._readers.includes(scope):
            words["checks"] = {
                name: "ok" if holds else "failing" for name, holds in results.items()
            }
        await _answer_json(send, 200 if is_ready else 503, words)

    async def _answer_metrics(self, scope: Any, send: Any) -> None:
        if not await self._readers.includes(scope):
            await _answer(send, 403, _FORBIDDEN.encode(), b"text/plain; charset=utf-8")
            return
        from thingtank.server.monitoring.exposition import exposition  # not before it is wanted

        results = await self._readiness.results()
        is_ready = self._readiness.phase is Phase.RUNNING and all(results.values())
        samples = [
            *await self._samples.take(),
            Sample("thingtank_ready", is_ready),
            *(Sample("thingtank_check", holds, {"check": name}) for name, holds in results.items()),
        ]
        headers = dict(scope["headers"])
        body, content_type = exposition(samples, headers.get(b"accept", b"").decode("latin-1"))
        await _answer(send, 200, body, content_type.encode())


async def _answer_json(send: Any, status: int, words: dict[str, Any]) -> None:
    await _answer(send, status, msgspec.json.encode(words), b"application/json")


async def _answer(
    send: Any, status: int, body: bytes, content_type: bytes, *more: tuple[bytes, bytes]
) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
