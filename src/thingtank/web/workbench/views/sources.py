"""Pages of sources: one rule that reads, and its rejected records."""

from collections.abc import Callable, Coroutine
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from thingtank.tank.sources import (
    ALL,
    DiscardOutcome,
    RetryOutcome,
    SourceBoard,
    SourceStatus,
    Which,
)
from thingtank.web import tank_access
from thingtank.web.workbench import source_board
from thingtank.web.workbench.boards import board_for_admins, chosen_number, status_on
from thingtank.web.workbench.forms import TankForm
from thingtank.web.workbench.pages import (
    back_to,
    form_page,
    notice_of,
    page,
    place_before,
    require_form,
)
from thingtank.web.workbench.source_panels import source_page

REASON_CHARS_MAX = 1000


@page
@require_safe
def source(request: HttpRequest, name: str) -> HttpResponse:
    """One rule, and the rejected records that are kept of it."""
    board = _board(request, name)
    before = place_before(request)
    row = tank_access.run(source_page(board, _status(board, name), before))
    context = {
        "row": row,
        "is_first_page": before is None,
        "next_before": row.rejected[-1].number if row.has_more else None,
        "notice": notice_of(request),
    }
    return render(request, "workbench/source.html", context)


@page
@require_POST
def retry(request: HttpRequest, name: str) -> HttpResponse:
    """Retry rejected records: the one that `record` names, all of `reason`, or all."""
    which = _which(request)
    return _acted(request, name, lambda board: board.retry(name, which), _retry_notice_of)


@page
@require_POST
def discard(request: HttpRequest, name: str) -> HttpResponse:
    """Discard rejected records: the one that `record` names, or all of `reason`."""
    which = _which(request)
    return _acted(request, name, lambda board: board.discard(name, which), _discard_notice_of)


@page
@require_form
def discard_all(request: HttpRequest, name: str) -> HttpResponse:
    """Discard all rejected records of a rule after a question."""
    board = _board(request, name)
    back_url = reverse("workbench:source", args=[name])
    if request.method == "POST":
        tank_access.run(board.discard(name, ALL))
        return HttpResponseRedirect(f"{back_url}?done=records-discarded")
    context: dict[str, object] = {
        "status": _status(board, name), "back_url": back_url, "back_name": name,
    }  # fmt: skip
    return form_page(request, "source_discard_all.html", TankForm(), **context)


def _which(request: HttpRequest) -> Which:
    """What a button means; what no button sends means none."""
    if (reason := request.POST.get("reason", "")) and len(reason) <= REASON_CHARS_MAX:
        return Which(reason=reason)
    if request.POST.get("record") == "all":
        return ALL
    number = chosen_number(request, "record")
    return Which([] if number is None else [number])


def _retry_notice_of(outcome: RetryOutcome) -> str:
    if outcome.left_count:
        return "records-left"
    if outcome.refused_count:
        return "records-mixed" if outcome.written_count else "records-refused"
    if outcome.written_count:
        return "records-written"
    return "records-too-long" if outcome.too_long_count else "records-gone"


def _discard_notice_of(outcome: DiscardOutcome) -> str:
    return "records-discarded" if outcome.discarded_count else "records-gone"


def _acted(
    request: HttpRequest,
    name: str,
    action: Callable[[SourceBoard], Coroutine[Any, Any, Any]],
    notice: Callable[[Any], str],
) -> HttpResponse:
    board = _board(request, name)
    done = tank_access.run(action(board))
    return back_to(request, reverse("workbench:source", args=[name]), notice(done))


def _board(request: HttpRequest, name: str) -> SourceBoard:
    """The instance's sources, with a rule of that name."""
    board = board_for_admins(request, "sources", source_board.board)
    _status(board, name)
    return board


def _status(board: SourceBoard, name: str) -> SourceStatus:
    return status_on(board, name, "rule of sources")
