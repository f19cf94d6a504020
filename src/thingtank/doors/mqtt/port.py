"""Where MQTT is spoken from the first octet: TCP, TLS and Unix sockets."""

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from thingtank.doors.mqtt.socket import MqttSocket
from thingtank.net.unix_socket import bind_unix, mark_of

if TYPE_CHECKING:
    from thingtank.doors.mqtt.door import MqttDoor

_BACKLOG = 1024


class MqttPort:
    """Listens.

    Attributes:
        port: the number; 0 for a path.
    """

    def __init__(self, door: "MqttDoor", tls: ssl.SSLContext | None = None) -> None:
        """Listen nowhere yet."""
        self._door = door
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._path_mark = (0, 0)
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; raises OSError when the port is taken."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: MqttSocket(self._door),
            host,
            port,
            ssl=self._tls,
            ssl_handshake_timeout=self._door.settings.connect_s_max if self._tls else None,
            backlog=_BACKLOG,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def start_unix(self, path: Path) -> None:
        """Listen on a Unix socket, which this user's processes may use; raises OSError."""
        listening = bind_unix(path)
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: MqttSocket(self._door), sock=listening, backlog=_BACKLOG
        )
        self._path, self._path_mark = path, mark_of(path)

    async def stop(self) -> None:
        """Listen no more. Connections go on."""
        if self._server is None:
            return
        self._server.close()
        if self._path is not None:
            with contextlib.suppress(FileNotFoundError):
                if mark_of(self._path) == self._path_mark:  # another server's is left alone
                    self._path.unlink()
