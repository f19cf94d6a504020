"""Small ASGI apps on each HTTP server that was considered, as `python -m tests.bench.http_apps`.

The process is shaped like ours: one loop that also runs other work, an app that waits for another
thread's group commit, and Python running in threads beside it.
"""

import argparse
import asyncio
import contextlib
import logging
import queue
import signal
import socket
import sqlite3
import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from thingtank.net.bounded_http import BoundedHttp

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SERVERS = ("uvicorn-bounded", "uvicorn-httptools", "uvicorn-h11", "granian")
APPS = ("bare", "bare-alone", "journal")
LOOPS = ("uvloop", "asyncio")
PAGE_EVERY_S = 0.05  # about what a few open workbench pages ask for
PAGE_STEPS = 20_000  # 1 to 2 ms of plain Python, as rendering a small template takes
COMMIT_REQUESTS_MAX = 1000


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def answer(send: Send) -> None:
    """An empty 200, as a write is answered."""
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, answer 200: the most that any app on this server can do."""
    if scope["type"] == "http":
        await read_body(receive)
        await answer(send)


class JournalApp:
    """Read the body, have a thread commit it with whatever else waits, answer 200."""

    def __init__(self, folder: Path) -> None:
        self._queue: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        self._path = folder / "journal.sqlite3"
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._commit_forever, daemon=True).start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await read_body(receive)
        done = self._loop.create_future()
        self._queue.put((body, done))
        await done
        await answer(send)

    def _commit_forever(self) -> None:
        journal = sqlite3.connect(self._path, isolation_level=None)
        journal.execute("PRAGMA journal_mode=WAL")
        journal.execute("PRAGMA synchronous=FULL")
        journal.execute("CREATE TABLE batches (number INTEGER PRIMARY KEY, body BLOB)")
        while True:
            batch = [self._queue.get()]
            with contextlib.suppress(queue.Empty):
                while len(batch) < COMMIT_REQUESTS_MAX:
                    batch.append(self._queue.get_nowait())
            body = b"".join(body for body, _ in batch)
            journal.execute("INSERT INTO batches (body) VALUES (?)", (body,))
            self._loop.call_soon_threadsafe(_resolve, [done for _, done in batch])


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


async def render_pages() -> None:
    """Keep a thread busy now and then, as Django's views do."""
    while True:
        await asyncio.sleep(PAGE_EVERY_S)
        await asyncio.to_thread(lambda: sum(step * step for step in range(PAGE_STEPS)))


async def serve(server: str, app_name: str, port: int, seconds_max: float) -> None:
    """Serve until SIGTERM or the time is up."""
    with tempfile.TemporaryDirectory() as folder:
        app: App = JournalApp(Path(folder)) if app_name == "journal" else bare
        pages = asyncio.create_task(
            asyncio.sleep(0) if app_name == "bare-alone" else render_pages()
        )
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        if server == "granian":
            await _serve_granian(app, port, stop, seconds_max)
        else:
            await _serve_uvicorn(app, port, stop, seconds_max, server.removeprefix("uvicorn-"))
        pages.cancel()


async def _serve_uvicorn(
    app: App, port: int, stop: asyncio.Event, seconds_max: float, parser: str
) -> None:
    config = uvicorn.Config(
        app,
        http=BoundedHttp if parser == "bounded" else parser,
        lifespan="off",
        access_log=False,
        log_level="error",
        ws="none",
    )
    listener = socket.create_server(("127.0.0.1", port), backlog=2048)
    server = uvicorn.Server(config)
    # uvicorn's own `serve` takes the signals; ours are for the whole process.
    running = asyncio.create_task(server._serve([listener]))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds_max)
    server.should_exit = True
    await running


async def _serve_granian(app: App, port: int, stop: asyncio.Event, seconds_max: float) -> None:
    from granian.constants import HTTPModes, Interfaces
    from granian.server.embed import Server

    logging.getLogger("_granian").setLevel(logging.ERROR)
    server = Server(
        app,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=2048,
        log_enabled=False,
    )
    running = asyncio.create_task(server.serve())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds_max)
    server.stop()  # type: ignore[no-untyped-call] # granian leaves it without annotations
    await running


def main() -> None:
    """Serve one app on one server, for a bench in another process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", choices=SERVERS, required=True)
    parser.add_argument("--loop", choices=LOOPS, default="uvloop")
    parser.add_argument("--app", choices=APPS, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds-max", type=float, default=600)
    asked = parser.parse_args()
    serving = serve(asked.server, asked.app, asked.port, asked.seconds_max)
    if asked.loop == "uvloop":
        uvloop.run(serving)
    else:
        asyncio.run(serving)


if __name__ == "__main__":
    main()
