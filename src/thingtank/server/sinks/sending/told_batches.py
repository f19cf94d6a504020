"""Batches of the journal that the process that sends was told of, once for all its rules.

Rules read the same batches at about the same time. What one of them has told of, the others only
name. Both sides keep this alike by the same calls, so neither has to ask what the other has.
"""

from collections.abc import Sequence

KEPT_BYTES_MAX = 8 * 1024 * 1024
BLOB_BYTES_MAX = 64 * 1024  # a larger one goes with each call that is about it
_BATCH_BYTES = 100  # what one takes besides, about


class ToldBatches:
    """The last of them, without gaps.

    Attributes:
        next_seq: of the batch that can be told next; after a gap all that was before is let go.
    """

    def __init__(self) -> None:
        self._blobs: dict[int, bytes] = {}
        self._first_seq = 0
        self._size_bytes = 0
        self.next_seq = 0

    def __contains__(self, seq: int) -> bool:
        return seq in self._blobs

    def add(self, first_seq: int, blobs: Sequence[bytes]) -> None:
        """Have more; the oldest go where there is no room.

        Args:
            first_seq: of these, which follow each other.
        """
        if first_seq != self.next_seq:
            self._blobs.clear()
            self._size_bytes = 0
            self._first_seq = self.next_seq = first_seq
        for blob in blobs:
            self._blobs[self.next_seq] = blob
            self._size_bytes += _BATCH_BYTES + len(blob)
            self.next_seq += 1
        while self._size_bytes > KEPT_BYTES_MAX:
            self._size_bytes -= _BATCH_BYTES + len(self._blobs.pop(self._first_seq))
            self._first_seq += 1

    def blobs(self, first_seq: int, count: int) -> list[bytes]:
        """Some that follow each other; raises KeyError where one is gone."""
        return [self._blobs[seq] for seq in range(first_seq, first_seq + count)]
