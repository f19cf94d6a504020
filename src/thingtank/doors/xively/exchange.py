"""One request and what became of it, from its first header to its line in the request log."""

from thingtank.net.http_request import RequestHead
from thingtank.protocols.xively.paths import XivelyPath
from thingtank.tank.access import Caller
from thingtank.tank.events import Asked


class Exchange:
    """What is known of a request before it is authenticated, and of its refusal.

    Attributes:
        head: what it says before its body.
        path: what it names; None until parsed, or when nothing is there.
        asked: what the request log says of the head; None until read, or when it names no device.
        format: in which it is answered.
        callback: the JSONP function asked for, or blank.
        body: decompressed; blank until it was read.
        reason: why it was refused, blank when it was not.
        caller: who asks; None until that is known.
    """

    __slots__ = ("asked", "body", "callback", "caller", "format", "head", "path", "reason")

    def __init__(self, head: RequestHead) -> None:
        self.head = head
        self.path: XivelyPath | None = None
        self.asked: Asked | None = None
        self.format = "json"
        self.callback = ""
        self.body = b""
        self.reason = ""
        self.caller: Caller | None = None
