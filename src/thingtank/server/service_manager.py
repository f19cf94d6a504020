"""Tells systemd how far the server is, where it is started as a service of `Type=notify`.

Source: systemd, sd_notify(3).
"""

import contextlib
import os
import socket
from collections.abc import Mapping


def notify(state: str, environment: Mapping[str, str] = os.environ) -> None:
    """Send a state, such as `READY=1`; nothing where nobody asks for it, or listens."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # of Linux's abstract names
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection,
    ):
        connection.settimeout(1.0)
        connection.sendto(state.encode(), address)
