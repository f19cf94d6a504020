"""What programs and boards show to come in as a device: its key for sending, or a token."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from thingtank.tank.actions.sending_keys import ensure_sending_key
from thingtank.tank.actions.tokens import create_token
from thingtank.tank.errors import LimitReached
from thingtank.web import tank_access
from thingtank.web.workbench.pages import json_answer, owned_device, page, wants_json

TOKEN_TAG = "copied from its page"  # noqa: S105 # by which it is found among the tokens


@page
@require_POST
@never_cache
@sensitive_variables("revealed")
def sending_key(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Show the key that may only write to a device, and make it at the first time."""
    caller, device = owned_device(request, feed_id)
    try:
        revealed = tank_access.run(ensure_sending_key(tank_access.tank(), caller, device))
    except LimitReached as error:
        return json_answer({"problem": str(error)}, 409)
    if wants_json(request):
        return json_answer({"secret": revealed.secret})
    context = {"device": device, "key": revealed.key, "secret": revealed.secret, "is_new": False}
    return render(request, "workbench/key.html", context)


@page
@require_POST
@never_cache
@sensitive_variables("made")
def token(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Make one more token for a device, for the page's own script, and show it once."""
    caller, _ = owned_device(request, feed_id)
    try:
        made = tank_access.run(create_token(tank_access.tank(), caller, feed_id, TOKEN_TAG))
    except LimitReached as error:
        return json_answer({"problem": str(error)}, 409)
    return json_answer({"secret": made.token})
