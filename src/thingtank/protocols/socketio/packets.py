"""Socket.IO packets of revisions 3, 4 and 5, as one message of Engine.IO holds them.

```
2["message",{"a":1}]                 EVENT
212["status"]                        EVENT that is to be acknowledged as 12
312[{"skynet":"online"}]             ACK of 12
0{"token":"123"}                     CONNECT, revision 5
0/admin?token=1,                     CONNECT to a namespace, with a query up to revision 4
44/admin,{"message":"no"}            CONNECT_ERROR (ERROR up to revision 4) of a namespace
51-["photo",{"_placeholder":true,"num":0}]      BINARY_EVENT; one attachment follows
```

The three kinds of packets that carry JSON are written by the functions of `frames`.

Source: Socket.IO protocol, Packet encoding.
"""

import re
from enum import IntEnum
from typing import Final

from msgspec import Struct

from thingtank.protocols.socketio.events import AckId


class PacketType(IntEnum):
    """What a packet is for."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


class Packet(Struct, frozen=True, gc=False):
    """One packet, its JSON not read yet.

    Attributes:
        namespace: without a query; `/` if none is named.
        ack: the acknowledgement's id.
        attachments_count: of binary values that follow, each in a message of its own.
        data_json: empty if there is none.
    """

    type: PacketType
    namespace: bytes = b"/"
    ack: AckId | None = None
    attachments_count: int = 0
    data_json: bytes = b""


class MalformedPacket(Exception):
    """It is no packet, or one that has no place where it stands."""


# Ids are kept below 2**53: JavaScript would answer another number beyond. Namespaces are ASCII,
# as nothing else in a packet is that is not JSON.
_PACKET: Final = re.compile(
    rb"([0-6])(?:([0-9]{1,3})-)?(?:(/[!-+\--~]{0,100})(?:,|\Z))?([0-9]{1,15})?(?![0-9])(.*)",
    re.DOTALL,
)
_BINARY: Final = (PacketType.BINARY_EVENT, PacketType.BINARY_ACK)


def parse_packet(text: bytes) -> Packet:
    """Read a packet.

    Raises:
        MalformedPacket.
    """
    found = _PACKET.fullmatch(text)
    if found is None:
        raise MalformedPacket("no packet of Socket.IO")
    packet_type = PacketType(int(found[1]))
    if (packet_type in _BINARY) != (found[2] is not None):
        raise MalformedPacket("attachments are counted in binary packets only")
    return Packet(
        packet_type,
        (found[3] or b"/").partition(b"?")[0],
        None if found[4] is None else AckId(int(found[4])),
        int(found[2] or 0),
        found[5],
    )
