"""What picows must be shown of a connection so that it suits the loop, and what it logs."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from thingtank.net.arrival import unarrived_bytes

log = structlog.get_logger()


def feed(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    """Have a protocol take what was read already, in pieces that fit its buffer."""
    at = 0
    while at < len(data):
        buffer = memoryview(protocol.get_buffer(-1))
        piece = data[at : at + len(buffer)]
        buffer[: len(piece)] = piece
        protocol.buffer_updated(len(piece))
        at += len(piece)


class Gathering:
    """A transport as picows is shown it, so that messages can be written many at a time.

    picows makes a system call for each frame as long as nothing is left to write, and hands over
    its own buffer, which it uses again, when a frame is large: the loop, which may write later,
    would send something else. The loop, too, makes a call for each write.

    Attributes:
        is_paused: whether reading is.
        written_bytes: how much there was to write in all.
    """

    __slots__ = ("_parts", "_transport", "is_paused", "written_bytes")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._parts: list[bytes] | None = None  # while they are gathered
        self.is_paused = False
        self.written_bytes = 0

    # Methods, and no bound ones of the transport: an idle connection would keep 64 bytes for each.

    def close(self) -> None:
        """End the connection, what was written first."""
        self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it ends, or has ended."""
        return self._transport.is_closing()

    def unread_bytes(self) -> int:
        """How much was written and not taken yet."""
        return self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high_bytes: int) -> None:
        """From how much unread on the peer counts as behind."""
        self._transport.set_write_buffer_limits(high_bytes)

    @property
    def taken_bytes(self) -> int:
        """How much of it the peer's system has taken; what is in between grows to megabytes."""
        return self.written_bytes - unarrived_bytes(self._transport)

    def gather(self) -> None:
        """Keep what is written until `release`."""
        self._parts = []

    def release(self) -> None:
        """Write what was kept, in one piece."""
        parts, self._parts = self._parts, None
        if parts:
            self.write(b"".join(parts))

    def write(self, data: bytes) -> None:
        """Write, or keep."""
        if self._parts is None:
            self.written_bytes += len(data)
            self._transport.write(data)
        else:
            self._parts.append(data)

    def get_write_buffer_size(self) -> int:
        """Say that something is left to write."""
        return 1

    def writelines(self, parts: Sequence[bytes]) -> None:
        """Write copies."""
        self.write(b"".join(parts))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection."""
        found = self._transport.get_extra_info(name, default)
        if name == "socket" and found is not None and found.family == socket.AF_UNIX:
            return _UnixSocket(found.fileno())
        return found

    def pause_reading(self) -> None:
        """Read no more for now."""
        self.is_paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self.is_paused = False
        self._transport.resume_reading()


class _UnixSocket(msgspec.Struct, frozen=True):
    """A socket without the options of TCP, which picows sets."""

    number: int

    def fileno(self) -> int:
        return self.number

    def setsockopt(self, *option: int) -> None:
        pass

    def getsockopt(self, *option: int) -> int:
        return 0


class PicowsLog:
    """Where picows logs: faults of ours are kept; what peers do wrong, they are told."""

    def isEnabledFor(self, level: int) -> bool:
        """Say that nothing else is wanted."""
        return False

    def debug(self, text: str, *values: object) -> None:
        """Drop it."""

    info = warning = error = log = debug

    def exception(self, text: str, *values: object) -> None:
        """Keep it, with its traceback."""
        log.exception("websocket_failed", what=text)
