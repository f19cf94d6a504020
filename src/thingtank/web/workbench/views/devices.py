"""Pages of devices: the list, one device, and the forms that make, change and delete one."""

import json
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from thingtank.simulator.mark import is_simulated
from thingtank.tank.access import Caller, may_reach
from thingtank.tank.actions.devices import delete_device, update_device
from thingtank.tank.actions.keys import list_keys
from thingtank.tank.actions.products import develop_device
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.interfaces import PAGE_MAX, DeviceQuery
from thingtank.tank.things import Device, is_live
from thingtank.web import tank_access
from thingtank.web.web_settings import web_settings
from thingtank.web.workbench.charts import CHART_LABELS
from thingtank.web.workbench.connect_ways import WAY_NAMES, ways_of
from thingtank.web.workbench.device_list import ROWS_MAX, list_url, read_list
from thingtank.web.workbench.forms import DeleteForm, DeviceForm, LocationForm, MetadataForm
from thingtank.web.workbench.getting_started import (
    DEVICES_MAX,
    is_dismissed,
    simulator_context,
    start_context,
)
from thingtank.web.workbench.http_snippets import EXAMPLE_CHANNEL
from thingtank.web.workbench.live import live_url
from thingtank.web.workbench.messaging_panels import read_messaging, read_visit
from thingtank.web.workbench.pages import (
    address_of,
    attempt,
    back_to_device,
    form_page,
    notice_of,
    owned_device,
    page,
    page_count,
    page_number,
    public_page,
    require_form,
    visible_device,
)
from thingtank.web.workbench.panels import (
    ChannelPanel,
    DeviceRow,
    key_row,
    newest_us,
    owner_of,
    read_channels,
    read_waypoints,
)
from thingtank.web.workbench.provisioning import read_provision
from thingtank.web.workbench.refusals import newest_refused
from thingtank.web.workbench.request_panels import RequestRow, request_row
from thingtank.web.workbench.trigger_panels import read_triggers
from thingtank.web.workbench.views.requests import command_marks

KEYS_PER_PAGE = 25


def asked_devices(request: HttpRequest) -> tuple[Caller, DeviceQuery]:
    """Who asks, and for which devices: the account's, or with `scope=all` all that it may see.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    caller = tank_access.caller(request)
    account = caller.account
    if account is None:
        raise Unauthenticated("a sign-in is needed")
    is_all = request.GET.get("scope") == "all"
    return caller, DeviceQuery(
        account_id=account.account_id,
        everybody=is_all and account.is_admin,
        with_public=is_all,
        text=request.GET.get("q", "").strip()[:200],
        page=min(page_number(request, "page"), PAGE_MAX),
        per_page=ROWS_MAX,
    )


@page
@require_safe
def devices(request: HttpRequest) -> HttpResponse:
    """List the account's devices, and with `scope=all` everything it may see."""
    caller, query = asked_devices(request)
    tank = tank_access.tank()
    found = tank.directory.list_devices(query)
    live_s = web_settings().live_s
    listed = tank_access.run(read_list(tank, caller, found.devices, live_s))
    rows = [each.row for each in listed]
    is_first = not query.with_public and not query.text and query.page == 1
    context = {
        "listed": listed,
        "live_url": list_url(found.devices, is_all=query.with_public),
        "live_s": live_s,
        "total_count": found.total_count,
        "text": query.text,
        "scope": "all" if query.with_public else "mine",
        "page_number": query.page,
        "page_count": page_count(found.total_count, ROWS_MAX),
        "notice": notice_of(request),
        **(_start(request, caller, rows, found.total_count) if is_first else {}),
    }
    return render(request, "workbench/devices.html", context)


def _start(
    request: HttpRequest, caller: Caller, rows: list[DeviceRow], total_count: int
) -> dict[str, object]:
    """The first steps while some are left to do, else only the simulator while it runs."""
    if total_count <= DEVICES_MAX and not is_dismissed(request):
        context = start_context(request, rows)
        if context["done_count"] != context["step_count"]:
            return context
    return simulator_context(caller)


@page
@require_form
def add(request: HttpRequest) -> HttpResponse:
    """Add a device; its page follows, with the first step to take."""
    form = DeviceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        tank, caller = tank_access.tank(), tank_access.caller(request)
        made = attempt(form, develop_device(tank, caller, form.change()))
        if made is not None:
            return _to_first_value(request, made.created.device)
    asked = request.POST.get("with") or request.GET.get("with", "")
    return form_page(request, "device_add.html", form, way_name=asked)


def _to_first_value(request: HttpRequest, made: Device) -> HttpResponse:
    """To a new device's page, with the way to connect that was chosen before it was made."""
    terms = {"done": "device-added"}
    if request.POST.get("with") in WAY_NAMES:
        terms["with"] = request.POST["with"]
    address = reverse("workbench:device", args=[made.device_id])
    return HttpResponseRedirect(f"{address}?{urlencode(terms)}")


