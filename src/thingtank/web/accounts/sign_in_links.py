"""One-time links: the way in for who has no password yet. Blocking, like all of Django's models."""

import datetime
import hashlib
import secrets

from django.db import transaction
from django.utils import timezone

from thingtank.web.accounts.models import Account, SignInLink

VALID_FOR = datetime.timedelta(hours=1)
TOKEN_BYTES = 32
WELCOME_PATH = "/welcome/"


def make_sign_in_link(account_id: int) -> str:
    """The path of a new link, for whoever may hand it out; nothing stored leads back to it."""
    SignInLink.objects.filter(expires_at__lte=timezone.now()).delete()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    SignInLink.objects.create(
        account_id=account_id, digest=_digest(token), expires_at=timezone.now() + VALID_FOR
    )
    return WELCOME_PATH + token


def redeem(token: str) -> Account | None:
    """Whom the link signs in; None when it was used, is too old, or was never made."""
    links = SignInLink.objects.filter(digest=_digest(token), expires_at__gt=timezone.now())
    with transaction.atomic():
        link = links.select_related("account").first()
        # Of two browsers at once, the one whose delete finds the row is let in.
        if link is None or not links.delete()[0]:
            return None
    return link.account if link.account.is_active else None


def leads_to_password(path: str) -> bool:
    """Whether the account that a link of ours signs in can also sign in by a password."""
    links = SignInLink.objects.filter(digest=_digest(path.removeprefix(WELCOME_PATH)))
    link = links.select_related("account").first()
    return link is not None and link.account.has_usable_password()


def _digest(token: str) -> bytes:
    # A token is random and long, so it needs no slow hash and no salt.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
