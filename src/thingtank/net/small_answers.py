"""Small answers that become ready in one turn of the loop are written together, at its end.

To wake the process at the other end costs the sender more than the answer itself. Between two
answers that are made and written in turns it falls asleep again; of a row of them, written one
behind the other, only the first wakes it. One commit answers many devices at once, and a proxy or a
gateway often stands for all of them (ADR 6).
"""

import asyncio

import structlog

log = structlog.get_logger()

BYTES_MAX = 1024  # of an answer; larger ones are written at once
GATHERED_MAX = 64  # answers, twice what one commit usually acknowledges
# More would hide from a connection's flow control that its peer asks on and reads nothing.


class SmallAnswers:
    """Answers to be written, of all connections of one server. Lives in the loop's thread."""

    def __init__(self) -> None:
        self._queue: list[tuple[asyncio.Transport, bytes]] = []

    def add(self, transport: asyncio.Transport, answer: bytes) -> None:
        """Have an answer written soon, behind those of the same connection."""
        if len(self._queue) >= GATHERED_MAX:
            self.write_all()
        if not self._queue:
            asyncio.get_running_loop().call_soon(self.write_all)
        self._queue.append((transport, answer))

    def write_all(self) -> None:
        """Write what there is, as before anything that must not overtake it."""
        queue, self._queue = self._queue, []
        for transport, answer in queue:
            if transport.is_closing():  # the peer has gone meanwhile
                continue
            try:
                transport.write(answer)
            except RuntimeError:  # what is wrong with one connection is not the others' affair
                log.exception("http_answer_not_written")
