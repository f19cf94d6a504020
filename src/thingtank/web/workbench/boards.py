"""What pages of rules and schedules share: a board for admins, and one that is on it.

A board is the web's view of what is at work in the server; there is none before it is, or after.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.urls import reverse

from thingtank.web import tank_access
from thingtank.web.workbench.pages import require_admin

_NUMBER_DIGITS_MAX = 18

Status = TypeVar("Status", covariant=True)
Board = TypeVar("Board")


class HasStatus(Protocol[Status]):
    """A board that knows how each of its own is doing; lives in the loop's thread."""

    def status(self, name: str) -> Status | None:
        """By name; None if there is none."""
        ...


def board_for_admins(request: HttpRequest, what: str, find: Callable[[], Board | None]) -> Board:
    """A board, if an admin asks: 403 for others, 404 while there is none.

    Args:
        what: is on it, such as `sinks`.
    """
    require_admin(request, what)
    board = find()
    if board is None:
        raise Http404(f"there are no {what} while the server starts or stops")
    return board


def status_on(board: HasStatus[Status], name: str, what: str) -> Status:
    """How one of a board's own is doing; 404 if there is none of that name."""

    async def find() -> Status | None:
        return board.status(name)

    status = tank_access.run(find())
    if status is None:
        raise Http404(f"there is no {what} {name}")
    return status


def to_page(page: str, name: str, notice: str) -> HttpResponseRedirect:
    """To one's own page, where `notice` is told."""
    return HttpResponseRedirect(f"{reverse(page, args=[name])}?done={notice}")


def chosen_number(request: HttpRequest, field: str) -> int | None:
    """The number that a button sends; None for what no button does."""
    text = request.POST.get(field, "")
    is_number = text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS_MAX
    return int(text) if is_number else None
