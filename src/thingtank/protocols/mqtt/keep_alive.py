"""Which clients have been silent for too long (MQTT 5, 3.1.2.10).

Connections stand in a set for each second in which one is due to be looked at; who has been heard
since is moved on. So a second costs as much as there are connections due in it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.connection import Connection

_US_PER_S = 1_000_000


class KeepAlive:
    """Watches connections that have a keep alive."""

    def __init__(self, now_us: int) -> None:
        self._due: dict[int, set[Connection]] = {}
        self._next_s = now_us // _US_PER_S

    def add(self, connection: "Connection") -> None:
        """Watch one."""
        due_s = (connection.last_heard_us + connection.keep_alive_us) // _US_PER_S + 1
        connection.keep_alive_due_s = due_s = max(due_s, self._next_s)
        found = self._due.get(due_s)
        if found is None:
            found = self._due[due_s] = set()
        found.add(connection)

    def remove(self, connection: "Connection") -> None:
        """Watch it no more."""
        due_s, connection.keep_alive_due_s = connection.keep_alive_due_s, 0
        found = self._due.get(due_s)
        if found is not None:
            found.discard(connection)
            if not found:
                del self._due[due_s]

    def take_silent(self, now_us: int) -> "list[Connection]":
        """Those that have been silent for too long; they are watched no more."""
        now_s = now_us // _US_PER_S
        silent = []
        while self._next_s <= now_s:
            # After a pause of the whole process there may be many empty seconds.
            if not self._due:
                self._next_s = now_s + 1
                break
            due = self._due.pop(self._next_s, ())
            self._next_s += 1
            for connection in due:
                connection.keep_alive_due_s = 0
                if connection.last_heard_us + connection.keep_alive_us <= now_us:
                    silent.append(connection)
                else:
                    self.add(connection)
        return silent
