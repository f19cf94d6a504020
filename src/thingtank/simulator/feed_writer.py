"""Writes to a feed by the public API, over HTTP, as any device does."""

from collections.abc import Sequence
from typing import Any, Self

import httpcore
import msgspec

REQUEST_S_MAX = 10.0
ANSWER_BYTES_MAX = 65_536
REASON_CHARS_MAX = 200
USER_AGENT = "thingtank-simulator"

_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class WriteFailed(Exception):
    """A write was not taken; the message says why.

    Attributes:
        is_final: whether the same write would be refused again.
    """

    def __init__(self, reason: str, *, is_final: bool) -> None:
        super().__init__(reason)
        self.is_final = is_final


class FeedWriter:
    """One feed of one server, from `async with` to its end; one request at a time."""

    def __init__(self, url: str, feed_id: int, api_key: str) -> None:
        """Connect to nothing yet.

        Args:
            url: of the server's web port, without a slash at the end.
        """
        self._url = f"{url}/v2/feeds/{feed_id}.json"
        self._headers = [
            ("X-ApiKey", api_key),
            ("Content-Type", "application/json"),
            ("User-Agent", USER_AGENT),
        ]
        self._pool = httpcore.AsyncConnectionPool(max_connections=1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.aclose()

    async def write(self, datastreams: Sequence[dict[str, Any]]) -> None:
        """Write datastreams, as the API names them; when this returns they are on disk.

        Raises:
            WriteFailed.
        """
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), REQUEST_S_MAX)
        try:
            async with self._pool.stream(
                "PUT",
                self._url,
                headers=self._headers,
                content=msgspec.json.encode({"version": "1.0.0", "datastreams": datastreams}),
                extensions={"timeout": timeouts},
            ) as response:
                answer = b""
                async for chunk in response.aiter_stream():
                    answer += chunk[: ANSWER_BYTES_MAX - len(answer)]
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            told = f"{type(error).__name__} {error}".strip()
            raise WriteFailed(f"the server cannot be reached: {told}", is_final=False) from None
        if response.status >= 300:
            raise WriteFailed(
                f"the server answered {response.status}: {_reason_of(answer)}",
                is_final=response.status not in _TRY_AGAIN,
            )


class _Refusal(msgspec.Struct):
    title: str = ""
    errors: str | list[str] = ""


def _reason_of(answer: bytes) -> str:
    """Why a write was refused, in the server's words."""
    try:
        refusal = msgspec.json.decode(answer, type=_Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return answer.decode("utf-8", "replace").strip()[:REASON_CHARS_MAX]
    errors = refusal.errors if isinstance(refusal.errors, str) else " ".join(refusal.errors)
    return (errors or refusal.title)[:REASON_CHARS_MAX]
