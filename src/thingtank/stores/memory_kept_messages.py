"""Messages kept for devices that are away, without a disk: forgotten with the process."""

import asyncio
from collections.abc import Collection, Sequence
from itertools import count
from typing import NamedTuple

from thingtank.stores.kept_message_limits import Size, check_limits
from thingtank.stores.kept_message_settings import KeptMessageSettings
from thingtank.tank.errors import StorageFailed
from thingtank.tank.kept_messages import KeptMessage


class _Kept(NamedTuple):
    message: KeptMessage
    expires_us: int


class MemoryKeptMessages:
    """Implements `tank.kept_messages.KeptMessages`.

    Attributes:
        failure: what `keep` and `remove` answer while it is set.
    """

    def __init__(self, settings: KeptMessageSettings | None = None) -> None:
        """Nothing is kept yet.

        Args:
            settings: None for the defaults.
        """
        self._settings = settings or KeptMessageSettings()
        self._ids = count(1)
        self._kept: dict[int, dict[int, _Kept]] = {}
        self.failure: StorageFailed | None = None

    def keep(self, device_id: int, body: bytes, at_us: int, expires_us: int) -> asyncio.Future[int]:
        """As `KeptMessages` says; so are the others."""
        kept = self._kept.get(device_id, {})
        size_bytes = sum(len(each.message.body) for each in kept.values())
        check_limits(device_id, Size(len(kept), size_bytes), len(body), self._settings)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self.failure is not None:
            future.set_exception(self.failure)
            return future
        kept_id = next(self._ids)
        message = KeptMessage(kept_id, at_us, body)
        self._kept.setdefault(device_id, {})[kept_id] = _Kept(message, expires_us)
        future.set_result(kept_id)
        return future

    async def take(
        self,
        device_id: int,
        now_us: int,
        limit: int,
        *,
        after_id: int = 0,
        before_id: int | None = None,
    ) -> list[KeptMessage]:
        kept = self._kept.get(device_id, {}).values()
        found = [
            each.message
            for each in kept
            if each.expires_us > now_us
            and after_id < each.message.kept_id
            and (before_id is None or each.message.kept_id < before_id)
        ]
        return (found if before_id is None else found[::-1])[: max(0, limit)]

    def remove(self, device_id: int, kept_ids: Sequence[int]) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        kept = self._kept.get(device_id, {})
        for kept_id in kept_ids:
            kept.pop(kept_id, None)
        if not kept:
            self._kept.pop(device_id, None)
        if self.failure is None:
            future.set_result(None)
        else:
            future.set_exception(self.failure)
        return future

    def count(self, device_id: int) -> int:
        return len(self._kept.get(device_id, ()))

    def device_ids(self) -> Collection[int]:
        return list(self._kept)

    def forget(self, device_id: int) -> None:
        self._kept.pop(device_id, None)

    async def close(self) -> None:
        """There is nothing to write."""
