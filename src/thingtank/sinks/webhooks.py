"""Delivery of triggers' notifications by HTTP POST."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from urllib.parse import quote_from_bytes

from thingtank.sinks.http_attempts import HttpAttempts, Request
from thingtank.sinks.outcome import Outcome
from thingtank.sinks.resolver import Resolver
from thingtank.sinks.settings import WebhookSettings
from thingtank.sinks.signing import signature_headers
from thingtank.tank.deliveries import Delivery
from thingtank.tank.interfaces import Clock

Secrets = Callable[[int, int], Awaitable[Sequence[bytes]]]


class WebhookSink:
    """Implements `sinks.outcome.Sink`."""

    def __init__(
        self,
        settings: WebhookSettings,
        resolver: Resolver,
        secrets: Secrets,
        clock: Clock,
    ) -> None:
        """Make a sink.

        Args:
            secrets: the signing secrets of an account that are in force at an instant.

        Raises:
            OSError: `ca_file` cannot be read.
        """
        self._attempts = HttpAttempts(settings, resolver, clock)
        self._secrets = secrets
        self._clock = clock

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Post once."""
        return await self._attempts.attempt(delivery.target, partial(self._request, delivery))

    async def _request(self, delivery: Delivery) -> Request:
        body = form_body(delivery.body)
        now_us = self._clock.now_us()
        secrets = await self._secrets(delivery.account_id, now_us)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        headers |= signature_headers(secrets, delivery.message_id, now_us, body)
        return Request("POST", headers, body)


def form_body(document: bytes) -> bytes:
    """The form-encoded body: one parameter `body`, spaces as `%20`.

    Source: Xively API v2, triggers; some receivers cut `body=` off and decode the rest by hand.
    """
    return b"body=" + quote_from_bytes(document, safe="").encode("ascii")
