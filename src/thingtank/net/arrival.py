"""Whether what was written to a peer has reached it, as far as can be told without its help.

What its system has acknowledged is in that system's memory. Whether a program has read it is seen
from how it leaves: a system resets a connection that is closed with something unread, and ends one
properly that is closed with nothing. Who stays for a moment is taken to read. Only a protocol with
acknowledgements of its own can tell more.
"""

import asyncio
import fcntl
import os
import socket
import sys
import termios
import time
from collections.abc import Callable

STAY_S = 0.5  # a program that reads takes less to read all that its system has
WAIT_S_MAX = 60.0
_LOOK_S = (0.001, 0.005, 0.02, 0.1, 0.5, 1.0)  # between looks; then as the last
_STAY_LOOK_S = 0.02
_TCP_CLOSE = 7  # of Linux's states: after a reset, among others


def unarrived_bytes(transport: asyncio.Transport) -> int:
    """What was written and the peer's system has not said to have; as far as ours tells."""
    found = transport.get_extra_info("socket")
    try:
        answer = fcntl.ioctl(found.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    except (OSError, AttributeError):
        answer = b""
    return transport.get_write_buffer_size() + int.from_bytes(answer, sys.byteorder)


async def has_arrived(transport: asyncio.Transport, is_there: Callable[[], bool]) -> bool:
    """Wait until all that was written has, and a moment, or until the peer leaves behind that.

    Args:
        is_there: whether the connection is still served.

    Returns:
        False if the peer leaves before, or always has something left for WAIT_S_MAX.
    """
    looks, until_s = 0, time.monotonic() + WAIT_S_MAX
    while is_there() and not transport.is_closing() and time.monotonic() < until_s:
        if not unarrived_bytes(transport):
            return await _stays(transport)
        await asyncio.sleep(_LOOK_S[min(looks, len(_LOOK_S) - 1)])
        looks += 1
    return False


async def _stays(transport: asyncio.Transport) -> bool:
    found = transport.get_extra_info("socket")
    if found is None:
        return not transport.is_closing()
    # The transport's own is closed when the peer leaves, and tells nothing any more.
    with socket.socket(found.family, found.type, found.proto, os.dup(found.fileno())) as watched:
        until_s = time.monotonic() + STAY_S
        while time.monotonic() < until_s and not transport.is_closing():  # noqa: ASYNC110 # a transport tells only its protocol
            await asyncio.sleep(_STAY_LOOK_S)
        return not _is_reset(watched)


def _is_reset(connection: socket.socket) -> bool:
    if connection.family == socket.AF_UNIX or not hasattr(socket, "TCP_INFO"):
        return False
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE
