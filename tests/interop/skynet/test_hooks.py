"""Hooks and forwards of a running server, whose settings let webhooks reach nothing in here."""

from typing import Any

import requests
from tests.interop.skynet.conftest import Register
from tests.live_server import LiveServer
from tests.waiting import WAIT_S_MAX, wait_until

from thingtank.client.skynet import SkynetClient


def deliveries_of(server: LiveServer, count: int) -> list[Any]:
    """So many, settled, newest first."""

    def listed() -> list[Any]:
        found = server.command("delivery", "list")["deliveries"]
        assert isinstance(found, list)
        return found

    def settled() -> list[Any]:
        found = listed()
        is_so = len(found) >= count and all(row["state"] != "waiting" for row in found)
        return found if is_so else []

    return wait_until(settled, listed)


def test_messages_are_sent_on_as_the_device_says(
    skynet_server: LiveServer, url: str, register: Register
) -> None:
    with SkynetClient(url) as panel:
        hooks = {"messageHooks": [{"url": "http://127.0.0.1:9/"}], "messageForward": [panel.uuid]}
        lamp = register(name="hooked lamp", meshblu=hooks)
        panel.send(lamp["uuid"], {"color": "red"})
        message = panel.next_message(WAIT_S_MAX)
        assert message is not None
        assert (message.payload, message.from_uuid) == ({"color": "red"}, lamp["uuid"])
        assert message.others["forwardedFor"] == [lamp["uuid"]]
    forward, hook = sorted(deliveries_of(skynet_server, 2), key=lambda row: row["channel"])
    assert (forward["channel"], forward["state"]) == ("forward", "delivered")
    assert (hook["channel"], hook["state"]) == ("hook", "dead")
    assert "loopback" in hook["error"]
    pem = requests.get(f"{url}/publickey", timeout=10).json()["publicKey"]
    assert pem.startswith("-----BEGIN PUBLIC KEY-----")
