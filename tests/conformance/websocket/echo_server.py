"""`python -m tests.conformance.websocket.echo_server`: our listener with a route that echoes.

It prints its port, and ends when its standard input does.
"""

import asyncio
import sys

import uvloop

from thingtank.net.websocket import WebSocketPeer, WebSocketRoute, WebSocketServer

MESSAGE_BYTES_MAX = 32 * 2**20  # the suite's longest are 16 MiB


class Echo:
    """Sends back what comes, as what it came."""

    def __init__(self, peer: WebSocketPeer) -> None:
        self._peer = peer

    def receive_message(self, message: bytes) -> None:
        self._peer.send(message)

    def end(self) -> None:
        pass


async def main() -> None:
    """Serve until the parent goes."""
    server = WebSocketServer({"/echo": WebSocketRoute(Echo, 100, MESSAGE_BYTES_MAX)})
    await server.start("127.0.0.1", 0)
    print(server.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    uvloop.run(main())
