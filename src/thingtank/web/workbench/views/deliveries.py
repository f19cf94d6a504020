"""Pages of what triggers sent: the log, one delivery, and the secret that webhooks carry."""

from collections.abc import Coroutine
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from thingtank.tank.access import Caller
from thingtank.tank.actions.deliveries import (
    cancel_delivery,
    count_deliveries,
    get_delivery,
    list_deliveries,
    retry_delivery,
    reveal_signing_secrets,
    rotate_signing_secret,
)
from thingtank.tank.actions.triggers import get_trigger
from thingtank.tank.deliveries import Delivery, DeliveryQuery, DeliveryState
from thingtank.tank.errors import (
    NoSuchDelivery,
    NoSuchTrigger,
    NotAllowed,
    Unauthenticated,
    ValidationFailed,
)
from thingtank.tank.tank import Tank
from thingtank.tank.things import Account
from thingtank.web import tank_access
from thingtank.web.workbench.delivery_panels import (
    STATE_LABELS,
    DeliveryRow,
    attempt_row,
    delivery_row,
    document_of,
    pretty,
)
from thingtank.web.workbench.forms import TankForm
from thingtank.web.workbench.pages import (
    back_to,
    form_page,
    json_answer,
    notice_of,
    page,
    require_form,
    wants_json,
)
from thingtank.web.workbench.trigger_panels import unit_of
from thingtank.web.workbench.trigger_words import TriggerWords, words_of

PER_PAGE = 25


@page
@require_safe
def deliveries(request: HttpRequest) -> HttpResponse:
    """List deliveries, newest first: of the account, or of one trigger with `trigger=7`."""
    caller = tank_access.caller(request)
    account = _account(caller)
    tank = tank_access.tank()
    state = _state(request.GET.get("state", ""))
    trigger_id = _number(request, "trigger")
    # One trigger may be another account's, whom an admin helps; the tank decides.
    is_all = account.is_admin and (trigger_id is not None or request.GET.get("scope") == "all")
    account_id = None if is_all else account.account_id
    query = DeliveryQuery(
        account_id=account_id,
        trigger_id=trigger_id,
        state=state,
        before_id=_number(request, "before"),
        limit=PER_PAGE,
    )
    rows, next_before_id = tank_access.run(_rows(tank, caller, query))
    counts = tank_access.run(count_deliveries(tank, caller, account_id, None, trigger_id))
    choices = [("", "All", sum(counts.values()))]
    choices += [(key.value, label, counts.get(key, 0)) for key, label in STATE_LABELS.items()]
    context = {
        "rows": rows,
        "next_before_id": next_before_id,
        "is_first_page": query.before_id is None,
        "choices": choices,
        "state": state.value if state else "",
        "total_count": sum(counts.values()),
        "trigger_id": trigger_id,
        "trigger": _words(caller, trigger_id),
        "is_admin": account.is_admin,
        "is_all": is_all,
        "has_triggers": bool(tank.triggers.of_account(account.account_id)),
        "notice": notice_of(request),
    }
    return render(request, "workbench/deliveries.html", context)


async def _rows(
    tank: Tank, caller: Caller, query: DeliveryQuery
) -> tuple[list[DeliveryRow], int | None]:
    """A page of rows; dead letters with what the receiver said last."""
    found = await list_deliveries(tank, caller, query)
    rows = []
    for item in found.deliveries:
        attempts = []
        if item.state is DeliveryState.DEAD:
            try:
                attempts = list((await get_delivery(tank, caller, item.delivery_id))[1])
            except NoSuchDelivery:  # dropped meanwhile
                continue
        rows.append(delivery_row(tank, item, attempts))
    return rows, found.next_before_id


def _account(caller: Caller) -> Account:
    if caller.account is None:
        raise Unauthenticated("a sign-in is needed")
    return caller.account


def _state(text: str) -> DeliveryState | None:
    return DeliveryState(text) if text in set(DeliveryState) else None


def _number(request: HttpRequest, name: str) -> int | None:
    """A number of the address; None where it is missing, -1 (which nothing has) for nonsense."""
    text = request.GET.get(name, "")
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def _words(caller: Caller, trigger_id: int | None) -> tuple[TriggerWords, int] | None:
    """A trigger in words and its feed; None when none is asked for, or there is none for them."""
    if trigger_id is None:
        return None
    tank = tank_access.tank()
    try:
        trigger = get_trigger(tank, caller, trigger_id)
    except (NoSuchTrigger, NotAllowed):
        return None
    return words_of(trigger, unit_of(tank, trigger)), trigger.device_id


@page
@require_safe
def delivery(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """One delivery with its attempts; as JSON how it stands, for the page's script."""
    caller, tank = tank_access.caller(request), tank_access.tank()
    try:
        found, attempts = tank_access.run(get_delivery(tank, caller, delivery_id))
    except NotAllowed as error:  # another account's: they are not told that there is one
        raise Http404(f"there is no delivery {delivery_id}") from error
    rows = [attempt_row(attempt) for attempt in attempts]
    if wants_json(request):
        return json_answer(
            {
                "state": found.state,
                "status": found.status,
                "error": found.error,
                "answer": rows[-1].answer if rows else "",
                "duration": rows[-1].duration_text if rows else "",
            }
        )
    context = {
        "row": delivery_row(tank, found),
        "delivery": found,
        "attempts": rows[::-1],
        "document": pretty(document_of(found)),
        "notice": notice_of(request),
    }
    return render(request, "workbench/delivery.html", context)


@page
@require_POST
def retry(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """Have a delivery tried again at once."""
    action = retry_delivery(tank_access.tank(), tank_access.caller(request), delivery_id)
    return _acted(request, delivery_id, action, "delivery-retried")


@page
@require_POST
def cancel(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """Have a waiting delivery tried no more."""
    action = cancel_delivery(tank_access.tank(), tank_access.caller(request), delivery_id)
    return _acted(request, delivery_id, action, "delivery-cancelled")


def _acted(
    request: HttpRequest, delivery_id: int, action: Coroutine[Any, Any, Delivery], notice: str
) -> HttpResponse:
    try:
        tank_access.run(action)
    except NotAllowed as error:  # as above
        raise Http404(f"there is no delivery {delivery_id}") from error
    except ValidationFailed:  # delivered, or given up, since the page was made
        notice = "delivery-kept"
    return back_to(request, reverse("workbench:delivery", args=[delivery_id]), notice)


@page
@require_POST
@sensitive_variables("secrets")
def reveal(request: HttpRequest) -> HttpResponse:
    """Show the account's signing secrets: the newest as JSON to the page's script, else a page."""
    caller = tank_access.caller(request)
    action = reveal_signing_secrets(tank_access.tank(), caller, _account(caller).account_id)
    secrets = tank_access.run(action)
    if wants_json(request):
        return json_answer({"secret": secrets[0]})
    return render(request, "workbench/signing.html", {"secrets": secrets})


@page
@require_form
def rotate(request: HttpRequest) -> HttpResponse:
    """Make a new signing secret after a question."""
    if request.method == "POST":
        caller = tank_access.caller(request)
        action = rotate_signing_secret(tank_access.tank(), caller, _account(caller).account_id)
        tank_access.run(action)
        return HttpResponseRedirect(f"{reverse('workbench:deliveries')}?done=secret-rotated")
    back: dict[str, object] = {
        "back_url": reverse("workbench:deliveries"),
        "back_name": "Deliveries",
    }
    return form_page(request, "signing_rotate.html", TankForm(), **back)
