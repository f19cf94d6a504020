"""Accounts in the admin: added, changed, switched off; never deleted, for devices are theirs."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.contrib.auth.models import Group
from django.http import HttpRequest

from thingtank.web import tank_access
from thingtank.web.accounts.changes import store_account
from thingtank.web.accounts.lockouts import clear_lockout
from thingtank.web.accounts.models import Account

if TYPE_CHECKING:
    UserAdmin = DjangoUserAdmin[Account]
    DjangoAdminPasswordForm = AdminPasswordChangeForm[Account]
else:  # generic for type checkers only
    UserAdmin = DjangoUserAdmin
    DjangoAdminPasswordForm = AdminPasswordChangeForm

admin.site.unregister(Group)
admin.site.site_header = "Thing Tank"
admin.site.site_title = "Thing Tank admin"
admin.site.index_title = "Accounts and catalog"


class AdminPasswordForm(DjangoAdminPasswordForm):
    """A password set by an admin ends the account's lock-out and its sessions."""

    def save(self, commit: bool = True) -> Account:
        """Store it."""
        account = super().save(commit)
        clear_lockout(account.get_username())
        tank_access.sessions_changed(account.pk)
        return account


@admin.register(Account)
class AccountAdmin(UserAdmin):
    """Django's page for users with the fields that mean something here."""

    change_password_form = AdminPasswordForm
    list_display = ("username", "email", "is_superuser", "is_active", "last_login")
    list_filter = ("is_superuser", "is_active")
    search_fields = ("username", "email")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "Rights",
            {
                "fields": ("is_active", "is_superuser"),
                "description": "Switch an account off instead of deleting it: its devices stay.",
            },
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        """Nobody: an account owns devices and what they recorded."""
        return False

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        """Store the account as everything else does."""
        store_account(obj)
