"""See what was delivered and what was not, try it again, cancel it; and the signing secrets."""

import base64
from collections.abc import Mapping, Sequence

import msgspec

from thingtank.tank.access import Caller, check_manage
from thingtank.tank.deliveries import (
    PAGE_DELIVERIES_MAX,
    Attempt,
    Delivery,
    DeliveryLog,
    DeliveryPage,
    DeliveryQuery,
    DeliveryState,
)
from thingtank.tank.errors import LimitReached, NotAllowed, Unavailable, ValidationFailed
from thingtank.tank.tank import Tank


async def list_deliveries(tank: Tank, caller: Caller, query: DeliveryQuery) -> DeliveryPage:
    """One page of deliveries, newest first.

    Args:
        query: without an account it is the caller's own, and everybody's for admin and operator.

    Raises:
        LimitReached, NotAllowed, Unauthenticated.
    """
    if not 1 <= query.limit <= PAGE_DELIVERIES_MAX:
        raise LimitReached(f"a page has 1 to {PAGE_DELIVERIES_MAX} deliveries, not {query.limit}")
    account_id = _account_asked_for(caller, query.account_id)
    return await _log(tank).list(msgspec.structs.replace(query, account_id=account_id))


async def count_deliveries(
    tank: Tank,
    caller: Caller,
    account_id: int | None = None,
    device_id: int | None = None,
    trigger_id: int | None = None,
) -> Mapping[DeliveryState, int]:
    """How many deliveries there are in each state; who may ask is as for `list_deliveries`.

    Raises:
        NotAllowed, Unauthenticated.
    """
    asked_for = _account_asked_for(caller, account_id)
    return await _log(tank).counts(asked_for, device_id, trigger_id)


async def get_delivery(
    tank: Tank, caller: Caller, delivery_id: int
) -> tuple[Delivery, Sequence[Attempt]]:
    """A delivery with its last attempts, oldest first.

    Raises:
        NoSuchDelivery, NotAllowed, Unauthenticated.
    """
    delivery = await _own(tank, caller, delivery_id)
    return delivery, await _log(tank).attempts(delivery_id)


async def retry_delivery(tank: Tank, caller: Caller, delivery_id: int) -> Delivery:
    """Have a dead or cancelled delivery tried again; one that waits for its next try at once.

    Raises:
        ValidationFailed: it was delivered.
        NoSuchDelivery, NotAllowed, Unauthenticated.
    """
    delivery = await _own(tank, caller, delivery_id)
    if delivery.state is DeliveryState.DELIVERED:
        raise ValidationFailed([("state", "is delivered; it is not sent twice")])
    return await _log(tank).retry(delivery_id, tank.clock.now_us())


async def cancel_delivery(tank: Tank, caller: Caller, delivery_id: int) -> Delivery:
    """Have a waiting delivery tried no more.

    Raises:
        ValidationFailed: it does not wait.
        NoSuchDelivery, NotAllowed, Unauthenticated.
    """
    delivery = await _own(tank, caller, delivery_id)
    if delivery.state is not DeliveryState.WAITING:
        raise ValidationFailed([("state", f"is {delivery.state}; only what waits is cancelled")])
    return await _log(tank).cancel(delivery_id, tank.clock.now_us())


async def reveal_signing_secrets(tank: Tank, caller: Caller, account_id: int) -> Sequence[str]:
    """The secrets that an account's webhooks are signed with, newest first.

    Raises:
        NotAllowed, Unauthenticated.
    """
    _check_own_account(caller, account_id)
    return _texts(await _log(tank).signing_secrets(account_id, tank.clock.now_us()))


async def rotate_signing_secret(tank: Tank, caller: Caller, account_id: int) -> Sequence[str]:
    """Make a new secret; the old one signs beside it for the grace time. Newest first.

    Raises:
        NotAllowed, Unauthenticated.
    """
    _check_own_account(caller, account_id)
    return _texts(await _log(tank).rotate_signing_secret(account_id, tank.clock.now_us()))


def _log(tank: Tank) -> DeliveryLog:
    if tank.deliveries is None:
        raise Unavailable("this instance delivers nothing")
    return tank.deliveries


def _account_asked_for(caller: Caller, account_id: int | None) -> int | None:
    """The account whose deliveries are meant, None for all; raises if `caller` may not."""
    account = caller.account
    if account_id is None and not caller.is_operator:
        if caller.key is None and account is not None and account.is_active and account.is_admin:
            return None
        # Strangers are refused by the check, whatever the number.
        account_id = 0 if account is None else account.account_id
    if account_id is not None:
        check_manage(caller, account_id)
    return account_id


async def _own(tank: Tank, caller: Caller, delivery_id: int) -> Delivery:
    delivery = await _log(tank).get(delivery_id)
    check_manage(caller, delivery.account_id)
    return delivery


def _check_own_account(caller: Caller, account_id: int) -> None:
    """As for keys: an admin may not see, so not use, another's secret."""
    check_manage(caller, account_id)
    account = caller.account
    if not caller.is_operator and (account is None or account.account_id != account_id):
        raise NotAllowed("only an account itself may see its signing secrets")


def _texts(secrets: Sequence[bytes]) -> list[str]:
    """In Standard Webhooks' spelling."""
    return [f"whsec_{base64.b64encode(secret).decode()}" for secret in secrets]
