"""Forms that try a door out: what their views have in common."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from thingtank.tank.errors import LimitReached
from thingtank.web.workbench.forms import TankForm
from thingtank.web.workbench.outcomes import ShownOutcome
from thingtank.web.workbench.pages import json_answer, wants_json


def tried(
    request: HttpRequest,
    form: TankForm,
    ask: Callable[[], ShownOutcome | None],
    back_url: str,
    back_name: str,
) -> HttpResponse:
    """Answer with the outcome: as JSON to the page's script, else as a page.

    Args:
        ask: does what a valid form asks for; None where the form has an error by then.
        back_url, back_name: of the page that the form is on.
    """
    outcome: ShownOutcome | None = None
    if form.is_valid():
        try:
            outcome = ask()
        except LimitReached as error:
            form.add_error(None, f"{error}.")
    status = HTTPStatus.OK if outcome is not None else HTTPStatus.BAD_REQUEST
    if wants_json(request):
        problems = {name: " ".join(map(str, errors)) for name, errors in form.errors.items()}
        return json_answer({"outcome": outcome, "problems": problems}, status)
    context = {"form": form, "outcome": outcome, "back_url": back_url, "back_name": back_name}
    return render(request, "workbench/tried.html", context, status=status)


def seen_from(request: HttpRequest, url: str) -> str:
    """A door's address by the name that this browser has for the machine."""
    parts = urlsplit(url)
    host = urlsplit(f"//{request.get_host()}").hostname or parts.hostname or ""
    netloc = f"[{host}]" if ":" in host else host
    return parts._replace(netloc=f"{netloc}:{parts.port}").geturl()
