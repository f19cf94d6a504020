"""Packets of socket.io 0.9.

```
type:id:endpoint:data      5:1+::{"name":"status","args":[]}
```

The id may be missing, as may be the endpoint, and the data together with the colon before it. An
id asks for an acknowledgement at once; with `+` behind it, for one with data.
"""

import re
from enum import IntEnum
from typing import Final

from msgspec import Struct

from thingtank.protocols.socketio.events import AckId


class PacketType(IntEnum):
    """What a packet is for."""

    DISCONNECT = 0
    CONNECT = 1
    HEARTBEAT = 2
    MESSAGE = 3
    JSON = 4
    EVENT = 5
    ACK = 6
    ERROR = 7
    NOOP = 8


class Packet(Struct, frozen=True, gc=False):
    """One packet, its JSON not read yet.

    Attributes:
        id: of the acknowledgement that it asks for.
        wants_data: the acknowledgement is the receiver's own, with data.
        endpoint: a namespace; empty for the one that all are in.
    """

    type: PacketType
    id: AckId | None = None
    wants_data: bool = False
    endpoint: bytes = b""
    data: bytes = b""


class MalformedPacket(Exception):
    """It is no packet or payload."""


_PACKET: Final = re.compile(
    rb"([0-8]):(?:([0-9]{1,15})(\+?))?:([!-9;-~]{0,100})(?::(.*))?", re.DOTALL
)
_ACK: Final = re.compile(rb"([0-9]{1,15})(?:\+(.*))?", re.DOTALL)


def parse_packet(text: bytes) -> Packet:
    """Read a packet.

    Raises:
        MalformedPacket.
    """
    found = _PACKET.fullmatch(text)
    if found is None:
        raise MalformedPacket("no packet of socket.io 0.9")
    return Packet(
        PacketType(int(found[1])),
        None if found[2] is None else AckId(int(found[2])),
        bool(found[3]),
        found[4],
        found[5] or b"",
    )


def parse_ack(data: bytes) -> tuple[AckId, bytes]:
    """Read the data of an ACK packet: which id, and the values in JSON, empty for none.

    Raises:
        MalformedPacket.
    """
    found = _ACK.fullmatch(data)
    if found is None:
        raise MalformedPacket("an acknowledgement of nothing")
    return AckId(int(found[1])), found[2] or b""
