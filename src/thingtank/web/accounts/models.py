"""The account: Django's user, under a name of our own so that it can grow."""

from django.contrib.auth.models import AbstractUser


class Account(AbstractUser):
    """Who signs in. `username` is the login that feeds show as their creator."""
