"""Pages of devices: the list, one device, and the forms that make, change and delete one."""

import json
from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.actions.devices import delete_device, update_device
from thingtank.tank.actions.keys import list_keys
from thingtank.tank.actions.products import develop_device
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.interfaces import PAGE_MAX, DeviceQuery
from thingtank.tank.keys import ACCESS_METHODS, ApiKey
from thingtank.tank.things import Device, is_live
from thingtank.web import tank_access
from thingtank.web.web_settings import web_settings
from thingtank.web.workbench.charts import CHART_LABELS
from thingtank.web.workbench.forms import DeleteForm, DeviceForm, LocationForm, MetadataForm
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
    KeyRow,
    key_row,
    newest_us,
    owner_of,
    read_channels,
    read_rows,
    read_waypoints,
)
from thingtank.web.workbench.provisioning import read_provision
from thingtank.web.workbench.request_panels import RequestRow, request_row
from thingtank.web.workbench.skynet_snippets import curl_lines, node_program, python_program
from thingtank.web.workbench.trigger_panels import read_triggers
from thingtank.web.workbench.views.messages import skynet_url
from thingtank.web.workbench.views.requests import command_marks

PER_PAGE = 25
KEYS_PER_PAGE = 25
KEY_PLACEHOLDER = "••••••••"


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
        per_page=PER_PAGE,
    )


@page
@require_safe
def devices(request: HttpRequest) -> HttpResponse:
    """List the account's devices, and with `scope=all` everything it may see."""
    caller, query = asked_devices(request)
    tank = tank_access.tank()
    found = tank.directory.list_devices(query)
    context = {
        "rows": tank_access.run(read_rows(tank, caller, found.devices, web_settings().live_s)),
        "total_count": found.total_count,
        "text": query.text,
        "scope": "all" if query.with_public else "mine",
        "page_number": query.page,
        "page_count": page_count(found.total_count, PER_PAGE),
        "notice": notice_of(request),
    }
    return render(request, "workbench/devices.html", context)


@page
@require_form
def add(request: HttpRequest) -> HttpResponse:
    """Add a device; its page follows, with the first step to take."""
    form = DeviceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        tank, caller = tank_access.tank(), tank_access.caller(request)
        made = attempt(form, develop_device(tank, caller, form.change()))
        if made is not None:
            return back_to_device(made.created.device.device_id, "device-added")
    return form_page(request, "device_add.html", form)


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
        context["curl_line"] = curl_line(endpoint, _example_channel(channels))
        context["triggers"] = tank_access.run(read_triggers(tank, feed_id))
        context["messaging"] = tank_access.run(read_messaging(tank, caller, found))
        context |= _snippets(request, found)
        context["requests"] = tank_access.run(_requests(feed_id))
        context["command_marks"] = command_marks(request)
    return render(request, "workbench/device.html", context)


async def _requests(feed_id: int) -> list[RequestRow]:
    tank = tank_access.tank()
    return [request_row(tank, each) for each in tank.request_log.of_device(feed_id)]


def _snippets(request: HttpRequest, found: Device) -> dict[str, object]:
    """Programs that come in as this device by the SkyNet door."""
    url = skynet_url(request)
    if not url:
        return {}
    return {
        "skynet_url": url,
        "skynet_curl": curl_lines(url, found.uuid),
        "skynet_python": python_program(url, found.uuid),
        "skynet_node": node_program(url, found.uuid),
    }


def _example_channel(channels: list[ChannelPanel]) -> str:
    """The channel that the page's example writes to: the first of numbers, or a new one."""
    names = (channel.name for channel in channels if channel.is_number or channel.value is None)
    return next(names, "temperature")


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
        "first_key": _writing_key(keys, found.device_id, now_us) if may_reveal else None,
    }


def _writing_key(keys: Sequence[ApiKey], feed_id: int, now_us: int) -> KeyRow | None:
    """The key that the page's own examples use: the oldest that may do everything."""
    rows = (key_row(key, now_us, feed_id) for key in keys if key.private_access)
    return next(
        (
            row
            for row in rows
            if len(row.permissions) == len(ACCESS_METHODS)
            and not row.is_expired
            and not row.channels
        ),
        None,
    )


def curl_line(endpoint: str, channel_name: str) -> str:
    """A line for a shell that writes a first value; KEY_PLACEHOLDER stands where the key goes."""
    body = {
        "version": "1.0.0",
        "datastreams": [{"id": channel_name, "current_value": "21.5"}],
    }
    # Escaped JSON and percent-encoded hosts leave nothing that a shell's single quotes let out.
    text = json.dumps(body, separators=(",", ":"))
    return f"curl -X PUT '{endpoint}.json' -H 'X-ApiKey: {KEY_PLACEHOLDER}' --data-binary '{text}'"


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
        change = form.change(found.location)
        if attempt(form, update_device(tank_access.tank(), caller, feed_id, change)) is not None:
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
