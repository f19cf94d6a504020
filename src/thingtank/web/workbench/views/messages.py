"""The page of messages between devices: as they come, who is there, and a form that sends."""

import time
from collections.abc import Sequence
from urllib.parse import urlencode

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.actions.messages import send_message
from thingtank.tank.errors import Unavailable, ValidationFailed
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web import tank_access
from thingtank.web.workbench import message_tail, skynet_address
from thingtank.web.workbench.live_messages import MESSAGES_PREFIX
from thingtank.web.workbench.message_filter import AskedMessages, make_filter
from thingtank.web.workbench.message_forms import SendForm
from thingtank.web.workbench.message_panels import (
    ShownMessage,
    ShownOnline,
    read_online,
    shown_message,
    shown_receipts,
)
from thingtank.web.workbench.message_tail import KEPT_MAX
from thingtank.web.workbench.outcomes import ShownOutcome
from thingtank.web.workbench.pages import page
from thingtank.web.workbench.skynet_snippets import first_lines
from thingtank.web.workbench.trying import seen_from, tried

OWN_DEVICES_MAX = 200  # to choose from


@page
@require_safe
def messages(request: HttpRequest) -> HttpResponse:
    """Show messages as they come."""
    caller, tank = tank_access.caller(request), tank_access.tank()
    asked = AskedMessages.of({name: request.GET[name] for name in request.GET})
    rows, online = tank_access.run(_look(tank, caller, asked))
    own = own_devices(tank, caller)
    account = caller.account
    url = skynet_url(request)
    door = skynet_address.address()
    form = SendForm(
        senders=own, login=_login(caller), initial={"devices": request.GET.get("to", "")[:255]}
    )
    context = {
        "asked": asked,
        "rows": rows,
        "online": online,
        "own_devices": own,
        "is_admin": account is not None and account.is_admin,
        "send": form,
        "live_url": f"{MESSAGES_PREFIX}overview?{urlencode(msgspec.to_builtins(asked))}",
        "skynet_url": url,
        "first_lines": first_lines(url, is_open=door.is_open) if door else "",
        "is_open": door is not None and door.is_open,
    }
    return render(request, "workbench/messages.html", context)


def skynet_url(request: HttpRequest) -> str:
    """The SkyNet door as this browser's machine reaches it; blank where the door is shut."""
    door = skynet_address.address()
    if door is None:
        return ""
    return seen_from(request, door.url) if door.is_everywhere else door.url


async def _look(
    tank: Tank, caller: Caller, asked: AskedMessages
) -> tuple[list[ShownMessage], ShownOnline]:
    wants = (await make_filter(tank, caller, asked)).wants
    seen = message_tail.tail().newest(wants, KEPT_MAX)
    return [shown_message(tank, caller, each) for each in seen], read_online(tank, caller)


def own_devices(tank: Tank, caller: Caller) -> Sequence[Device]:
    """The account's devices, newest first, as many as a form can offer."""
    account = caller.account
    if account is None:
        return ()
    query = DeviceQuery(account_id=account.account_id, per_page=OWN_DEVICES_MAX)
    return tank.directory.list_devices(query).devices


def _login(caller: Caller) -> str:
    return "" if caller.account is None else caller.account.login


@page
@require_POST
def send(request: HttpRequest) -> HttpResponse:
    """Send a message, as one of the account's devices or as the account itself."""
    caller, tank = tank_access.caller(request), tank_access.tank()
    form = SendForm(request.POST, senders=own_devices(tank, caller), login=_login(caller))

    def ask() -> ShownOutcome | None:
        party = _party(tank, caller, form.cleaned_data["sender"])
        started_ns = time.monotonic_ns()
        try:
            sent = tank_access.run(send_message(tank, party, form.message()))
        except ValidationFailed as error:
            form.add_problems(error.problems)
            return None
        except Unavailable as error:
            form.add_error(None, f"Who is there has it; not all is kept for who is away: {error}.")
            return None
        return shown_receipts(tank, caller, sent, (time.monotonic_ns() - started_ns) // 1000)

    return tried(request, form, ask, reverse("workbench:messages"), "Messages")


def _party(tank: Tank, caller: Caller, uuid: str) -> Party:
    """Who sends: the account, or the device that it has chosen.

    What was offered is the account's own; it is looked at again because it may have changed hands.
    """
    device = tank.directory.find_device_by_uuid(uuid) if uuid else None
    if device is not None and may_reach(caller, "put", device):
        return Party(caller, device)
    return Party(caller)
