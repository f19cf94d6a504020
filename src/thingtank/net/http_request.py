"""One HTTP request that has arrived, and how it is answered: what doors and servers agree on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

# Answers one request: status, headers (with a content-length), body.
Respond: TypeAlias = Callable[[int, Headers, bytes], None]


@runtime_checkable
class LongRespond(Protocol):
    """A `Respond` that may take long: who waits for it may go away meanwhile."""

    def __call__(self, status: int, headers: Headers, body: bytes, /) -> None:
        """Answer; nobody minds if it is too late."""

    def hold(self, on_gone: Callable[[], None]) -> None:
        """Have the answer come later, and be told if the peer goes away before."""

    def is_gone(self) -> bool:
        """Whether the peer has gone away by now, told or not."""


class RequestHead:
    """What a request says before its body; how it came here is nobody's concern any more.

    A device repeats itself: many requests of one connection may share one head.

    Attributes:
        raw_path: still percent-encoded, without the query.
        query: as sent, without the question mark.
        headers: names in lower case; of repeated ones the last.
        scheme: `http` or `https`.
        address: the peer's IP address; blank when unknown.
        reading: what the app made of all this, for the next request with it; None at first.
    """

    __slots__ = ("address", "headers", "method", "query", "raw_path", "reading", "scheme")

    def __init__(
        self,
        method: str,
        raw_path: str,
        query: bytes,
        headers: Mapping[bytes, bytes],
        scheme: str,
        address: str,
    ) -> None:
        self.method = method
        self.raw_path = raw_path
        self.query = query
        self.headers = headers
        self.scheme = scheme
        self.address = address
        self.reading: Any = None

    def texts(self) -> dict[str, str]:
        """Its headers as text."""
        return {n.decode("latin-1"): v.decode("latin-1") for n, v in self.headers.items()}

    @classmethod
    def of_scope(cls, scope: Any) -> "RequestHead":
        """The head of an ASGI scope."""
        client = scope.get("client")
        return cls(
            scope["method"],
            (scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
            scope["query_string"],
            dict(scope["headers"]),
            scope["scheme"],
            client[0] if client else "",
        )


# Answers a request, its body as sent, some time; raises nothing that is not a bug.
DirectApp: TypeAlias = Callable[[RequestHead, bytes, Respond], None]