@public_page
@require_safe
def device(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Show one device; keys, requests and buttons only to who may change it."""
    caller, found = visible_device(request, feed_id)
    tank = tank_access.tank()
    channels = tank_access.run(read_channels(tank, feed_id))
    may_change = may_reach(caller, "put", found)
    last_us = newest_us(channel.at_us for channel in channels)
    endpoint = address_of(request, f"/v2/feeds/{feed_id}")
    context: dict[str, object] = {
        "device": found,
        "owner": owner_of(tank, found),
        "channels": channels,
        "last_us": last_us,
        "is_live": is_live(last_us, tank.clock.now_us(), web_settings().live_s),
        "may_change": may_change,
        "feed_url": address_of(request, reverse("workbench:device", args=[feed_id])),
        "endpoint": endpoint,
        "live_url": live_url(feed_id),
        "ranges": CHART_LABELS.items(),
        "waypoints": json.dumps(tank_access.run(read_waypoints(tank, found))),
        "visit": tank_access.run(read_visit(tank, found)),
        "notice": notice_of(request),
    }
    if may_change:
        number = page_number(request, "keys")
        context |= _keys_context(caller, found, number)
        context["provision"] = tank_access.run(read_provision(tank, caller, found))
        context["triggers"] = tank_access.run(read_triggers(tank, feed_id))
        context["messaging"] = tank_access.run(read_messaging(tank, caller, found))
        context |= _connect_context(request, found, channels)
        rows = tank_access.run(_requests(feed_id))
        context |= {"requests": rows, "refused": newest_refused(rows)}
        context["command_marks"] = command_marks(request)
        if is_simulated(found.properties):
            context |= simulator_context(caller)
    return render(request, "workbench/device.html", context)


async def _requests(feed_id: int) -> list[RequestRow]:
    tank = tank_access.tank()
    return [request_row(tank, each) for each in tank.request_log.of_device(feed_id)]


def _connect_context(
    request: HttpRequest, found: Device, channels: list[ChannelPanel]
) -> dict[str, object]:
    """How programs and boards connect as this device."""
    asked, ways = request.GET.get("with", ""), ways_of(request, found, _example_channel(channels))
    return {
        "ways": ways,
        "way_name": asked if any(way.name == asked for way in ways) else ways[0].name,
        # Who has just made it is about to use its key, and has seen none yet.
        "shows_key": request.GET.get("done") == "device-added",
    }


def _example_channel(channels: list[ChannelPanel]) -> str:
    """The channel that the page's example writes to: the first of numbers, or a new one."""
    names = (channel.name for channel in channels if channel.is_number or channel.value is None)
    return next(names, EXAMPLE_CHANNEL)


def _keys_context(caller: Caller, found: Device, number: int) -> dict[str, object]:
    """One page of a device's keys; the last one when `number` is beyond it."""
    tank = tank_access.tank()
    keys = list_keys(tank, caller, found.account_id, found.device_id)
    now_us = tank.clock.now_us()
    count = page_count(len(keys), KEYS_PER_PAGE)
    number = min(number, count)
    shown = keys[(number - 1) * KEYS_PER_PAGE : number * KEYS_PER_PAGE]
    may_reveal = caller.account is not None and caller.account.account_id == found.account_id
    return {
        "keys": [key_row(key, now_us, found.device_id) for key in shown],
        "keys_page_number": number,
        "keys_page_count": count,
        "may_reveal": may_reveal,
    }


@page
@require_form
def metadata(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Change what a device says of itself."""
    caller, found = owned_device(request, feed_id)
    form = MetadataForm(request.POST or None, initial=MetadataForm.initial_of(found))
    if request.method == "POST" and form.is_valid():
        action = update_device(tank_access.tank(), caller, feed_id, form.change())
        if attempt(form, action) is not None:
            return back_to_device(feed_id, "metadata-saved")
    return form_page(request, "metadata.html", form, device=found)


@page
@require_form
def location(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Change where a device is."""
    caller, found = owned_device(request, feed_id)
    form = LocationForm(request.POST or None, initial=LocationForm.initial_of(found.location))
    if request.method == "POST" and form.is_valid():
        action = update_device(tank_access.tank(), caller, feed_id, form.change())
        if attempt(form, action) is not None:
            return back_to_device(feed_id, "location-saved")
    return form_page(request, "location.html", form, device=found)


@page
@require_form
def delete(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Delete a device once its name has been typed."""
    caller, found = owned_device(request, feed_id)
    form = DeleteForm(request.POST or None, expected=found.title)
    if request.method == "POST" and form.is_valid():
        tank_access.run(delete_device(tank_access.tank(), caller, feed_id))
        return HttpResponseRedirect(f"{reverse('workbench:devices')}?done=device-deleted")
    return form_page(request, "device_delete.html", form, device=found)
