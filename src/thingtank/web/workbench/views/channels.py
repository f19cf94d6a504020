"""Pages of a device's channels, and the numbers behind their charts."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.datastreams import delete_datastream, existing
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.errors import ValidationFailed
from thingtank.web import tank_access
from thingtank.web.workbench.charts import RANGE_LABELS, chart_terms, read_chart
from thingtank.web.workbench.exports import ALL, PARQUET_ROWS_MAX, export_url
from thingtank.web.workbench.forms import ChannelChangeForm, DeleteForm, NewChannelForm
from thingtank.web.workbench.pages import (
    attempt,
    back_to_device,
    form_page,
    json_answer,
    owned_device,
    page,
    public_page,
    require_form,
    visible_device,
)


@page
@require_form
def add(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Add a channel."""
    caller, device = owned_device(request, feed_id)
    tank = tank_access.tank()
    form = NewChannelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        if name in tank.directory.datastreams(feed_id):
            form.add_error("name", "This device already has a channel of that name.")
        else:
            write = DatastreamWrite(name, change=form.change())
            attempt(
                form,
                record_datapoints(
                    tank, caller, feed_id, [write], method="post", creates_missing=True
                ),
            )
        if not form.errors:
            return back_to_device(feed_id, "channel-added")
    return form_page(request, "channel_add.html", form, device=device)


@page
@require_form
def edit(request: HttpRequest, feed_id: int, name: str) -> HttpResponse:
    """Change a channel's unit and tags."""
    caller, device = owned_device(request, feed_id)
    tank = tank_access.tank()
    datastream = existing(tank, feed_id, name)
    form = ChannelChangeForm(request.POST or None, initial=ChannelChangeForm.initial_of(datastream))
    if request.method == "POST" and form.is_valid():
        write = DatastreamWrite(name, change=form.change(datastream.unit))
        attempt(form, record_datapoints(tank, caller, feed_id, [write]))
        if not form.errors:
            return back_to_device(feed_id, "channel-saved")
    return form_page(request, "channel_edit.html", form, device=device, channel=datastream)


@page
@require_form
def delete(request: HttpRequest, feed_id: int, name: str) -> HttpResponse:
    """Delete a channel with all it has recorded, once its name has been typed."""
    caller, device = owned_device(request, feed_id)
    tank = tank_access.tank()
    datastream = existing(tank, feed_id, name)
    form = DeleteForm(request.POST or None, expected=name)
    if request.method == "POST" and form.is_valid():
        tank_access.run(delete_datastream(tank, caller, feed_id, name))
        return back_to_device(feed_id, "channel-deleted")
    return form_page(request, "channel_delete.html", form, device=device, channel=datastream)


@public_page
@require_safe
def export(request: HttpRequest, feed_id: int, name: str) -> HttpResponse:
    """Ask for range and format of a channel's file; another address serves it."""
    _, device = visible_device(request, feed_id)
    channel = existing(tank_access.tank(), feed_id, name)
    context = {
        "device": device,
        "channel": channel,
        "export_url": export_url(feed_id, name),
        "ranges": [*RANGE_LABELS.items(), (ALL, "Everything")],
        "rows_max": PARQUET_ROWS_MAX,
    }
    return render(request, "workbench/channel_export.html", context)


@public_page
@require_safe
def chart(request: HttpRequest, feed_id: int, name: str) -> HttpResponse:
    """A channel as JSON: `?range=1h&width=600`, or `?start=1750000000&end=1750003600&width=600`."""
    caller, _ = visible_device(request, feed_id)
    try:
        terms = chart_terms(request.GET)
        found = tank_access.run(read_chart(tank_access.tank(), caller, feed_id, name, terms))
    except ValidationFailed as error:
        return json_answer({"errors": dict(error.problems)}, HTTPStatus.BAD_REQUEST)
    return json_answer(found)
