"""Sign in, sign out, change the password, and follow a one-time link."""

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm
from django.contrib.auth.views import (
    LoginView,
    LogoutView,
    PasswordChangeView,
    redirect_to_login,
)
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET

from thingtank.web import tank_access
from thingtank.web.accounts.lockouts import clear_lockout
from thingtank.web.accounts.models import Account
from thingtank.web.accounts.sign_in_links import redeem
from thingtank.web.failures import not_allowed

_ADMIN = "/admin/"
_BACKEND = "django.contrib.auth.backends.ModelBackend"


class SignInForm(AuthenticationForm):
    """Name and password, with words that do not tell which of the two was wrong."""

    error_messages = {  # noqa: RUF012 - as Django declares it
        "invalid_login": "Name and password do not go together. Both are case-sensitive.",
        "inactive": "This account is switched off. Ask the owner of this server.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Account name"


class SignIn(LoginView):
    """Sign in with name and password."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """End the session, and the streams of its tabs; by POST only."""

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Say so in words."""
        return not_allowed(request, super().http_method_not_allowed(request, *args, **kwargs))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Forget the session."""
        account_id = request.user.pk
        answer = super().post(request, *args, **kwargs)
        if account_id is not None:
            tank_access.sessions_changed(account_id)
        return answer


class ChangePassword(PasswordChangeView):
    """Change the password, or set a first one; other sessions of the account end."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("workbench:account", query={"done": "password-changed"})
    extra_context = {  # noqa: RUF012 - as Django declares it
        "back_url": reverse_lazy("workbench:account"),
        "back_name": "Account",
    }

    def get_form_class(self) -> type[Any]:
        """Who came by a one-time link has no old password to give."""
        user = self.request.user
        assert isinstance(user, Account), "the page is for signed-in accounts"
        return PasswordChangeForm if user.has_usable_password() else SetPasswordForm

    def form_valid(self, form: Any) -> HttpResponse:
        """Store it; who had forgotten the old one need not wait any more."""
        answer = super().form_valid(form)
        assert self.request.user.pk is not None, "the page is for signed-in accounts"
        tank_access.sessions_changed(self.request.user.pk)
        clear_lockout(self.request.user.get_username())
        return answer


@require_GET
@never_cache
@sensitive_variables("token")
def welcome(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in by a one-time link."""
    # One transaction: a link whose session could not be stored, as on a full disk, is not spent.
    with transaction.atomic():
        account = redeem(token)
        if account is not None:
            login(request, account, backend=_BACKEND)
            request.session.save()
    if account is None:
        if request.user.is_authenticated:  # the same browser, a second click
            return HttpResponseRedirect(reverse("workbench:devices"))
        return render(request, "accounts/welcome_expired.html", status=410)
    done = "" if account.has_usable_password() else "?done=welcome"
    return HttpResponseRedirect(reverse("workbench:devices") + done)


def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Send who wants into the admin to the one sign-in page, with its lock-out."""
    wanted = request.GET.get("next", _ADMIN)
    if not request.user.is_authenticated:
        return redirect_to_login(wanted)
    if not (request.user.is_active and request.user.is_staff):
        raise PermissionDenied("only admins may open the admin")
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
    is_here = wanted.startswith(request.path)  # it would lead to itself for ever
    return HttpResponseRedirect(wanted if is_ours and not is_here else _ADMIN)


def api_sign_in(request: HttpRequest) -> HttpResponse:
    """Send who wants into the browsable REST API to the one sign-in page, with its lock-out."""
    return redirect_to_login(request.GET.get("next", "/station/"))


def locked_out(request: HttpRequest, *_: object, **__: object) -> HttpResponse:
    """Answer to who has guessed a password too often: a page, or JSON to a program."""
    if request.headers.get("Authorization") and "text/html" not in request.headers.get(
        "Accept", ""
    ):
        detail = "Too many wrong passwords. Wait a while, or ask the owner of this server."
        return JsonResponse({"detail": detail}, status=429)
    return render(request, "accounts/locked_out.html", status=429)
