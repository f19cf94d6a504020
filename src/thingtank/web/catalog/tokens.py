"""The tables' side of devices' tokens: digests of them, the root token's in the device's own row.

Everything here blocks.
"""

from collections.abc import Collection, Iterator
from typing import Any

from django.db.models import QuerySet

from thingtank.tank.tokens import DeviceToken
from thingtank.web.catalog import models

_COLUMNS = ("id", "device_id", "tag", "created_us")
_LOAD_ROWS = 2000


def load_digests() -> Iterator[tuple[int, bytes]]:
    """All digests but those of root tokens, each with its device."""
    rows = models.DeviceToken.objects.order_by("id").values_list("device_id", "digest")
    for device_id, digest in rows.iterator(_LOAD_ROWS):
        yield device_id, bytes(digest)


def digests_of(device_id: int) -> bytes:
    """The digests of all of a device's tokens, the root token's first."""
    roots = models.Device.objects.filter(id=device_id).values_list("token_digest", flat=True)
    others = _rows_of(device_id).values_list("digest", flat=True)
    return b"".join(bytes(digest) for digest in [*roots, *others])


def read_tokens(device_id: int) -> list[DeviceToken]:
    """A device's tokens besides its root token, oldest first."""
    return [DeviceToken(*row) for row in _rows_of(device_id).values_list(*_COLUMNS)]


def store_token(device_id: int, digest: bytes, tag: str, created_us: int) -> DeviceToken:
    """Add a token."""
    row = models.DeviceToken.objects.create(
        device_id=device_id, digest=digest, tag=tag, created_us=created_us
    )
    return DeviceToken(row.pk, device_id, tag, created_us)


def store_root_token(device_id: int, digest: bytes) -> None:
    """Replace the root token."""
    models.Device.objects.filter(id=device_id).update(token_digest=digest)


def delete_digest(device_id: int, digest: bytes) -> int:
    """Remove the tokens of a digest; answer how many."""
    found = _rows_of(device_id).values_list("id", "digest")
    return _delete([token_id for token_id, stored in found if bytes(stored) == digest])


def delete_tokens(device_id: int, token_ids: Collection[int] | None, tag: str | None) -> int:
    """Remove the tokens of some numbers and of a tag; answer how many."""
    # They are few, and databases differ in what text they hold equal.
    return _delete(
        [
            one.token_id
            for one in read_tokens(device_id)
            if (token_ids is None or one.token_id in token_ids) and tag in (None, one.tag)
        ]
    )


def _delete(token_ids: list[int]) -> int:
    models.DeviceToken.objects.filter(id__in=token_ids).delete()
    return len(token_ids)


def _rows_of(device_id: int) -> "QuerySet[models.DeviceToken, Any]":
    return models.DeviceToken.objects.filter(device_id=device_id).order_by("id")
