"""A session of the library's that knows how much of it waits, and ends when nobody polls it.

The library keeps what is to be sent without a bound, and tells nobody how much it is; what comes in
and what goes out of its queue passes through two of its methods, and is counted there.
"""

from typing import Any

from sockjs import Session
from sockjs.protocol import Frame, SessionState, close_frame, messages_frame


class MeasuredSession(Session):  # type: ignore[misc] # the library is untyped
    """One SockJS session.

    Attributes:
        waiting_chars: of the messages that its transport has not taken yet.
    """

    waiting_chars = 0

    @property
    def is_open(self) -> bool:
        """Whether messages are still taken: it is neither closed nor closing."""
        return self.state is SessionState.OPEN

    def feed(self, frame: Frame, data: Any) -> None:
        """Queue a frame, as the library does."""
        if frame is Frame.MESSAGE:
            self.waiting_chars += len(data)
        super().feed(frame, data)

    async def get_frame(self, pack: bool = True) -> tuple[Frame, Any]:
        """Take the next frame, as the library does; `pack` makes text of it."""
        frame, payload = await super().get_frame(pack=False)
        if frame is Frame.MESSAGE:
            self.waiting_chars -= sum(map(len, payload))
            return frame, messages_frame(payload) if pack else payload
        if frame is Frame.CLOSE and pack:
            return frame, close_frame(*payload)
        return frame, payload

    def release(self) -> None:
        """A poll, or the transport, is gone; the library ends only sessions that may expire."""
        super().release()
        self.expire()

    def drop_waiting(self) -> None:
        """Forget what was not taken yet."""
        self._queue.clear()
        self.waiting_chars = 0
