"""API keys: list, create, read, change, regenerate, delete. A path names a key by its secret.

Source: Xively API v2, keys.
"""

from msgspec import UNSET, UnsetType

from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.resources.shared import Context, asked_feed_id
from thingtank.doors.xively.responses import DONE, Reply
from thingtank.protocols.xively.formats import KEY_CODECS
from thingtank.protocols.xively.key_documents import (
    KeyBody,
    PermissionBody,
    PermissionDocument,
    ResourceBody,
)
from thingtank.protocols.xively.paths import FeedKeysPath, KeyPath, KeyRegenerationPath
from thingtank.protocols.xively.times import format_time
from thingtank.tank.actions import keys as actions
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.keys import ApiKey, KeyChange, Permission, Resource


async def list_all(context: Context, request: Request) -> Reply:
    """`GET /keys`, and `GET /feeds/F/keys` as its oldest clients ask; never in pages."""
    path = request.target.path
    feed_id = path.feed_id if isinstance(path, FeedKeysPath) else asked_feed_id(request)
    found = await actions.list_revealed_keys(context.tank, request.caller, feed_id)
    bodies = [_body(revealed.key, revealed.secret) for revealed in found]
    return Reply(body=KEY_CODECS[request.format].serialize_list(bodies))


async def create(context: Context, request: Request) -> Reply:
    """`POST /keys`: 201, and `Location` that ends with the key's secret."""
    document = KEY_CODECS[request.format].parse(request.body)
    account = request.caller.account
    if account is None:
        raise Unauthenticated("a key needs an owner")
    draft = ApiKey(
        key_id=0,
        account_id=account.account_id,
        label=document.label or "",
        permissions=_permissions(document.permissions) or (),
        private_access=document.private_access is True,
        expires_us=None if document.expires_us is UNSET else document.expires_us,
    )
    _, secret = await actions.create_key(context.tank, request.caller, draft)
    return Reply(201, location=_location(request, secret))


def _location(request: Request, secret: str) -> str:
    return f"{request.base_url}/v2/keys/{secret}"


async def read(context: Context, request: Request) -> Reply:
    """`GET /keys/K`."""
    secret = _secret(request)
    key_id = actions.key_of_secret(context.tank, secret).key_id
    key = actions.get_key(context.tank, request.caller, key_id)
    return Reply(body=KEY_CODECS[request.format].serialize(_body(key, secret)))


async def update(context: Context, request: Request) -> Reply:
    """`PUT /keys/K`."""
    document = KEY_CODECS[request.format].parse(request.body)
    key = actions.key_of_secret(context.tank, _secret(request))
    change = KeyChange(
        document.label,
        _permissions(document.permissions),
        document.private_access,
        document.expires_us,
    )
    await actions.update_key(context.tank, request.caller, key.key_id, change)
    return DONE


async def regenerate(context: Context, request: Request) -> Reply:
    """`POST /keys/K/regenerate`: 200, and `Location` that ends with the new secret."""
    key = actions.key_of_secret(context.tank, _secret(request))
    revealed = await actions.regenerate_key(context.tank, request.caller, key.key_id)
    return Reply(location=_location(request, revealed.secret))


async def delete(context: Context, request: Request) -> Reply:
    """`DELETE /keys/K`."""
    key = actions.key_of_secret(context.tank, _secret(request))
    await actions.delete_key(context.tank, request.caller, key.key_id)
    return DONE


def _secret(request: Request) -> str:
    path = request.target.path
    assert isinstance(path, KeyPath | KeyRegenerationPath)
    return path.api_key


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


def _body(key: ApiKey, secret: str) -> KeyBody:
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
