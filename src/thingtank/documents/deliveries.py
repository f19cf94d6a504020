"""Deliveries as the command line and programs are shown them; Xively had none."""

from collections.abc import Sequence

import msgspec

from thingtank.tank.deliveries import Attempt, Delivery
from thingtank.tank.errors import NotFound
from thingtank.tank.tank import Tank


class DeliveryRow(msgspec.Struct, frozen=True):
    """A delivery in a list.

    Attributes:
        trigger_id: 0 for a device's hook.
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


def delivery_row(tank: Tank, delivery: Delivery) -> DeliveryRow:
    """A delivery as listings show it."""
    try:
        owner = tank.directory.get_account(delivery.account_id).login
    except NotFound:
        owner = ""
    return DeliveryRow(
        delivery.delivery_id,
        delivery.message_id,
        delivery.state.value,
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


def delivery_details(
    tank: Tank, delivery: Delivery, attempts: Sequence[Attempt]
) -> DeliveryDetails:
    """A delivery with what it holds."""
    return DeliveryDetails(
        **msgspec.structs.asdict(delivery_row(tank, delivery)),
        document=delivery.body.decode("utf-8", "replace"),
        attempts=[_attempt_row(attempt) for attempt in attempts],
    )


def _attempt_row(attempt: Attempt) -> AttemptRow:
    answer = attempt.answer.decode("utf-8", "replace")
    return AttemptRow(attempt.at_us, attempt.duration_us, attempt.status, answer, attempt.error)
