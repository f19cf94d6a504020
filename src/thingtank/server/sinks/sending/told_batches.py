"""Batches of the journal that the process that sends is told of, once for all its rules.

Rules read the same batches at about the same time. What one of them has told of, the others only
name. Both sides keep a run of them by the same calls, so neither has to ask what the other has; the
server keeps no more than their sizes.
"""

KEPT_BYTES_MAX = 8 * 1024 * 1024
BLOB_BYTES_MAX = 64 * 1024  # a turn with a larger one is not told of, and goes with its call
_BATCH_BYTES = 100  # what one takes besides, about


def told_bytes(blob: bytes) -> int:
    """What a batch counts for, at both sides."""
    return _BATCH_BYTES + len(blob)
