"""The weather station's pages (boxes 8.12 and 8.13), and how a feed is bound to it."""

from http import HTTPStatus

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from thingtank.tank.access import may_reach
from thingtank.tank.errors import ValidationFailed
from thingtank.web import tank_access
from thingtank.web.weather.filling import station_filling
from thingtank.web.weather.forms import BindForm
from thingtank.web.weather.panels import (
    TYPED_IN,
    feed_source,
    latest_readings,
    read_chart,
    read_sources,
    readings_of,
    visible_devices,
)
from thingtank.web.web_settings import web_settings
from thingtank.web.workbench.charts import (
    RANGE_LABELS,
    bounds_us,
    chart_terms,
    step_us_of,
)
from thingtank.web.workbench.live import live_url
from thingtank.web.workbench.pages import (
    address_of,
    attempt,
    json_answer,
    owned_device,
    page,
    public_page,
    require_form,
    visible_device,
)

INDEX = "weather/index.html"


@public_page
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the newest temperature, its place on a map, and a chart (figure 8.10)."""
    if web_settings().weather.source == "feed":
        return home_from_feed(request)
    return home_from_table(request)


def home_from_table(request: HttpRequest) -> HttpResponse:
    """Read the station's own table, as box 8.12 does; the newest source, or `?feed=`."""
    caller, bound = tank_access.caller(request), station_filling().bound
    asked = _number(request.GET.get("feed", ""))
    sources = read_sources(tank_access.tank(), caller, bound, asked)
    source = next((x for x in sources if asked in (None, x.feed_id)), None)
    if asked is not None and source is None:
        raise Http404(f"feed {asked} does not fill the station")
    context: dict[str, object] = {
        "sources": sources,
        "source": source,
        "ranges": RANGE_LABELS.items(),
    }
    if source is not None and source.feed_id != TYPED_IN:
        device = tank_access.tank().directory.get_device(source.feed_id)
        context["may_change"] = may_reach(caller, "put", device)
        context["live_url"] = live_url(source.feed_id)
    if source is not None and source.latest is not None:
        rows = readings_of(bound.get(source.feed_id))
        context["latest"] = latest_readings(rows, source.latest.unit)
        context["chart_url"] = reverse("weather:chart", args=[source.feed_id])
    elif source is not None:
        context["endpoint"] = address_of(request, f"/v2/feeds/{source.feed_id}")
    return render(request, INDEX, context)


def home_from_feed(request: HttpRequest) -> HttpResponse:
    """Read a feed instead, as box 8.13 does; who may not see it is told nothing of it."""
    feed_id = web_settings().weather.feed_id
    _, device = visible_device(request, feed_id)
    source = feed_source(tank_access.tank(), device)
    context: dict[str, object] = {
        "sources": [source],
        "source": source,
        "is_feed": True,
        "live_url": live_url(feed_id),
        "ranges": RANGE_LABELS.items(),
        "chart_url": reverse("workbench:chart", args=[feed_id, "temperature"]),
        "endpoint": address_of(request, f"/v2/feeds/{feed_id}"),
    }
    return render(request, INDEX, context)


@public_page
@require_safe
def chart(request: HttpRequest, feed_id: int) -> HttpResponse:
    """A source's readings over a range as JSON: `?range=1h&width=600`; 0 for those typed in."""
    caller, bound = tank_access.caller(request), station_filling().bound
    tank = tank_access.tank()
    is_typed = feed_id == TYPED_IN and caller.account is not None
    if not is_typed and not (feed_id in bound and visible_devices(tank, caller, [feed_id])):
        raise Http404("no such readings")
    try:
        terms = chart_terms(request.GET)
        start_us, end_us = bounds_us(terms, tank.clock.now_us())
    except ValidationFailed as error:
        return json_answer({"errors": dict(error.problems)}, HTTPStatus.BAD_REQUEST)
    step_us = step_us_of(end_us - start_us, terms.width_px)
    rows = readings_of(bound.get(feed_id))
    return json_answer(read_chart(rows, start_us, end_us, step_us))


@page
@require_form
def bind(request: HttpRequest) -> HttpResponse:
    """Have a feed of the account's fill the station."""
    form = BindForm(request.POST or None, initial={"feed_id": request.GET.get("feed")})
    if request.method == "POST" and form.is_valid() and _bind(request, form):
        query = {"feed": form.cleaned_data["feed_id"]}
        return HttpResponseRedirect(reverse("weather:home", query=query))
    context = {"form": form, "back_url": reverse("weather:home"), "back_name": "Weather Station"}
    return render(request, "weather/bind.html", context)


def _bind(request: HttpRequest, form: BindForm) -> bool:
    feed_id = form.cleaned_data["feed_id"]
    try:
        owned_device(request, feed_id)
    except (Http404, PermissionDenied):
        form.add_error("feed_id", "You have no such feed.")
        return False
    attempt(form, station_filling().bind(tank_access.caller(request), feed_id))
    return not form.errors


@page
@require_POST
def unbind(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Let a feed go."""
    owned_device(request, feed_id)
    tank_access.run(station_filling().unbind(tank_access.caller(request), feed_id))
    return HttpResponseRedirect(reverse("weather:home"))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
