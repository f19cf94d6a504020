"""What both clients share of HTTP: settings, requests out of calls, answers into errors. No I/O."""

import random
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from thingtank.client.calls import Answer, Call
from thingtank.client.errors import ClientError, NotFound, Refused, Unreachable, refusal_of
from thingtank.client.retries import RetryPolicy, wait_s

T = TypeVar("T")

ANSWER_BYTES_MAX = 64 * 1024 * 1024
_USER_AGENT = "thingtank-client"
_ERROR_TEXT_CHARS_MAX = 1000
# The server's ports beside each other, as Xively's JavaScript library knows them.
_SOCKET_PORTS = {"http": ("ws", 8080), "https": ("wss", 8094)}
# What httpx raises before a byte of the request went out.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class _ErrorBody(msgspec.Struct):
    title: str
    errors: str | list[str] = ""


_ERROR = msgspec.json.Decoder(_ErrorBody)
_ENCODER = msgspec.json.Encoder()


class ClientSettings:
    """Where the server is, and how to talk to it. Shows no key when printed.

    Raises:
        ValueError: an address or a key that cannot be one.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        socket_url: str | None,
        timeout_s: float,
        retries: RetryPolicy,
        verify: bool | str,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _SOCKET_PORTS or not parts.hostname:
            raise ValueError(f"the address must be like https://tank.example, not {url[:200]!r}")
        if parts.query or parts.fragment or parts.username:
            raise ValueError("the address must have no query, fragment or user name")
        # Here and not in the HTTP library, whose message would hold the key.
        if not (api_key and api_key.isascii() and api_key.isprintable() and " " not in api_key):
            raise ValueError("the key is empty or has characters that no key has")
        if timeout_s <= 0:
            raise ValueError("timeout_s must be more than 0")
        self.url = url.rstrip("/")
        self.api_key = api_key
        self.socket_url = socket_url or _socket_url_of(parts.scheme, parts.hostname)
        self.timeout_s = timeout_s
        self.retries = retries
        self.verify = verify

    def __repr__(self) -> str:
        return f"ClientSettings({self.url!r})"

    def tls(self) -> bool | ssl.SSLContext:
        """Which certificates to trust, as httpx takes it."""
        if isinstance(self.verify, bool):
            return self.verify
        return ssl.create_default_context(cafile=self.verify)

    def socket_tls(self) -> ssl.SSLContext | None:
        """Which certificates to trust, as websockets takes it; None without TLS."""
        if not self.socket_url.startswith("wss:"):
            return None
        context = ssl.create_default_context(
            cafile=self.verify if isinstance(self.verify, str) else None
        )
        if self.verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {"X-ApiKey": self.api_key, "Accept": "application/json", "User-Agent": _USER_AGENT}


def _socket_url_of(scheme: str, host: str) -> str:
    socket_scheme, port = _SOCKET_PORTS[scheme]
    return f"{socket_scheme}://{f'[{host}]' if ':' in host else host}:{port}/"


def request_of(client: httpx.Client | httpx.AsyncClient, call: Call[T]) -> httpx.Request:
    """The request that a call means."""
    content = None if call.document is None else _ENCODER.encode(call.document)
    headers = {} if content is None else {"Content-Type": "application/json"}
    return client.build_request(
        call.method,
        call.path + ".json",
        params=dict(call.parameters) or None,
        content=content,
        headers=headers,
    )


def read_answer(response: httpx.Response, body: bytes) -> Answer:
    """An answer, when it is none of the refusals. Raises Refused."""
    if response.is_success:
        return Answer(body, response.headers.get("Location", ""))
    title, errors, is_from_api = _said(response, body)
    raise refusal_of(
        response.status_code,
        title,
        errors,
        retry_after_s=retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC)),
        is_from_api=is_from_api,
    )


def _said(response: httpx.Response, body: bytes) -> tuple[str, list[str], bool]:
    try:
        found = _ERROR.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return response.reason_phrase or "refused", [], False
    errors = [found.errors] if isinstance(found.errors, str) else found.errors
    return (
        found.title[:_ERROR_TEXT_CHARS_MAX],
        [text[:_ERROR_TEXT_CHARS_MAX] for text in errors if text][:100],
        True,
    )


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header, a number or a date; None when it says nothing."""
    if not text:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


def unreachable(error: httpx.HTTPError) -> Unreachable:
    """What httpx says, as this library says it."""
    reason = str(error) or type(error).__name__
    return Unreachable(reason, was_sent=not isinstance(error, _NOT_SENT))


class Attempts:
    """Counts the attempts of one call and says what to do after each that failed."""

    def __init__(self, policy: RetryPolicy, call: Call[T]) -> None:
        self._policy = policy
        self._is_idempotent = call.is_idempotent
        self._is_delete = call.method == "DELETE"
        self._count = 0

    def wait_s(self, error: ClientError) -> float | None:
        """Seconds to wait before the next attempt; None to give up."""
        self._count += 1
        return wait_s(
            self._policy,
            error,
            self._count,
            is_idempotent=self._is_idempotent,
            chance=random.random(),  # noqa: S311 - spreads, hides nothing
        )

    def was_done_before(self, refusal: Refused) -> bool:
        """Whether a delete finds nothing because an attempt without an answer had done it."""
        return self._count > 0 and self._is_delete and isinstance(refusal, NotFound)
