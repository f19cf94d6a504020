"""Whether what was written to a peer has reached it, as far as can be told without its help.

What its system has acknowledged is in that system's memory; whether a program reads it is seen from
its staying there for a moment. Only a protocol with acknowledgements of its own can tell more.
"""

import asyncio
import fcntl
import sys
import termios
import time
from collections.abc import Callable

from thingtank.net.hanging_up import has_hung_up

STAY_S = 0.5  # a program that reads takes less to read all that its system has
WAIT_S_MAX = 60.0
_LOOK_S = (0.001, 0.005, 0.02, 0.1, 0.5, 1.0)  # between looks; then as the last


def unarrived_bytes(transport: asyncio.Transport) -> int:
    """What was written and the peer's system has not said to have; as far as ours tells."""
    found = transport.get_extra_info("socket")
    try:
        answer = fcntl.ioctl(found.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    except (OSError, AttributeError):
        answer = b""
    return transport.get_write_buffer_size() + int.from_bytes(answer, sys.byteorder)


async def has_arrived(transport: asyncio.Transport, is_there: Callable[[], bool]) -> bool:
    """Wait until all that was written has, and a moment.

    Args:
        is_there: whether the connection is still served.

    Returns:
        False if the peer leaves before, or always has something left for WAIT_S_MAX.
    """
    looks, until_s = 0, time.monotonic() + WAIT_S_MAX
    while is_there() and not has_hung_up(transport) and time.monotonic() < until_s:
        if not unarrived_bytes(transport):
            await asyncio.sleep(STAY_S)
            return is_there() and not has_hung_up(transport)
        await asyncio.sleep(_LOOK_S[min(looks, len(_LOOK_S) - 1)])
        looks += 1
    return False
