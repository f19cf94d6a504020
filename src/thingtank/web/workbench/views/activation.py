"""What a phone shows after the scan of a label: which device it is, and a button that activates it.

It works without a sign-in, as the API's activation does: whoever holds the code may use it once.
"""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from thingtank.tank.access import Caller
from thingtank.tank.actions.products import (
    Activation,
    CodeHolder,
    activate_device,
    find_code_holder,
)
from thingtank.tank.errors import (
    AlreadyActivated,
    LimitReached,
    NoSuchProductDevice,
    NotAllowed,
    ValidationFailed,
)
from thingtank.web import tank_access
from thingtank.web.workbench.http_snippets import EXAMPLE_CHANNEL, SECRET, curl_line
from thingtank.web.workbench.pages import address_of, public_page, require_form
from thingtank.web.workbench.product_forms import CodeForm


@public_page
@require_form
def enter_code(request: HttpRequest) -> HttpResponse:
    """Ask for a code that is typed from a label; its page follows."""
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        url = reverse("workbench:activate", args=[form.cleaned_data["code"]])
        return HttpResponseRedirect(url)
    return render(request, "workbench/activate_code.html", {"form": form})


@public_page
@require_form
@sensitive_variables("made")
def activate(request: HttpRequest, code: str) -> HttpResponse:
    """Say whose code it is, and activate the device when the button is pressed."""
    tank, caller = tank_access.tank(), tank_access.caller(request)
    try:
        holder = tank_access.run(find_code_holder(tank, code))
        if request.method != "POST" or holder.is_activated:
            return _holder_page(request, caller, holder)
        made = tank_access.run(activate_device(tank, caller, code))
    except NoSuchProductDevice:
        return render(request, "workbench/activate_unknown.html", status=404)
    except AlreadyActivated:  # by somebody else, a moment ago
        return _holder_page(request, caller, tank_access.run(find_code_holder(tank, code)))
    except (NotAllowed, LimitReached, ValidationFailed) as error:
        context = {"holder": holder, "problem": str(error)}
        return render(request, "workbench/activate.html", context, status=403)
    return _made_page(request, holder, made)


def _holder_page(request: HttpRequest, caller: Caller, holder: CodeHolder) -> HttpResponse:
    owns = caller.account is not None and caller.account.account_id == holder.account_id
    # Only its owner is led to the feed: the label tells nobody else what it became.
    context = {"holder": holder, "feed_id": holder.feed_id if owns else None}
    status = 403 if request.method == "POST" and holder.is_activated else 200
    return render(request, "workbench/activate.html", context, status=status)


@sensitive_variables("made")
def _made_page(request: HttpRequest, holder: CodeHolder, made: Activation) -> HttpResponse:
    endpoint = address_of(request, f"/v2/feeds/{made.feed_id}")
    line = curl_line(endpoint, next(iter(made.datastreams), EXAMPLE_CHANNEL))
    context = {
        "holder": holder,
        "made": made,
        "endpoint": endpoint,
        "curl_line": line.replace(SECRET, made.api_key),
    }
    return render(request, "workbench/activated.html", context)
