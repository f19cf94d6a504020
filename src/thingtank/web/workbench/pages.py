"""What every page does: ask for a sign-in, find the device, turn the tank's errors into answers."""

from collections.abc import Callable, Coroutine
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit

import msgspec
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    QueryDict,
)
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.errors import (
    LimitReached,
    NoSuchDevice,
    NotAllowed,
    NotFound,
    Unauthenticated,
    Unavailable,
    ValidationFailed,
)
from thingtank.tank.things import Device
from thingtank.web import tank_access
from thingtank.web.failures import not_allowed
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
    "simulator-started": "The simulator runs. It stops with the server, or when you stop it.",
    "simulator-stopped": "The simulator has stopped. What it wrote stays.",
    "simulator-full": "Too many simulators run already. Try again later.",
    "device-deleted": "Device deleted, with everything it had recorded.",
    "metadata-saved": "Details saved.",
    "location-saved": "Location saved.",
    "channel-added": "Channel added.",
    "channel-saved": "Channel saved.",
    "channel-deleted": "Channel deleted.",
    "password-changed": "Password saved.",
    "welcome": "You are signed in. Set a password in your account, to come back at any time.",
    "key-added": "Key added.",
    "trigger-added": "Trigger added. It watches from now on.",
    "trigger-saved": "Trigger saved.",
    "trigger-enabled": "Trigger enabled. It watches from now on.",
    "trigger-disabled": "Trigger disabled. Nothing is sent until you enable it.",
    "trigger-deleted": "Trigger deleted. What still waited to be delivered is cancelled.",
    "test-sent": "Test sent. The newest row says what became of it.",
    "delivery-retried": "Tried again right away.",
    "delivery-cancelled": "Cancelled. It is tried no more.",
    "delivery-kept": "Nothing to do: its state had changed meanwhile.",
    "secret-rotated": "New signing secret made. The old one still signs beside it for a while.",
    "key-saved": "Key saved. What it may do has changed at once.",
    "key-shown": "The new secret is in force. “Show” beside the key has it.",
    "key-deleted": "Key deleted. Requests with it are refused from now on.",
    "product-added": "Product added. Next come the serials of its devices.",
    "product-saved": "Product saved. Devices activated from now on begin like this.",
    "product-deleted": "Product deleted. Feeds and keys that its devices have stay in use.",
    "serials-added": "Serials added. Deploy prints a label for each.",
    "serial-renamed": "Serial changed, and with it the activation code.",
    "serial-deleted": "Serial deleted.",
    "session-closed": "Session closed. Its client was told why.",
    "session-gone": "Nothing to do: the session had ended meanwhile.",
    "client-closed": "Done. A client that was connected was told; most come back by themselves.",
    "client-gone": "Nothing to do: the client had gone meanwhile.",
    "retained-deleted": "Retained message deleted. Subscribers got an empty one.",
    "retained-kept": "Nothing deleted: it was gone already, or your account may not publish there.",
    "token-shown": "The token was shown once. If you have not copied it, make another.",
    "token-revoked": "Token revoked. Who uses it is refused from now on.",
    "properties-saved": "Properties saved. Who listens to its record has been told.",
    "permission-saved": "Saved. It holds from now on, also for who is connected.",
    "keep-saved": "Saved. It holds for messages from now on.",
    "sink-added": "Rule added. It sends on what is written from now on.",
    "sink-deleted": "Rule deleted. What it had sent stays where it is.",
    "sink-paused": "Paused. What is written meanwhile is kept for it.",
    "sink-resumed": "Resumed. It goes on where it had stopped.",
    "sink-hurried": "Tried now.",
    "letters-retried": "Sent again. What is refused once more comes back here.",
    "letters-discarded": "Discarded.",
    "letters-gone": "Nothing to do: it had gone meanwhile.",
    "records-written": "Written, with the times they would have had, and not kept any more.",
    "records-refused": "Refused once more. Each has the newer reason beside it.",
    "records-mixed": "Some are written. The others were refused once more, with the reason beside.",
    "records-left": "There was no time for all of them: retry the rest.",
    "records-too-long": "Not kept whole, and so not to be retried: it can only be discarded.",
    "records-gone": "Nothing to do: it had gone meanwhile.",
    "records-discarded": "Discarded.",
    "schedule-added": "Schedule added. Its first run has begun, or is the next in turn.",
    "schedule-deleted": "Schedule deleted. What its runs have written stays.",
    "schedule-asked": "It runs now, or when the job before it is done.",
    "schedule-paused": "Paused. It runs only when you ask.",
    "schedule-resumed": "Resumed. It makes up for the time that was over last.",
    "deactivated": "Deactivated. Its keys are dead; the activation code lets it in again.",
}


