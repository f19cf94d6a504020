"""Pages of API keys: of the whole account, and from a device's page those of its feed.

The same pages serve both; `feed_id` is None for the account's own list, which they then lead back
to.
"""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from thingtank.tank.access import Caller
from thingtank.tank.actions.keys import (
    create_key,
    delete_key,
    get_key,
    list_keys,
    regenerate_key,
    reveal_key,
    update_key,
)
from thingtank.tank.errors import NotAllowed, Unauthenticated
from thingtank.tank.keys import ApiKey
from thingtank.tank.things import Device
from thingtank.web import tank_access
from thingtank.web.workbench.forms import TankForm
from thingtank.web.workbench.key_forms import KeyForm
from thingtank.web.workbench.made_secrets import Made, find_made, form_word, make_once
from thingtank.web.workbench.pages import (
    attempt,
    back_to_device,
    form_page,
    json_answer,
    notice_of,
    owned_device,
    page,
    page_count,
    page_number,
    require_form,
    wants_json,
)
from thingtank.web.workbench.panels import key_row

PER_PAGE = 25


@page
@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """List the account's keys, newest first; `q` finds words of their labels."""
    caller, tank = tank_access.caller(request), tank_access.tank()
    text = request.GET.get("q", "").strip()[:200]
    words = text.lower().split()
    found = [
        key
        for key in list_keys(tank, caller, _account_id(caller))
        if all(word in key.label.lower() for word in words)
    ]
    count = page_count(len(found), PER_PAGE)
    number = min(page_number(request, "page"), count)
    start = len(found) - number * PER_PAGE
    now_us = tank.clock.now_us()
    context = {
        "keys": [key_row(key, now_us) for key in reversed(found[max(0, start) : start + PER_PAGE])],
        "may_reveal": True,
        "text": text,
        "total_count": len(found),
        "page_number": number,
        "page_count": count,
        "notice": notice_of(request),
    }
    return render(request, "workbench/keys.html", context)


def _account_id(caller: Caller) -> int:
    if caller.account is None:
        raise Unauthenticated("a sign-in is needed")
    return caller.account.account_id


@page
@require_form
def add(request: HttpRequest, feed_id: int | None = None) -> HttpResponse:
    """Add a key: for this feed, or for all."""
    caller, device = _home(request, feed_id)
    tank = tank_access.tank()
    form = KeyForm(request.POST or None, feed_id=feed_id, now_us=tank.clock.now_us())
    if request.method == "POST" and form.is_valid():
        owner_id = device.account_id if device else _account_id(caller)
        if attempt(form, create_key(tank, caller, form.draft(owner_id))) is not None:
            return _back(feed_id, "key-added")
    return _form_page(request, "key_form.html", form, device)


def _home(request: HttpRequest, feed_id: int | None) -> tuple[Caller, Device | None]:
    if feed_id is None:
        return tank_access.caller(request), None
    return owned_device(request, feed_id)


def _back(feed_id: int | None, notice: str) -> HttpResponseRedirect:
    if feed_id is not None:
        return back_to_device(feed_id, notice)
    return HttpResponseRedirect(f"{reverse('workbench:keys')}?done={notice}")


def _form_page(
    request: HttpRequest,
    template: str,
    form: TankForm,
    device: Device | None,
    key: ApiKey | None = None,
) -> HttpResponse:
    home = {"device": device, "key": key, "once": form_word(request), **_way_back(device)}
    return form_page(request, template, form, **home)


def _way_back(device: Device | None) -> dict[str, str]:
    return {} if device else {"back_url": reverse("workbench:keys"), "back_name": "Keys"}


def _found(
    request: HttpRequest, key_id: int, feed_id: int | None
) -> tuple[Caller, ApiKey, Device | None]:
    """A key that the caller manages; another account's is not found, so that none is given away."""
    caller, device = _home(request, feed_id)
    tank = tank_access.tank()
    try:
        key = get_key(tank, caller, key_id)
        home_id = device.account_id if device else _account_id(caller)
        if key.account_id == home_id and (device is None or key in _keys_of(caller, device)):
            return caller, key, device
    except NotAllowed:
        pass
    raise Http404(f"there is no key {key_id} here")


def _keys_of(caller: Caller, device: Device) -> list[ApiKey]:
    return list(list_keys(tank_access.tank(), caller, device.account_id, device.device_id))


@page
@require_form
def edit(request: HttpRequest, key_id: int, feed_id: int | None = None) -> HttpResponse:
    """Change what a key may do; its secret stays."""
    caller, key, device = _found(request, key_id, feed_id)
    tank = tank_access.tank()
    form = KeyForm(request.POST or None, key=key, now_us=tank.clock.now_us())
    if request.method == "POST" and form.is_valid():
        changed = attempt(form, update_key(tank, caller, key_id, form.change()))
        if changed is not None:
            return _back(feed_id, "key-saved")
    return _form_page(request, "key_form.html", form, device, key)


@page
@require_POST
@sensitive_variables("secret")
def reveal(request: HttpRequest, key_id: int, feed_id: int | None = None) -> HttpResponse:
    """Show a key's secret: as JSON to the page's script, else as a page."""
    caller, key, device = _found(request, key_id, feed_id)
    secret = reveal_key(tank_access.tank(), caller, key_id)
    if wants_json(request):
        return json_answer({"secret": secret})
    return _secret_page(request, key, device, secret)


@sensitive_variables("secret")
def _secret_page(
    request: HttpRequest, key: ApiKey, device: Device | None, secret: str, *, is_new: bool = False
) -> HttpResponse:
    context = {"device": device, "key": key, "secret": secret, "is_new": is_new}
    return render(request, "workbench/key.html", context | _way_back(device))


@page
@require_form
@sensitive_variables("made")
def regenerate(request: HttpRequest, key_id: int, feed_id: int | None = None) -> HttpResponse:
    """Give a key another secret after a question; with `made`, show it."""
    caller, key, device = _found(request, key_id, feed_id)
    if "made" in request.GET:
        made = find_made(request)
        if made is None:
            return _back(feed_id, "key-shown")
        return _secret_page(request, key, device, made.secret, is_new=True)

    def make() -> Made:
        return Made(tank_access.run(regenerate_key(tank_access.tank(), caller, key_id)).secret)

    if request.method == "POST" and (answer := make_once(request, make)):
        return answer
    return _form_page(request, "key_regenerate.html", TankForm(), device, key)


@page
@require_form
def delete(request: HttpRequest, key_id: int, feed_id: int | None = None) -> HttpResponse:
    """Delete a key after a question."""
    caller, key, device = _found(request, key_id, feed_id)
    if request.method == "POST":
        tank_access.run(delete_key(tank_access.tank(), caller, key_id))
        return _back(feed_id, "key-deleted")
    return _form_page(request, "key_delete.html", TankForm(), device, key)
