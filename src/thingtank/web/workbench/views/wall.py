"""The wall: charts of several devices on one page, for a screen that stays on."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from thingtank.web import tank_access
from thingtank.web.workbench.charts import CHART_LABELS
from thingtank.web.workbench.pages import page
from thingtank.web.workbench.wall import (
    CHARTS_MAX,
    FEEDS_MAX,
    WALL_PATH,
    feed_ids,
    read_wall,
    visible,
)


@page
@require_safe
def wall(request: HttpRequest) -> HttpResponse:
    """Show the channels of the feeds that the address names: `?feed=7&feed=9`."""
    asked = feed_ids(request.GET.getlist("feed"))
    tank = tank_access.tank()
    devices = visible(tank, tank_access.caller(request), asked)
    ids = [device.device_id for device in devices]
    channels = tank_access.run(read_wall(tank, devices, CHARTS_MAX + 1))
    rows = [
        {
            "device": device,
            "without": urlencode([("feed", i) for i in ids if i != device.device_id]),
        }
        for device in devices
    ]
    context = {
        "rows": rows,
        "shown": channels[:CHARTS_MAX],
        "is_cut": len(channels) > CHARTS_MAX,
        "charts_max": CHARTS_MAX,
        "is_full": len(devices) >= FEEDS_MAX,
        "unseen": [device_id for device_id in asked if device_id not in ids],
        "ranges": CHART_LABELS.items(),
        "live_url": f"{WALL_PATH}?{urlencode([('feed', i) for i in ids])}",
    }
    return render(request, "workbench/wall.html", context)
