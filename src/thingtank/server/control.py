"""The control socket: the command line's way into a running server.

`control.sock` in the data folder, for the server's own user only. One connection is one command:
lines of JSON, each a request `{"operation", "parameters"}`, each answered by a line with `result`
or `error`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from thingtank.server.control_path import NAME, socket_path
from thingtank.server.operations.shapes import Refused

log = structlog.get_logger()

# Takes a name and parameters as plain values; answers with plain values, or raises Refused.
RunOperation = Callable[[str, dict[str, Any]], Awaitable[Any]]

LINE_BYTES_MAX = 32 * 1024 * 1024  # an import's batch of long texts
CONNECTIONS_MAX = 16
IDLE_S_MAX = 60.0


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a client."""

    operation: str
    parameters: dict[str, Any] = {}


class ControlSocket:
    """Listens from `start` to `stop`; whoever holds the folder's lock may have it."""

    def __init__(self, folder: Path, run_operation: RunOperation) -> None:
        self._folder = folder
        self._run_operation = run_operation
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open the socket, over what a killed server may have left."""
        (self._folder / NAME).unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            with socket_path(self._folder) as path:
                self._server = await asyncio.start_unix_server(
                    self._accept, path, limit=LINE_BYTES_MAX
                )
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Close the socket; commands under way are broken off."""
        assert self._server is not None, "stop follows start"
        self._server.close()
        (self._folder / NAME).unlink(missing_ok=True)
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs this as a task"
        self._serving.add(task)
        try:
            if len(self._serving) > CONNECTIONS_MAX:
                await _send(writer, {"error": "too many commands run at once; try again"})
                return
            await self._serve(reader, writer)
        except (ConnectionError, TimeoutError):
            pass  # the command went away
        finally:
            self._serving.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_S_MAX):
                    line = await reader.readline()
            except ValueError:
                await _send(writer, {"error": f"a line may have {LINE_BYTES_MAX} bytes"})
                return
            if not line.endswith(b"\n"):
                return
            await _send(writer, await self._answer(line))

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = msgspec.json.decode(line, type=Request)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return {"error": f"not a request: {error}"}
        try:
            return {"result": await self._run_operation(request.operation, request.parameters)}
        except Refused as error:
            return {"error": str(error)}
        except Exception:
            # The edge of the server: a bug in one command must not leave its caller guessing.
            log.exception("control_operation_broke", operation=request.operation)
            return {"error": f"{request.operation} failed in the server; its log says how"}


async def _send(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(msgspec.json.encode(answer) + b"\n")
    async with asyncio.timeout(IDLE_S_MAX):
        await writer.drain()
