"""Messages that wait behind a request that is being decided, in order."""

from collections import deque

from thingtank.protocols.wamp.messages import Message
from thingtank.protocols.wamp.payloads import NO_PAYLOAD, Payload


class HeldMessages:
    """Those of one session."""

    def __init__(self, messages_max: int, bytes_max: int) -> None:
        """Hold none yet.

        Args:
            bytes_max: of payloads; a single message may have more.
        """
        self._messages: deque[Message] | None = None  # made when needed: most sessions hold none
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._messages) if self._messages is not None else 0

    def put(self, message: Message) -> bool:
        """Hold one more; False if that is too much."""
        if self._messages is None:
            self._messages = deque()
        self._messages.append(message)
        self._bytes += _bytes_of(message)
        count = len(self._messages)
        return count <= self._messages_max and (count == 1 or self._bytes <= self._bytes_max)

    def take(self) -> Message:
        """The one that has waited longest."""
        assert self._messages is not None, "there is one"
        message = self._messages.popleft()
        self._bytes -= _bytes_of(message)
        return message

    def clear(self) -> None:
        """Forget all."""
        self._messages = None
        self._bytes = 0


def _bytes_of(message: Message) -> int:
    payload: Payload = getattr(message, "payload", NO_PAYLOAD)
    return len(payload.data)
