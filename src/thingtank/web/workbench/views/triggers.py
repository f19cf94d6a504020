"""Pages of a device's triggers: make, change, enable, test, try on history, delete."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from thingtank.tank.access import Caller
from thingtank.tank.actions.backtest import backtest_stored_trigger, backtest_trigger
from thingtank.tank.actions.triggers import (
    create_trigger,
    delete_trigger,
    enable_trigger,
    get_trigger,
    test_trigger,
    update_trigger,
)
from thingtank.tank.errors import LimitReached, Unavailable, ValidationFailed
from thingtank.tank.things import Device
from thingtank.tank.triggers import Trigger
from thingtank.web import tank_access
from thingtank.web.workbench.backtests import RANGE_CHOICES, answer_of, range_of
from thingtank.web.workbench.forms import TankForm
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
from thingtank.web.workbench.trigger_forms import TriggerForm
from thingtank.web.workbench.trigger_panels import unit_of
from thingtank.web.workbench.trigger_words import duration_text, words_of


@page
@require_form
def add(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Add a trigger."""
    caller, device = owned_device(request, feed_id)
    first = {"channel": request.GET.get("channel", "")}
    form = TriggerForm(
        request.POST or None,
        initial=first,
        channels=_channels(feed_id),
        sends_email=tank_access.tank().sends_email,
    )
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["channel"]
        action = create_trigger(tank_access.tank(), caller, feed_id, name, form.change())
        if attempt(form, action) is not None:
            return back_to_device(feed_id, "trigger-added")
    return _trigger_page(request, form, device)


@page
@require_form
def edit(request: HttpRequest, trigger_id: int) -> HttpResponse:
    """Change a trigger; its channel stays."""
    caller, trigger, device = _reached(request, trigger_id)
    posted = request.POST.copy() if request.method == "POST" else None
    if posted is not None:
        posted["channel"] = trigger.name
    form = TriggerForm(
        posted,
        initial=TriggerForm.initial_of(trigger),
        channels=[trigger.name],
        sends_email=tank_access.tank().sends_email,
    )
    if request.method == "POST" and form.is_valid():
        action = update_trigger(tank_access.tank(), caller, trigger_id, form.change())
        if attempt(form, action) is not None:
            return back_to_device(trigger.device_id, "trigger-saved")
    return _trigger_page(request, form, device, trigger)


def _channels(feed_id: int) -> list[str]:
    return list(tank_access.tank().directory.datastreams(feed_id))


def _trigger_page(
    request: HttpRequest, form: TriggerForm, device: Device, trigger: Trigger | None = None
) -> HttpResponse:
    tank = tank_access.tank()
    streams = tank.directory.datastreams(device.device_id)
    silence = duration_text(tank.trigger_service.frozen_us // 1_000_000)
    context: dict[str, object] = {
        "device": device,
        "trigger": trigger,
        "units": {name: stream.unit.symbol for name, stream in streams.items() if stream.unit},
        "silence": silence,
        "ranges": RANGE_CHOICES,
    }
    return form_page(request, "trigger_form.html", form, **context)


def _reached(request: HttpRequest, trigger_id: int) -> tuple[Caller, Trigger, Device]:
    """A trigger and its device, if the caller may change it."""
    tank = tank_access.tank()
    # The device first: whoever may not see it is not told that there is a trigger either.
    caller, device = owned_device(request, tank.triggers.get(trigger_id).device_id)
    return caller, get_trigger(tank, caller, trigger_id), device


@page
@require_POST
def enable(request: HttpRequest, trigger_id: int) -> HttpResponse:
    """Let a trigger watch (`enabled=1`), or let it rest."""
    caller, trigger, _ = _reached(request, trigger_id)
    is_enabled = request.POST.get("enabled") == "1"
    tank_access.run(enable_trigger(tank_access.tank(), caller, trigger_id, is_enabled))
    notice = "trigger-enabled" if is_enabled else "trigger-disabled"
    return back_to_device(trigger.device_id, notice)


@page
@require_form
def delete(request: HttpRequest, trigger_id: int) -> HttpResponse:
    """Delete a trigger after a question."""
    caller, trigger, device = _reached(request, trigger_id)
    if request.method == "POST":
        tank_access.run(delete_trigger(tank_access.tank(), caller, trigger_id))
        return back_to_device(trigger.device_id, "trigger-deleted")
    words = words_of(trigger, unit_of(tank_access.tank(), trigger))
    return form_page(request, "trigger_delete.html", TankForm(), device=device, words=words)


@page
@require_POST
def test(request: HttpRequest, trigger_id: int) -> HttpResponse:
    """Send a test: what is on its way as JSON to the page's script, else the delivery log."""
    caller, _, _ = _reached(request, trigger_id)
    try:
        sent = tank_access.run(test_trigger(tank_access.tank(), caller, trigger_id))
    except Unavailable as error:
        if not wants_json(request):
            raise
        return json_answer({"error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE)
    if wants_json(request):
        return json_answer(
            [{"channel": found.channel, "url": _delivery_url(found.delivery_id)} for found in sent]
        )
    address = f"{reverse('workbench:deliveries')}?trigger={trigger_id}&done=test-sent"
    return HttpResponseRedirect(address)


def _delivery_url(delivery_id: int) -> str:
    return reverse("workbench:delivery", args=[delivery_id])


@page
@require_form
def history(request: HttpRequest, trigger_id: int) -> HttpResponse:
    """Show when a stored trigger would have fired: the page, and one page of the answer as JSON."""
    caller, trigger, device = _reached(request, trigger_id)
    tank = tank_access.tank()
    if request.method == "POST":
        try:
            asked = range_of(request.POST.dict(), tank.clock.now_us())
            found = tank_access.run(
                backtest_stored_trigger(
                    tank,
                    caller,
                    trigger_id,
                    asked.next_us,
                    asked.end_us,
                    tank.trigger_service.frozen_us,
                )
            )
        except ValidationFailed as error:
            return _refused([f"{field} {message}" for field, message in error.problems])
        return json_answer(answer_of(asked, found))
    unit = unit_of(tank, trigger)
    context: dict[str, object] = {
        "device": device,
        "trigger": trigger,
        "words": words_of(trigger, unit),
        "unit": unit.symbol if unit else "",
        "ranges": RANGE_CHOICES,
    }
    return form_page(request, "trigger_history.html", TankForm(), **context)


@page
@require_POST
def backtest(request: HttpRequest, feed_id: int) -> HttpResponse:
    """One page of when the trigger in the form would have fired, as JSON."""
    caller, _ = owned_device(request, feed_id)
    tank = tank_access.tank()
    form = TriggerForm(request.POST, channels=_channels(feed_id))
    for name in ("url", "email"):  # who is told does not matter here
        form.fields.pop(name)
    if not form.is_valid():
        return _refused(_problems(form))
    try:
        asked = range_of(request.POST.dict(), tank.clock.now_us())
        found = tank_access.run(
            backtest_trigger(
                tank,
                caller,
                feed_id,
                form.cleaned_data["channel"],
                form.change(),
                asked.next_us,
                asked.end_us,
                tank.trigger_service.frozen_us,
            )
        )
    except ValidationFailed as error:
        form.add_problems(error.problems)
        return _refused(_problems(form))
    except LimitReached as error:
        return _refused([str(error)])
    return json_answer(answer_of(asked, found))


def _problems(form: TankForm) -> list[str]:
    return [str(message) for messages in form.errors.values() for message in messages]


def _refused(problems: list[str]) -> HttpResponse:
    return json_answer({"errors": problems}, HTTPStatus.BAD_REQUEST)
