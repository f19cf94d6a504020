"""The program of the process that sends, in a thread: with engines that a test has in its hand."""

import os
import socket
import threading

from thingtank.server.sinks.sending.host import serve
from thingtank.server.sinks.sending.process import END_S_MAX, Started


def start_thread() -> Started:
    """Start one, in place of `start_process`."""
    end, theirs = socket.socketpair()

    def work() -> None:
        with theirs:
            serve(theirs)

    thread = threading.Thread(target=work, name="sending", daemon=True)
    thread.start()

    def stop() -> int:
        thread.join(END_S_MAX)
        return 0

    return Started(end, os.getpid(), stop)
