"""Engines in a process of their own, beside the server's.

What engines do is Python's work for the most part (boto3 puts each call together anew), and threads
of one process do that in turn: devices that wait for an answer would wait for it too. So rules have
their engines here as `HostedEngine`, which waits without working, and the work is done by another
process with a lower priority (`engine_process_main.py`). Which begins with the first engine that
opens, and again with the next one that does when it has ended.
"""

import contextlib
import itertools
import queue
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

import msgspec

from thingtank.sinks.engine import (
    ALL_DELIVERED,
    EngineFailed,
    EngineParts,
    Item,
    Kind,
    SendResult,
    SinkEngine,
)
from thingtank.sinks.engine_calls import Call, Reply, Setup, frame_of, read_frame, stream_of
from thingtank.sinks.engines import make_engine
from thingtank.tank.failures import FailureKind

SEND_S_MAX = 30.0  # without anything being read at the other side
CALL_S_MAX = 180.0  # an engine's call ends within a minute; this is for one that hangs
END_S_MAX = 2.0
MAIN = "thingtank.sinks.engine_process_main"


class EngineFault(Exception):
    """A fault of ours in the other process; the message is its traceback."""


class _Link:
    """A process that runs, or has ended; for use by any thread."""

    def __init__(self, setup: Setup) -> None:
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._replies: dict[int, queue.SimpleQueue[Reply | None]] = {}
        self.has_ended = False
        self._end, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this program itself
                [sys.executable, "-P", "-m", MAIN, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__,  # if anything is printed there, it is for the log
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        seconds, fraction = divmod(SEND_S_MAX, 1)
        timeval = struct.pack("@ll", int(seconds), int(fraction * 1e6))
        self._end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
        self._end.sendall(frame_of(setup))
        threading.Thread(target=self._read, name="engine-replies", daemon=True).start()

    def call(self, make: Call) -> Reply:
        """Have a call done; `number` is set here.

        Raises:
            EngineFailed: the process has ended, or the call hangs.
        """
        number, slot = next(self._numbers), queue.SimpleQueue[Reply | None]()
        frame = frame_of(msgspec.structs.replace(make, number=number))
        with self._lock:
            if self.has_ended:
                raise _ended()
            self._replies[number] = slot
            is_sent = self._is_sent(frame)
        if not is_sent:  # what is half written makes no sense of what would follow
            self.end()
            raise _ended()
        try:
            reply = slot.get(timeout=CALL_S_MAX)
        except queue.Empty:
            self.end()  # what hangs may still be sent, and must not be after what comes next
            raise _ended() from None
        if reply is None:
            raise _ended()
        return reply

    def _is_sent(self, frame: bytes) -> bool:
        try:
            self._end.sendall(frame)
        except OSError:  # it is gone, or has read nothing for SEND_S_MAX
            return False
        return True

    def end(self) -> None:
        """End the process, and all calls with it."""
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        decoder = msgspec.msgpack.Decoder(Reply)
        with contextlib.suppress(OSError, msgspec.MsgspecError), stream_of(self._end) as stream:
            while (frame := read_frame(stream)) is not None:
                reply = decoder.decode(frame)
                with self._lock:
                    slot = self._replies.pop(reply.number, None)
                if slot is not None:
                    slot.put(reply)
        with self._lock:
            self.has_ended = True
            waiting = list(self._replies.values())
            self._replies.clear()
        self.end()
        for slot in waiting:
            slot.put(None)
        self._end.close()


class EngineProcess:
    """The process of one server's engines; any thread may use it."""

    def __init__(self, setup: Setup) -> None:
        """Make it; nothing runs yet."""
        self._setup = setup
        self._lock = threading.Lock()
        self._link: _Link | None = None
        self._engines = itertools.count(1)

    def make_engine(self, to: Mapping[str, object], parts: EngineParts) -> "HostedEngine":
        """An engine that is not open yet; see `engines.make_engine`."""
        local = make_engine(to, parts)
        return HostedEngine(self, next(self._engines), to, parts.kind, local)

    def link(self) -> _Link:
        """The process, which is begun if there is none."""
        with self._lock:
            if self._link is None or self._link.has_ended:
                self._link = _Link(self._setup)
            return self._link

    def stop(self) -> None:
        """End it; what is under way is broken off."""
        with self._lock:
            if self._link is not None:
                self._link.end()


class HostedEngine:
    """Implements `SinkEngine`: each method is done by an engine of the other process."""

    def __init__(
        self,
        process: EngineProcess,
        number: int,
        to: Mapping[str, object],
        kind: Kind,
        local: SinkEngine,
    ) -> None:
        """Make it; `local` is the same engine here, which is never opened."""
        self._process = process
        self._number = number
        self._to = dict(to)
        self._kind = kind
        self._local = local
        self._link: _Link | None = None
        self.bounds = local.bounds
        self.wants_payload = local.wants_payload
        self.gather_s = local.gather_s

    def open(self) -> None:
        """See SinkEngine; so are the others."""
        self._link = self._process.link()
        self._done(Call(0, self._number, "open", self._to, self._kind))

    def send(self, items: Sequence[Item]) -> SendResult:
        result = self._done(Call(0, self._number, "send", items=tuple(items)))
        return ALL_DELIVERED if result is None else result

    def close(self) -> None:
        if self._link is not None:
            with contextlib.suppress(EngineFailed, EngineFault):
                self._done(Call(0, self._number, "close"))
            self._link = None

    def describe(self) -> str:
        return self._local.describe()

    def _done(self, call: Call) -> SendResult | None:
        if self._link is None:
            raise _ended()
        reply = self._link.call(call)
        if reply.failure is not None:
            raise EngineFailed(reply.failure)
        if reply.fault:
            raise EngineFault(reply.fault)
        return reply.result


def _ended() -> EngineFailed:
    return EngineFailed.of(
        FailureKind.UNKNOWN, "The process that sends has ended", "Another one is begun.", "ended"
    )
