"""Triggers: list, create, read, change, delete.

Source: Xively API v2, triggers.
"""

from msgspec import UNSET

from thingtank.doors.xively.requests import Request
from thingtank.doors.xively.resources.shared import Context, asked_feed_id
from thingtank.doors.xively.responses import DONE, Reply
from thingtank.protocols.xively import query
from thingtank.protocols.xively.formats import TRIGGER_CODECS
from thingtank.protocols.xively.paths import TriggerPath
from thingtank.protocols.xively.times import format_time
from thingtank.protocols.xively.trigger_documents import TriggerBody, TriggerDocument
from thingtank.tank.actions import triggers as actions
from thingtank.tank.triggers import Trigger, TriggerChange


async def list_all(context: Context, request: Request) -> Reply:
    """`GET /triggers`: a bare list; `feed_id` limits it to a feed."""
    page, per_page = query.page_of(request.parameters, query.PER_PAGE_MAX)
    found = actions.list_triggers(
        context.tank, request.caller, asked_feed_id(request), page, per_page
    )
    bodies = [_body(context, trigger) for trigger in found]
    return Reply(body=TRIGGER_CODECS[request.format].serialize_list(bodies))


async def create(context: Context, request: Request) -> Reply:
    """`POST /triggers`: 201 and `Location`."""
    document = TRIGGER_CODECS[request.format].parse(request.body)
    feed_id = None if document.environment_id is UNSET else document.environment_id
    name = document.stream_id or ""
    trigger = await actions.create_trigger(
        context.tank, request.caller, feed_id, name, _change(document)
    )
    return Reply(201, location=f"{request.base_url}/v2/triggers/{trigger.trigger_id}")


def _change(document: TriggerDocument) -> TriggerChange:
    """What it changes; to which datastream a trigger belongs cannot be changed."""
    threshold = document.threshold_value
    return TriggerChange(
        kind=document.trigger_type,
        threshold="" if threshold is None else threshold,
        url=document.url,
    )


async def read(context: Context, request: Request) -> Reply:
    """`GET /triggers/N`."""
    trigger = actions.get_trigger(context.tank, request.caller, _trigger_id(request))
    return Reply(body=TRIGGER_CODECS[request.format].serialize(_body(context, trigger)))


async def update(context: Context, request: Request) -> Reply:
    """`PUT /triggers/N`: members that are there overwrite."""
    document = TRIGGER_CODECS[request.format].parse(request.body)
    await actions.update_trigger(
        context.tank, request.caller, _trigger_id(request), _change(document)
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


def _body(context: Context, trigger: Trigger) -> TriggerBody:
    account = context.tank.directory.get_account(trigger.account_id)
    return TriggerBody(
        id=trigger.trigger_id,
        url=trigger.url,
        trigger_type=trigger.kind,
        user=account.login,
        environment_id=trigger.device_id,
        stream_id=trigger.name,
        threshold_value=trigger.threshold,
        notified_at="" if trigger.notified_us is None else format_time(trigger.notified_us),
    )
