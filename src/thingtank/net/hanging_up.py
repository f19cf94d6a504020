"""Whether a peer has hung up, before the loop gets to hear of it."""

import asyncio
import select

_HUNG_UP = getattr(select, "POLLRDHUP", 0)  # Linux has it


def has_hung_up(transport: asyncio.BaseTransport) -> bool:
    """Whether the peer of a connection has ended its side, as far as the system can tell."""
    if transport.is_closing():
        return True
    found = transport.get_extra_info("socket")
    if found is None or not _HUNG_UP:
        return False
    looking = select.poll()
    looking.register(found.fileno(), _HUNG_UP)
    return bool(looking.poll(0))
