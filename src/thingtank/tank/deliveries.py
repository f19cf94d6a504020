"""Deliveries as they are tried: values, and what the dispatcher and the workbench ask for."""

import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

PAGE_DELIVERIES_MAX = 200
ANSWER_BYTES_MAX = 2048
ERROR_CHARS_MAX = 500
ATTEMPTS_KEPT_MAX = 20


class DeliveryState(enum.StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"  # for its turn, its time, or the end of an attempt
    DELIVERED = "delivered"
    DEAD = "dead"  # given up; a person may have it tried again
    CANCELLED = "cancelled"


class Delivery(msgspec.Struct, frozen=True):
    """One thing to be delivered.

    Attributes:
        message_id: the same at each attempt, so that a receiver can tell a repetition.
        trigger_id: 0 for a device's hook.
        channel: `webhook` or `email` of a trigger; `hook` or `forward` of a device.
        target: URL or address; of a forward the uuid of a device, or `*` for a broadcast.
        host: whom it depends on (`tank.targets.host_of`).
        created_us: when it was fired. due_us: when it is tried next; None while an earlier one of
            its trigger and channel waits, and once it is settled. done_us: when it was settled.
        tries: attempts since it was recorded, or since a person had it tried again.
        attempt_count: attempts in all.
        status: the last answer's; None when there was none.
        error: why the last attempt failed or the next has to wait, blank for neither.
        is_asked: a person waits for it: it is tried although its receiver is left alone.
    """

    delivery_id: int
    message_id: str
    trigger_id: int
    device_id: int
    account_id: int
    channel: str
    target: str
    host: str
    body: bytes
    created_us: int
    is_test: bool
    state: DeliveryState
    due_us: int | None
    done_us: int | None
    tries: int
    attempt_count: int
    status: int | None
    error: str
    is_asked: bool = False

    @property
    def lane(self) -> str:
        """What it is delivered in order with."""
        return lane_of(self.trigger_id, self.channel, self.device_id, self.target)


class Attempt(msgspec.Struct, frozen=True):
    """One try to deliver.

    Attributes:
        at_us: when it began. duration_us: how long it took.
        status: the answer's status; None when there was no answer.
        answer: the first ANSWER_BYTES_MAX bytes of the answer's body.
        error: why it failed, blank when it did not.
    """

    at_us: int
    duration_us: int
    status: int | None = None
    answer: bytes = b""
    error: str = ""


class Settlement(msgspec.Struct, frozen=True):
    """What an attempt came to.

    Attributes:
        due_us: when to try again, if it still waits.
        ends_queue: the receiver is gone: what waits behind it of the same trigger, channel and
            target is dead as well.
    """

    delivery_id: int
    attempt: Attempt
    state: DeliveryState
    due_us: int | None = None
    ends_queue: bool = False


class DeliveryQuery(msgspec.Struct, frozen=True):
    """Which deliveries a list holds, newest first, in pages.

    Attributes:
        account_id, device_id, trigger_id: only of these; None for any.
        state: only these; None for any.
        before_id, after_id: only older ones, only newer ones than this delivery; None for any.
        is_reversed: oldest first.
        limit: 1 to PAGE_DELIVERIES_MAX.
    """

    account_id: int | None = None
    device_id: int | None = None
    trigger_id: int | None = None
    state: DeliveryState | None = None
    before_id: int | None = None
    limit: int = 50
    after_id: int | None = None
    is_reversed: bool = False


class DeliveryPage(msgspec.Struct, frozen=True):
    """One page; `next_before_id` asks for the one after it, None when this is the last.

    Of a reversed list it is to be `after_id`.
    """

    deliveries: Sequence[Delivery]
    next_before_id: int | None


class OpenCount(msgspec.Struct, frozen=True):
    """How many of a trigger's deliveries wait, and how many are dead letters."""

    waiting: int = 0
    dead: int = 0


class DeliveryLog(Protocol):
    """What persons see and do; times are microseconds since the epoch, UTC."""

    async def get(self, delivery_id: int) -> Delivery:
        """Raise NoSuchDelivery if there is none."""
        ...

    async def attempts(self, delivery_id: int) -> Sequence[Attempt]:
        """A delivery's last attempts, oldest first."""
        ...

    async def list(self, query: DeliveryQuery) -> DeliveryPage:
        """One page of deliveries."""
        ...

    async def counts(
        self,
        account_id: int | None = None,
        device_id: int | None = None,
        trigger_id: int | None = None,
    ) -> Mapping[DeliveryState, int]:
        """How many deliveries there are in each state; states without any are left out."""
        ...

    async def open_counts(self, device_id: int) -> Mapping[int, OpenCount]:
        """What is not delivered of each of a device's triggers, by trigger_id."""
        ...

    async def retry(self, delivery_id: int, now_us: int) -> Delivery:
        """Have a dead or cancelled delivery tried again from now on, past what waits.

        One that waits for its next attempt is due at once; any other is returned as it stands.
        Once it is tried although its receiver is left alone.
        """
        ...

    async def cancel(self, delivery_id: int, now_us: int) -> Delivery:
        """Have a waiting delivery tried no more; any other is returned as it stands."""
        ...

    async def signing_secrets(self, account_id: int, now_us: int) -> Sequence[bytes]:
        """An account's secrets for signatures, newest first; there is always one.

        More than one while an old one is still within its grace time: each signs.
        """
        ...

    async def rotate_signing_secret(self, account_id: int, now_us: int) -> Sequence[bytes]:
        """Make a new one; the old ones stay for the grace time, at most SECRETS_MAX in all."""
        ...

    async def account_ids(self) -> Sequence[int]:
        """Of which accounts there are deliveries or signing secrets."""
        ...

    async def forget_account(self, account_id: int) -> None:
        """Drop all deliveries and signing secrets of a deleted account."""
        ...


SECRETS_MAX = 3


class Busy(msgspec.Struct, frozen=True):
    """Whose deliveries must not be started now. `receivers` as `receiver_of` names them."""

    hosts: Collection[str] = ()
    account_ids: Collection[int] = ()
    lanes: Collection[str] = ()
    receivers: Collection[str] = ()


def receiver_of(account_id: int, host: str) -> str:
    """A host as one account uses it: what one does to it must not hold up another."""
    return f"{account_id} {host}"


def lane_of(trigger_id: int, channel: str, device_id: int = 0, target: str = "") -> str:
    """What is delivered in order: a trigger's notifications by one channel.

    Of a device's hooks, which have no trigger, what goes to one target.
    """
    return f"{channel}:{trigger_id}" if trigger_id else f"{channel}:{device_id}:{target}"


class DeliveryQueue(Protocol):
    """What the dispatcher asks for."""

    def on_record(self, notify: Callable[[], None]) -> None:
        """Have `notify` called in the loop when something became due."""
        ...

    async def due(self, now_us: int, limit: int, busy: Busy) -> Sequence[Delivery]:
        """Deliveries whose time has come, of those who are not busy, longest due first."""
        ...

    async def next_due_us(self, after_us: int) -> int | None:
        """When the next one after an instant is due."""
        ...

    async def settle(self, settlement: Settlement) -> None:
        """Record an attempt and what it came to; the next of its lane may follow."""
        ...

    async def postpone(self, account_id: int, host: str, until_us: int, reason: str = "") -> None:
        """Have nothing of an account for a host tried before an instant, but for tests.

        Args:
            reason: for the account's person, where there is one: becomes `error`.
        """
        ...

    async def leave_alone(self, account_id: int, host: str, until_us: int) -> None:
        """As `postpone`, but for what a person asked for, and until `resume` at the latest."""
        ...

    async def resume(self, account_id: int, host: str) -> None:
        """Let what `leave_alone` put off have its own time again."""
        ...

    async def resume_all(self) -> None:
        """Resume everybody's at every host."""
        ...

    async def purge(self, now_us: int) -> int:
        """Give up what waited too long, drop what is old or too much; how many were dropped."""
        ...
