"""`python -m tests.conformance.websocket.echo_server`: our listener with a route that echoes.

It prints its port, and ends when its standard input does.
"""

import asyncio
import sys

import uvloop

from thingtank.net import websocket
from thingtank.net.shared_port import SharedPort
from thingtank.net.websocket import WebSocketPeer, WebSocketRoute, WebSockets

MESSAGE_BYTES_MAX = 32 * 2**20  # the suite's longest are 16 MiB
CONNECTIONS_MAX = 100


class Echo:
    """Sends back what comes, as what it came."""

    def __init__(self, peer: WebSocketPeer, protocol: str) -> None:
        self._peer = peer

    def receive_message(self, message: bytes, is_text: bool) -> None:
        if is_text:
            self._peer.send(message)
        else:
            self._peer.send_binary(message)

    def resume_writing(self) -> None:
        pass

    def end(self) -> None:
        pass


async def main() -> None:
    """Serve until the parent goes."""
    # kosoku takes no uncompressed answer in groups 12 and 13, though RFC 7692 allows it (6.1).
    websocket.COMPRESSED_BYTES_MIN = 0
    websockets = WebSockets({"/echo": WebSocketRoute(Echo, CONNECTIONS_MAX, MESSAGE_BYTES_MAX)})
    port = SharedPort(websockets, {}, CONNECTIONS_MAX)
    await port.start("127.0.0.1", 0)
    print(port.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    websockets.close_all()
    await port.stop()


if __name__ == "__main__":
    uvloop.run(main())
