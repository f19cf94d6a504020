"""What systemd is told."""

import socket

import pytest

from thingtank.server.service_manager import notify


def test_an_abstract_name_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0thingtank-tests-notify")
        manager.settimeout(5)
        notify("READY=1", {"NOTIFY_SOCKET": "@thingtank-tests-notify"})
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "/nowhere/notify", "@nobody-listens"])
def test_nobody_who_asks_is_no_error(address: str) -> None:
    notify("READY=1", {"NOTIFY_SOCKET": address})
