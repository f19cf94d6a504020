"""The map of devices: the account's own, or all that it may see."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from thingtank.tank.errors import ValidationFailed
from thingtank.web import tank_access
from thingtank.web.web_settings import web_settings
from thingtank.web.workbench.device_map import map_terms, read_listed, read_part
from thingtank.web.workbench.pages import json_answer, page
from thingtank.web.workbench.views.devices import asked_devices


@page
@require_safe
def device_map(request: HttpRequest) -> HttpResponse:
    """Show the search and room for the map, which asks for what it shows."""
    _, query = asked_devices(request)
    places = tank_access.tank().directory.device_places(query)
    context = {
        "text": query.text,
        "scope": "all" if query.with_public else "mine",
        "placed_count": len(places.device_ids),
        "found_count": places.found_count,
    }
    return render(request, "workbench/device_map.html", context)


@page
@require_safe
def places(request: HttpRequest) -> HttpResponse:
    """What a part of the map shows as JSON; with `list=1` the devices in it, one by one."""
    caller, query = asked_devices(request)
    try:
        terms = map_terms(request.GET)
    except ValidationFailed as error:
        return json_answer({"errors": dict(error.problems)}, HTTPStatus.BAD_REQUEST)
    read = read_listed if request.GET.get("list") == "1" else read_part
    return json_answer(read(tank_access.tank(), caller, query, terms, web_settings().live_s))
