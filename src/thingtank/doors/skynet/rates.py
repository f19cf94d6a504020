"""How often each user of the SkyNet door may ask, by kind of request.

A user is a device, else a key or an account, else an address.
"""

import asyncio
import ipaddress
import time
from collections.abc import Coroutine
from typing import Any, Literal, Protocol

from thingtank.doors.skynet.errors import RateLimited
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.networks import network_of
from thingtank.tank.request_rates import TokenBuckets

RateKind = Literal["messages", "data", "queries", "connections"]
KINDS: tuple[RateKind, ...] = ("messages", "data", "queries", "connections")

_SECOND_NS = 1_000_000_000


class SharedCounter(Protocol):
    """Counts for several servers together."""

    def take(self, name: str, rate: float) -> Coroutine[Any, Any, float]:
        """Take one token; 0.0, or the seconds until there will be one."""


class Rates:
    """Counts requests."""

    def __init__(self, settings: SkynetSettings, shared: SharedCounter | None = None) -> None:
        """Nobody has asked yet.

        Args:
            shared: where to count in place of this process.
        """
        self._rates: dict[RateKind, float] = {
            "messages": settings.rate_messages_s,
            "data": settings.rate_data_s,
            "queries": settings.rate_queries_s,
            "connections": settings.rate_connections_s,
        }
        self._buckets = {
            kind: TokenBuckets(rate, burst_of(rate)) for kind, rate in self._rates.items() if rate
        }
        self._unthrottled = [ipaddress.ip_network(text) for text in settings.unthrottled_networks]
        self._shared = shared

    async def count(self, kind: RateKind, party: Party) -> None:
        """Count one request of a user; returns without waiting when counted in this process.

        Raises:
            RateLimited: it is one too many.
        """
        buckets = self._buckets.get(kind)
        if buckets is None:
            return
        address = party.caller.address
        if self._unthrottled and self._is_unthrottled(address):
            return
        name = user_of(party)
        if self._shared is not None:
            # A task of its own: requests run without one, and its deadline needs one.
            taking = self._shared.take(f"{kind}:{name}", self._rates[kind])
            retry_after_s = await asyncio.create_task(taking)
        else:
            retry_after_s = buckets.take(name, time.monotonic_ns()) / _SECOND_NS
        if retry_after_s:
            raise RateLimited(kind, self._rates[kind], retry_after_s)

    def _is_unthrottled(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped  # as IPv4 looks on a port of both
        return any(parsed in network for network in self._unthrottled)


def burst_of(rate: float) -> int:
    """How many may come at once, after a rest, of who may ask so often a second."""
    return max(1, round(rate))


def user_of(party: Party) -> str:
    """Whose requests are counted together."""
    if party.device is not None:
        return f"device {party.device.device_id}"
    caller = party.caller
    if caller.key is not None:
        return f"key {caller.key.key_id}"
    if caller.account is not None:
        return f"account {caller.account.account_id}"
    return f"address {network_of(caller.address)}"
