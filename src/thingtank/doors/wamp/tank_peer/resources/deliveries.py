"""`tank.deliveries` and `tank.signing_secrets`: what triggers send, and how it is signed."""

from typing import Any

from thingtank.documents.deliveries import delivery_details, delivery_row
from thingtank.doors.wamp.tank_peer.resources.shared import Context, FeedName, Number, plain
from thingtank.tank.actions import deliveries as actions
from thingtank.tank.deliveries import DeliveryQuery, DeliveryState


async def list_all(
    context: Context,
    *,
    user: str = "",
    feed: FeedName | None = None,
    trigger_id: Number | None = None,
    state: DeliveryState | None = None,
    before: Number | None = None,
    limit: Number = 50,
) -> Any:
    """List deliveries, newest first: the account's own; everybody's for an admin.

    Args:
        user: only those of this login.
        feed, trigger_id: only those of this feed, of this trigger.
        state: only those that are waiting, delivered, dead or cancelled.
        before: only those that are older than this delivery.
        limit: up to 200.

    Returns:
        `deliveries`, and `next_before`, which asks for those behind them; null if there are none.
    """
    query = DeliveryQuery(
        context.account_id_of(user) if user else None,
        None if feed is None else context.find_device(feed).device_id,
        trigger_id,
        state,
        before,
        limit,
    )
    page = await actions.list_deliveries(context.tank, context.caller, query)
    return {
        "deliveries": [plain(delivery_row(context.tank, each)) for each in page.deliveries],
        "next_before": page.next_before_id,
    }


async def count(
    context: Context,
    *,
    user: str = "",
    feed: FeedName | None = None,
    trigger_id: Number | None = None,
) -> Any:
    """Count deliveries by state; whose, as `tank.deliveries.list`.

    Args:
        user: only those of this login.
        feed, trigger_id: only those of this feed, of this trigger.

    Returns:
        How many are `waiting`, `delivered`, `dead` and `cancelled`.
    """
    counts = await actions.count_deliveries(
        context.tank,
        context.caller,
        context.account_id_of(user) if user else None,
        None if feed is None else context.find_device(feed).device_id,
        trigger_id,
    )
    return {state.value: counts.get(state, 0) for state in DeliveryState}


async def read(context: Context, delivery_id: Number) -> Any:
    """Read a delivery.

    Args:
        delivery_id: its number.

    Returns:
        The delivery, with `document`, which is what is sent, and its last `attempts`, oldest first.
    """
    delivery, attempts = await actions.get_delivery(context.tank, context.caller, delivery_id)
    return delivery_details(context.tank, delivery, attempts)


async def retry(context: Context, delivery_id: Number) -> Any:
    """Have a dead or cancelled delivery tried again; one that waits at once.

    Args:
        delivery_id: its number.

    Returns:
        The delivery as it is now.
    """
    delivery = await actions.retry_delivery(context.tank, context.caller, delivery_id)
    return delivery_row(context.tank, delivery)


async def cancel(context: Context, delivery_id: Number) -> Any:
    """Have a waiting delivery tried no more.

    Args:
        delivery_id: its number.

    Returns:
        The delivery as it is now.
    """
    delivery = await actions.cancel_delivery(context.tank, context.caller, delivery_id)
    return delivery_row(context.tank, delivery)


async def list_secrets(context: Context, *, user: str = "") -> Any:
    """Show the secrets that an account's webhooks are signed with.

    Args:
        user: blank for the caller's own.

    Returns:
        A list, newest first; all of them sign.
    """
    account_id = context.account_id_of(user)
    return list(await actions.reveal_signing_secrets(context.tank, context.caller, account_id))


async def rotate_secret(context: Context, *, user: str = "") -> Any:
    """Make a new secret; the old one signs beside it for a grace time.

    Args:
        user: blank for the caller's own.

    Returns:
        A list of secrets, newest first.
    """
    account_id = context.account_id_of(user)
    return list(await actions.rotate_signing_secret(context.tank, context.caller, account_id))
