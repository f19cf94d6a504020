"""The program of the process that sends: `python -m thingtank.server.sinks.sending.host FD`.

A thread for each rule, as engines block. It ends with its server, at once and however that ended:
nothing may be sent by it when the next server has begun.
"""

import contextlib
import ctypes
import gc
import os
import queue
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from msgspec.structs import replace

from thingtank.aws.clients import AwsClients
from thingtank.server.sinks.selection import Stream
from thingtank.server.sinks.sending import told_batches
from thingtank.server.sinks.sending.calls import (
    NOTHING_TOLD,
    BatchContent,
    Begin,
    Call,
    Close,
    HeldBlob,
    Keep,
    More,
    Open,
    RefusedItem,
    Reply,
    Setup,
    Stepped,
    TakeStep,
    Tell,
    WhatIsKept,
    WindowName,
    WindowState,
    decode_call,
    decode_setup,
    frame_of,
    number_of,
    read_frame,
    stream_of,
)
from thingtank.server.sinks.sending.item_maker import ItemMakers
from thingtank.server.sinks.sending.items import ItemSource, row_of
from thingtank.sinks.engine import EngineParts, decode_item, encode_item
from thingtank.sinks.engines import make_engine
from thingtank.sinks.rules.steps import Entry, Step, failure_of
from thingtank.sinks.rules.window import Window
from thingtank.stores.numbered_run import NumberedRun
from thingtank.stores.processor_slices import ask_for_long_slices
from thingtank.tank.failures import Failure, FailureKind

_PR_SET_PDEATHSIG = 1  # prctl(2)
NICENESS = 10  # what devices are waiting for comes first
REPLACED = Failure(
    FailureKind.MISSING,
    "replaced",
    "The program was replaced while the server runs",
    "Start the server again.",
)


class KeptChanges:
    """Says what of a window is to be written down, and of that only what it has not said before."""

    def __init__(self, ids: Iterable[str]) -> None:
        """Make it; items of these ids are written down."""
        self._ids = set(ids)

    def of(self, window: Window, call: Keep) -> WhatIsKept:
        """What a call asks for."""
        seq, row = -1, 0
        entries: Sequence[Entry]
        if call.is_asked_only:
            entries = window.kept()
        else:
            seq, entries, rest = window.keep(is_last=call.is_last)
            row = 0 if rest is None else row_of(rest)
        said_ids = set[str]() if call.is_whole else self._ids
        added = [
            HeldBlob(place, item.item_id, encode_item(item))
            for place, item in entries
            if item.item_id not in said_ids
        ]
        ids = {item.item_id for _, item in entries}
        gone_ids = [item_id for item_id in said_ids if item_id not in ids]
        self._ids = ids
        return WhatIsKept(seq, row, added, gone_ids, len(window.unrecorded))


class HostedRule:
    """A rule's engine, windows, and what is known of its datastreams.

    Its own thread does all of it but `keep`, which another does meanwhile.
    """

    def __init__(self, begin: Begin, parts: EngineParts, makers: ItemMakers) -> None:
        self.engine = make_engine(begin.to, parts._replace(kind=begin.kind))
        self._kind = begin.kind
        self._retry_s_max = begin.retry_s_max
        template = begin.template if self.engine.wants_payload else None
        self._maker = makers.maker(begin.origin, begin.wants, template)
        self._streams: dict[int, Stream] = {}
        self._lock = threading.Lock()  # not held while a call to the service is under way
        self._is_closed = self._was_open = False
        held = [(seq, decode_item(item)) for seq, item in begin.held]
        self._fresh = Window(self.engine, begin.retry_s_max, begin.from_seq, held)
        self._letters = Window(self.engine, begin.retry_s_max)
        self._changes = KeptChanges(item.item_id for _, item in held)

    def open(self) -> None:
        """Connect."""
        self.engine.open()
        if not self._was_open:
            self._was_open = True
            # What boto3 has loaded stays: the collector need not look at it again and again.
            gc.collect()
            gc.freeze()

    def step(self, call: TakeStep) -> Stepped:
        """Take what there is, and send once. What raises leaves it half taken."""
        with self._lock:
            window, taken, fault = self._prepared(call), Step(is_sent=False), ""
        if not self._is_closed:
            try:
                taken = window.step()
            except Exception:  # noqa: BLE001 - told, and logged by the other side
                fault = traceback.format_exc()
        return Stepped(
            WindowState(
                window.has_fresh,
                window.is_empty,
                window.can_send_fresh,
                window.due_s,
                window.through_seq,
            ),
            taken,
            [
                RefusedItem(item.item_id, encode_item(item), reason)
                for item, reason in window.unrecorded
            ],
            self._waiting_ids(call.window),
            fault,
        )

    def keep(self, call: Keep) -> WhatIsKept:
        """Say what is to be written down."""
        with self._lock:
            self._is_closed = self._is_closed or call.is_last
            window = self._window(call.window)
            window.recorded(call.recorded_count)
            kept = self._changes.of(window, call)
            return replace(kept, waiting_ids=self._waiting_ids(call.window))

    def _prepared(self, call: TakeStep) -> Window:
        """The window that is meant, with all that the call brings."""
        if call.is_anew:
            self._letters = Window(self.engine, self._retry_s_max)
        window = self._window(call.window)
        if self._is_closed:  # the call was overtaken by the last one
            return window
        window.recorded(call.recorded_count)
        if call.more is not None:
            self._add(call.more)
        if call.held:
            window.hold([(0, decode_item(item)) for item in call.held])
        if call.is_forgiven:
            window.forgive()
        return window

    def _window(self, name: WindowName) -> Window:
        return self._fresh if name == "fresh" else self._letters

    def _waiting_ids(self, name: WindowName) -> Sequence[str]:
        return list(self._letters.waiting_ids()) if name == "letters" else ()

    def _add(self, more: More) -> None:
        for stream_id, stream in more.streams:
            if stream is None:
                self._streams.pop(stream_id, None)
            else:
                self._streams[stream_id] = stream
        source = ItemSource(more, self._kind, self._streams, self._maker)
        self._fresh.add(source, more.last_seq)


class Host:
    """Has calls done, and answers."""

    def __init__(self, end: socket.socket, setup: Setup) -> None:
        self._end = end
        self._writing = threading.Lock()
        clients = AwsClients(setup.aws, setup.attempts_max, setup.read_s_max)
        self._parts = EngineParts(lambda: clients, Path(setup.folder), setup.database)
        self._makers = ItemMakers()
        self._told = NumberedRun[bytes](told_batches.KEPT_BYTES_MAX)  # of the reading thread
        self._rules: dict[int, HostedRule] = {}  # a rule's own thread changes only its own
        self._threads: dict[int, _CallThread] = {}
        self._aside = _CallThread("aside", self._do)
        self._is_same = setup.version == version("thingtank")

    def take(self, frame: bytes) -> None:
        """Have a call done."""
        if not self._is_same:
            self._answer(Reply(number_of(frame), failure=REPLACED))
            return
        call = decode_call(frame)
        if isinstance(call, Tell):
            for seq, blob in enumerate(call.blobs, call.first_seq):
                self._told.add(seq, blob, told_batches.told_bytes(blob))
            return
        if isinstance(call, TakeStep) and call.more is not None:
            call = replace(call, more=self._whole(call.more))
        if isinstance(call, Keep):
            self._aside.calls.put(call)
            return
        thread = self._threads.get(call.rule)
        if thread is None:
            thread = self._threads[call.rule] = _CallThread(f"rule-{call.rule}", self._do)
        thread.calls.put(call)
        if isinstance(call, Close):
            self._threads.pop(call.rule).calls.put(None)

    def _whole(self, more: More) -> More:
        """With the batches that it only names, which those that come next may put out.

        Raises:
            KeyError: the two sides differ, which is a fault of ours; this process ends by it, and
                all rules go back to their places.
        """
        first_seq, count = more.told
        told = [
            BatchContent(seq, self._told[seq], True) for seq in range(first_seq, first_seq + count)
        ]
        batches = [*more.batches, *told]
        return more._replace(batches=batches, told=NOTHING_TOLD)

    def end(self) -> None:
        """Let all threads end with what they are at."""
        for thread in (self._aside, *self._threads.values()):
            thread.calls.put(None)

    def _do(self, call: Call) -> None:
        try:
            reply = Reply(call.number, self._result(call))
        except Exception as error:  # noqa: BLE001 - told, and raised by the other side
            failure = failure_of(error)
            fault = "" if failure is not None else traceback.format_exc()
            reply = Reply(call.number, failure=failure, fault=fault)
        self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        try:
            frame = frame_of(reply)
        except Exception:  # noqa: BLE001 - told, and raised by the other side
            frame = frame_of(Reply(reply.number, fault=traceback.format_exc()))
        try:
            with self._writing:
                self._end.sendall(frame)
        except OSError:
            pass  # the server is gone; so is this process soon

    def _result(self, call: Call) -> Stepped | WhatIsKept | None:
        match call:
            case Begin():
                self._close(call.rule)
                self._rules[call.rule] = HostedRule(call, self._parts, self._makers)
            case Open():
                self._rules[call.rule].open()
            case TakeStep():
                return self._rules[call.rule].step(call)
            case Keep():
                return self._rules[call.rule].keep(call)
            case Close():
                self._close(call.rule)
        return None

    def _close(self, number: int) -> None:
        if (rule := self._rules.pop(number, None)) is not None:
            rule.engine.close()


class _CallThread:
    """Does one call after another, until it is given None."""

    def __init__(self, name: str, do: Callable[[Call], None]) -> None:
        self.calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._do = do
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while (call := self.calls.get()) is not None:
            self._do(call)


def serve(end: socket.socket) -> None:
    """Serve until the other end is gone."""
    host: Host | None = None
    try:
        with stream_of(end) as stream:
            if (first := read_frame(stream)) is not None:
                host = Host(end, decode_setup(first))
                while (frame := read_frame(stream)) is not None:
                    host.take(frame)
    except OSError:
        pass  # killed, or what comes is no frame
    finally:
        if host is not None:
            host.end()


def _die_with_server() -> None:
    """Have the kernel kill this process when its server is gone.

    One that is at work ends by itself; one that is stopped, or hangs, would keep what it has
    locked from the next server. Only Linux has it.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Be the process of a server."""
    _die_with_server()
    # Ctrl-C and a stop by systemd reach all processes; the server's own stop needs this one. And a
    # terminal stops who reads from it in the background (boto3 may ask for a code), or writes.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    ask_for_long_slices()
    serve(socket.socket(fileno=int(sys.argv[1])))
    os._exit(0)  # calls that are under way with it


if __name__ == "__main__":
    main()
