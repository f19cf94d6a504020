"""One subscription's side of Xively's socket protocol: text in, updates out. No I/O.

A connection begins with a `subscribe`; after a reconnection the state is asked for too, because
nobody knows what was missed. In silence it is said again: subscribing twice is the same as once,
and its answer tells that the key still opens the feed and that the connection still lives.

Source: Xively API v2, sockets.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from thingtank.client.errors import Refused, UnreadableAnswer, refusal_of

T = TypeVar("T")

SILENCE_S_MAX = 60.0  # then the server is asked whether the subscription still stands
_SUBSCRIBE = "s"
_STATE = "g"


class Silent(OSError):
    """The server has answered nothing for so long that the connection counts as broken."""


class _Message(msgspec.Struct):
    token: str = ""
    status: int = 0
    body: msgspec.Raw = msgspec.Raw(b"")


class _Refusal(msgspec.Struct):
    title: str = ""
    errors: str | list[str] = ""


_MESSAGE = msgspec.json.Decoder(_Message)
_REFUSAL = msgspec.json.Decoder(_Refusal | str)
_ENCODER = msgspec.json.Encoder()


class SocketSession(Generic[T]):
    """What to say on a connection and what its messages mean."""

    def __init__(self, resource: str, api_key: str, parse: Callable[[bytes], T]) -> None:
        self._resource = resource
        self._api_key = api_key
        self._parse = parse
        self._latest: T | None = None
        self._was_connected = False
        self._speak_by_s = 0.0
        self._is_asked = False
        self.is_subscribed = False

    def begin(self, now_s: float) -> list[str]:
        """What to say first on a new connection."""
        self.is_subscribed = False
        said = [self._hello(now_s)]
        if self._was_connected:
            said.append(self._request("get", _STATE))
        self._was_connected = True
        return said

    def silence_s_left(self, now_s: float) -> float:
        """How long to wait for a message before `ask` is due."""
        return max(0.0, self._speak_by_s - now_s)

    def ask(self, now_s: float) -> str | None:
        """What to say after a long silence; None while it is not long.

        Raises:
            Silent: the last question was not answered either.
        """
        if now_s < self._speak_by_s:
            return None
        if self._is_asked:
            raise Silent("the server is silent")
        return self._hello(now_s)

    def _hello(self, now_s: float) -> str:
        """Subscribe, or ask whether one still is."""
        self._speak_by_s = now_s + SILENCE_S_MAX
        self._is_asked = True
        return self._request("subscribe", _SUBSCRIBE)

    def _request(self, method: str, token: str) -> str:
        headers = {"X-ApiKey": self._api_key}
        return _ENCODER.encode(
            {"method": method, "resource": self._resource, "headers": headers, "token": token}
        ).decode()

    def receive_message(self, message: str | bytes, now_s: float) -> T | None:
        """What a message tells that is new; None for answers and for what was known.

        Raises:
            Refused: the subscription is refused, or no longer allowed; it will not be by waiting.
            UnreadableAnswer: what answers does not speak this protocol.
        """
        self._speak_by_s = now_s + SILENCE_S_MAX
        self._is_asked = False
        try:
            found = _MESSAGE.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableAnswer(f"a message cannot be read: {error}") from None
        if found.status >= 300:
            raise _refusal(found)
        if found.token == _SUBSCRIBE and found.status:
            self.is_subscribed = True
            return None
        body = bytes(found.body)
        return self._new(self._parse(body)) if body else None

    def _new(self, update: T) -> T | None:
        # After a reconnection the state may be what was the last before it.
        if update == self._latest:
            return None
        self._latest = update
        return update


def _refusal(message: _Message) -> Refused:
    try:
        found = _REFUSAL.decode(bytes(message.body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = ""
    if isinstance(found, str):
        return refusal_of(message.status, found or "refused")
    errors = [found.errors] if isinstance(found.errors, str) else found.errors
    return refusal_of(message.status, found.title or "refused", [text for text in errors if text])
