"""One HTTP request to a receiver that may be dead, slow, or mean harm, and what it comes to.

One attempt is one connection: to an address that was looked up and checked once and is not looked
up again, without a proxy, without following redirects, with a deadline for the whole. Of the answer
only the status counts; the first bytes of its body are kept for the delivery log, never decoded.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpcore
import msgspec

from thingtank.sinks.addresses import Address, AddressPolicy, plain_address
from thingtank.sinks.outcome import Outcome, Verdict
from thingtank.sinks.pinned_backend import PinnedBackend
from thingtank.sinks.resolver import ResolveFailed, Resolver
from thingtank.sinks.settings import WebhookSettings
from thingtank.sinks.tls import tls_context
from thingtank.tank.deliveries import ANSWER_BYTES_MAX, ERROR_CHARS_MAX
from thingtank.tank.interfaces import Clock
from thingtank.tank.messaging.hooks import basic_authorization
from thingtank.tank.targets import BadTarget, WebhookTarget, parse_url

USER_AGENT = "ThingTank-Webhooks/1"
GONE = 410
BUSY = (429, 503)


class AddressRefused(Exception):
    """The settings do not allow to reach the host."""


FAILURES = (
    ResolveFailed,
    TimeoutError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.RemoteProtocolError,
    OSError,
)


class Request(msgspec.Struct, frozen=True):
    """What is sent; `headers` besides, and in place of, those that every request has."""

    method: str
    headers: Mapping[str, str]
    body: bytes


class _Answer:
    """What has come of the answer so far; looked at when time is up, too."""

    status: int | None = None
    retry_after = ""

    def __init__(self) -> None:
        self.body = b""


class HttpAttempts:
    """Makes attempts as the settings allow."""

    def __init__(self, settings: WebhookSettings, resolver: Resolver, clock: Clock) -> None:
        """Take the settings. Raise OSError if `ca_file` cannot be read."""
        self._settings = settings
        self._resolver = resolver
        self._clock = clock
        self._policy = AddressPolicy(settings.allow_private, settings.allowed_networks)
        self._tls = tls_context(settings.ca_file)

    async def attempt(self, url: str, make: Callable[[], Awaitable[Request]]) -> Outcome:
        """Send a request once.

        Args:
            make: makes it, once it is known that the receiver may be reached.
        """
        answer = _Answer()
        try:
            target = parse_url(url)
            async with asyncio.timeout(self._settings.attempt_s_max):
                await self._send(target, make, answer)
        except (BadTarget, AddressRefused) as error:
            return Outcome(Verdict.REFUSED, error=str(error))
        except FAILURES as error:
            if answer.status is None:
                return _failure(error, self._settings)
            # The status has come, so the receiver has decided; its body may break off or never end.
        return _judged(answer, self._clock.now_us(), self._settings.retry_after_s_max)

    async def _send(
        self, target: WebhookTarget, make: Callable[[], Awaitable[Request]], answer: _Answer
    ) -> None:
        addresses = await self._addresses_of(target)
        request = await make()
        given = {name.lower() for name in request.headers}
        headers = {
            name: text for name, text in _headers_of(target).items() if name.lower() not in given
        }
        headers |= request.headers
        limits = dict.fromkeys(("connect", "read", "write"), self._settings.attempt_s_max)
        limits["connect"] = self._settings.connect_s_max
        url = httpcore.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        async with (
            httpcore.AsyncHTTPConnection(
                url.origin, self._tls, network_backend=PinnedBackend(addresses)
            ) as connection,
            connection.stream(
                request.method,
                url,
                headers=[(name, value) for name, value in headers.items()],
                content=request.body,
                extensions={"timeout": limits},
            ) as response,
        ):
            answer.retry_after = _header(response, b"retry-after")
            answer.status = response.status
            async for chunk in response.aiter_stream():
                answer.body += chunk[: ANSWER_BYTES_MAX - len(answer.body)]
                if len(answer.body) >= ANSWER_BYTES_MAX:
                    break

    async def _addresses_of(self, target: WebhookTarget) -> list[Address]:
        """Those of the host's addresses that may be reached."""
        try:
            async with asyncio.timeout(self._settings.connect_s_max):
                found = await self._resolver.resolve(target.host)
        except TimeoutError:
            raise ResolveFailed(f"nobody could tell the address of {target.host}") from None
        addresses = [plain_address(text) for text in found]
        allowed = [address for address in addresses if not self._policy.refusal(address)]
        if not addresses:
            raise ResolveFailed(f"the name {target.host} has no address")
        if not allowed:
            reason = self._policy.refusal(addresses[0])
            raise AddressRefused(
                f"{target.host} has an address that webhooks may not reach ({reason});"
                " the settings webhooks.allow_private and webhooks.allowed_networks say which may"
            )
        return allowed


def _headers_of(target: WebhookTarget) -> dict[str, str]:
    host = target.origin.partition("://")[2]
    if target.port == (443 if target.scheme == "https" else 80):
        host = host.rpartition(":")[0]
    headers = {
        "Host": host,
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if target.user is not None or target.password is not None:
        headers["Authorization"] = basic_authorization(target.user or "", target.password or "")
    return headers


def _header(response: httpcore.Response, name: bytes) -> str:
    for found, value in response.headers:
        if found.lower() == name:
            return value.decode("latin-1")
    return ""


def _judged(answer: _Answer, now_us: int, retry_after_s_max: float) -> Outcome:
    """What an answer's status means.

    Source: Standard Webhooks 1.0, "Deliverability and reliability".
    """
    status = answer.status
    assert status is not None, "there is an answer"
    if 200 <= status < 300:
        return Outcome(Verdict.DELIVERED, status, answer.body)
    if status == GONE:
        return Outcome(Verdict.GONE, status, answer.body, "the receiver answered 410 Gone")
    error = f"the receiver answered {status}"
    if 300 <= status < 400:
        error += ", a redirect, which is not followed"
    pause_s = _retry_after_s(answer.retry_after, now_us) if status in BUSY else 0.0
    return Outcome(
        Verdict.RETRY, status, answer.body, error, retry_after_s=min(pause_s, retry_after_s_max)
    )


def _retry_after_s(value: str, now_us: int) -> float:
    """Seconds to wait, 0 for none or nonsense.

    Source: RFC 9110, 10.2.3: seconds, or a date.
    """
    if value.isascii() and value.isdigit():
        return float(value[:12])  # longer than anybody waits, however it goes on
    try:
        at = parsedate_to_datetime(value)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return max(0.0, at.timestamp() - now_us / 1_000_000)
    except (ValueError, OverflowError, IndexError):
        return 0.0


def _failure(error: Exception, settings: WebhookSettings) -> Outcome:
    """An attempt without an answer; `error` is one of FAILURES."""
    match error:
        case ResolveFailed():
            text, is_host_failure = str(error), True
        case httpcore.ConnectTimeout():
            text, is_host_failure = f"no connection within {settings.connect_s_max:g} s", True
        case TimeoutError() | httpcore.TimeoutException():
            text, is_host_failure = f"no answer within {settings.attempt_s_max:g} s", True
        case httpcore.ConnectError():
            text, is_host_failure = f"no connection: {error}", True
        case httpcore.RemoteProtocolError():
            text, is_host_failure = f"the answer cannot be read: {error}", False
        case _:
            text, is_host_failure = f"the connection broke: {error}", False
    return Outcome(Verdict.RETRY, error=text[:ERROR_CHARS_MAX], is_host_failure=is_host_failure)
