"""API keys: list, create, read, change, regenerate, delete. A path names a key by its secret.

Source: Xively API v2, keys.
"""

from thingtank.documents.keys import key_body, key_change, key_draft
from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.resources.shared import Context, asked_feed_id
from thingtank.doors.xively.responses import DONE, Reply
from thingtank.protocols.xively.formats import KEY_CODECS
from thingtank.protocols.xively.paths import FeedKeysPath, KeyPath, KeyRegenerationPath
from thingtank.tank.actions import keys as actions
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.keys import ApiKey


async def list_all(context: Context, request: Request) -> Reply:
    """`GET /keys`, and `GET /feeds/F/keys` as its oldest clients ask; never in pages."""
    path = request.target.path
    feed_id = path.feed_id if isinstance(path, FeedKeysPath) else asked_feed_id(request)
    found = await actions.list_revealed_keys(context.tank, request.caller, feed_id)
    bodies = [key_body(revealed.key, revealed.secret) for revealed in found]
    return Reply(body=KEY_CODECS[request.format].serialize_list(bodies))


async def create(context: Context, request: Request) -> Reply:
    """`POST /keys`: 201, and `Location` that ends with the key's secret."""
    document = KEY_CODECS[request.format].parse(request.body)
    account = request.caller.account
    if account is None:
        raise Unauthenticated("a key needs an owner")
    draft = key_draft(document, account.account_id)
    _, secret = await actions.create_key(context.tank, request.caller, draft)
    return Reply(201, location=_location(request, secret))


def _location(request: Request, secret: str) -> str:
    return f"{request.base_url}/v2/keys/{secret}"


async def read(context: Context, request: Request) -> Reply:
    """`GET /keys/K`."""
    secret = _secret(request)
    key_id = actions.key_of_secret(context.tank, secret).key_id
    key = actions.get_key(context.tank, request.caller, key_id)
    return Reply(body=KEY_CODECS[request.format].serialize(key_body(key, secret)))


async def update(context: Context, request: Request) -> Reply:
    """`PUT /keys/K`."""
    change = key_change(KEY_CODECS[request.format].parse(request.body))
    secret = _secret(request)
    key = actions.key_of_secret(context.tank, secret)
    await actions.update_key(
        context.tank, request.caller, key.key_id, change, _still_named(context, secret)
    )
    return DONE


async def regenerate(context: Context, request: Request) -> Reply:
    """`POST /keys/K/regenerate`: 200, and `Location` that ends with the new secret."""
    secret = _secret(request)
    key = actions.key_of_secret(context.tank, secret)
    revealed = await actions.regenerate_key(
        context.tank, request.caller, key.key_id, _still_named(context, secret)
    )
    return Reply(location=_location(request, revealed.secret))


async def delete(context: Context, request: Request) -> Reply:
    """`DELETE /keys/K`."""
    secret = _secret(request)
    key = actions.key_of_secret(context.tank, secret)
    await actions.delete_key(
        context.tank, request.caller, key.key_id, _still_named(context, secret)
    )
    return DONE


def _still_named(context: Context, secret: str) -> actions.CheckKey:
    """Refuses a change of a key whose secret was another by the time the change had its turn."""

    def check(_newest: ApiKey) -> None:
        actions.key_of_secret(context.tank, secret)

    return check


def _secret(request: Request) -> str:
    path = request.target.path
    assert isinstance(path, KeyPath | KeyRegenerationPath)
    return path.api_key
