"""Meshblu's own WebSocket, without socket.io: frames of `[type, data]` at `/ws/v2`."""

from thingtank.doors.skynet.sockets.door import SkynetSockets
from thingtank.net.websocket import WebSocketRoute


def raw_websocket_route(sockets: SkynetSockets) -> dict[str, WebSocketRoute]:
    """By path."""
    return {}
