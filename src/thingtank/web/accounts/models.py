"""The account: Django's user under a name of our own, so that it can grow; links to sign in."""

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models


class Account(AbstractUser):
    """Who signs in. `username` is the login that feeds show as their creator."""

    about = models.TextField(blank=True)
    website = models.CharField(max_length=255, blank=True)
    organisation = models.CharField(max_length=255, blank=True)
    time_zone = models.CharField(max_length=255, blank=True)

    class Meta(AbstractUser.Meta):
        """Called what the rest of the product calls it."""

        verbose_name = "account"
        verbose_name_plural = "accounts"

    def clean(self) -> None:
        """Refuse what would leave an instance without anybody who may administer it."""
        super().clean()
        if self.is_active and self.is_superuser:
            return
        admins = Account.objects.filter(is_active=True, is_superuser=True)
        if admins.filter(pk=self.pk).exists() and not admins.exclude(pk=self.pk).exists():
            raise ValidationError("This is the last admin: make another account admin first.")


class SignInLink(models.Model):
    """A link that signs one account in, once. Only its digest is kept."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    digest = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"link for {self.account}"
