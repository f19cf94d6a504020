"""One request and what became of it, from its first header to its line in the request log."""

from thingtank.net.http_request import HttpRequest
from thingtank.protocols.xively.paths import XivelyPath


class Exchange:
    """What is known of a request before it is authenticated, and of its refusal.

    Attributes:
        http: the request; its body is blank until it was read.
        path: what it names; None until parsed, or when nothing is there.
        callback: the JSONP function asked for, or blank.
        body: decompressed; blank until it was read.
        reason: why it was refused, blank when it was not.
    """

    __slots__ = ("body", "callback", "http", "path", "reason")

    def __init__(self, http: HttpRequest) -> None:
        self.http = http
        self.path: XivelyPath | None = None
        self.callback = ""
        self.body = b""
        self.reason = ""
