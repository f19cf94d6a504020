"""The first steps: the page that shows them, and the simulator's buttons."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from thingtank.tank.access import Caller
from thingtank.tank.errors import LimitReached, Unauthenticated
from thingtank.tank.interfaces import DeviceQuery
from thingtank.web import tank_access
from thingtank.web.web_settings import web_settings
from thingtank.web.workbench import getting_started, simulators
from thingtank.web.workbench.getting_started import DEVICES_MAX, start_context
from thingtank.web.workbench.pages import back_to, notice_of, page
from thingtank.web.workbench.panels import read_rows


@page
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Show the first steps, also to who has done or dismissed them."""
    caller, tank = tank_access.caller(request), tank_access.tank()
    query = DeviceQuery(account_id=_account_id(caller), per_page=DEVICES_MAX)
    devices = tank.directory.list_devices(query).devices
    rows = tank_access.run(read_rows(tank, caller, devices, web_settings().live_s))
    context = {**start_context(request, rows), "notice": notice_of(request)}
    return render(request, "workbench/start.html", context)


def _account_id(caller: Caller) -> int:
    if caller.account is None:
        raise Unauthenticated("a sign-in is needed")
    return caller.account.account_id


@page
@require_POST
def dismiss(request: HttpRequest) -> HttpResponse:
    """Show the first steps on the first page no more."""
    response = HttpResponseRedirect(reverse("workbench:devices"))
    getting_started.dismiss(request, response)
    return response


@page
@require_POST
def simulator(request: HttpRequest) -> HttpResponse:
    """Start the account's weather simulator, or stop it."""
    caller, known = tank_access.caller(request), simulators.simulators()
    if known is None:
        raise Http404("there is no simulator while the server starts or stops")
    home = reverse("workbench:devices")
    if request.POST.get("do") == "stop":
        tank_access.run(known.stop(_account_id(caller)))
        return back_to(request, home, "simulator-stopped")
    try:
        tank_access.run(known.start(caller))
    except LimitReached:
        return back_to(request, home, "simulator-full")
    return back_to(request, home, "simulator-started")
