"""Operations on what triggers send."""

from typing import Annotated

import msgspec

from thingtank.documents.deliveries import (
    DeliveryDetails,
    DeliveryRow,
    delivery_details,
    delivery_row,
)
from thingtank.server.operations.context import Context
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.deliveries import (
    cancel_delivery,
    count_deliveries,
    get_delivery,
    list_deliveries,
    retry_delivery,
)
from thingtank.tank.deliveries import (
    PAGE_DELIVERIES_MAX,
    DeliveryQuery,
    DeliveryState,
)


class ListDeliveries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which deliveries to list.

    Attributes:
        owner: blank for everybody's.
        before: only those that are older than this delivery.
    """

    owner: str = ""
    trigger: int | None = None
    feed: int | None = None
    state: DeliveryState | None = None
    before: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_DELIVERIES_MAX)] = 50


class DeliveryList(msgspec.Struct, frozen=True):
    """One page, newest first.

    Attributes:
        next_before: asks for the page after it; None when this is the last.
        counts: how many there are in each state, of the same owner, trigger and feed.
    """

    deliveries: list[DeliveryRow]
    next_before: int | None
    counts: dict[str, int]


class OneDelivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A delivery by its number."""

    delivery_id: int


async def list_all(context: Context, asked: ListDeliveries) -> DeliveryList:
    """List deliveries, newest first."""
    account_id = context.account(asked.owner).account_id if asked.owner else None
    query = DeliveryQuery(
        account_id, asked.feed, asked.trigger, asked.state, asked.before, asked.limit
    )
    page = await list_deliveries(context.tank, OPERATOR, query)
    counts = await count_deliveries(context.tank, OPERATOR, account_id, asked.feed, asked.trigger)
    return DeliveryList(
        [delivery_row(context.tank, delivery) for delivery in page.deliveries],
        page.next_before_id,
        {state.value: counts.get(state, 0) for state in DeliveryState},
    )


async def show(context: Context, asked: OneDelivery) -> DeliveryDetails:
    """A delivery with its attempts."""
    delivery, attempts = await get_delivery(context.tank, OPERATOR, asked.delivery_id)
    return delivery_details(context.tank, delivery, attempts)


async def retry(context: Context, asked: OneDelivery) -> DeliveryRow:
    """Have a delivery tried again."""
    delivery = await retry_delivery(context.tank, OPERATOR, asked.delivery_id)
    return delivery_row(context.tank, delivery)


async def cancel(context: Context, asked: OneDelivery) -> DeliveryRow:
    """Have a waiting delivery tried no more."""
    delivery = await cancel_delivery(context.tank, OPERATOR, asked.delivery_id)
    return delivery_row(context.tank, delivery)
