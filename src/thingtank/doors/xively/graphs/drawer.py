"""Has graphs drawn by a process of its own, so that drawing never holds up the event loop.

The process starts with the first question and ends when nobody has asked for a while: an idle
server pays nothing for graphs. One graph is drawn at a time; a bounded number wait. A graph that
takes too long ends the process, and the next question starts a new one.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
from pathlib import Path

import msgspec
import structlog

from thingtank.doors.xively.graphs.question import GraphQuestion
from thingtank.doors.xively.graphs.worker import LENGTH, PICTURE
from thingtank.tank.errors import Overloaded, Unavailable

log = structlog.get_logger()

PICTURE_BYTES_MAX = 32 * 1024 * 1024  # 2000 by 2000 points of noise are 16 MB
_ROOT = Path(__file__).parents[4]  # where the package `thingtank` lies
_RETRY_AFTER_S = 5


class DrawingFailed(Unavailable):
    """The graph could not be drawn, or not in time."""


class Drawer:
    """One drawing process, when there is something to draw."""

    def __init__(
        self, *, waiting_max: int = 32, draw_s_max: float = 10.0, idle_s_max: float = 60.0
    ) -> None:
        """Nothing is started yet.

        Args:
            waiting_max: questions that may wait; more are refused.
            draw_s_max: from the question to the picture, waiting and the process's start included.
            idle_s_max: the process ends after this long without a question.
        """
        self._waiting_max = waiting_max
        self._draw_s_max = draw_s_max
        self._idle_s_max = idle_s_max
        self._encoder = msgspec.msgpack.Encoder()
        self._turn = asyncio.Lock()
        self._waiting_count = 0
        self._process: asyncio.subprocess.Process | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return None if self._process is None else self._process.pid

    async def draw(self, question: GraphQuestion) -> bytes:
        """A PNG picture.

        Raises:
            Overloaded: too many are waiting.
            DrawingFailed: it took too long, or the process failed.
        """
        if self._waiting_count >= self._waiting_max:
            raise Overloaded("too many graphs are being drawn", retry_after_s=_RETRY_AFTER_S)
        self._waiting_count += 1
        try:
            async with asyncio.timeout(self._draw_s_max), self._turn:
                return await self._drawn(question)
        except TimeoutError:
            raise DrawingFailed("the graph was not drawn in time", _RETRY_AFTER_S) from None
        finally:
            self._waiting_count -= 1

    async def _drawn(self, question: GraphQuestion) -> bytes:
        if self._is_closed:
            raise DrawingFailed("the server is stopping", _RETRY_AFTER_S)
        if self._idle is not None:
            self._idle.cancel()
        is_whole = False
        try:
            process = self._process or await self._start()
            answer = await self._asked(process, self._encoder.encode(question))
            is_whole = True
        except (OSError, EOFError, asyncio.IncompleteReadError) as error:
            log.warning("graph_process_ended", reason=type(error).__name__)
            raise DrawingFailed("the graph could not be drawn", _RETRY_AFTER_S) from error
        finally:
            if not is_whole:  # also when it is cancelled: half an answer may be on its way
                await self._end_current()
        self._idle = asyncio.get_running_loop().call_later(self._idle_s_max, self._end_idle)
        if answer[:1] != PICTURE:
            log.error("graph_failed", reason=answer[1:].decode("utf-8", "replace"))
            raise DrawingFailed("the graph could not be drawn", _RETRY_AFTER_S)
        return answer[1:]

    async def _asked(self, process: asyncio.subprocess.Process, question: bytes) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(LENGTH.pack(len(question)) + question)
        await process.stdin.drain()
        (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
        if not 0 < length <= PICTURE_BYTES_MAX:
            raise EOFError(f"an answer of {length} bytes")
        return await process.stdout.readexactly(length)

    async def _start(self) -> asyncio.subprocess.Process:
        if self._folder is None:  # for matplotlib's list of fonts
            self._folder = tempfile.TemporaryDirectory(prefix="thingtank-graphs-")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing is imported from where the server happens to stand
            "-m",
            "thingtank.doors.xively.graphs.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(self._folder.name),
        )
        self._process = process
        log.info("graph_process_started", pid=process.pid)
        return process

    def _end_idle(self) -> None:
        # Taken away at once, so that a question that comes now starts another one.
        process, self._process = self._process, None
        if process is not None:
            task = asyncio.get_running_loop().create_task(_end(process))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _end_current(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await _end(process)

    async def close(self) -> None:
        """End the process; who still waits is refused."""
        self._is_closed = True
        if self._idle is not None:
            self._idle.cancel()
        await self._end_current()
        if self._ending:
            await asyncio.wait(self._ending)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await asyncio.shield(process.wait())
    log.info("graph_process_stopped", pid=process.pid)


def _environment(folder: str) -> dict[str, str]:
    """Where Python finds things; nothing else of the server's, which may hold secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(paths),
        "MPLCONFIGDIR": folder,
        "OPENBLAS_NUM_THREADS": "1",  # each would reserve memory that nobody uses
    }
