"""The Control Packets, named as the standard names them.

Source: MQTT 5, 3; MQTT 3.1.1, 3. Properties are NO_PROPERTIES in 3.1 and 3.1.1.
"""

import msgspec

from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode


class ConnectWill(msgspec.Struct, frozen=True, gc=False):
    """The will that CONNECT asks for (3.1.2.5)."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = NO_PROPERTIES


class Connect(msgspec.Struct, frozen=True, gc=False):
    """Client to server, the first packet (3.1).

    Attributes:
        protocol_version: 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0.
        client_id: blank where the server is to make one up.
        clean_start: Clean Session in 3.1 and 3.1.1.
        keep_alive_s: 0 for none.
    """

    protocol_version: int
    client_id: str
    clean_start: bool = True
    keep_alive_s: int = 0
    will: ConnectWill | None = None
    user_name: str | None = None
    password: bytes | None = None
    properties: Properties = NO_PROPERTIES

    def __repr__(self) -> str:
        """Leave the password out: this may come to be logged."""
        return f"Connect(version={self.protocol_version}, client_id={self.client_id!r})"


class Connack(msgspec.Struct, frozen=True, gc=False):
    """Server to client: how CONNECT went (3.2)."""

    session_present: bool = False
    reason_code: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES


class Publish(msgspec.Struct, frozen=True, gc=False):
    """A message, either way (3.3).

    Attributes:
        topic: blank only with a topic alias.
        packet_id: 0 with QoS 0.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0
    properties: Properties = NO_PROPERTIES


class Puback(msgspec.Struct, frozen=True, gc=False):
    """Answers PUBLISH of QoS 1 (3.4)."""

    packet_id: int
    reason_code: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES


class Pubrec(msgspec.Struct, frozen=True, gc=False):
    """Answers PUBLISH of QoS 2 (3.5)."""

    packet_id: int
    reason_code: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES


class Pubrel(msgspec.Struct, frozen=True, gc=False):
    """Answers PUBREC (3.6)."""

    packet_id: int
    reason_code: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES


class Pubcomp(msgspec.Struct, frozen=True, gc=False):
    """Answers PUBREL (3.7)."""

    packet_id: int
    reason_code: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES


class Subscribe(msgspec.Struct, frozen=True, gc=False):
    """Client to server (3.8).

    Attributes:
        filters: at least one; each has the packet's subscription identifier.
    """

    packet_id: int
    filters: tuple[Subscription, ...]
    properties: Properties = NO_PROPERTIES


class Suback(msgspec.Struct, frozen=True, gc=False):
    """Answers SUBSCRIBE, filter by filter (3.9)."""

    packet_id: int
    reason_codes: tuple[ReasonCode, ...]
    properties: Properties = NO_PROPERTIES


class Unsubscribe(msgspec.Struct, frozen=True, gc=False):
    """Client to server (3.10)."""

    packet_id: int
    topic_filters: tuple[str, ...]
    properties: Properties = NO_PROPERTIES


class Unsuback(msgspec.Struct, frozen=True, gc=False):
    """Answers UNSUBSCRIBE, filter by filter (3.11); without codes in 3.1 and 3.1.1."""

    packet_id: int
    reason_codes: tuple[ReasonCode, ...] = ()
    properties: Properties = NO_PROPERTIES


class Pingreq(msgspec.Struct, frozen=True, gc=False):
    """Client to server (3.12)."""


class Pingresp(msgspec.Struct, frozen=True, gc=False):
    """Server to client (3.13)."""


class Disconnect(msgspec.Struct, frozen=True, gc=False):
    """The last packet; either way in MQTT 5, client to server before (3.14)."""

    reason_code: ReasonCode = ReasonCode.NORMAL_DISCONNECTION
    properties: Properties = NO_PROPERTIES


class Auth(msgspec.Struct, frozen=True, gc=False):
    """A step of an extended authentication, either way; MQTT 5 only (3.15)."""

    reason_code: ReasonCode = ReasonCode.SUCCESS
    properties: Properties = NO_PROPERTIES


# What a server can receive.
ClientPacket = (
    Connect
    | Publish
    | Puback
    | Pubrec
    | Pubrel
    | Pubcomp
    | Subscribe
    | Unsubscribe
    | Pingreq
    | Disconnect
    | Auth
)
# What a client can receive.
ServerPacket = (
    Connack
    | Publish
    | Puback
    | Pubrec
    | Pubrel
    | Pubcomp
    | Suback
    | Unsuback
    | Pingresp
    | Disconnect
    | Auth
)
Packet = ClientPacket | ServerPacket
