"""Ports for programs that cannot be told 0, or must come back where they were."""

import random
import socket
from pathlib import Path

_FIRST = 20_000  # above what services of a machine have by custom


def free_port() -> int:
    """A port on loopback that nobody listens on, nor will be given by asking for 0.

    One out of the range that Linux gives connections and listeners on 0 is anybody's again as
    soon as it is let go: other tests of the same run take hundreds a second.
    """
    given = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    while True:
        port = random.SystemRandom().randrange(_FIRST, max(int(given[0]), _FIRST + 1_000))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
