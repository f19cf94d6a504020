"""What can go wrong between a program and the server, and whose fault it is.

```
ClientError
├── Unreachable          no whole answer: no connection, a time-out, a connection cut off
├── UnreadableAnswer     an answer that is not the API's: a proxy's page, a wrong address
├── Refused              the server said no; status, title and errors are its own words
│   ├── BadRequest       400
│   ├── Unauthorized     401: the key is missing, unknown or expired
│   ├── Forbidden        403: the key lacks the right
│   ├── NotFound         404
│   ├── Invalid          413, 422: the document breaks a rule or a limit
│   ├── RateLimited      429, and Xively's 403 for too many requests
│   └── ServerFailed     5xx; 503 is Unavailable
│       └── Unavailable  503: full or starting; worth asking again
└── BufferFailed         the file on disk cannot be used
    └── BufferFull       it holds as much as it may
```

Source: Xively API v2, HTTP status codes.
"""

from collections.abc import Sequence


class ClientError(Exception):
    """Everything this library raises for what the world does."""


class Unreachable(ClientError):
    """There was no whole answer.

    Attributes:
        was_sent: False when it is certain that the server got nothing of the request.
    """

    def __init__(self, reason: str, *, was_sent: bool) -> None:
        super().__init__(reason)
        self.was_sent = was_sent


class UnreadableAnswer(ClientError):
    """What answered does not speak this API, or not as expected."""


class Refused(ClientError):
    """The server refused.

    Attributes:
        status: of HTTP.
        title: the refusal's name, in the server's words.
        errors: what is wrong, one text a problem; empty when it was not said.
        retry_after_s: when the server said it is worth asking again; None when it did not.
        is_from_api: False when the body was not the API's own, as with a proxy's error page.
    """

    def __init__(
        self,
        status: int,
        title: str,
        errors: Sequence[str] = (),
        *,
        retry_after_s: float | None = None,
        is_from_api: bool = True,
    ) -> None:
        self.status = status
        self.title = title
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s
        self.is_from_api = is_from_api
        super().__init__(f"{status} {title}" + (f": {'; '.join(errors)}" if errors else ""))


class BadRequest(Refused):
    """400: the query or the body cannot be read."""


class Unauthorized(Refused):
    """401: the key is missing, unknown or expired."""


class Forbidden(Refused):
    """403: the key does not open this."""


class NotFound(Refused):
    """404: no such feed, datastream, datapoint or address."""


class Invalid(Refused):
    """413 and 422: the document is well-formed and breaks a rule or a limit."""


class RateLimited(Refused):
    """Too many requests: 429, or Xively's 403 with `Retry-After`."""


class ServerFailed(Refused):
    """5xx: the server's own fault, or that of what stands before it."""


class Unavailable(ServerFailed):
    """503: full, starting or stopping; nothing was written."""


class BufferFailed(ClientError):
    """The buffer's file cannot be opened, read or written."""


class BufferFull(BufferFailed):
    """The buffer holds as many values as it may, and was told to refuse more."""


_BY_STATUS: dict[int, type[Refused]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    413: Invalid,
    422: Invalid,
    429: RateLimited,
    503: Unavailable,
}
_RATE_WORDS = ("rate limit", "too many requests")


def refusal_of(
    status: int,
    title: str,
    errors: Sequence[str] = (),
    *,
    retry_after_s: float | None = None,
    is_from_api: bool = True,
) -> Refused:
    """The error that a refusing answer means."""
    kind = _BY_STATUS.get(status, ServerFailed if status >= 500 else Refused)
    # Xively answers 403 both to a key without the right and to one that asks too often.
    if status == 403 and (retry_after_s is not None or _speaks_of_rate(title)):
        kind = RateLimited
    return kind(status, title, errors, retry_after_s=retry_after_s, is_from_api=is_from_api)


def _speaks_of_rate(title: str) -> bool:
    return any(words in title.lower() for words in _RATE_WORDS)
