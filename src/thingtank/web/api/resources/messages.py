"""Messages between devices: send one, see what is kept for a device and what happened to it."""

from collections.abc import Sequence
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from thingtank.tank.access import check_reach
from thingtank.tank.actions.messages import send_message
from thingtank.tank.device_events import StoredEvent
from thingtank.tank.device_names import find_device_named
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.kept_messages import KeptMessage
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web import tank_access
from thingtank.web.api import parameters as query
from thingtank.web.api.message_shapes import (
    EventSerializer,
    KeptMessageSerializer,
    MessageSerializer,
    SentSerializer,
    event_body,
    kept_body,
    sent_body,
)
from thingtank.web.api.paging import (
    CURSOR_CHARS_MAX,
    CURSOR_NUMBER_MAX,
    PAGING,
    Cursor,
    CursorPages,
    Page,
    cursor_of,
    foreign_cursor,
    page_of,
)
from thingtank.web.api.views import ApiView
from thingtank.web.api.visible import find_device, may_know

EVENTS_PAGE_MAX = 200
_ID_CHARS_MAX = 100


class MessagesView(ApiView):
    """Messages."""

    tag = "messages"
    pointers: ClassVar = {"message": ""}

    @extend_schema(
        operation_id="send_message", request=MessageSerializer, responses={200: SentSerializer}
    )
    def create(self, request: Any) -> Response:
        """Send a message.

        It is answered when each target has it or it is on disk for who is away; `receipts` say
        which. An account reaches its own devices, a key those that it has `put` on; sent as a
        device, a message reaches whom that device may send to.
        """
        members = self.read_body(MessageSerializer)
        party = self._party(members.pop("sender"))
        asked = {name: value for name, value in members.items() if name != "topic" or value}
        return Response(sent_body(tank_access.run(send_message(tank_access.tank(), party, asked))))

    def _party(self, name: str) -> Party:
        """Who sends: the account, or a device that the caller may write to."""
        if not name:
            return Party(self.caller)
        tank = tank_access.tank()
        device = find_device_named(tank.directory, name)
        if device is None or not may_know(self.caller, device):
            raise ValidationFailed([("sender", "is no device")])
        check_reach(self.caller, "put", device)
        return Party(self.caller, device)


class KeptMessagesView(ApiView):
    """Messages that wait for a device."""

    tag = "messages"
    pagination_class = CursorPages
    parameters: ClassVar = {"list": (query.order(("kept",), "kept"), *PAGING)}

    @extend_schema(operation_id="list_kept_messages", responses=KeptMessageSerializer(many=True))
    def list(self, request: Any, device: str) -> Response:
        """List the messages that are kept for a device.

        They came while it was away, and it gets them when it comes back; reading them here changes
        nothing. A key needs `put` on the device.
        """
        tank = tank_access.tank()
        found = changeable(tank, self, device)
        kept = tank_access.run(self._read(tank, found))
        page = page_of(kept, self.terms, lambda each: (each.kept_id, each.kept_id))
        return self.answer_page(page, [kept_body(each) for each in page.items])

    async def _read(self, tank: Tank, device: Device) -> Sequence[KeptMessage]:
        """One message further than the page, from where it goes on."""
        cursor = cursor_of(self.terms)
        number = None if cursor is None else cursor.number
        if isinstance(number, str):
            raise foreign_cursor()
        is_back = cursor is not None and cursor.is_back
        is_down = self.terms["order"].startswith("-") != is_back
        return await tank.messaging.kept.take(
            device.device_id,
            tank.clock.now_us(),
            self.terms["page_size"] + 1,
            after_id=0 if is_down else number or 0,
            before_id=(number or CURSOR_NUMBER_MAX) if is_down else None,
        )


class EventsView(ApiView):
    """A device's event log."""

    tag = "messages"
    pagination_class = CursorPages
    parameters: ClassVar = {
        "list": (
            query.choice("order", "Newest first.", ("-at",), "-at"),
            query.text("cursor", "From a `next` link; blank for the first page.", CURSOR_CHARS_MAX),
            query.whole("page_size", "At most so many a page.", 1, EVENTS_PAGE_MAX, 50),
        )
    }

    @extend_schema(operation_id="list_device_events", responses=EventSerializer(many=True))
    def list(self, request: Any, device: str) -> Response:
        """List what happened to a device.

        Its event log, newest first: messages, connections, changes. The log forgets old events,
        and has no way back: `previous` is always null. A key needs `put` on the device.
        """
        tank = tank_access.tank()
        found = changeable(tank, self, device)
        size: int = self.terms["page_size"]
        events = tank_access.run(_events(tank, found, size + 1, self._before()))
        shown = events[:size]
        following = Cursor("-at", 0, shown[-1].event_id) if len(events) > size else None
        page = Page(shown, following, None)
        return self.answer_page(page, [event_body(event) for event in shown])

    def _before(self) -> str | None:
        cursor = cursor_of(self.terms)
        if cursor is None:
            return None
        if not isinstance(cursor.number, str) or len(cursor.number) > _ID_CHARS_MAX:
            raise foreign_cursor()
        return cursor.number


async def _events(tank: Tank, device: Device, limit: int, before: str | None) -> list[StoredEvent]:
    return await tank.messaging.events.read(device.device_id, limit, before)


def changeable(tank: Tank, view: ApiView, name: str) -> Device:
    """A device that the caller may change.

    Raises:
        NoSuchDevice, NotAllowed.
    """
    found = find_device(tank, view.caller, name)
    check_reach(view.caller, "put", found)
    return found
