"""The drawing process: questions on standard input, pictures on standard output, one by one.

Run by `drawer.py`. It ends when its input does, so it does not outlive a server that was killed.

A message is four bytes of length, big-endian, and the body. A question is MessagePack; an answer is
one byte, 1 for a picture and 0 for the text of an error, and the rest.
"""

import contextlib
import os
import struct
import sys
from typing import BinaryIO

import msgspec

from thingtank.doors.xively.graphs.question import GraphQuestion

LENGTH = struct.Struct("!I")
PICTURE, ERROR = b"\x01", b"\x00"
# Of the largest picture some 150 MB are needed; more is a fault, and must not be the server's.
MEMORY_BYTES_MAX = 2 << 30
_NICE = 10  # devices' writes come first


def main() -> None:
    """Draw until there is nobody to ask."""
    # Ctrl-C at a terminal is the server's. Not a session of its own: its niceness, which counts
    # within one, would mean nothing beside the server.
    os.setpgid(0, 0)
    _be_modest()
    # What a library prints must not stand between answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    from thingtank.doors.xively.graphs.drawing import render_graph

    decoder = msgspec.msgpack.Decoder(GraphQuestion)
    while (message := read_message(sys.stdin.buffer)) is not None:
        try:
            answer = PICTURE + render_graph(decoder.decode(message))
        except Exception as error:  # noqa: BLE001 - the edge of the process; the server logs it
            answer = ERROR + f"{type(error).__name__}: {error}"[:1000].encode()
        answers.write(LENGTH.pack(len(answer)) + answer)
        answers.flush()


def read_message(stream: BinaryIO) -> bytes | None:
    """The next message; None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None


def _be_modest() -> None:
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        main()
