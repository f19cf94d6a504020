"""Idempotency keys: a POST that is sent again is answered again, and not done again.

Answers are kept in memory: for a day, as many as fit, and not over a restart. Only those of
requests that did something are; one that was refused may be sent again with the same key.

Source: IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key).
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

import msgspec

from thingtank.web.problems import (
    BAD_REQUEST,
    IN_PROGRESS,
    KEY_REUSED,
    Problem,
    ProblemRaised,
)

KEPT_S = 24 * 3600.0
KEPT_MAX = 10_000
KEPT_BYTES_MAX = 16 * 1024 * 1024
ANSWER_BYTES_MAX = 256 * 1024  # a larger one is not kept
RUNNING_MAX = 1000

_KEY = re.compile(r'("?)([\x21\x23-\x7e]{1,255})\1')


class Answer(msgspec.Struct, frozen=True):
    """An answer as it was sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class _Kept(msgspec.Struct, frozen=True):
    fingerprint: bytes
    until_s: float
    answer: Answer


class Answers:
    """The answers that are kept, for any thread."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Nothing is kept.

        Args:
            now_s: a clock that does not jump.
        """
        self._now_s = now_s
        self._lock = threading.Lock()
        self._running: set[Hashable] = set()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._bytes = 0

    def begin(self, name: Hashable, fingerprint: bytes) -> Answer | None:
        """Begin a request, unless it has been answered.

        Args:
            name: who asks, for what, with which key.
            fingerprint: what of the request must be the same.

        Returns:
            The answer there was; None if there was none: then the request runs, until `finish` or
            `give_up`.

        Raises:
            ProblemRaised: it runs already, or the key came with another request.
        """
        with self._lock:
            self._forget_old()
            kept = self._kept.get(name)
            if kept is not None:
                if kept.fingerprint != fingerprint:
                    raise ProblemRaised(Problem(KEY_REUSED))
                return kept.answer
            if name in self._running or len(self._running) >= RUNNING_MAX:
                raise ProblemRaised(Problem(IN_PROGRESS, retry_after_s=1))
            self._running.add(name)
            return None

    def finish(self, name: Hashable, fingerprint: bytes, answer: Answer) -> None:
        """Keep what a request was answered."""
        with self._lock:
            self._running.discard(name)
            if len(answer.body) > ANSWER_BYTES_MAX:
                return
            self._kept[name] = _Kept(fingerprint, self._now_s() + KEPT_S, answer)
            self._bytes += len(answer.body)
            while len(self._kept) > KEPT_MAX or self._bytes > KEPT_BYTES_MAX:
                self._drop_oldest()

    def give_up(self, name: Hashable) -> None:
        """A request did nothing; it may come again."""
        with self._lock:
            self._running.discard(name)

    def _forget_old(self) -> None:
        now_s = self._now_s()
        while self._kept and next(iter(self._kept.values())).until_s <= now_s:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, kept = self._kept.popitem(last=False)
        self._bytes -= len(kept.answer.body)


answers = Answers()


def parse_key(header: str) -> str:
    """The key that a header holds, with or without quotes.

    Raises:
        ProblemRaised: it is no such key.
    """
    found = _KEY.fullmatch(header.strip())
    if found is None:
        detail = "Idempotency-Key must be 1 to 255 visible characters, such as a UUID"
        raise ProblemRaised(Problem(BAD_REQUEST, detail))
    return found[2]
