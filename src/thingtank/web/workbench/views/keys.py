"""Pages of a device's API keys."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from thingtank.tank.access import Caller
from thingtank.tank.actions.keys import create_key, delete_key, list_keys, reveal_key
from thingtank.tank.history import DAY_S
from thingtank.tank.keys import ApiKey, Permission, Resource
from thingtank.tank.things import Device
from thingtank.web import tank_access
from thingtank.web.workbench.forms import KeyForm, TankForm
from thingtank.web.workbench.pages import (
    attempt,
    back_to_device,
    form_page,
    json_answer,
    owned_device,
    page,
    require_form,
    wants_json,
)


@page
@require_form
def add(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Add a key for this feed."""
    caller, device = owned_device(request, feed_id)
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        draft = _draft(form, device, tank_access.tank().clock.now_us())
        if attempt(form, create_key(tank_access.tank(), caller, draft)) is not None:
            return back_to_device(feed_id, "key-added")
    return form_page(request, "key_add.html", form, device=device)


def _draft(form: KeyForm, device: Device, now_us: int) -> ApiKey:
    days = form.cleaned_data["expires"]
    return ApiKey(
        key_id=0,
        account_id=device.account_id,
        label=form.cleaned_data["label"],
        permissions=(
            Permission(tuple(form.cleaned_data["methods"]), (Resource(device.device_id),)),
        ),
        private_access=form.cleaned_data["private_access"],
        expires_us=now_us + int(days) * DAY_S * 1_000_000 if days else None,
    )


@page
@require_POST
@sensitive_variables("secret")
def reveal(request: HttpRequest, feed_id: int, key_id: int) -> HttpResponse:
    """Show a key's secret: as JSON to the page's script, else as a page."""
    caller, device = owned_device(request, feed_id)
    key = _key(caller, device, key_id)
    secret = reveal_key(tank_access.tank(), caller, key_id)
    if wants_json(request):
        return json_answer({"secret": secret})
    context = {"device": device, "key": key, "secret": secret}
    return render(request, "workbench/key.html", context)


@page
@require_form
def delete(request: HttpRequest, feed_id: int, key_id: int) -> HttpResponse:
    """Delete a key after a question."""
    caller, device = owned_device(request, feed_id)
    key = _key(caller, device, key_id)
    if request.method == "POST":
        tank_access.run(delete_key(tank_access.tank(), caller, key_id))
        return back_to_device(feed_id, "key-deleted")
    return form_page(request, "key_delete.html", TankForm(), device=device, key=key)


def _key(caller: Caller, device: Device, key_id: int) -> ApiKey:
    keys = list_keys(tank_access.tank(), caller, device.account_id, device.device_id)
    for key in keys:
        if key.key_id == key_id:
            return key
    raise Http404(f"feed {device.device_id} has no key {key_id}")
