"""Tells the workbench where the SkyNet door is."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.server.config import Config
from thingtank.server.listening import is_reached_by_any_name
from thingtank.web.workbench import skynet_address
from thingtank.web.workbench.skynet_address import SkynetAddress


def open_skynet_workbench(
    config: Config, door: SkynetDoor, sockets: Mapping[str, str], stack: AsyncExitStack
) -> None:
    """Give the pages the door's address, until `stack` takes it away.

    Args:
        sockets: addresses of the socket doors by name.
    """
    url = sockets.get("skynet")
    if url is None:
        return
    is_everywhere = is_reached_by_any_name(config)
    skynet_address.attach(SkynetAddress(url, is_everywhere, is_open=door.is_open))
    stack.callback(skynet_address.attach, None)
