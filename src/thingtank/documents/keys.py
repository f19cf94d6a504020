"""Xively's key documents ↔ the tank's keys."""

from msgspec import UNSET, UnsetType

from thingtank.protocols.xively.key_documents import (
    KeyBody,
    KeyDocument,
    PermissionBody,
    PermissionDocument,
    ResourceBody,
)
from thingtank.protocols.xively.times import format_time
from thingtank.tank.keys import ApiKey, KeyChange, Permission, Resource


def key_draft(document: KeyDocument, account_id: int) -> ApiKey:
    """The key that a document makes for an account."""
    return ApiKey(
        key_id=0,
        account_id=account_id,
        label=document.label or "",
        permissions=_permissions(document.permissions) or (),
        private_access=document.private_access is True,
        expires_us=None if document.expires_us is UNSET else document.expires_us,
    )


def key_change(document: KeyDocument) -> KeyChange:
    """What a document changes of a key."""
    return KeyChange(
        document.label,
        _permissions(document.permissions),
        document.private_access,
        document.expires_us,
    )


def _permissions(
    documents: tuple[PermissionDocument, ...] | UnsetType,
) -> tuple[Permission, ...] | UnsetType:
    if documents is UNSET:
        return UNSET
    return tuple(
        Permission(
            document.access_methods,
            tuple(
                Resource(resource.feed_id or 0, resource.datastream_id)
                for resource in document.resources
            ),
            document.source_ip,
            document.referer,
            document.minimum_interval,
            document.label,
        )
        for document in documents
    )


def key_body(key: ApiKey, secret: str) -> KeyBody:
    """A key with its secret."""
    return KeyBody(
        api_key=secret,
        expires_at="" if key.expires_us is None else format_time(key.expires_us),
        label=key.label,
        private_access=key.private_access,
        permissions=[
            PermissionBody(
                permission.access_methods,
                permission.label,
                permission.referer,
                permission.source_ip,
                permission.minimum_interval_s,
                [
                    ResourceBody(resource.feed_id, resource.datastream_id or "")
                    for resource in permission.resources
                ],
            )
            for permission in key.permissions
        ],
    )
