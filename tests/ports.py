"""Ports for programs that cannot be told 0, or must come back where they were."""

import random
import socket
from pathlib import Path

_FIRST = 10_000  # above what services of a machine have by custom
_TRIES_MAX = 1000
_given: set[int] = set()


def free_port() -> int:
    """A port on loopback that nobody listens on, nor will be given by asking for 0; each but once.

    One out of the range that Linux gives connections and listeners on 0 is anybody's again as
    soon as it is let go: other tests of the same run take hundreds a second.
    """
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = [*range(_FIRST, min(first, 65_536)), *range(max(_FIRST, last + 1), 65_536)]
    for _ in range(_TRIES_MAX):
        port = random.SystemRandom().choice(ports)  # other workers choose as well
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
    raise AssertionError("no port is free outside of net.ipv4.ip_local_port_range")
