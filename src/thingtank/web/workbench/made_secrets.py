"""Secrets that a form has just made, for the page that shows them.

The form carries a word of its own. Sent twice it makes one secret, and the page that it leads to
can be reloaded for a while.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from secrets import token_urlsafe

import msgspec
from django.http import HttpRequest, HttpResponseRedirect

KEPT_S = 300.0
KEPT_MAX = 1000
MAKE_S_MAX = 60.0  # a form that was sent twice waits so long for the first

Key = tuple[int, str, str]  # account, path of the form, its word


class Made(msgspec.Struct, frozen=True):
    """A secret, and what it is for."""

    secret: str
    label: str = ""


class MadeSecrets:
    """Those of the last minutes, in memory only. Belongs to all threads that make pages."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._turn = threading.Lock()
        # Until when, and the secret or what it will be; None in the end if there is none. Oldest
        # first.
        self._kept: dict[Key, tuple[float, Future[Made | None]]] = {}

    def make(self, key: Key, make: Callable[[], Made | None]) -> bool:
        """Make one unless that was done before, or is being done; whether there is one.

        Raises:
            What `make` raises; TimeoutError.
        """
        making: Future[Made | None] = Future()
        with self._turn:
            known = self._find(key)
            if known is None:
                if len(self._kept) >= KEPT_MAX:
                    del self._kept[next(iter(self._kept))]
                self._kept[key] = self._monotonic_s() + KEPT_S, making
        if known is not None:
            return known.result(MAKE_S_MAX) is not None
        made: Made | None = None
        try:
            made = make()  # not within the turn: others make theirs meanwhile
        finally:
            if made is None:
                with self._turn:
                    self._kept.pop(key, None)
            making.set_result(made)
        return made is not None

    def find(self, key: Key) -> Made | None:
        """What was made, while it is kept."""
        with self._turn:
            found = self._find(key)
        return found.result() if found is not None and found.done() else None

    def _find(self, key: Key) -> "Future[Made | None] | None":
        now_s = self._monotonic_s()
        while self._kept and (oldest := next(iter(self._kept.items())))[1][0] <= now_s:
            del self._kept[oldest[0]]
        found = self._kept.get(key)
        return None if found is None else found[1]


_secrets = MadeSecrets()


def form_word(request: HttpRequest) -> str:
    """The word of a form that was sent, or of a new one."""
    return request.POST.get("once", "")[:64] or token_urlsafe(16)


def make_once(request: HttpRequest, make: Callable[[], Made | None]) -> HttpResponseRedirect | None:
    """Make what a form asks for, once, and lead to the page that shows it.

    Args:
        make: None where the form has an error by then.
    """
    word = form_word(request)
    if not _secrets.make(_key(request, word), make):
        return None
    return HttpResponseRedirect(f"{request.path}?made={word}")


def find_made(request: HttpRequest) -> Made | None:
    """What the address says was made, if it was by this account and not long ago."""
    return _secrets.find(_key(request, request.GET.get("made", "")))


def _key(request: HttpRequest, word: str) -> Key:
    assert request.user.pk is not None, "the page is for signed-in accounts"
    return request.user.pk, request.path, word
