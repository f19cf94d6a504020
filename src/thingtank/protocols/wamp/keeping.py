"""Events on their way to a disk, for those who wait until they are there.

Source: WAMP, Publish and Subscribe, PUBLISHED: what is acknowledged is on disk.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from thingtank.protocols.wamp.answers import Refused, send_refusal
from thingtank.protocols.wamp.messages import Published
from thingtank.protocols.wamp.peers import Peer

Take: TypeAlias = Callable[[Refused | None], None]


class Keeping:
    """Whether what was given to be kept is on disk: unknown at first, then settled once.

    All that is written together may share one. Given out by whoever keeps, used by the broker.
    """

    __slots__ = ("_is_settled", "_refused", "_waiting")

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._is_settled = False
        self._refused: Refused | None = None
        self._waiting: list[Take] = []

    @classmethod
    def refused(cls, refused: Refused) -> "Keeping":
        """What is not kept."""
        keeping = cls()
        keeping.settle(refused)
        return keeping

    def settle(self, refused: Refused | None = None) -> None:
        """Say that it is on disk; or why it is not.

        Raises:
            ExceptionGroup: bugs of some who waited; all have been told.
        """
        assert not self._is_settled
        self._is_settled = True
        self._refused = refused
        waiting, self._waiting = self._waiting, []
        failures: list[Exception] = []
        for take in waiting:
            try:
                take(refused)
            except Exception as failure:  # noqa: BLE001 - raised below
                failures.append(failure)
        if failures:
            raise ExceptionGroup("not all who waited for an event could be told", failures)

    def then(self, take: Take) -> None:
        """Have someone told; within this call if it is known already."""
        if self._is_settled:
            take(self._refused)
        else:
            self._waiting.append(take)


class Acknowledgements:
    """PUBLISHED, or ERROR, of publications that are being kept.

    Nothing is sent to a session that is over by then: its transport may carry another one.
    """

    def __init__(self) -> None:
        """Start with nobody waiting."""
        self._counts: dict[Peer, int] = {}

    def __len__(self) -> int:
        return sum(self._counts.values())

    def send_when(self, keepings: Sequence[Keeping], peer: Peer, published: Published) -> None:
        """Answer a PUBLISH as soon as all that is kept of it is on disk, or something is not."""
        self._counts[peer] = self._counts.get(peer, 0) + 1

        def answer(refused: Refused | None) -> None:
            if not self._forget(peer):
                return
            if refused is None:
                peer.send(published)
            else:
                send_refusal(peer, 16, published.request_id, refused)

        _when_all(keepings, answer)

    def drop(self, peer: Peer) -> None:
        """Answer this session no more: it is over."""
        self._counts.pop(peer, None)

    def _forget(self, peer: Peer) -> bool:
        """Count one less that waits; whether there was one."""
        count = self._counts.pop(peer, 0)
        if count > 1:
            self._counts[peer] = count - 1
        return count > 0


def _when_all(keepings: Sequence[Keeping], take: Take) -> None:
    if not keepings:
        take(None)
        return

    def first_settled(refused: Refused | None) -> None:
        if refused is None:
            _when_all(keepings[1:], take)
        else:
            take(refused)

    keepings[0].then(first_settled)
