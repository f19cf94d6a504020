"""The account's page: who is signed in, theme, password."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from thingtank.web.workbench.pages import notice_of, page


@page
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show the account's settings."""
    return render(request, "workbench/account.html", {"notice": notice_of(request)})
