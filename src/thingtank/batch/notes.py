"""What a program writes to standard error: reports to Hadoop, and notes for people.

Source: Hadoop streaming, "How do I update counters", "How do I update status".
"""

import re
from collections import deque
from collections.abc import Callable

_COUNTER = re.compile(rb"reporter:counter:([^,]{1,200}),([^,]{1,200}),\s*([+-]?\d{1,18})\s*\Z")
_STATUS = b"reporter:status:"
COUNTERS_MAX = 1000
NOTES_BYTES_MAX = 64 << 10
LINE_BYTES_MAX = 8 << 10


class Notes:
    """Takes standard error of one program; keeps the newest of it.

    Attributes:
        counters: `group,name` → sum; of COUNTERS_MAX names, others are not counted.
    """

    def __init__(self, on_status: Callable[[str], object] = lambda _: None) -> None:
        self.counters: dict[str, int] = {}
        self._on_status = on_status
        self._lines: deque[bytes] = deque()
        self._kept_bytes = 0
        self._rest = b""

    def add(self, block: bytes) -> None:
        """Take what was written."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._rest) > LINE_BYTES_MAX:
            self._take(self._rest)
            self._rest = b""

    def finish(self) -> None:
        """Take the last line, where it has no end."""
        if self._rest:
            self._take(self._rest)
            self._rest = b""

    def _take(self, line: bytes) -> None:
        if line.startswith(_STATUS):
            self._on_status(line[len(_STATUS) :].decode(errors="replace").strip()[:200])
            return
        counter = _COUNTER.match(line)
        if counter is not None:
            name = f"{counter[1].decode(errors='replace')},{counter[2].decode(errors='replace')}"
            if name in self.counters or len(self.counters) < COUNTERS_MAX:
                self.counters[name] = self.counters.get(name, 0) + int(counter[3])
            return
        self._lines.append(line)
        self._kept_bytes += len(line) + 1
        while self._kept_bytes > NOTES_BYTES_MAX:
            self._kept_bytes -= len(self._lines.popleft()) + 1

    @property
    def text(self) -> str:
        """The notes for people."""
        return b"\n".join(self._lines).decode(errors="replace").strip()
