"""Pages of a device's side of messaging: tokens, properties, permissions, kept messages, events."""

from typing import get_args

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_safe

from thingtank.tank.access import Caller
from thingtank.tank.actions.properties import ChangeOf, change_properties
from thingtank.tank.actions.tokens import create_token, list_tokens, reset_token, revoke_tokens
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.permissions import Area, Party
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.tank.tokens import DeviceToken
from thingtank.web import tank_access
from thingtank.web.workbench.forms import TankForm
from thingtank.web.workbench.made_secrets import Made, find_made, form_word, make_once
from thingtank.web.workbench.messaging_forms import (
    KeepForm,
    PermissionForm,
    PropertiesForm,
    TokenForm,
)
from thingtank.web.workbench.messaging_panels import EVENTS_PER_PAGE, read_events
from thingtank.web.workbench.pages import (
    attempt,
    back_to_device,
    form_page,
    owned_device,
    page,
    require_form,
)
from thingtank.web.workbench.permission_words import AREA_WORDS, always_words, usual_words

EVENT_ID_CHARS_MAX = 100


@page
@require_form
def add_token(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Give a device one more token; with `made`, show it."""
    caller, device = owned_device(request, feed_id)
    if "made" in request.GET:
        return _token_page(request, device)
    form = TokenForm(request.POST or None)

    def make() -> Made | None:
        tank = tank_access.tank()
        made = attempt(form, create_token(tank, caller, feed_id, form.cleaned_data["tag"]))
        return None if made is None else Made(made.token, made.device_token.tag)

    if request.method == "POST" and form.is_valid() and (answer := make_once(request, make)):
        return answer
    return form_page(request, "token_add.html", form, device=device, once=form_word(request))


@sensitive_variables("made")
def _token_page(request: HttpRequest, device: Device, *, is_root: bool = False) -> HttpResponse:
    """A token that was just made; nobody can read it later."""
    made = find_made(request)
    if made is None:
        return back_to_device(device.device_id, "token-shown")
    context = {"device": device, "token": made.secret, "tag": made.label, "is_root": is_root}
    return render(request, "workbench/token.html", context)


@page
@require_form
def renew_root_token(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Replace a device's root token after a question; with `made`, show the new one."""
    caller, device = owned_device(request, feed_id)
    if "made" in request.GET:
        return _token_page(request, device, is_root=True)

    def make() -> Made:
        return Made(tank_access.run(reset_token(tank_access.tank(), caller, feed_id)))

    if request.method == "POST" and (answer := make_once(request, make)):
        return answer
    once = form_word(request)
    return form_page(request, "token_reset.html", TankForm(), device=device, once=once)


@page
@require_form
def revoke_token(request: HttpRequest, feed_id: int, token_id: int) -> HttpResponse:
    """Take a token away after a question."""
    caller, device = owned_device(request, feed_id)
    token = _token(caller, feed_id, token_id)
    if request.method == "POST":
        tank = tank_access.tank()
        tank_access.run(revoke_tokens(tank, caller, feed_id, token_ids=[token_id]))
        return back_to_device(feed_id, "token-revoked")
    if token is None:
        raise Http404("there is no such token any more")
    return form_page(request, "token_revoke.html", TankForm(), device=device, token=token)


def _token(caller: Caller, feed_id: int, token_id: int) -> DeviceToken | None:
    found = tank_access.run(list_tokens(tank_access.tank(), caller, feed_id))
    return next((token for token in found if token.token_id == token_id), None)


@page
@require_form
def properties(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Change a device's properties as JSON."""
    caller, device = owned_device(request, feed_id)
    form = PropertiesForm(request.POST or None, initial=PropertiesForm.initial_of(device))
    if _is_changed(request, form, caller, feed_id, form.change_of):
        return back_to_device(feed_id, "properties-saved")
    return form_page(request, "properties.html", form, device=device)


def _is_changed(
    request: HttpRequest, form: TankForm, caller: Caller, feed_id: int, change_of: ChangeOf
) -> bool:
    """Change a device by a form that was sent, and note it in its log; else the form says why not.

    Args:
        change_of: what a valid form asks for.
    """
    if request.method != "POST" or not form.is_valid():
        return False
    action = _change(tank_access.tank(), caller, feed_id, change_of)
    return attempt(form, action) is not None


async def _change(tank: Tank, caller: Caller, feed_id: int, change_of: ChangeOf) -> Device:
    device = await change_properties(tank, Party(caller), feed_id, change_of)
    account = caller.account
    body = {"uuid": device.uuid, "account": "" if account is None else account.login}
    tank.messaging.log(EventCode.UPDATED, (feed_id,), body, at_us=device.updated_us)
    return device


@page
@require_form
def permission(request: HttpRequest, feed_id: int, area: str) -> HttpResponse:
    """Change which other devices may do one thing with a device."""
    caller, device = owned_device(request, feed_id)
    found = next((each for each in get_args(Area) if each == area), None)
    if found is None:
        raise Http404("there is no such list")
    form = PermissionForm(request.POST or None, device=device, area=found)
    if _is_changed(request, form, caller, feed_id, form.change_of):
        return back_to_device(feed_id, "permission-saved")
    policy = tank_access.tank().messaging.policy
    heading, words = AREA_WORDS[found]
    return form_page(
        request,
        "permission.html",
        form,
        device=device,
        area=found,
        area_heading=heading,
        area_words=words,
        usual=usual_words(device, found, policy),
        always=always_words(device),
    )


@page
@require_form
def keep(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Change for how long messages are kept for a device while it is away."""
    caller, device = owned_device(request, feed_id)
    form = KeepForm(request.POST or None, device=device)
    if _is_changed(request, form, caller, feed_id, form.change_of):
        return back_to_device(feed_id, "keep-saved")
    return form_page(request, "keep.html", form, device=device)


@page
@require_safe
def events(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Show a device's event log, page by page."""
    caller, device = owned_device(request, feed_id)
    before = request.GET.get("before", "")[:EVENT_ID_CHARS_MAX]
    log = tank_access.run(read_events(tank_access.tank(), caller, device, EVENTS_PER_PAGE, before))
    context = {"device": device, "log": log, "before": before}
    return render(request, "workbench/events.html", context)
