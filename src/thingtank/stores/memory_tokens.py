"""Devices' tokens in memory."""

import hmac
import itertools
from collections.abc import Collection, Sequence

from thingtank.tank.errors import LimitReached
from thingtank.tank.tokens import DeviceToken


class MemoryTokens:
    """What a directory in memory knows of tokens: they themselves."""

    def __init__(self) -> None:
        self._roots: dict[int, str] = {}
        self._others: dict[int, list[tuple[DeviceToken, str]]] = {}
        self._token_ids = itertools.count(1)

    def put_root(self, device_id: int, token: str) -> None:
        """Give a device its root token, or another."""
        self._roots[device_id] = token

    def drop(self, device_id: int) -> None:
        """Forget all tokens of a device."""
        del self._roots[device_id]
        self._others.pop(device_id, None)

    def has(self, device_id: int, token: str) -> bool:
        """Whether a device has this token."""
        secrets = [secret for _, secret in self._others.get(device_id, ())]
        if device_id in self._roots:
            secrets.append(self._roots[device_id])
        return any(_is_same(secret, token) for secret in secrets)

    def of(self, device_id: int) -> Sequence[DeviceToken]:
        """A device's tokens besides its root token, oldest first."""
        return [one for one, _ in self._others.get(device_id, ())]

    def insert(
        self, device_id: int, token: str, tag: str, created_us: int, tokens_max: int
    ) -> DeviceToken:
        """Give a device one more token."""
        known = self._others.setdefault(device_id, [])
        if len(known) >= tokens_max:
            raise LimitReached(f"a device may have {tokens_max} tokens besides its root token")
        made = DeviceToken(next(self._token_ids), device_id, tag, created_us)
        known.append((made, token))
        return made

    def delete_secret(self, device_id: int, token: str) -> int:
        """Remove those of this secret; answer how many."""
        known = self._others.get(device_id, [])
        kept = [(one, secret) for one, secret in known if not _is_same(secret, token)]
        return self._replace(device_id, kept)

    def delete(self, device_id: int, token_ids: Collection[int] | None, tag: str | None) -> int:
        """Remove those of some numbers and of a tag; answer how many."""
        known = self._others.get(device_id, [])
        kept = [
            (one, secret)
            for one, secret in known
            if (token_ids is not None and one.token_id not in token_ids)
            or (tag is not None and one.tag != tag)
        ]
        return self._replace(device_id, kept)

    def _replace(self, device_id: int, kept: list[tuple[DeviceToken, str]]) -> int:
        before = self._others.pop(device_id, [])
        if kept:
            self._others[device_id] = kept
        return len(before) - len(kept)


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(*(text.encode("utf-8", "surrogatepass") for text in (one, other)))
