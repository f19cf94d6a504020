"""Triggers: list, create, read, change, delete.

Source: Xively API v2, triggers.
"""

from msgspec import UNSET

from thingtank.documents.triggers import trigger_body, trigger_change
from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.resources.shared import Context, asked_feed_id
from thingtank.doors.xively.responses import DONE, Reply
from thingtank.protocols.xively import query
from thingtank.protocols.xively.formats import TRIGGER_CODECS
from thingtank.protocols.xively.paths import TriggerPath
from thingtank.tank.actions import triggers as actions


async def list_all(context: Context, request: Request) -> Reply:
    """`GET /triggers`: a bare list; `feed_id` limits it to a feed."""
    page, per_page = query.page_of(request.parameters, query.PER_PAGE_MAX)
    found = actions.list_triggers(
        context.tank, request.caller, asked_feed_id(request), page, per_page
    )
    bodies = [trigger_body(context.tank, trigger) for trigger in found]
    return Reply(body=TRIGGER_CODECS[request.format].serialize_list(bodies))


async def create(context: Context, request: Request) -> Reply:
    """`POST /triggers`: 201 and `Location`."""
    document = TRIGGER_CODECS[request.format].parse(request.body)
    feed_id = None if document.environment_id is UNSET else document.environment_id
    name = document.stream_id or ""
    trigger = await actions.create_trigger(
        context.tank, request.caller, feed_id, name, trigger_change(document)
    )
    return Reply(201, location=f"{request.base_url}/v2/triggers/{trigger.trigger_id}")


async def read(context: Context, request: Request) -> Reply:
    """`GET /triggers/N`."""
    trigger = actions.get_trigger(context.tank, request.caller, _trigger_id(request))
    return Reply(body=TRIGGER_CODECS[request.format].serialize(trigger_body(context.tank, trigger)))


async def update(context: Context, request: Request) -> Reply:
    """`PUT /triggers/N`: members that are there overwrite."""
    document = TRIGGER_CODECS[request.format].parse(request.body)
    await actions.update_trigger(
        context.tank, request.caller, _trigger_id(request), trigger_change(document)
    )
    return DONE


async def delete(context: Context, request: Request) -> Reply:
    """`DELETE /triggers/N`."""
    await actions.delete_trigger(context.tank, request.caller, _trigger_id(request))
    return DONE


def _trigger_id(request: Request) -> int:
    path = request.target.path
    assert isinstance(path, TriggerPath)
    return path.trigger_id
