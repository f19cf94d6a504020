"""`/api/deliveries`: list and read what was sent, have it tried again or no more."""

from collections.abc import Coroutine
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from thingtank.tank.access import Caller, check_manage
from thingtank.tank.actions.deliveries import (
    cancel_delivery,
    get_delivery,
    list_deliveries,
    retry_delivery,
)
from thingtank.tank.deliveries import PAGE_DELIVERIES_MAX, Delivery, DeliveryQuery, DeliveryState
from thingtank.tank.errors import NoSuchDelivery, NotAllowed, Unauthenticated
from thingtank.web import tank_access
from thingtank.web.api import parameters as query
from thingtank.web.api.conditions import etag_of
from thingtank.web.api.delivery_shapes import (
    STATES,
    DeliverySerializer,
    WholeDeliverySerializer,
    delivery_body,
    whole_delivery_body,
)
from thingtank.web.api.paging import PAGING, Cursor, CursorPages, cursor_of, foreign_cursor, page_of
from thingtank.web.api.parameters import NUMBER_MAX
from thingtank.web.api.views import ApiView

# One fewer than the log reads at once: a page is read one further than it is long.
_PAGE_MAX = PAGE_DELIVERIES_MAX - 1

_LIST = (
    query.choice("state", "Only those that are in this state.", STATES),
    query.whole("trigger", "Only those of this trigger.", 1, NUMBER_MAX),
    query.whole("device", "Only those of this device.", 1, NUMBER_MAX),
    query.order(("created",), "-created"),
    PAGING[0],
    query.whole("page_size", "At most so many a page.", 1, _PAGE_MAX, 50),
)


class DeliveriesView(ApiView):
    """Deliveries."""

    tag = "deliveries"
    pagination_class = CursorPages
    tagged = ("retrieve",)
    parameters: ClassVar = {"list": _LIST}

    @extend_schema(operation_id="list_deliveries", responses=DeliverySerializer(many=True))
    def list(self, request: Any) -> Response:
        """List deliveries.

        What the triggers and hooks of the caller's account have sent, or are to send. A key must be
        a master key.
        """
        found = tank_access.run(list_deliveries(tank_access.tank(), self.caller, self._query()))
        page = page_of(
            found.deliveries, self.terms, lambda item: (item.delivery_id, item.delivery_id)
        )
        return self.answer_page(page, [self._body(item) for item in page.items])

    def _query(self) -> DeliveryQuery:
        """The log's question, one delivery further than the page."""
        terms, cursor = self.terms, cursor_of(self.terms)
        is_oldest_first = terms["order"] == "created"
        is_reversed = is_oldest_first != (cursor is not None and cursor.is_back)
        mark = None if cursor is None else _number_of(cursor)
        return DeliveryQuery(
            account_id=_account_id(self.caller),
            device_id=terms["device"],
            trigger_id=terms["trigger"],
            state=None if terms["state"] is None else DeliveryState(terms["state"]),
            before_id=None if is_reversed else mark,
            after_id=mark if is_reversed else None,
            is_reversed=is_reversed,
            limit=terms["page_size"] + 1,
        )

    @extend_schema(operation_id="read_delivery", responses=WholeDeliverySerializer)
    def retrieve(self, request: Any, delivery: int) -> Response:
        """Read a delivery.

        With what is sent and the last attempts.
        """
        action = get_delivery(tank_access.tank(), self.caller, delivery)
        found, attempts = self._run(delivery, action)
        body = whole_delivery_body(tank_access.tank(), self.base_url, found, attempts)
        return self.answer_one(body, etag_of(body))

    @extend_schema(operation_id="retry_delivery", request=None, responses=DeliverySerializer)
    def retry(self, request: Any, delivery: int) -> Response:
        """Have a delivery tried again.

        At once: one that was given up or cancelled, or that waits for its next attempt. One that
        was delivered is not sent twice: 422.
        """
        return self._acted(delivery, retry_delivery(tank_access.tank(), self.caller, delivery))

    @extend_schema(operation_id="cancel_delivery", request=None, responses=DeliverySerializer)
    def cancel(self, request: Any, delivery: int) -> Response:
        """Have a waiting delivery tried no more.

        One that does not wait stays as it is: 422.
        """
        return self._acted(delivery, cancel_delivery(tank_access.tank(), self.caller, delivery))

    def _acted(self, delivery_id: int, action: Coroutine[Any, Any, Delivery]) -> Response:
        return Response(self._body(self._run(delivery_id, action)))

    def _run(self, delivery_id: int, action: Coroutine[Any, Any, Any]) -> Any:
        """What an action on a delivery returns; another account's is as if not there."""
        try:
            return tank_access.run(_first_asked(self.caller, action))
        except NotAllowed:
            if not may_manage(self.caller):
                raise
            raise NoSuchDelivery(f"there is no delivery {delivery_id}") from None

    def _body(self, delivery: Delivery) -> dict[str, Any]:
        return delivery_body(tank_access.tank(), self.base_url, delivery)


async def _first_asked(caller: Caller, action: Coroutine[Any, Any, Any]) -> Any:
    """Refuse lesser keys whether there is such a delivery or not, which they are not to learn."""
    try:
        check_manage(caller, _account_id(caller))
    except NotAllowed:
        action.close()
        raise
    return await action


def may_manage(caller: Caller) -> bool:
    """Whether a caller may look at its own account's deliveries at all."""
    return caller.key is None or caller.key.is_master


def _account_id(caller: Caller) -> int:
    if caller.account is None:
        raise Unauthenticated("an API key or a sign-in is needed")
    return caller.account.account_id


def _number_of(cursor: Cursor) -> int:
    if not isinstance(cursor.number, int):
        raise foreign_cursor()
    return cursor.number
