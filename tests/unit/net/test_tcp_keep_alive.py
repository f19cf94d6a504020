"""The system is told to ask peers, and how often."""

import asyncio
import socket

from thingtank.net.tcp_keep_alive import watch_by_tcp


async def test_tcp_asks_after_so_long_and_for_about_as_long() -> None:
    server = await asyncio.start_server(lambda _, accepted: accepted.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    watch_by_tcp(writer.transport, 30.0)
    sock = writer.get_extra_info("socket")
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    asked = [
        sock.getsockopt(socket.IPPROTO_TCP, option)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    ]
    assert asked == [30, 10, 3]
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
    watch_by_tcp(writer.transport, 0.1)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 1
    writer.close()
    await writer.wait_closed()
    server.close()


async def test_what_is_no_tcp_is_left_alone() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    _, writer = await asyncio.open_connection(sock=ours)
    watch_by_tcp(writer.transport, 30.0)
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
    writer.close()
    await writer.wait_closed()
    theirs.close()
