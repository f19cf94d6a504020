"""What sessions tell who drives them, the same for every wire.

A session gives Opened once, then events and acknowledgements, and Closed once, as the last; one
that never opened gives only Closed.
"""

from typing import Any, NewType, Protocol

from msgspec import Struct

from thingtank.protocols.engineio.close_reasons import CloseReason

AckId = NewType("AckId", int)
"""Names one event that its sender wants to have acknowledged. Each side counts its own."""


class Opened(Struct, frozen=True, gc=False):
    """Events may be sent now.

    Attributes:
        auth: what a client of revision 5 says of itself; None of others.
    """

    auth: Any = None


class Event(Struct, frozen=True, gc=False):
    """The client has emitted an event.

    Attributes:
        name: `message` for what it has sent without a name.
        args: n >= 0 values of JSON. Binary ones are text in base64.
        ack: for `send_ack`, if the client waits for an acknowledgement.
    """

    name: str
    args: list[Any]
    ack: AckId | None = None


class AckReceived(Struct, frozen=True, gc=False):
    """The client has acknowledged an event that `send_event` gave this id.

    Nothing says that the id was ever given, or is acknowledged for the first time.
    """

    ack: AckId
    args: list[Any]


class Closed(Struct, frozen=True, gc=False):
    """The session has ended."""

    reason: CloseReason


SocketEvent = Opened | Event | AckReceived | Closed


class FrameEvent(Protocol):
    """Makes the frame of an event, for all who read this wire."""

    def __call__(self, name: bytes, args_json: bytes, /) -> bytes:
        """Make it.

        Args:
            name: as it stands in JSON, without its quotes.
            args_json: n >= 0 values in JSON, with commas between them.
        """


class SocketSession(Protocol):
    """What every session of a wire can be told and asked; how transports open differs.

    Times are microseconds of any steady clock. How it is driven: `engineio.session`.
    """

    @property
    def frame_event(self) -> FrameEvent:
        """Frames events for all sessions that have the same function here."""

    @property
    def socket_id(self) -> str:
        """What `identify` calls it; no secret."""

    @property
    def is_open(self) -> bool:
        """Whether events can be sent: from Opened to Closed."""

    @property
    def is_direct(self) -> bool:
        """Whether frames may go to its WebSocket past `send_frame`: none waits before them."""

    @property
    def has_websocket(self) -> bool:
        """Whether its WebSocket, if there is one, is to stay open."""

    @property
    def is_over(self) -> bool:
        """Whether it can be forgotten."""

    def receive_text(self, frame: bytes, now_us: int) -> None:
        """Take a text frame of its WebSocket."""

    def receive_binary(self, frame: bytes, now_us: int) -> None:
        """Take a binary frame of its WebSocket."""

    def lose_websocket(self) -> None:
        """Its WebSocket has ended."""

    def lose_poll(self) -> None:
        """The connection of the poll that is held was lost."""

    def send_event(self, name: bytes, args_json: bytes, ack: AckId | None = None) -> None:
        """Send one event, with `ack` if it is to be acknowledged; for the rest see FrameEvent."""

    def send_frame(self, frame: bytes) -> None:
        """Send an event that `frame_event` has made. It is lost if the session has ended."""

    def send_ack(self, ack: AckId, args_json: bytes) -> None:
        """Acknowledge an event of the client, with n >= 0 values in JSON."""

    def close(self, reason: CloseReason = CloseReason.SERVER, *, may_return: bool = False) -> None:
        """End it. Clients come back by themselves only if they may."""

    def events_received(self) -> list[SocketEvent]:
        """What has happened since it was last asked."""

    def data_to_send(self) -> list[bytes]:
        """Text frames for its WebSocket, once."""

    def take_payload(self) -> bytes | None:
        """The body that answers the poll that is held; None if none is, or nothing waits."""

    def next_due_us(self) -> int | None:
        """When `take_due` is to be called; None for never."""

    def take_due(self, now_us: int) -> None:
        """Send heartbeats, end what has been waited for long enough."""
