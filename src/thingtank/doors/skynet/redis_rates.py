"""Counts how often each user asks on a Redis server, so that several Thing Tanks count together.

A bucket is one key, the instant at which it will be full again by the server's own clock; it goes
by itself when it is full. Where the server is away, each Thing Tank counts for itself.
"""

import asyncio
import time
from typing import Any

import structlog

from thingtank.doors.skynet.rates import burst_of
from thingtank.tank.request_rates import TokenBuckets

log = structlog.get_logger()

WAIT_S_MAX = 0.25  # a request waits so long for the server, and is then counted here
PAUSE_S = 1.0  # before a server that was away is asked again
CONNECTIONS_MAX = 32

_PREFIX = "thingtank:rate:"
_SECOND_NS = 1_000_000_000
_SECOND_US = 1_000_000

# As `tank.request_rates.TokenBuckets.take`, in one step that nothing comes between.
_TAKE = """
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local token_us = tonumber(ARGV[1])
local full_at_us = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now_us) + token_us
local missing_us = full_at_us - now_us - token_us * tonumber(ARGV[2])
if missing_us > 0 then
    return math.ceil(missing_us)
end
local lasts_ms = math.ceil((full_at_us - now_us) / 1000)
redis.call('SET', KEYS[1], string.format('%.0f', full_at_us), 'PX', lasts_ms)
return 0
"""


class RedisCounter:
    """Implements `rates.SharedCounter`; in the loop's thread."""

    def __init__(self, url: str) -> None:
        """Take the server's address; nobody is asked yet.

        Raises:
            ValueError: the address is none, or the package `redis` is not installed.
        """
        try:
            from redis import asyncio as redis
            from redis import exceptions
        except ImportError:
            raise ValueError(
                "the package redis is not installed; run: pip install 'thingtank[redis]'"
            ) from None
        try:
            pool: Any = redis.BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS_MAX,
                timeout=WAIT_S_MAX,
                socket_connect_timeout=WAIT_S_MAX,
                socket_timeout=WAIT_S_MAX,
            )
        except ValueError:
            # Its words may quote the password.
            raise ValueError("must be like redis://127.0.0.1:6379/0") from None
        self._failures = (exceptions.RedisError, OSError, TimeoutError)
        self._client = redis.Redis.from_pool(pool)
        self._take = self._client.register_script(_TAKE)
        self._own: dict[float, TokenBuckets] = {}
        self._is_away = False
        self._ask_again_s = 0.0

    async def take(self, name: str, rate: float) -> float:
        """Take one token; 0.0, or the seconds until there will be one."""
        if self._is_away and time.monotonic() < self._ask_again_s:
            return self._take_own(name, rate)
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                missing_us = await self._take([_PREFIX + name], [_SECOND_US / rate, burst_of(rate)])
        except self._failures as error:
            self._note_away(error)
            return self._take_own(name, rate)
        self._note_back()
        return int(missing_us) / _SECOND_US

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()

    def _take_own(self, name: str, rate: float) -> float:
        buckets = self._own.get(rate)
        if buckets is None:
            buckets = self._own[rate] = TokenBuckets(rate, burst_of(rate))
        return buckets.take(name, time.monotonic_ns()) / _SECOND_NS

    def _note_away(self, error: Exception) -> None:
        self._ask_again_s = time.monotonic() + PAUSE_S
        if not self._is_away:
            self._is_away = True
            # Not its words: they may tell the address, which may hold a password.
            log.warning("skynet_rates_redis_away", reason=type(error).__name__)

    def _note_back(self) -> None:
        if self._is_away:
            self._is_away = False
            log.info("skynet_rates_redis_back")
