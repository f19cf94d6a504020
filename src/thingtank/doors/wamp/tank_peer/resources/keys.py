"""`tank.keys`: API keys. They are named by their number; secrets are in few results."""

import asyncio
from typing import Any

from thingtank.documents.keys import key_body, key_change, key_draft
from thingtank.doors.wamp.tank_peer.resources.shared import (
    Context,
    Document,
    FeedName,
    Number,
    json_of,
    page_body,
    plain,
)
from thingtank.protocols.xively.key_documents import parse_json
from thingtank.tank.actions import keys as actions
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.keys import ApiKey

_PER_PAGE_MAX = 1000


async def list_all(
    context: Context,
    feed: FeedName | None = None,
    *,
    user: str = "",
    page: Number = 1,
    per_page: Number = 100,
) -> Any:
    """List the keys of an account without their secrets, oldest first.

    Args:
        feed: only those that name this feed.
        user: blank for the caller's own.
        page, per_page: from 1; at most 1000 a page.

    Returns:
        `totalResults`, `startIndex`, `itemsPerPage` and `keys`.
    """
    if page < 1 or not 1 <= per_page <= _PER_PAGE_MAX:
        raise ValidationFailed([("page", f"or per_page is not between 1 and {_PER_PAGE_MAX}")])
    feed_id = None if feed is None else context.find_device(feed).device_id
    found = actions.list_keys(context.tank, context.caller, context.account_id_of(user), feed_id)
    shown = found[(page - 1) * per_page : page * per_page]
    return page_body("keys", [_document(key) for key in shown], len(found), page, per_page)


async def list_revealed(context: Context, feed: FeedName | None = None) -> Any:
    """List the keys that the caller may see the secrets of, oldest first.

    Args:
        feed: only those that name this feed.

    Returns:
        A list of keys, each with `api_key`.
    """
    feed_id = None if feed is None else context.find_device(feed).device_id
    found = await actions.list_revealed_keys(context.tank, context.caller, feed_id)
    return [_document(revealed.key, revealed.secret) for revealed in found]


async def read(context: Context, key_id: Number) -> Any:
    """Read a key without its secret.

    Args:
        key_id: its number.

    Returns:
        The key as Xively has it: `label`, `permissions`, `private_access`, `expires_at`; `key_id`.
    """
    return _document(actions.get_key(context.tank, context.caller, key_id))


async def create(context: Context, document: Document, *, user: str = "") -> Any:
    """Make a key.

    Args:
        document: as Xively has it: `label`, `permissions`, `private_access`, `expires_at`.
        user: whose it is; blank for the caller's own.

    Returns:
        The key with `api_key`, its secret.
    """
    draft = key_draft(parse_json(json_of({"key": document})), context.account_id_of(user))
    key, secret = await actions.create_key(context.tank, context.caller, draft)
    return _document(key, secret)


async def update(context: Context, key_id: Number, document: Document) -> Any:
    """Change a key's label and rights; its secret stays.

    Args:
        key_id: its number.
        document: as Xively has it; members that it lacks stay.

    Returns:
        The key as it is now, without its secret.
    """
    change = key_change(parse_json(json_of({"key": document})))
    return _document(await actions.update_key(context.tank, context.caller, key_id, change))


async def reveal(context: Context, key_id: Number) -> Any:
    """Show a key's secret, to its own account and to keys that cover it.

    Args:
        key_id: its number.

    Returns:
        The secret, a string.
    """
    # In a thread, for the directory reads it from its file.
    return await asyncio.to_thread(actions.reveal_key, context.tank, context.caller, key_id)


async def regenerate(context: Context, key_id: Number) -> Any:
    """Give a key another secret; the old one is dead.

    Args:
        key_id: its number.

    Returns:
        The key with `api_key`, its new secret.
    """
    made = await actions.regenerate_key(context.tank, context.caller, key_id)
    return _document(made.key, made.secret)


async def delete(context: Context, key_id: Number) -> None:
    """Delete a key; it is dead at once.

    Args:
        key_id: its number.

    Returns:
        Nothing.
    """
    await actions.delete_key(context.tank, context.caller, key_id)


def _document(key: ApiKey, secret: str = "") -> dict[str, Any]:
    body = plain(key_body(key, secret))
    if not secret:
        del body["api_key"]
    return {"key_id": key.key_id, **body}
