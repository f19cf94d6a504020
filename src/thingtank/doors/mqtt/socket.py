"""MQTT over TCP, TLS and Unix sockets."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from thingtank.net.forwarded import UNIX
from thingtank.protocols.mqtt.connection import Connection

if TYPE_CHECKING:
    from thingtank.doors.mqtt.door import MqttDoor

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class MqttSocket(asyncio.Protocol):
    """One connection; its own link."""

    __slots__ = ("_connection", "_door", "_transport", "write")

    write: Callable[[bytes], None]

    headers = _NO_HEADERS

    def __init__(self, door: "MqttDoor") -> None:
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._connection: Connection | None = None

    # --- as an asyncio protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for CONNECT, if there is room for one more."""
        self._transport = cast("asyncio.Transport", transport)
        self.write = self._transport.write  # at once: half of what is written is a lone message
        door = self._door
        if door.is_full:
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(door.settings.unread_bytes_max)
        peer = transport.get_extra_info("peername")
        address = peer[0] if isinstance(peer, tuple) else UNIX
        self._connection = door.open(self, address)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        if self._connection is not None:
            self._door.receive(self._connection, data)

    def eof_received(self) -> bool:
        """Close: a client that says no more can take no part."""
        return False

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        if self._connection is not None:
            self._door.fall_behind(self._connection)

    def resume_writing(self) -> None:
        """It reads again."""
        if self._connection is not None:
            self._door.catch_up(self._connection)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._connection is not None:
            self._door.lose(self._connection)
            self._connection = None

    # --- as a link ---

    @property
    def certificate(self) -> bytes | None:
        """The client's, verified, in DER."""
        tls = self._made.get_extra_info("ssl_object")
        return tls.getpeercert(binary_form=True) if tls is not None else None

    @property
    def kind(self) -> str:
        """For people."""
        if self._made.get_extra_info("ssl_object") is not None:
            return "tls"
        return "tcp" if isinstance(self._made.get_extra_info("peername"), tuple) else "unix"

    @property
    def _made(self) -> asyncio.Transport:
        assert self._transport is not None, "it was made first"
        return self._transport

    def write_all(self, pieces: list[bytes]) -> None:
        """Write octets without copying them."""
        self._made.writelines(pieces[:])

    def unread_bytes(self) -> int:
        """How much was written and not taken yet."""
        return self._made.get_write_buffer_size()

    def pause(self) -> None:
        """Read no more for now."""
        self._made.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self._made.is_closing():
            self._made.resume_reading()

    def close(self) -> None:
        """End the connection, what was written first."""
        self._made.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._made.abort()
