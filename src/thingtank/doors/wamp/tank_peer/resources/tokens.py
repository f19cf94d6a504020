"""`tank.tokens`: a device's tokens. Their secrets are shown once, when they are made."""

from typing import Any

from thingtank.doors.wamp.tank_peer.resources.shared import Context, FeedName, Number
from thingtank.tank.actions import tokens as actions
from thingtank.tank.tokens import DeviceToken


async def list_all(context: Context, feed: FeedName) -> Any:
    """List a device's tokens besides its root token, oldest first, without their secrets.

    Args:
        feed: its number, or the device's uuid.

    Returns:
        A list; each has `token_id`, `tag` and `created_us`, microseconds since 1970.
    """
    device = context.find_device(feed)
    found = await actions.list_tokens(context.tank, context.caller, device.device_id)
    return [_document(token) for token in found]


async def create(context: Context, feed: FeedName, *, tag: str = "") -> Any:
    """Give a device one more token.

    Args:
        feed: its number, or the device's uuid.
        tag: what to find it by again; several may have the same.

    Returns:
        `token`, which is not shown again, `token_id`, `tag` and `created_us`.
    """
    device = context.find_device(feed)
    made = await actions.create_token(context.tank, context.caller, device.device_id, tag)
    return {"token": made.token, **_document(made.device_token)}


async def reset(context: Context, feed: FeedName) -> Any:
    """Replace a device's root token; the old one is dead, other tokens stay.

    Args:
        feed: its number, or the device's uuid.

    Returns:
        The new token, a string, which is not shown again.
    """
    device = context.find_device(feed)
    return await actions.reset_token(context.tank, context.caller, device.device_id)


async def revoke(context: Context, feed: FeedName, token: str) -> Any:
    """Take a token away by its secret; the root token can only be replaced.

    Args:
        feed: its number, or the device's uuid.
        token: its secret.

    Returns:
        Whether there was one.
    """
    device = context.find_device(feed)
    return await actions.revoke_token(context.tank, context.caller, device.device_id, token)


async def revoke_some(
    context: Context,
    feed: FeedName,
    *,
    token_ids: list[Number] | None = None,
    tag: str | None = None,
) -> Any:
    """Take several tokens away; the root token stays.

    Args:
        feed: its number, or the device's uuid.
        token_ids: only those of these numbers; null for any.
        tag: only those that have it; null for any.

    Returns:
        How many there were.
    """
    device = context.find_device(feed)
    ids = None if token_ids is None else frozenset(token_ids)
    return await actions.revoke_tokens(
        context.tank, context.caller, device.device_id, token_ids=ids, tag=tag
    )


def _document(token: DeviceToken) -> dict[str, Any]:
    return {"token_id": token.token_id, "tag": token.tag, "created_us": token.created_us}
