"""The process that sends, as the server sees it: begun when a rule needs it, and again if it ends.

What sending takes is Python's work for the most part (boto3 puts each call together anew, a window
looks at each item), and threads of one process do that in turn: devices that wait for an answer
would wait for it too. So windows and engines are in another process with a lower priority
(`host.py`), and what is left here is to hand bytes over and to await replies.
"""

import asyncio
import contextlib
import itertools
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import structlog

from thingtank.server.sinks.sending import told_batches
from thingtank.server.sinks.sending.calls import (
    BUFFER_BYTES,
    NO_NUMBER,
    Call,
    FrameTooLarge,
    Reply,
    Setup,
    Tell,
    decode_reply,
    frame_of,
    next_frame,
)
from thingtank.sinks.engine import EngineFailed
from thingtank.stores.numbered_run import NumberedRun
from thingtank.tank.failures import FailureKind

log = structlog.get_logger()

CALL_S_MAX = 180.0  # an engine ends its calls in about a minute; this is for one that hangs
END_S_MAX = 2.0
ENDED = "ended"  # the code of failures that are of the process, and not of a service
HOST = "thingtank.server.sinks.sending.host"


class SendingFault(Exception):
    """A fault of ours in the other process; the message is its traceback."""


class Started(NamedTuple):
    """A process that was started.

    Attributes:
        end: of the socket to it.
        pid: its number.
        stop: blocks until it has ended, for END_S_MAX and a moment at most; its socket is shut.
            Returns how it ended: an exit code, or the negative number of a signal.
    """

    end: socket.socket
    pid: int
    stop: Callable[[], int]


def start_process() -> Started:
    """Start one; blocks for a few milliseconds. In a thread that lives as long as the server."""
    end, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-P", "-m", HOST, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__,  # if anything is printed there, it is for the log
            pass_fds=[theirs.fileno()],
            # Not a session of its own: Linux shares processors out by sessions where nothing else
            # says how (autogroups), and priorities mean something within one only.
            process_group=0,
        )

    def stop() -> int:
        try:
            return process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    return Started(end, process.pid, stop)


