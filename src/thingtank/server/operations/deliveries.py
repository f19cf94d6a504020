"""Operations on what triggers send."""

from typing import Annotated

import msgspec

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
    Attempt,
    Delivery,
    DeliveryQuery,
    DeliveryState,
)
from thingtank.tank.errors import NotFound


class DeliveryRow(msgspec.Struct, frozen=True):
    """A delivery in a list.

    Attributes:
        owner: blank when the account is gone.
        status: the last answer's; None when there was none.
        error: why the last attempt failed, blank when it did not.
        created_us: when it was fired. due_us: when it is tried next; None when it has no turn yet,
            or is settled. done_us: when it was settled.
    """

    delivery_id: int
    message_id: str
    state: str
    trigger_id: int
    feed_id: int
    owner: str
    channel: str
    target: str
    is_test: bool
    attempt_count: int
    status: int | None
    error: str
    created_us: int
    due_us: int | None
    done_us: int | None


class AttemptRow(msgspec.Struct, frozen=True):
    """One try; `answer` is what was kept of the answer's body."""

    at_us: int
    duration_us: int
    status: int | None
    answer: str
    error: str


class DeliveryDetails(DeliveryRow, frozen=True):
    """A delivery with what is sent, and its last attempts, oldest first."""

    document: str
    attempts: list[AttemptRow]


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
        [delivery_row(context, delivery) for delivery in page.deliveries],
        page.next_before_id,
        {state.value: counts.get(state, 0) for state in DeliveryState},
    )


async def show(context: Context, asked: OneDelivery) -> DeliveryDetails:
    """A delivery with its attempts."""
    delivery, attempts = await get_delivery(context.tank, OPERATOR, asked.delivery_id)
    return DeliveryDetails(
        **msgspec.structs.asdict(delivery_row(context, delivery)),
        document=delivery.body.decode("utf-8", "replace"),
        attempts=[_attempt_row(attempt) for attempt in attempts],
    )


async def retry(context: Context, asked: OneDelivery) -> DeliveryRow:
    """Have a delivery tried again."""
    delivery = await retry_delivery(context.tank, OPERATOR, asked.delivery_id)
    return delivery_row(context, delivery)


async def cancel(context: Context, asked: OneDelivery) -> DeliveryRow:
    """Have a waiting delivery tried no more."""
    delivery = await cancel_delivery(context.tank, OPERATOR, asked.delivery_id)
    return delivery_row(context, delivery)


def delivery_row(context: Context, delivery: Delivery) -> DeliveryRow:
    """A delivery as listings show it."""
    try:
        owner = context.tank.directory.get_account(delivery.account_id).login
    except NotFound:
        owner = ""
    return DeliveryRow(
        delivery.delivery_id,
        delivery.message_id,
        delivery.state,
        delivery.trigger_id,
        delivery.device_id,
        owner,
        delivery.channel,
        delivery.target,
        delivery.is_test,
        delivery.attempt_count,
        delivery.status,
        delivery.error,
        delivery.created_us,
        delivery.due_us,
        delivery.done_us,
    )


def _attempt_row(attempt: Attempt) -> AttemptRow:
    answer = attempt.answer.decode("utf-8", "replace")
    return AttemptRow(attempt.at_us, attempt.duration_us, attempt.status, answer, attempt.error)