def page(view: View[Params]) -> View[Params]:
    """Make a view a page for signed-in people."""
    shown = public_page(view)

    @wraps(view)
    def answer(
        request: HttpRequest, /, *args: Params.args, **kwargs: Params.kwargs
    ) -> HttpResponse:
        if not request.user.is_authenticated:
            return to_sign_in(request)
        return shown(request, *args, **kwargs)

    return answer


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Lead to the sign-in page, and from there to what was asked for, or the page it came from."""
    if wants_json(request):
        return json_answer({"is_signed_out": True}, HTTPStatus.UNAUTHORIZED)
    return redirect_to_login(shown_before(request))


def shown_before(request: HttpRequest) -> str:
    """The path of the page that was asked for, or where a form was sent from; `/` if unknown."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    scheme_and_host, _, rest = request.headers.get("Referer", "").partition("//")
    host, _, path = rest.partition("/")
    own = {request.get_host(), urlsplit(web_settings().public_url).netloc}
    return f"/{path}" if scheme_and_host and host in own and path[:1] not in ("/", "\\") else "/"


def public_page(view: View[Params]) -> View[Params]:
    """Make a view a page for everybody, whose tank errors become answers.

    What only signed-in people may see it has to refuse with Unauthenticated.
    """

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
            return to_sign_in(request)
        except Unavailable as error:
            response = render(request, "503.html", {"reason": str(error)}, status=503)
            response["Retry-After"] = str(error.retry_after_s)
        if isinstance(response, HttpResponseNotAllowed):
            response = not_allowed(request, response)
        # Pages hold what only their reader may see.
        response.setdefault("Cache-Control", "private, no-store")
        return response

    return answer


def visible_device(request: HttpRequest, feed_id: int) -> tuple[Caller, Device]:
    """The device and who asks, if they may see it.

    Otherwise 404, and to a stranger the sign-in page: neither tells a private device from none.
    """
    caller = tank_access.caller(request)
    try:
        device = tank_access.tank().directory.get_device(feed_id)
    except NoSuchDevice:
        device = None
    if device is not None and may_reach(caller, "get", device):
        return caller, device
    if caller.account is None:
        raise Unauthenticated("a sign-in is needed")
    raise Http404(f"feed {feed_id} is not visible to this account")


def owned_device(request: HttpRequest, feed_id: int) -> tuple[Caller, Device]:
    """The device and who asks, if they may change it; 404 when unseen, 403 when only seen."""
    caller, device = visible_device(request, feed_id)
    if caller.account is None:
        raise Unauthenticated("a sign-in is needed")
    if not may_reach(caller, "put", device):
        raise PermissionDenied(f"feed {feed_id} belongs to somebody else")
    return caller, device


def require_admin(request: HttpRequest, what: str) -> None:
    """Refuse all but operators of the instance: 403, and to a stranger the sign-in page.

    Args:
        what: is for admins only, such as `sinks`.
    """
    account = tank_access.caller(request).account
    if account is None:
        raise Unauthenticated("a sign-in is needed")
    if not account.is_admin:
        raise PermissionDenied(f"{what} are for admins")


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


def back_to(request: HttpRequest, fallback: str, notice: str) -> HttpResponseRedirect:
    """Redirect to the page that the posted field `back` names, if it is ours, with a notice."""
    back = request.POST.get("back", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None) or not back.startswith("/"):
        back = fallback
    path, _, query = back.partition("?")
    terms = QueryDict(query, mutable=True)
    terms["done"] = notice
    return HttpResponseRedirect(f"{path}?{terms.urlencode()}")


def wants_json(request: HttpRequest) -> bool:
    """Whether the page's own script asks, rather than a person."""
    return request.headers.get("Accept") == "application/json"


def json_answer(body: object, status: int = HTTPStatus.OK) -> HttpResponse:
    """An answer for the page's own script."""
    return HttpResponse(msgspec.json.encode(body), status=status, content_type="application/json")


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


def place_before(request: HttpRequest) -> int | None:
    """The number before which the address asks for the rest of a list; None for its beginning."""
    text = request.GET.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def page_count(total_count: int, per_page: int) -> int:
    """How many pages a list has; an empty one has one."""
    return max(1, -(-total_count // per_page))


def notice_of(request: HttpRequest) -> str:
    """What the page has to say after a redirect; blank for nothing."""
    return NOTICES.get(request.GET.get("done", ""), "")
