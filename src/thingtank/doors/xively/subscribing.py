"""One `subscribe` on a socket and what became of it, for the request log."""

from collections.abc import Mapping

from thingtank.net.blotting import shown_headers, shown_path
from thingtank.protocols.xively.paths import OneFeedPath, XivelyPath
from thingtank.protocols.xively.socket_messages import SocketRequest
from thingtank.tank.access import Caller
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.tank import Tank


class Subscribing:
    """What is known of it.

    Attributes:
        path: what it names; None until parsed, or when nothing is there.
        caller: who asks; None until that is known.
        reason: why it was refused, blank when it was not.
    """

    __slots__ = ("address", "caller", "headers", "path", "reason", "request")

    def __init__(
        self, request: SocketRequest, headers: Mapping[bytes, bytes], address: str
    ) -> None:
        self.request = request
        self.headers = headers
        self.address = address
        self.path: XivelyPath | None = None
        self.caller: Caller | None = None
        self.reason = ""

    def note(self, tank: Tank, door: str, status: int, duration_us: int) -> None:
        """Tell the request log, after it was answered."""
        path = self.path
        if not isinstance(path, OneFeedPath):
            return
        shown = shown_path(self.request.resource, self.request.query)
        fields = shown_headers(self.headers)
        asked = Asked(path.feed_id, door, "subscribe", shown, self.address, b"", fields)
        now_us = tank.clock.now_us()
        tank.request_log.note(
            RequestServed(now_us, asked, status, duration_us, self.reason, caller=self.caller)
        )
