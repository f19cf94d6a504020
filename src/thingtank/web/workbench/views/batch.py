"""Pages of batch jobs: schedules, how their runs went, what they counted, and their alerts."""

from collections.abc import Callable, Coroutine
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from thingtank.tank.batch import BatchBoard, ScheduleStatus
from thingtank.tank.errors import NoSuchDevice, ValidationFailed
from thingtank.web import tank_access
from thingtank.web.workbench import batch_board
from thingtank.web.workbench.batch_forms import SequenceCountForm
from thingtank.web.workbench.batch_panels import ScheduleRow, schedule_row
from thingtank.web.workbench.boards import board_for_admins, status_on, to_page
from thingtank.web.workbench.forms import TankForm
from thingtank.web.workbench.pages import (
    attempt,
    back_to,
    form_page,
    notice_of,
    page,
    require_form,
)

COMMAND = (
    "thingtank batch schedule add state-123 --every 1h --job sequence-count --env SEQ=123"
    " --input 'archive:feed/1/state?start={start}&end={end}' --output counts --feed 1"
)


@page
@require_safe
def batch(request: HttpRequest) -> HttpResponse:
    """List the schedules."""
    board = _board(request)
    context = {
        "rows": tank_access.run(_rows(board)),
        "command": COMMAND,
        "notice": notice_of(request),
    }
    return render(request, "workbench/batch.html", context)


async def _rows(board: BatchBoard) -> list[ScheduleRow]:
    return [schedule_row(status) for status in board.statuses()]


@page
@require_safe
def schedule(request: HttpRequest, name: str) -> HttpResponse:
    """One schedule: its newest output, its runs and its alerts."""
    status = _status(_board(request), name)
    context = {"row": schedule_row(status), "notice": notice_of(request)}
    return render(request, "workbench/batch_schedule.html", context)


@page
@require_form
def add(request: HttpRequest) -> HttpResponse:
    """Make a schedule of the sequence count over a feed, and run it at once."""
    board = _board(request)
    form = SequenceCountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        attempt(form, _added(board, form))
        if form.is_valid():
            return to_page("workbench:batch_schedule", form.cleaned_data["name"], "schedule-added")
    context: dict[str, object] = {
        "back_url": reverse("workbench:batch"),
        "back_name": "Batch",
        "sends_email": tank_access.tank().sends_email,
    }
    return form_page(request, "batch_add.html", form, **context)


async def _added(board: BatchBoard, form: SequenceCountForm) -> None:
    try:
        await board.add(form.count())
    except NoSuchDevice as error:
        raise ValidationFailed([("feed", "is none that there is")]) from error


@page
@require_form
def delete(request: HttpRequest, name: str) -> HttpResponse:
    """Delete a schedule after a question."""
    board = _board(request)
    status = _status(board, name)
    if request.method == "POST":
        tank_access.run(board.delete(name))
        return HttpResponseRedirect(f"{reverse('workbench:batch')}?done=schedule-deleted")
    context: dict[str, object] = {
        "status": status,
        "back_url": reverse("workbench:batch_schedule", args=[name]),
        "back_name": name,
    }
    return form_page(request, "batch_delete.html", TankForm(), **context)


@page
@require_POST
def run(request: HttpRequest, name: str) -> HttpResponse:
    """Have a schedule run now."""

    async def asked(board: BatchBoard) -> None:
        board.run(name)

    return _acted(request, name, asked, "schedule-asked")


@page
@require_POST
def pause(request: HttpRequest, name: str) -> HttpResponse:
    """Pause a schedule (`paused=1`), or let it go on."""
    is_paused = request.POST.get("paused") == "1"

    async def changed(board: BatchBoard) -> None:
        board.pause(name, is_paused)

    notice = "schedule-paused" if is_paused else "schedule-resumed"
    return _acted(request, name, changed, notice)


def _acted(
    request: HttpRequest,
    name: str,
    action: Callable[[BatchBoard], Coroutine[Any, Any, None]],
    notice: str,
) -> HttpResponse:
    tank_access.run(action(_board(request)))
    return back_to(request, reverse("workbench:batch_schedule", args=[name]), notice)


def _board(request: HttpRequest) -> BatchBoard:
    """The instance's schedules: they run programs, and read everybody's archive."""
    return board_for_admins(request, "batch jobs", batch_board.board)


def _status(board: BatchBoard, name: str) -> ScheduleStatus:
    return status_on(board, name, "schedule")
