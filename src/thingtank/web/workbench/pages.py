"""What every page does: ask for a sign-in, find the device, turn the tank's errors into answers."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.errors import (
    LimitReached,
    NotAllowed,
    NotFound,
    Unauthenticated,
    Unavailable,
    ValidationFailed,
)
from thingtank.tank.things import Device
from thingtank.web import tank_access
from thingtank.web.web_settings import web_settings
from thingtank.web.workbench.forms import TankForm

Params = ParamSpec("Params")
Result = TypeVar("Result")
View = Callable[Concatenate[HttpRequest, Params], HttpResponse]

# A form is looked at and sent.
require_form = require_http_methods(["GET", "HEAD", "POST"])

PAGE_MAX = 1_000_000  # lists of the tank refuse more

# What a page says after a redirect: the address carries the word, never the text itself.
NOTICES = {
    "device-added": "Device added. Send it a first value.",
    "device-deleted": "Device deleted, with everything it had recorded.",
    "metadata-saved": "Details saved.",
    "location-saved": "Location saved.",
    "channel-added": "Channel added.",
    "channel-saved": "Channel saved.",
    "channel-deleted": "Channel deleted.",
    "password-changed": "Password saved.",
    "welcome": "You are signed in. Set a password in your account, to come back at any time.",
    "key-added": "Key added.",
    "key-saved": "Key saved. What it may do has changed at once.",
    "key-deleted": "Key deleted. Requests with it are refused from now on.",
    "product-added": "Product added. Next come the serials of its devices.",
    "product-saved": "Product saved. Devices activated from now on begin like this.",
    "product-deleted": "Product deleted. Feeds and keys that its devices have stay in use.",
    "serials-added": "Serials added. Deploy prints a label for each.",
    "serial-renamed": "Serial changed, and with it the activation code.",
    "serial-deleted": "Serial deleted.",
    "deactivated": "Deactivated. Its key is dead; the activation code lets it in again.",
}


def page(view: View[Params]) -> View[Params]:
    """Make a view a page for signed-in people, whose tank errors become answers."""
    return login_required(open_page(view))


def open_page(view: View[Params]) -> View[Params]:
    """Make a view a page for anybody, whose tank errors become answers."""

    @wraps(view)
    def answer(
        request: HttpRequest, /, *args: Params.args, **kwargs: Params.kwargs
    ) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except NotFound as error:
            raise Http404(str(error)) from error
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from error
        except Unauthenticated:
            logout(request)  # of an account that the tank does not know, else the two would loop
            return redirect_to_login(request.get_full_path())
        except Unavailable as error:
            response = render(request, "503.html", {"reason": str(error)}, status=503)
            response["Retry-After"] = str(error.retry_after_s)
        # Pages hold what only their reader may see.
        response.setdefault("Cache-Control", "private, no-store")
        return response

    return answer


def visible_device(request: HttpRequest, feed_id: int) -> tuple[Caller, Device]:
    """The device and who asks, if they may see it; 404 otherwise, so that none is given away."""
    caller = tank_access.caller(request)
    device = tank_access.tank().directory.get_device(feed_id)
    if not may_reach(caller, "get", device):
        raise Http404(f"feed {feed_id} is not visible to this account")
    return caller, device


def owned_device(request: HttpRequest, feed_id: int) -> tuple[Caller, Device]:
    """The device and who asks, if they may change it; 404 when unseen, 403 when only seen."""
    caller, device = visible_device(request, feed_id)
    if not may_reach(caller, "put", device):
        raise PermissionDenied(f"feed {feed_id} belongs to somebody else")
    return caller, device


def attempt(form: TankForm, action: Coroutine[Any, Any, Result]) -> Result | None:
    """Run an action on the tank; what it refuses becomes errors of the form, and None."""
    try:
        return tank_access.run(action)
    except ValidationFailed as error:
        form.add_problems(error.problems)
    except LimitReached as error:
        form.add_error(None, str(error))
    return None


def form_page(
    request: HttpRequest, template: str, form: TankForm, **context: object
) -> HttpResponse:
    """Show a form, at first or again with its errors."""
    return render(request, f"workbench/{template}", {"form": form, **context})


def back_to_device(feed_id: int, notice: str) -> HttpResponseRedirect:
    """Redirect to the device's page, which will say one of NOTICES."""
    return HttpResponseRedirect(f"{reverse('workbench:device', args=[feed_id])}?done={notice}")


def address_of(request: HttpRequest, path: str) -> str:
    """A path as an address for programs and people: the public one, else as this page was asked."""
    public_url = web_settings().public_url
    return public_url + path if public_url else request.build_absolute_uri(path)


def page_number(request: HttpRequest, name: str) -> int:
    """Which page of a list the address asks for by `name`; 1 for any nonsense."""
    text = request.GET.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return 1
    return min(max(1, int(text)), PAGE_MAX)


def page_count(total_count: int, per_page: int) -> int:
    """How many pages a list has; an empty one has one."""
    return max(1, -(-total_count // per_page))


def notice_of(request: HttpRequest) -> str:
    """What the page has to say after a redirect; blank for nothing."""
    return NOTICES.get(request.GET.get("done", ""), "")
