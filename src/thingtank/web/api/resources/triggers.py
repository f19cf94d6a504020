"""`/api/triggers`: list, make, read, change, try and delete triggers."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, ClassVar

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from thingtank.tank.access import may_reach
from thingtank.tank.actions.triggers import (
    TRIGGERS_PER_PAGE_MAX,
    create_trigger,
    delete_trigger,
    get_trigger,
    list_triggers,
    test_trigger,
    update_trigger,
)
from thingtank.tank.errors import NoSuchDevice, NoSuchTrigger
from thingtank.tank.triggers import KINDS, Trigger
from thingtank.web import tank_access
from thingtank.web.api import parameters as query
from thingtank.web.api.delivery_shapes import TestedSerializer, delivery_body
from thingtank.web.api.paging import PAGING, CursorPages, page_in_memory
from thingtank.web.api.trigger_shapes import (
    ChangedTriggerSerializer,
    TriggerSerializer,
    trigger_body,
    trigger_change,
    trigger_etag,
)
from thingtank.web.api.views import ApiView
from thingtank.web.api.visible import device_named, may_know
from thingtank.web.workbench.pages import address_of

_LIST = (
    query.text("device", "Only those of this device, by its number or uuid."),
    query.text("datastream", "Only those of the datastreams of this name."),
    query.choice("kind", "Only those of this kind.", KINDS),
    query.truth("is_enabled", "Only those that watch, or only those that rest."),
    query.order(("created", "fired"), "created"),
    *PAGING,
)


class TriggersView(ApiView):
    """Triggers."""

    tag = "triggers"
    pagination_class = CursorPages
    tagged = ("retrieve", "update", "partial_update", "destroy")
    parameters: ClassVar = {"list": _LIST}
    pointers: ClassVar = {
        "environment_id": "/device",
        "stream_id": "/datastream",
        "trigger_type": "/kind",
        "threshold_value": "/threshold",
        "url": "/webhook_url",
    }

    @extend_schema(operation_id="list_triggers", responses=TriggerSerializer(many=True))
    def list(self, request: Any) -> Response:
        """List triggers.

        Those of the caller's account that it may see: a key needs `get` and `put` on what a trigger
        watches, because where it sends to is often a secret.
        """
        terms = self.terms
        found = [each for each in self._all(terms["device"]) if _is_wanted(each, terms)]
        by = "notified_us" if terms["order"].endswith("fired") else "created_us"
        page = page_in_memory(found, terms, lambda each: (getattr(each, by) or 0, each.trigger_id))
        return self.answer_page(page, [self._body(each) for each in page.items])

    @extend_schema(
        operation_id="create_trigger", request=TriggerSerializer, responses={201: TriggerSerializer}
    )
    def create(self, request: Any) -> Response:
        """Make a trigger.

        It watches from now on. A key needs `get` and `post` on the datastream.
        """
        tank = tank_access.tank()
        members = self.read_body(TriggerSerializer)
        device_id = self._device_of_new(members["device"])
        draft = trigger_change(members)
        action = create_trigger(tank, self.caller, device_id, members["datastream"], draft)
        made = tank_access.run(action)
        return self.answer_created(self._body(made), trigger_etag(made))

    def _all(self, device_name: str) -> Iterator[Trigger]:
        """Those that the caller may see, of one device or of all; the tank bounds how many."""
        tank, device_id = tank_access.tank(), None
        if device_name:
            device = device_named(tank, device_name)
            if device is None or not may_reach(self.caller, "get", device):
                return
            device_id = device.device_id
        pages_max = tank.limits.triggers_per_account_max // TRIGGERS_PER_PAGE_MAX + 1
        for number in range(1, pages_max + 1):
            found = list_triggers(tank, self.caller, device_id, number)
            yield from found
            if len(found) < TRIGGERS_PER_PAGE_MAX:
                return

    def _device_of_new(self, device_id: int) -> int | None:
        """Its number; what the caller may know nothing of is as if not there."""
        tank = tank_access.tank()
        try:
            device = tank.directory.get_device(device_id)
        except NoSuchDevice:
            return device_id
        if may_know(self.caller, device) or any(
            may_know(self.caller, device, name) for name in tank.directory.datastreams(device_id)
        ):
            return device_id
        return 0

    @extend_schema(operation_id="read_trigger", responses=TriggerSerializer)
    def retrieve(self, request: Any, trigger: int) -> Response:
        """Read a trigger.

        Its ETag changes also when it fires.
        """
        self._find(trigger)
        found = get_trigger(tank_access.tank(), self.caller, trigger)
        return self.answer_one(self._body(found), trigger_etag(found))

    @extend_schema(
        operation_id="replace_trigger",
        request=ChangedTriggerSerializer,
        responses=TriggerSerializer,
    )
    def update(self, request: Any, trigger: int) -> Response:
        """Replace a trigger's condition and receivers.

        Members that are left out get their defaults. What it watches stays: make another for
        another datastream. With another condition it starts afresh.
        """
        return self._change(trigger, self.read_body(ChangedTriggerSerializer))

    @extend_schema(
        operation_id="change_trigger",
        request=ChangedTriggerSerializer,
        responses=TriggerSerializer,
    )
    def partial_update(self, request: Any, trigger: int) -> Response:
        """Change some of a trigger's condition and receivers.

        Members that are left out stay. With another condition it starts afresh.
        """
        return self._change(trigger, self.read_body(ChangedTriggerSerializer, partial=True))

    def _change(self, trigger_id: int, members: dict[str, Any]) -> Response:
        self._find(trigger_id)
        change = trigger_change(members)
        action = update_trigger(tank_access.tank(), self.caller, trigger_id, change, self._check)
        changed = tank_access.run(action)
        return Response(self._body(changed), headers={"ETag": trigger_etag(changed)})

    @extend_schema(operation_id="delete_trigger", responses={204: None})
    def destroy(self, request: Any, trigger: int) -> Response:
        """Delete a trigger.

        What of it still waits to be delivered is cancelled. A key needs `delete`.
        """
        self._find(trigger)
        tank_access.run(delete_trigger(tank_access.tank(), self.caller, trigger, self._check))
        return Response(None, HTTPStatus.NO_CONTENT)

    @extend_schema(operation_id="test_trigger", request=None, responses={202: TestedSerializer})
    def test(self, request: Any, trigger: int) -> Response:
        """Send a test.

        A notification with the value there is now, marked as a test, also when the trigger rests.
        What becomes of its deliveries their addresses tell.
        """
        self._find(trigger)
        tank = tank_access.tank()
        sent = tank_access.run(test_trigger(tank, self.caller, trigger))
        bodies = [delivery_body(tank, self._base(), delivery) for delivery in sent]
        return Response({"deliveries": bodies}, HTTPStatus.ACCEPTED)

    def _find(self, trigger_id: int) -> Trigger:
        """A trigger of the caller's account; what actions need beyond that they say themselves."""
        tank = tank_access.tank()
        trigger = tank.triggers.get(trigger_id)
        try:
            device = tank.directory.get_device(trigger.device_id)
        except NoSuchDevice:  # going away at this moment
            raise NoSuchTrigger.of(trigger_id) from None
        account, key = self.caller.account, self.caller.key
        owns = account is not None and account.account_id == device.account_id
        is_admin = account is not None and account.is_admin and key is None
        if not (owns or is_admin) or not may_know(self.caller, device, trigger.name):
            raise NoSuchTrigger.of(trigger_id)
        return trigger

    def _check(self, newest: Trigger) -> None:
        self.conditions.check_change(trigger_etag(newest))

    def _base(self) -> str:
        return address_of(self.request._request, reverse("api:root")).rstrip("/")

    def _body(self, trigger: Trigger) -> dict[str, Any]:
        return trigger_body(self._base(), trigger)


def _is_wanted(trigger: Trigger, terms: query.Terms) -> bool:
    return (
        terms["datastream"] in ("", trigger.name)
        and terms["kind"] in (None, trigger.kind)
        and terms["is_enabled"] in (None, trigger.is_enabled)
    )
