"""A worker: a process that is given tasks one after another, as lines of JSON.

It leads a process group of its own, with the programs it starts; when whoever gives it tasks is
gone, it ends the whole group.
"""

import os
import queue
import signal
import sys
import threading

import msgspec

from thingtank.batch.tasks import Answer, Status, Task, do


def main() -> None:
    """Work until standard input ends."""
    tasks: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    decoder = msgspec.json.Decoder(Task)
    while True:
        task = decoder.decode(tasks.get())
        _say(do(task, lambda text: _say(Status(text))))


def _listen(tasks: "queue.Queue[bytes]") -> None:
    for line in sys.stdin.buffer:
        tasks.put(line)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


_turn = threading.Lock()


def _say(answer: Answer) -> None:
    with _turn:
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
