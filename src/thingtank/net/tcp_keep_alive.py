"""Has the system find TCP peers that are gone: it asks below what programs see.

For protocols whose clients cannot all be asked by a message of their own.
"""

import asyncio
import socket

_QUESTIONS = 3  # unanswered ones, after which the connection ends


def watch_by_tcp(transport: asyncio.BaseTransport, silence_s: float) -> None:
    """Have a connection end, with an error, when its peer's machine does not answer any more.

    Args:
        silence_s: after how long without a word the peer is asked, and for about how long; at
            least a second. On systems that cannot be told, it is what they are set to.
    """
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return  # a Unix socket's peer is on this machine, which tells when it is gone
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        idle_s = max(1, round(silence_s))
        interval_s = max(1, idle_s // _QUESTIONS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _QUESTIONS)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Nothing is asked while something else waits for its acknowledgement, which systems
            # try to get for a quarter of an hour.
            patience_ms = (idle_s + _QUESTIONS * interval_s) * 1000
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience_ms)
