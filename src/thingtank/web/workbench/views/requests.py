"""The page of the request log: what is asked of all devices that somebody may change."""

from urllib.parse import urlencode, urlsplit

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from thingtank.tank.access import Caller
from thingtank.tank.request_log import DOORS
from thingtank.tank.tank import Tank
from thingtank.web import tank_access
from thingtank.web.workbench import mqtt_broker
from thingtank.web.workbench.live_requests import REQUESTS_PREFIX, SHOWN_AT_FIRST_MAX
from thingtank.web.workbench.pages import address_of, page
from thingtank.web.workbench.request_commands import marks_of
from thingtank.web.workbench.request_filter import AskedRequests, RequestFilter, asked_of
from thingtank.web.workbench.request_panels import RequestRow, request_row
from thingtank.web.workbench.trying import seen_from
from thingtank.web.workbench.views.messages import own_devices, skynet_url


@page
@require_safe
def requests(request: HttpRequest) -> HttpResponse:
    """Show requests as they are answered."""
    caller, tank = tank_access.caller(request), tank_access.tank()
    asked = asked_of({name: request.GET[name] for name in request.GET})
    account = caller.account
    context = {
        "asked": asked,
        "doors": DOORS.items(),
        "requests": tank_access.run(_look(tank, caller, asked)),
        "own_devices": own_devices(tank, caller),
        "is_admin": account is not None and account.is_admin,
        "command_marks": command_marks(request),
        "live_url": f"{REQUESTS_PREFIX}overview?{urlencode(msgspec.to_builtins(asked))}",
    }
    return render(request, "workbench/log.html", context)


async def _look(tank: Tank, caller: Caller, asked: AskedRequests) -> list[RequestRow]:
    seen = await RequestFilter(tank, caller, asked).newest(SHOWN_AT_FIRST_MAX)
    return [request_row(tank, each) for each in seen]


def command_marks(request: HttpRequest) -> dict[str, str]:
    """How this browser's machine reaches the doors, for the log's command lines."""
    http_url = address_of(request, "/").rstrip("/")
    return marks_of(http_url, _mqtt_options(request), skynet_url(request))


def _mqtt_options(request: HttpRequest) -> str:
    broker = mqtt_broker.broker()
    if broker is None:
        return ""
    addresses = broker.addresses
    url = addresses.get("mqtt") or addresses.get("mqtt_tls", "")
    if not url:
        return ""
    if broker.is_everywhere:
        url = seen_from(request, url)
    parts = urlsplit(url)
    options = f"-h {parts.hostname} -p {parts.port}"
    return f"{options} --tls-use-os-certs" if parts.scheme == "mqtts" else options
