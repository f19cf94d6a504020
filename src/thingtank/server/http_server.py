"""The HTTP server that the web port runs on, within the tank's own event loop (ADR 5)."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence

import uvicorn

from thingtank.net.adoption import Adopt
from thingtank.net.bounded_http import HttpLimits
from thingtank.net.direct_http import DirectRoute, direct_http
from thingtank.server.app import AsgiApp
from thingtank.server.trusted_proxies import TrustedProxies

STOP_S_MAX = 2
DATE_S = 1.0  # between two looks at the clock


class HttpServer:
    """One listening port."""

    def __init__(
        self,
        app: AsgiApp,
        direct: DirectRoute,
        host: str,
        port: int,
        limits: HttpLimits,
        trusted_proxies: Sequence[str] = (),
        upgrades: Mapping[bytes, Adopt] | None = None,
    ) -> None:
        """Bind the port; who connects waits until `start`.

        Args:
            upgrades: who takes over connections that ask for a WebSocket at a path; looked at
                for each, so they may come later.

        Raises:
            OSError, UnicodeError: the port is taken, or the host is none of this machine.
        """
        if trusted_proxies:
            app = TrustedProxies(app, trusted_proxies)
            direct = direct._replace(skips_forwarded=True)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                http=direct_http(limits, direct, upgrades),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=True,
                proxy_headers=False,  # uvicorn would not tell who has connected
                timeout_keep_alive=limits.silence_s_max,
                timeout_graceful_shutdown=STOP_S_MAX,
                limit_concurrency=limits.connections_max,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    @property
    def connection_count(self) -> int:
        """Connections that are open, but for those that became WebSockets."""
        return len(self._server.server_state.connections)

    async def start(self) -> None:
        """Begin to accept connections."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Finish what is under way, for a short while, then close."""
        self._server.leave()
        if self._serving is not None:
            await self._serving

    def close(self) -> None:
        """Give the port back, also where `start` was never called."""
        self._socket.close()


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers and its ten looks a second: the process is the tank's."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """End its loop."""
        self.should_exit = True
        self._leaving.set()

    async def main_loop(self) -> None:
        """Keep the date of answers, once a second, until it is to leave."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), DATE_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield
