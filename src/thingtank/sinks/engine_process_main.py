"""The program of the process of engines: `python -m thingtank.sinks.engine_process_main FD`.

A thread for each engine, as each blocks. It ends with its server, at once and however that ended:
nothing may be sent by it when the next server has begun.
"""

import os
import queue
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path

import msgspec

from thingtank.aws.clients import AwsClients
from thingtank.sinks.engine import EngineParts, SendResult, SinkEngine
from thingtank.sinks.engine_calls import Call, Reply, Setup, frame_of, read_frame, stream_of
from thingtank.sinks.engines import make_engine
from thingtank.sinks.rules.steps import failure_of

NICENESS = 5  # what devices are waiting for comes first


class EngineHost:
    """Does what calls ask for, and answers."""

    def __init__(self, end: socket.socket, setup: Setup) -> None:
        self._end = end
        self._writing = threading.Lock()
        clients = AwsClients(setup.aws, setup.attempts_max, setup.read_s_max)
        self._parts = EngineParts(lambda: clients, Path(setup.folder), setup.database)
        self._calls: dict[int, queue.SimpleQueue[Call]] = {}

    def take(self, call: Call) -> None:
        """Have a call done by the thread of its engine."""
        calls = self._calls.get(call.engine)
        if calls is None:
            calls = self._calls[call.engine] = queue.SimpleQueue()
            name = f"engine-{call.engine}"
            threading.Thread(target=self._serve, args=(calls,), name=name, daemon=True).start()
        calls.put(call)
        if call.method == "close":
            del self._calls[call.engine]

    def _serve(self, calls: "queue.SimpleQueue[Call]") -> None:
        engine: SinkEngine | None = None
        while True:
            call = calls.get()
            try:
                if call.method == "open" and engine is None:
                    engine = make_engine(call.to, self._parts._replace(kind=call.kind))
                reply = Reply(call.number, result=_done(engine, call))
            except Exception as error:  # noqa: BLE001 - told, and raised by the other side
                failure = failure_of(error)
                fault = "" if failure is not None else traceback.format_exc()
                reply = Reply(call.number, failure=failure, fault=fault)
            frame = frame_of(reply)
            with self._writing:
                self._end.sendall(frame)
            if call.method == "close":
                return


def _done(engine: SinkEngine | None, call: Call) -> SendResult | None:
    if engine is None:
        return None  # closed and never opened
    if call.method == "send":
        return engine.send(call.items)
    if call.method == "open":
        engine.open()
    else:
        engine.close()
    return None


def main() -> None:
    """Serve until the other end is gone."""
    # Ctrl-C and a stop by systemd reach all processes; the server's own stop needs this one.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    end = socket.socket(fileno=int(sys.argv[1]))
    stream = stream_of(end)
    try:
        if (first := read_frame(stream)) is not None:
            host = EngineHost(end, msgspec.msgpack.decode(first, type=Setup))
            decoder = msgspec.msgpack.Decoder(Call)
            while (frame := read_frame(stream)) is not None:
                host.take(decoder.decode(frame))
    except ConnectionError:
        pass  # killed
    os._exit(0)  # calls that are under way with it


if __name__ == "__main__":
    main()
