"""What doors have in common that let people try things out from the workbench."""

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from thingtank.tank.access import Caller
from thingtank.tank.errors import LimitReached, Unauthenticated
from thingtank.tank.things import Account

VISITS_MAX = 100
ASKED_AT_ONCE_MAX = 4  # of one account: a page waits for each, and there are only so many pages
NEWEST_MAX = 100
NEWEST_BYTES_MAX = 2**18


def account_of(caller: Caller) -> Account:
    """Who is signed in.

    Raises:
        Unauthenticated: nobody.
    """
    if caller.account is None:
        raise Unauthenticated("a sign-in is needed")
    return caller.account


class Asking:
    """Bounds how many requests of one account wait for an answer at once."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    @property
    def waiting_count(self) -> int:
        """Requests of all accounts."""
        return self._counts.total()

    @contextmanager
    def one(self, account_id: int) -> Iterator[None]:
        """Count one more until the end of the block.

        Raises:
            LimitReached: there are as many as there may be.
        """
        if self._counts[account_id] >= ASKED_AT_ONCE_MAX:
            raise LimitReached(f"{ASKED_AT_ONCE_MAX} of your requests wait for an answer already")
        self._counts[account_id] += 1
        try:
            yield
        finally:
            self._counts[account_id] -= 1
            if not self._counts[account_id]:
                del self._counts[account_id]


class Newest:
    """The newest of what comes, until it is taken: so many and so many bytes, but at least one.

    Attributes:
        count: of all that came.
        bytes: of those that are kept.
    """

    def __init__(self) -> None:
        self.count = 0
        self._kept: deque[bytes] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, data: bytes) -> None:
        """Keep one, in place of the oldest if there are too many."""
        kept = self._kept
        self.count += 1
        kept.append(data)
        self.bytes += len(data)
        while len(kept) > NEWEST_MAX or (self.bytes > NEWEST_BYTES_MAX and len(kept) > 1):
            self.bytes -= len(kept.popleft())

    def take(self, count_max: int) -> list[bytes]:
        """Those since the last time, oldest first; of more than so many the newest."""
        taken, self._kept = list(self._kept)[-count_max:], deque()
        self.bytes = 0
        return taken