class Link:
    """A process that runs, or has ended. Lives in the loop's thread.

    Attributes:
        has_ended: whether calls can only fail.
    """

    def __init__(
        self, started: Started, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._started = started
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Reply]] = {}
        self._told = NumberedRun[None](told_batches.KEPT_BYTES_MAX)
        self._unsent = b""  # goes with the next call, in one write
        self._reading = asyncio.get_running_loop().create_task(self._read(), name="sending-replies")
        self.has_ended = False

    @classmethod
    async def open(cls, setup: Setup, start: Callable[[], Started]) -> "Link":
        """Start a process. Raise EngineFailed."""
        try:
            # In this thread: the kernel kills a child when the thread that began it ends.
            started = start()
        except OSError as error:
            raise EngineFailed.of(
                FailureKind.UNKNOWN,
                f"The process that sends cannot be started: {error}",
                "It is tried again.",
                ENDED,
            ) from error
        reader, writer = await asyncio.open_unix_connection(sock=started.end, limit=BUFFER_BYTES)
        writer.write(frame_of(setup))
        log.info("sending_process_started", pid=started.pid)
        return cls(started, reader, writer)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._started.pid

    def next_number(self) -> int:
        """For the next call."""
        return next(self._numbers)

    def tell(self, first_seq: int, blobs: Sequence[bytes]) -> bool:
        """Have batches there for the next call; whether they are.

        Args:
            first_seq: of these, which follow each other and come straight from their commits.
        """
        told, new = self._told, blobs[max(0, self._told.next_number - first_seq) :]
        if first_seq < told.next_number and first_seq not in told:
            return False  # let go already: who is so late is alone with them
        if any(len(blob) > told_batches.BLOB_BYTES_MAX for blob in new):
            return False
        if new:
            new_seq = first_seq + len(blobs) - len(new)
            self._unsent += frame_of(Tell(NO_NUMBER, new_seq, new))
            for seq, blob in enumerate(new, new_seq):
                told.add(seq, None, told_batches.told_bytes(blob))
        return first_seq in told

    async def call(self, call: Call) -> Reply:
        """Have a call done. One that is not awaited to its end is done all the same.

        Raises:
            EngineFailed: of the service; or the process has ended, or the call hangs.
            SendingFault.
        """
        if self.has_ended:
            raise ended()
        try:
            frame = frame_of(call)
        except FrameTooLarge as error:
            kind, advice = FailureKind.REFUSED, "What is written at once has to be less."
            raise EngineFailed.of(kind, str(error), advice, "too large") from error
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._replies[call.number] = future
        # Who waits has one call under way, so what is not written yet is bounded by that, and by
        # what such a call is about.
        self._writer.write(self._unsent + frame)
        self._unsent = b""
        try:
            async with asyncio.timeout(CALL_S_MAX):
                reply = await future
        except TimeoutError:
            log.warning("sending_process_hangs", pid=self.pid, call_s=CALL_S_MAX)
            await self.end()  # what hangs may still be sent, and must not be after what comes next
            raise ended() from None
        finally:
            self._replies.pop(call.number, None)
        if reply.failure is not None:
            raise EngineFailed(reply.failure)
        if reply.fault:
            raise SendingFault(reply.fault)
        return reply

    async def end(self) -> None:
        """End the process, and all calls with it."""
        if not self.has_ended:
            self.has_ended = True
            self._writer.transport.abort()  # not `close`: what hangs reads nothing of the rest
        await asyncio.wait([self._reading])  # who is cancelled here must not cancel that

    async def _read(self) -> None:
        is_expected = False
        try:
            with contextlib.suppress(OSError, EOFError, msgspec.MsgspecError):
                while not self.has_ended:
                    reply = decode_reply(await next_frame(self._reader))
                    future = self._replies.get(reply.number)
                    if future is not None and not future.done():
                        future.set_result(reply)
            is_expected = self.has_ended
        finally:
            self.has_ended = True
            self._writer.transport.abort()
            # Before anybody is told: nothing may be sent by it when the next one has begun.
            code = await asyncio.to_thread(self._started.stop)
            if not is_expected:
                log.warning("sending_process_ended", pid=self.pid, exit_code=code)
            for future in self._replies.values():
                if not future.done():
                    future.set_exception(ended())


class SendingProcess:
    """The process of one server's rules. Lives in the loop's thread."""

    def __init__(self, setup: Setup, start: Callable[[], Started] = start_process) -> None:
        """Make it; nothing runs yet."""
        self._setup = setup
        self._start = start
        self._opening: asyncio.Task[Link] | None = None
        self._is_stopped = False
        self._rules = itertools.count(1)

    def next_rule(self) -> int:
        """A number for a rule."""
        return next(self._rules)

    async def link(self) -> Link:
        """The process, which is started if there is none. Raise EngineFailed."""
        opening = self._opening
        if opening is None or (opening.done() and _has_failed(opening)):
            if self._is_stopped:
                raise ended()
            opening = asyncio.get_running_loop().create_task(self._open_after(opening))
            self._opening = opening
        return await asyncio.shield(opening)  # who is cancelled here leaves it to the others

    async def _open_after(self, last: asyncio.Task[Link] | None) -> Link:
        """Start a process when the last one sends no more: it may hang, and be on its way out."""
        if last is not None and last.exception() is None:
            await last.result().end()
        return await Link.open(self._setup, self._start)

    async def stop(self) -> None:
        """End it; what is under way is broken off."""
        self._is_stopped = True
        if self._opening is not None:
            with contextlib.suppress(EngineFailed):
                await (await asyncio.shield(self._opening)).end()


def _has_failed(opening: asyncio.Task[Link]) -> bool:
    """Whether there is no process of it, or none any more."""
    return opening.exception() is not None or opening.result().has_ended


def ended() -> EngineFailed:
    """What calls say of a process that has ended."""
    return EngineFailed.of(
        FailureKind.UNKNOWN,
        "The process that sends has ended",
        "Another one is begun; the log says how it ended.",
        ENDED,
    )
