"""Xively's socket protocol: one JSON object a request, an answer or a push.

The same over TCP, WebSocket and SockJS. Some clients end a request with a line feed and some do
not, so a stream is taken apart where an object ends.

Source: Xively API v2, sockets.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import msgspec

DEPTH_MAX = 64
TOKEN_BYTES_MAX = 512
_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')
_BLANKS = re.compile(rb"[ \t\r\n]*")
_OPENING = frozenset(b"{[")

_NO_RAW = msgspec.Raw(b"")
_ENCODER = msgspec.json.Encoder()

Scalar = str | int | float | bool | None


class MalformedMessage(Exception):
    """What arrived is no request; the text says why. `is_fatal` when the rest cannot be read."""

    def __init__(self, reason: str, *, is_fatal: bool = False) -> None:
        super().__init__(reason)
        self.is_fatal = is_fatal


class SocketRequest(msgspec.Struct, gc=False):
    """A request, as it stands on the wire.

    Attributes:
        method: `get`, `put`, `post`, `delete`, `subscribe` or `unsubscribe`, in any case.
        resource: a path without `/v2`, maybe with an extension; answers repeat it letter for
            letter.
        headers, params: by name. One client says `parameters`.
        body: a JSON object, or its text in a JSON string.
        token: any JSON text or number that pairs an answer with its request.
    """

    method: str = ""
    resource: str = ""
    headers: dict[str, Scalar] = {}
    params: dict[str, Scalar | list[Scalar]] = {}
    parameters: dict[str, Scalar | list[Scalar]] = {}
    body: msgspec.Raw = _NO_RAW
    token: msgspec.Raw = _NO_RAW

    @property
    def query(self) -> bytes:
        """The parameters as a query string."""
        chosen = self.params or self.parameters
        named = {name: value for name, value in chosen.items() if value is not None}
        return urlencode(named, doseq=True).encode()

    @property
    def document(self) -> bytes:
        """The body as an HTTP request would carry it."""
        raw = bytes(self.body)
        if raw == b"null":
            return b""
        if raw.startswith(b'"'):
            return msgspec.json.decode(raw, type=str).encode()
        return raw


class _Answer(msgspec.Struct, omit_defaults=True, gc=False):
    token: msgspec.Raw
    resource: str
    status: int = 0
    headers: dict[str, str] = {}
    body: msgspec.Raw = _NO_RAW


_DECODER = msgspec.json.Decoder(SocketRequest)


def parse_request(message: bytes) -> SocketRequest:
    """Read one request.

    Raises:
        MalformedMessage.
    """
    try:
        request = _DECODER.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessage(f"the request cannot be read: {error}") from None
    token = bytes(request.token)
    if len(token) > TOKEN_BYTES_MAX:
        raise MalformedMessage(f"a token may have at most {TOKEN_BYTES_MAX} bytes")
    if token[:1] in (b"{", b"["):
        raise MalformedMessage("a token must be a string or a number")
    return request


def answer(
    request: SocketRequest, status: int, headers: dict[str, str] | None = None, body: bytes = b""
) -> bytes:
    """An answer on the wire, its line feed included.

    Args:
        headers: by their names in upper case.
        body: JSON text; blank for none.
    """
    return _line(_Answer(_token(request), request.resource, status, headers or {}, _raw(body)))


def refusal_of_nothing(reason: str) -> bytes:
    """The answer to what is no request: there is neither token nor resource to repeat."""
    body = _ENCODER.encode({"title": "Bad Request", "errors": reason})
    return _line(_Answer(_NO_RAW, "", 400, {}, _raw(body)))


class Pushes:
    """Pushes for one subscription, or for all that name it and its token alike."""

    def __init__(self, request: SocketRequest) -> None:
        self._token = _token(request)
        self._resource = request.resource

    def frame(self, body: bytes) -> bytes:
        """A push on the wire, its line feed included: no status; the body is a JSON object."""
        return _line(_Answer(self._token, self._resource, 0, {}, _raw(body)))


def _token(request: SocketRequest) -> msgspec.Raw:
    return _NO_RAW if bytes(request.token) == b"null" else request.token


def _raw(body: bytes) -> msgspec.Raw:
    return msgspec.Raw(body) if body else _NO_RAW


def _line(message: _Answer) -> bytes:
    members = {
        name: value
        for name in message.__struct_fields__
        if (value := getattr(message, name)) or (name == "resource" and message.status != 400)
    }
    return _ENCODER.encode(members) + b"\n"


class MessageSplitter:
    """Takes a stream apart into JSON objects, wherever its pieces were cut."""

    def __init__(self, message_bytes_max: int) -> None:
        self._message_bytes_max = message_bytes_max
        self._buffer = bytearray()
        self._scanned = 0
        self._depth = 0
        self._is_in_string = False

    def receive_data(self, data: bytes) -> Iterator[bytes]:
        """Each object that is complete by now; those not asked for come with the next call.

        Raises:
            MalformedMessage: fatal; between objects stands something else, or one is too large or
                too deep.
        """
        self._buffer += data
        while (end := self._find_end()) is not None:
            self._check_size(end)
            message = bytes(self._buffer[:end])
            del self._buffer[:end]
            self._scanned = 0
            yield message
        self._check_size(len(self._buffer))

    def _check_size(self, size: int) -> None:
        if size > self._message_bytes_max:
            reason = f"a message may have at most {self._message_bytes_max} bytes"
            raise MalformedMessage(reason, is_fatal=True)

    def _find_end(self) -> int | None:
        """Behind the first object's last byte; None while it is not there."""
        if self._depth == 0:
            self._skip_blanks()
        buffer = self._buffer
        while True:
            found = (_INSIDE if self._is_in_string else _OUTSIDE).search(buffer, self._scanned)
            if found is None:
                self._scanned = len(buffer)
                return None
            self._scanned = found.end()
            mark = buffer[found.start()]
            if self._is_in_string:
                if mark == 0x5C:  # a backslash: what follows it is no end, whatever it is
                    if self._scanned == len(buffer):
                        self._scanned -= 1
                        return None
                    self._scanned += 1
                else:
                    self._is_in_string = False
            elif mark == 0x22:
                self._is_in_string = True
            elif mark in _OPENING:
                self._depth += 1
                if self._depth > DEPTH_MAX:
                    raise MalformedMessage(f"nested deeper than {DEPTH_MAX}", is_fatal=True)
            else:
                self._depth -= 1
                if self._depth <= 0:
                    self._depth = 0
                    return self._scanned

    def _skip_blanks(self) -> None:
        blanks = _BLANKS.match(self._buffer)
        assert blanks is not None  # none is a match too
        del self._buffer[: blanks.end()]
        self._scanned = 0
        if self._buffer and self._buffer[0] != 0x7B:
            raise MalformedMessage("a request must be a JSON object", is_fatal=True)
