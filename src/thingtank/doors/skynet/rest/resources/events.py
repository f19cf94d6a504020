"""A device's event log."""

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations import events
from thingtank.doors.skynet.rest.error_table import RestRefusal, legacy_error
from thingtank.doors.skynet.rest.replies import Reply, answer
from thingtank.doors.skynet.rest.requests import Request, Words
from thingtank.doors.skynet.rest.resources.data import whole_number

WORDS = Words()


async def get_events(door: SkynetDoor, request: Request) -> Reply:
    """`GET /events/:uuid`: the last ten, or `limit`, of those older than the event `before`."""
    found = await events.read(
        door,
        request.party,
        request.uuid,
        limit=whole_number(request, "limit", events.EVENTS_DEFAULT),
        before=request.text("before"),
        is_legacy=request.is_legacy,
    )
    if not found and request.is_legacy:
        raise RestRefusal(legacy_error(404, "Events not found", WORDS, "", 0), "no events")
    return answer({"events": found})
