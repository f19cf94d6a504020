"""A relay between a client and a server that cuts connections off as a bad network does."""

import contextlib
import random
import socket
import threading
from collections.abc import Iterator


class Relay:
    """Accepts on a port of its own; each connection ends after some bytes, unless `is_calm`."""

    def __init__(self, target: tuple[str, int], seed: int) -> None:
        self._target = target
        self._chance = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.is_calm = False
        self.cut_count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target, 5)
                room = _Room(self._chance.randrange(500, 8_000))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._relay, args=(*pair, room), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, room: "_Room") -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                room.left_bytes -= len(data)
                if room.left_bytes < 0 and not self.is_calm:
                    self.cut_count += 1
                    break  # what was read last does not arrive
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class _Room:
    """What may still go through a connection."""

    def __init__(self, left_bytes: int) -> None:
        self.left_bytes = left_bytes


@contextlib.contextmanager
def cut_off(port: int, seed: int) -> Iterator[Relay]:
    """A relay to a port of this machine."""
    relay = Relay(("127.0.0.1", port), seed)
    try:
        yield relay
    finally:
        relay.close()
