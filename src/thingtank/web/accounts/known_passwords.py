"""Passwords that were right a moment ago, for programs that send one with each request.

To check a password takes a third of a second of the processor, on purpose. Of one that was right
this keeps a keyed digest in memory, made from the stored hash as well: with another password in its
place the account is not found here any more.
"""

import hmac
import secrets
import threading
import time
from collections import OrderedDict

from thingtank.web.accounts.models import Account

KNOWN_S = 300.0
KNOWN_MAX = 1000


class KnownPasswords:
    """What was right in the last KNOWN_S; the newest KNOWN_MAX. Any thread."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._until_s: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def find_account(self, login: str, password: str) -> Account | None:
        """The active account of that login, if this is known to be its password."""
        if not self._until_s:
            return None
        account = Account.objects.filter(username=login, is_active=True).first()
        if account is None:
            return None
        with self._lock:
            until_s = self._until_s.get(self._digest(account, password), 0.0)
        return account if time.monotonic() < until_s else None

    def remember(self, account: Account, password: str) -> None:
        """Note that a password was right just now."""
        digest = self._digest(account, password)
        with self._lock:
            self._until_s[digest] = time.monotonic() + KNOWN_S
            self._until_s.move_to_end(digest)
            while len(self._until_s) > KNOWN_MAX:
                self._until_s.popitem(last=False)

    def _digest(self, account: Account, password: str) -> bytes:
        text = f"{account.pk}\0{account.password}\0{password}"
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256")
