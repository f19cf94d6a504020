"""Who may see deliveries and signing secrets, try again, cancel."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from tests.deliveries import NOW, SettableClock, new, outbox_in

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.tank.access import OPERATOR, STRANGER, Caller
from thingtank.tank.actions.deliveries import (
    cancel_delivery,
    count_deliveries,
    get_delivery,
    list_deliveries,
    retry_delivery,
    reveal_signing_secrets,
    rotate_signing_secret,
)
from thingtank.tank.deliveries import Attempt, DeliveryQuery, DeliveryState, Settlement
from thingtank.tank.errors import (
    LimitReached,
    NoSuchDelivery,
    NotAllowed,
    Unauthenticated,
    Unavailable,
    ValidationFailed,
)
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account

ALICE, BOB, ROOT = Account(1, "alice"), Account(2, "bob"), Account(3, "root", is_admin=True)
MASTER = ApiKey(1, 1, "all", (Permission(ACCESS_METHODS),))
READER = ApiKey(2, 1, "read", (Permission(("get",)),))
ROOTS_KEY = ApiKey(3, 3, "all", (Permission(ACCESS_METHODS),))

MAY = {"alice": Caller(ALICE), "alice's master key": Caller(ALICE, MASTER), "an admin": Caller(ROOT), "the operator": OPERATOR}  # fmt: skip
MAY_NOT = {
    "bob": (Caller(BOB), NotAllowed),
    "a key with fewer rights": (Caller(ALICE, READER), NotAllowed),
    "an admin's key": (Caller(ROOT, ROOTS_KEY), NotAllowed),
    "a stranger": (STRANGER, Unauthenticated),
    "alice, barred": (Caller(Account(1, "alice", is_active=False)), Unauthenticated),
}


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[SqliteOutbox]:
    async with outbox_in(tmp_path) as outbox:
        await outbox.record(
            "triggers", 1, {}, [new(1, account_id=1), new(2, account_id=2), new(1, account_id=1)]
        )
        attempt = Attempt(NOW, 5, 500, b"no", "the receiver answered 500")
        await outbox.settle(Settlement(1, attempt, DeliveryState.DEAD))
        yield outbox


@pytest.fixture
def tank(outbox: SqliteOutbox) -> Tank:
    return Tank(MemoryDirectory(), MemoryArchive(), clock=SettableClock(), deliveries=outbox)


Act = Callable[[Tank, Caller], Awaitable[object]]
ACTIONS: dict[str, Act] = {
    "list": lambda tank, caller: list_deliveries(tank, caller, DeliveryQuery(account_id=1)),
    "count": lambda tank, caller: count_deliveries(tank, caller, 1),
    "get": lambda tank, caller: get_delivery(tank, caller, 1),
    "retry": lambda tank, caller: retry_delivery(tank, caller, 1),
    "cancel": lambda tank, caller: cancel_delivery(tank, caller, 3),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("who", MAY)
async def test_the_account_and_who_runs_the_instance_may(tank: Tank, who: str, action: str) -> None:
    await ACTIONS[action](tank, MAY[who])


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("who", MAY_NOT)
async def test_nobody_else_may(tank: Tank, who: str, action: str) -> None:
    caller, error = MAY_NOT[who]
    before = await list_deliveries(tank, OPERATOR, DeliveryQuery())
    with pytest.raises(error):
        await ACTIONS[action](tank, caller)
    assert await list_deliveries(tank, OPERATOR, DeliveryQuery()) == before


async def test_a_list_without_an_account_is_ones_own_and_everybodys_for_admins(tank: Tank) -> None:
    async def ids(caller: Caller) -> list[int]:
        page = await list_deliveries(tank, caller, DeliveryQuery())
        return [delivery.delivery_id for delivery in page.deliveries]

    assert await ids(Caller(ALICE)) == [3, 1]
    assert await ids(Caller(BOB)) == [2]
    assert await ids(Caller(ROOT)) == await ids(OPERATOR) == [3, 2, 1]
    assert await count_deliveries(tank, Caller(BOB)) == {DeliveryState.WAITING: 1}
    with pytest.raises(Unauthenticated):
        await ids(STRANGER)


@pytest.mark.parametrize("limit", [0, -1, 201])
async def test_a_page_has_a_bound(tank: Tank, limit: int) -> None:
    with pytest.raises(LimitReached, match=str(limit)):
        await list_deliveries(tank, OPERATOR, DeliveryQuery(limit=limit))


async def test_a_dead_letter_tells_its_attempts_and_is_tried_again(tank: Tank) -> None:
    delivery, attempts = await get_delivery(tank, Caller(ALICE), 1)
    assert (delivery.state, [attempt.answer for attempt in attempts]) == ("dead", [b"no"])
    again = await retry_delivery(tank, Caller(ALICE), 1)
    assert (again.state, again.due_us) == (DeliveryState.WAITING, NOW)


async def test_what_is_settled_is_neither_cancelled_nor_sent_twice(
    tank: Tank, outbox: SqliteOutbox
) -> None:
    await outbox.settle(Settlement(3, Attempt(NOW, 5, 200), DeliveryState.DELIVERED))
    with pytest.raises(ValidationFailed, match="not sent twice"):
        await retry_delivery(tank, Caller(ALICE), 3)
    for number in (1, 3):
        with pytest.raises(ValidationFailed, match="only what waits"):
            await cancel_delivery(tank, Caller(ALICE), number)


async def test_one_that_is_not_there_is_said_so(tank: Tank) -> None:
    for action in (get_delivery, retry_delivery, cancel_delivery):
        with pytest.raises(NoSuchDelivery, match="99"):
            await action(tank, OPERATOR, 99)


async def test_secrets_are_for_the_account_itself(tank: Tank) -> None:
    (secret,) = await reveal_signing_secrets(tank, Caller(ALICE), 1)
    Webhook(secret)
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert (await rotate_signing_secret(tank, Caller(ALICE, MASTER), 1))[1] == secret
    for caller, error in [*MAY_NOT.values(), (Caller(ROOT), NotAllowed)]:
        with pytest.raises(error):
            await reveal_signing_secrets(tank, caller, 1)
        with pytest.raises(error):
            await rotate_signing_secret(tank, caller, 1)
    assert len(await reveal_signing_secrets(tank, Caller(ALICE), 1)) == 2


async def test_an_instance_without_an_outbox_says_so() -> None:
    tank = Tank(MemoryDirectory(), MemoryArchive())
    with pytest.raises(Unavailable, match="delivers nothing"):
        await list_deliveries(tank, OPERATOR, DeliveryQuery())
