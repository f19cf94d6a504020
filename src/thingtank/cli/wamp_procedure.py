"""A procedure whose calls are answered by a command: arguments in as JSON, the result out."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Any

from thingtank.cli.wamp_client import plain

OUTPUT_BYTES_MAX = 1_000_000
FAILED = "tank.error.command_failed"


class CommandProcedure:
    """Runs a command for each call.

    It reads one JSON object of `procedure`, `args` and `kwargs`; what it prints is the result, as
    JSON where it is some, else as text. Its errors go where this process's own do.
    """

    def __init__(self, command: Sequence[str], seconds_max: float, concurrency: int) -> None:
        """Take a command as a program and its arguments; no shell looks at them."""
        self._command = tuple(command)
        self._seconds_max = seconds_max
        self._running = asyncio.Semaphore(concurrency)

    async def __call__(self, *args: Any, details: Any, **kwargs: Any) -> Any:
        """Answer one call; a canceled one ends the command."""
        asked = {"procedure": details.procedure, "args": plain(args), "kwargs": plain(kwargs)}
        async with self._running:
            return await self._run(json.dumps(asked).encode() + b"\n")

    async def _run(self, asked: bytes) -> Any:
        from autobahn.wamp.exception import ApplicationError

        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
        except OSError as error:
            raise ApplicationError(FAILED, f"it cannot be started: {error.strerror}") from None
        try:
            async with asyncio.timeout(self._seconds_max):
                printed = await _converse(process, asked)
                code = await process.wait()
        except TimeoutError:
            raise ApplicationError(
                "wamp.error.timeout", f"it took more than {self._seconds_max:g} s"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if len(printed) > OUTPUT_BYTES_MAX:
            raise ApplicationError(FAILED, f"it printed more than {OUTPUT_BYTES_MAX:,} bytes")
        if code:
            raise ApplicationError(FAILED, f"it ended with {code}")
        return _result_of(printed)


async def _converse(process: asyncio.subprocess.Process, asked: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(ConnectionError):  # a command need not read
        process.stdin.write(asked)
        await process.stdin.drain()
    process.stdin.close()
    printed = b""
    while len(printed) <= OUTPUT_BYTES_MAX and (more := await process.stdout.read(65_536)):
        printed += more
    if len(printed) > OUTPUT_BYTES_MAX:
        process.kill()
    return printed


def _result_of(printed: bytes) -> Any:
    try:
        return json.loads(printed)
    except ValueError:  # no JSON, or no UTF-8
        text = printed.decode(errors="replace").rstrip("\n")
        return text or None
