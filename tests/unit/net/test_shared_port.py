"""The port of several protocols: connections that do not go on are counted, Unix sockets owned."""

import asyncio
import errno
from pathlib import Path

import pytest

from thingtank.net.shared_port import SharedPort
from thingtank.net.websocket import WebSocketPeer, WebSocketRoute, WebSockets

WAIT_S_MAX = 10.0


class Silent:
    """Says nothing."""

    def __init__(self, peer: WebSocketPeer, protocol: str) -> None: ...

    def receive_message(self, message: bytes, is_text: bool) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def end(self) -> None: ...


def port(silent_max: int = 10, connections_max: int = 10) -> SharedPort:
    route = WebSocketRoute(Silent, connections_max, 1000)
    return SharedPort(WebSockets({"/": route}), {}, silent_max)


async def connections(port: SharedPort, count: int, data: bytes) -> list[asyncio.StreamReader]:
    readers = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
        writer.write(data)
        readers.append(reader)
        opened.append(writer)
    return readers


opened: list[asyncio.StreamWriter] = []


async def close_all() -> None:
    for writer in opened:
        writer.close()
    opened.clear()
    await asyncio.sleep(0.05)


async def count_refused(readers: list[asyncio.StreamReader]) -> int:
    """How many the server has ended by now."""
    refused = 0
    for reader in readers:
        try:
            async with asyncio.timeout(0.2):
                assert await reader.read(1) == b""
                refused += 1
        except ConnectionResetError:
            refused += 1
        except TimeoutError:
            pass
    return refused


@pytest.mark.parametrize(
    ("data", "what"), [(b"", "silent"), (b"G", "in the midst of a request for a WebSocket")]
)
async def test_connections_that_do_not_go_on_are_counted(data: bytes, what: str) -> None:
    server = port(silent_max=3, connections_max=3)
    await server.start("127.0.0.1", 0)
    assert await count_refused(await connections(server, 5, data)) == 2, what
    await close_all()
    assert await count_refused(await connections(server, 3, data)) == 0
    await close_all()
    await server.stop()


async def test_a_unix_socket_that_is_in_use_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "tank.sock"
    first, second = port(), port()
    await first.start_unix(path)
    with pytest.raises(OSError, match="another server listens there") as refused:
        await second.start_unix(path)
    assert refused.value.errno == errno.EADDRINUSE
    await second.stop()
    assert path.is_socket()
    await first.stop()
    assert not path.exists()


async def test_a_unix_socket_that_a_killed_server_left_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "tank.sock"
    first, second = port(), port()
    await first.start_unix(path)
    path.rename(tmp_path / "kept")
    await first.stop()  # it is gone from its place
    (tmp_path / "kept").rename(path)
    await second.start_unix(path)
    await first.stop()
    assert path.is_socket()
    await second.stop()
    assert not path.exists()


async def test_a_file_at_the_place_of_a_unix_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="is no socket"):
        await port().start_unix(path)
    assert path.read_text() == "mine"
