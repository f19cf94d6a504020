"""Acknowledged delivery: which subscribers said that they have received an event.

Source: an extension of Autobahn: `x_acknowledged_delivery` of EVENT, and EVENT_RECEIVED.
"""

from collections import OrderedDict
from collections.abc import Iterable

PUBLICATIONS_MAX = 10_000


class Receipts:
    """Receipts that are asked for and not yet there. The oldest are given up when there are many.

    Attributes:
        given_up_count: publications that were.
    """

    def __init__(self, publications_max: int = PUBLICATIONS_MAX) -> None:
        self._awaited: OrderedDict[int, set[int]] = OrderedDict()
        self._publications_max = publications_max
        self.given_up_count = 0

    def ask(self, publication_id: int, session_ids: Iterable[int]) -> None:
        """Await a receipt of each of these sessions."""
        awaited = set(session_ids)
        if not awaited:
            return
        self._awaited.setdefault(publication_id, set()).update(awaited)
        if len(self._awaited) > self._publications_max:
            self._awaited.popitem(last=False)
            self.given_up_count += 1

    def take(self, publication_id: int, session_id: int) -> bool:
        """Note a receipt; whether it was awaited."""
        awaited = self._awaited.get(publication_id)
        if awaited is None or session_id not in awaited:
            return False
        awaited.remove(session_id)
        if not awaited:
            del self._awaited[publication_id]
        return True

    def awaited(self, publication_id: int) -> frozenset[int]:
        """The sessions whose receipt is missing."""
        return frozenset(self._awaited.get(publication_id, ()))
