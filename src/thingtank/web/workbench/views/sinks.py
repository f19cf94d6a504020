"""Pages of sinks: rules that send values on, how they are doing, and their dead letters."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from thingtank.tank.sinks import ChosenLetters, EngineFacts, SinkBoard, SinkStatus
from thingtank.web import tank_access
from thingtank.web.workbench import sink_board, source_board
from thingtank.web.workbench.boards import (
    board_for_admins,
    chosen_number,
    status_on,
    to_page,
)
from thingtank.web.workbench.forms import TankForm
from thingtank.web.workbench.pages import (
    back_to,
    form_page,
    notice_of,
    page,
    place_before,
    require_form,
)
from thingtank.web.workbench.sink_forms import SinkForm
from thingtank.web.workbench.sink_panels import SinkRow, sink_row
from thingtank.web.workbench.source_panels import FIRST_RULE, source_rows

LETTERS_PER_PAGE = 25

Result = TypeVar("Result")


@page
@require_safe
def sinks(request: HttpRequest) -> HttpResponse:
    """List the rules, and those of sources."""
    board = _board(request)
    context = {
        "rows": tank_access.run(_rows(board)),
        "sources": tank_access.run(source_rows(source_board.board())),
        "first_rule": FIRST_RULE,
        "may_add": board.may_be_changed,
        "notice": notice_of(request),
    }
    return render(request, "workbench/sinks.html", context)


async def _rows(board: SinkBoard) -> list[SinkRow]:
    return [sink_row(status) for status in board.statuses()]


@page
@require_safe
def sink(request: HttpRequest, name: str) -> HttpResponse:
    """One rule, and its dead letters."""
    board = _board(request)
    status = _status(board, name)
    before_id = place_before(request)
    letters = tank_access.run(_letters(board, name, before_id))
    has_more = len(letters) > LETTERS_PER_PAGE
    letters = letters[:LETTERS_PER_PAGE]
    context = {
        "row": sink_row(status),
        "may_delete": board.may_be_changed and not status.is_fixed,
        "letters": letters,
        "is_first_page": before_id is None,
        "next_before_id": letters[-1].letter_id if has_more else None,
        "notice": notice_of(request),
    }
    return render(request, "workbench/sink.html", context)


async def _letters(board: SinkBoard, name: str, before_id: int | None) -> list[Any]:
    return list(await board.letters(name, LETTERS_PER_PAGE + 1, before_id))


@page
@require_form
@sensitive_post_parameters()
def add(request: HttpRequest) -> HttpResponse:
    """Make a rule: first where to, then the rest."""
    board = _board(request)
    engines = {facts.name: facts for facts in board.engines()}
    engine = engines.get(request.GET.get("engine", ""))
    if engine is None:
        engine = next(iter(engines.values()))
    form = SinkForm(request.POST or None, engine)
    if request.method == "POST" and form.is_valid():
        problems = tank_access.run(board.add(form.rule()))
        for problem in problems:
            form.add_error(None, f"{problem.replace('`', '')}.")
        if not problems:
            return to_page("workbench:sink", form.cleaned_data["name"], "sink-added")
    return _add_page(request, form, engine, list(engines.values()))


def _add_page(
    request: HttpRequest, form: SinkForm, engine: EngineFacts, engines: list[EngineFacts]
) -> HttpResponse:
    context: dict[str, object] = {
        "engine": engine,
        "engines": engines,
        "back_url": reverse("workbench:sinks"),
        "back_name": "Sinks",
    }
    return form_page(request, "sink_add.html", form, **context)


@page
@require_form
def delete(request: HttpRequest, name: str) -> HttpResponse:
    """End a rule after a question."""
    board = _board(request)
    status = _status(board, name)
    if request.method == "POST":
        tank_access.run(board.delete(name))
        return HttpResponseRedirect(f"{reverse('workbench:sinks')}?done=sink-deleted")
    back_url = reverse("workbench:sink", args=[name])
    context: dict[str, object] = {
        "row": sink_row(status), "back_url": back_url, "back_name": name,
    }  # fmt: skip
    return form_page(request, "sink_delete.html", TankForm(), **context)


@page
@require_POST
def pause(request: HttpRequest, name: str) -> HttpResponse:
    """Pause a rule (`paused=1`), or let it go on."""
    is_paused = request.POST.get("paused") == "1"
    notice = "sink-paused" if is_paused else "sink-resumed"
    return _acted(request, name, lambda board: board.pause(name, is_paused), notice)


@page
@require_POST
def hurry(request: HttpRequest, name: str) -> HttpResponse:
    """Have a rule try now."""
    return _acted(request, name, lambda board: _hurried(board, name), "sink-hurried")


async def _hurried(board: SinkBoard, name: str) -> None:
    board.hurry(name)


@page
@require_POST
def retry(request: HttpRequest, name: str) -> HttpResponse:
    """Retry dead letters: the one that `letter` names, or all."""
    ids = _letter_ids(request)
    return _chosen(request, name, lambda board: board.retry(name, ids), "letters-retried")


@page
@require_POST
def discard(request: HttpRequest, name: str) -> HttpResponse:
    """Discard dead letters: the one that `letter` names, or all."""
    ids = _letter_ids(request)
    return _chosen(request, name, lambda board: board.discard(name, ids), "letters-discarded")


@page
@require_form
def discard_all(request: HttpRequest, name: str) -> HttpResponse:
    """Discard all dead letters of a rule after a question."""
    board = _board(request)
    status = _status(board, name)
    if request.method == "POST":
        tank_access.run(board.discard(name, None))
        return to_page("workbench:sink", name, "letters-discarded")
    back_url = reverse("workbench:sink", args=[name])
    context: dict[str, object] = {
        "row": sink_row(status), "back_url": back_url, "back_name": name,
    }  # fmt: skip
    return form_page(request, "sink_discard_all.html", TankForm(), **context)


def _letter_ids(request: HttpRequest) -> list[int] | None:
    if request.POST.get("letter") == "all":
        return None
    number = chosen_number(request, "letter")
    return [] if number is None else [number]


def _acted(
    request: HttpRequest,
    name: str,
    action: Callable[[SinkBoard], Coroutine[Any, Any, None]],
    notice: str,
) -> HttpResponse:
    _done(request, name, action)
    return back_to(request, reverse("workbench:sink", args=[name]), notice)


def _chosen(
    request: HttpRequest,
    name: str,
    action: Callable[[SinkBoard], Coroutine[Any, Any, ChosenLetters]],
    notice: str,
) -> HttpResponse:
    """Do something to dead letters, of which none may be there any more."""
    if not _done(request, name, action).chosen_count:
        notice = "letters-gone"
    return back_to(request, reverse("workbench:sink", args=[name]), notice)


def _done(
    request: HttpRequest, name: str, action: Callable[[SinkBoard], Coroutine[Any, Any, Result]]
) -> Result:
    board = _board(request)
    _status(board, name)
    return tank_access.run(action(board))


def _board(request: HttpRequest) -> SinkBoard:
    """The instance's sinks: what they send on is everybody's."""
    return board_for_admins(request, "sinks", sink_board.board)


def _status(board: SinkBoard, name: str) -> SinkStatus:
    return status_on(board, name, "rule")
