"""The directory's keys: found by digest of their secrets, which the tables have sealed."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from thingtank.tank.errors import NoSuchKey
from thingtank.tank.keys import ApiKey
from thingtank.web.catalog import models
from thingtank.web.catalog.directory_work import DirectoryWork, carried_through, run_in, watched
from thingtank.web.catalog.rows import LOAD_ROWS, key_values


class KeyDirectory(DirectoryWork):
    """Those parts of `tank.interfaces.Directory` that are about keys."""

    def find_key(self, secret: str) -> ApiKey | None:
        """The key with that secret; found by digest, so a near miss takes no longer."""
        return self._snapshot.key_of_digest(self._digest(secret))

    def get_key(self, key_id: int) -> ApiKey:
        """Raise NoSuchKey if there is none."""
        return self._snapshot.key(key_id)

    def keys_of(self, account_id: int, feed_id: int | None = None) -> Sequence[ApiKey]:
        """All keys of an account, oldest first; with `feed_id` those that name that feed."""
        if feed_id is None:
            keys = list(self._snapshot.keys.values())
        else:
            keys = self._snapshot.keys_naming(feed_id)
        return [key for key in keys if key.account_id == account_id]

    def reveal_key(self, key_id: int) -> str:
        """The secret of a key; reads the database, so not for the loop's hot paths.

        Raises:
            NoSuchKey.
            StorageFailed: it was sealed with another secret than this instance has, for one.
        """
        self._snapshot.key(key_id)
        found = self._reader.submit(watched, partial(self._secrets_of, [key_id]), "read").result()
        if key_id not in found:
            raise NoSuchKey(f"there is no key {key_id}")
        return found[key_id]

    async def reveal_keys(self, key_ids: Sequence[int]) -> Mapping[int, str]:
        """The secrets of many keys by id; those that are gone are left out.

        Raises:
            StorageFailed.
        """
        if not key_ids:
            return {}
        return await run_in(self._reader, partial(self._secrets_of, key_ids), "read")

    def _secrets_of(self, key_ids: Sequence[int]) -> dict[int, str]:
        found: dict[int, str] = {}
        for start in range(0, len(key_ids), LOAD_ROWS):
            rows = models.ApiKey.objects.filter(id__in=key_ids[start : start + LOAD_ROWS])
            for key_id, sealed, digest in rows.values_list("id", "sealed", "digest"):
                whose = f"key {key_id}"
                found[key_id] = self._sealer.unseal(bytes(sealed), bytes(digest), whose)
        return found

    def forget_key(self, key_id: int) -> None:
        """Let the doors know that a key is gone, after its transaction holds."""
        if key_id in self._snapshot.keys:
            self._snapshot.drop_key(key_id)

    def forget_keys_of(self, account_id: int) -> None:
        """Let the doors know that an account's keys are gone, after its transaction holds."""
        for key in self.keys_of(account_id):
            self._snapshot.drop_key(key.key_id)

    @carried_through
    async def insert_key(self, key: ApiKey, secret: str) -> ApiKey:
        """Store a key, its secret sealed."""
        async with self._turn:
            stored, digest = await self._write(lambda: self._store_key(key, secret))
            self._snapshot.put_key(stored, digest)
        return stored

    def _store_key(self, key: ApiKey, secret: str) -> tuple[ApiKey, bytes]:
        digest = self._sealer.digest(secret)
        row = models.ApiKey.objects.create(
            **key_values(key), digest=digest, sealed=self._sealer.seal(secret)
        )
        return msgspec.structs.replace(key, key_id=row.pk), digest

    @carried_through
    async def update_key(self, key_id: int, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        """Store `change` of a key; its secret stays."""
        async with self._turn:
            key = change(self._snapshot.key(key_id))
            values = key_values(key)
            await self._write(lambda: models.ApiKey.objects.filter(id=key_id).update(**values))
            self._snapshot.put_key(key, self._snapshot.digests[key_id])
        return key

    @carried_through
    async def replace_secret(
        self, key_id: int, secret: str, check: Callable[[ApiKey], None] | None = None
    ) -> ApiKey:
        """Give a key another secret; the old one is dead when this returns."""
        digest = self._sealer.digest(secret)
        values = {"digest": digest, "sealed": self._sealer.seal(secret)}
        rows = models.ApiKey.objects.filter(id=key_id)
        async with self._turn:
            key = self._snapshot.key(key_id)
            if check is not None:
                check(key)
            await self._write(lambda: rows.update(**values))
            self._snapshot.put_key(key, digest)
        return key

    @carried_through
    async def delete_key(self, key_id: int, check: Callable[[ApiKey], None] | None = None) -> None:
        """Remove a key; it is dead at once."""
        async with self._turn:
            key = self._snapshot.key(key_id)
            if check is not None:
                check(key)
            await self._write(models.ApiKey.objects.filter(id=key_id).delete)
            self._snapshot.drop_key(key_id)
