"""A client for device messaging as SkyNet and Meshblu have it, on socket.io.

    from thingtank.client.skynet import SkynetClient

    with SkynetClient("http://127.0.0.1:3000") as me:  # registers a device
        me.send(me.uuid, {"color": "red"})
        print(me.next_message(timeout_s=5))

`AsyncSkynetClient` has the same names for asyncio programs. They need the extra `thingtank[skynet]`
and load nothing of the server.
"""

try:
    import socketio as _socketio  # noqa: F401 - here, so that its absence is told in clear words
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "thingtank.client.skynet needs more packages: pip install 'thingtank[skynet]'"
    ) from error

from thingtank.client.skynet.async_client import AsyncSkynetClient
from thingtank.client.skynet.client import SkynetClient
from thingtank.client.skynet.models import DataRecord, Identity, Message, Receipt

__all__ = [
    "AsyncSkynetClient",
    "DataRecord",
    "Identity",
    "Message",
    "Receipt",
    "SkynetClient",
]
