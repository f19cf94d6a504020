"""The directory's tokens of devices: the snapshot has their digests, and so have the tables."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from thingtank.tank.errors import LimitReached
from thingtank.tank.tokens import DIGEST_BYTES, DeviceToken, is_among
from thingtank.web.catalog import tokens
from thingtank.web.catalog.directory_work import DirectoryWork, Result, run_in


class TokenDirectory(DirectoryWork):
    """Those parts of `tank.interfaces.Directory` that are about tokens."""

    def has_token(self, device_id: int, token: str) -> bool:
        """Whether a device has this token. Takes the same time for any wrong one."""
        return is_among(self._snapshot.token_digests(device_id), self._digest(token))

    def count_tokens(self, device_id: int) -> int:
        """How many tokens a device has besides its root token."""
        return max(0, len(self._snapshot.token_digests(device_id)) // DIGEST_BYTES - 1)

    async def tokens_of(self, device_id: int) -> Sequence[DeviceToken]:
        """A device's tokens besides its root token, oldest first; from the database."""
        return await run_in(self._reader, partial(tokens.read_tokens, device_id), "read")

    async def insert_token(
        self, device_id: int, token: str, tag: str, created_us: int, *, tokens_max: int
    ) -> DeviceToken:
        """Give a device one more token."""
        digest = self._digest(token)

        def write() -> DeviceToken:
            if self.count_tokens(device_id) >= tokens_max:
                raise LimitReached(f"a device may have {tokens_max} tokens besides its root token")
            return tokens.store_token(device_id, digest, tag, created_us)

        return await self._change_tokens(device_id, write)

    async def replace_root_token(self, device_id: int, token: str) -> None:
        """Give a device another root token; the old one is dead when this returns."""
        write = partial(tokens.store_root_token, device_id, self._digest(token))
        await self._change_tokens(device_id, write)

    async def delete_token(self, device_id: int, token: str) -> bool:
        """Remove a token by its secret, but not the root token; answer whether there was one."""
        write = partial(tokens.delete_digest, device_id, self._digest(token))
        return await self._change_tokens(device_id, write) > 0

    async def delete_tokens(
        self, device_id: int, *, token_ids: Collection[int] | None = None, tag: str | None = None
    ) -> int:
        """Remove those of some numbers and of a tag; answer how many. None for any: all go."""
        write = partial(tokens.delete_tokens, device_id, token_ids, tag)
        return await self._change_tokens(device_id, write)

    async def _change_tokens(self, device_id: int, write: Callable[[], Result]) -> Result:
        """Write to a device's tokens; raises NoSuchDevice."""

        def write_all() -> tuple[Result, bytes]:
            self._snapshot.device(device_id)
            return write(), tokens.digests_of(device_id)

        def show(written: tuple[Result, bytes]) -> None:
            self._snapshot.put_token_digests(device_id, written[1])

        result, _ = await self.transact(write_all, show)
        return result
