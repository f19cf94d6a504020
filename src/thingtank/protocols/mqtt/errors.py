"""How MQTT traffic can be wrong, with the reason code that the standard wants for it.

```
MqttError
├── MalformedPacket             0x81  the octets have no meaning
├── ProtocolError               0x82  they have one that is not allowed here
├── UnsupportedVersion          0x84  CONNECT asks for a protocol that is not spoken
├── ClientIdentifierNotValid    0x85  CONNECT has an identifier that is not taken
├── TopicFilterInvalid          0x8F  well-formed, and refused
├── TopicNameInvalid            0x90  well-formed, and refused
└── PacketTooLarge              0x95  larger than was said to be taken

LocalProtocolError                    a bug of ours: what was to be sent may not be
```

All but the last end the connection, after CONNACK or DISCONNECT where one is sent.

Source: MQTT 5, 4.13; MQTT 3.1.1, 4.8.
"""

from thingtank.protocols.mqtt.reason_codes import ReasonCode


class MqttError(Exception):
    """Anything that the peer has done wrong. The text may be shown to it.

    Attributes:
        reason_code: for CONNACK or DISCONNECT.
        is_told: whether it is sent; without, the connection is just closed, which the standard
            always allows (MQTT 5, 4.13.1).
        is_explained: whether its text is sent as well to clients of MQTT 5 that have not asked for
            words (3.1.2.11.7).
        version: of the protocol that CONNACK is to be written in, for errors of CONNECT.
    """

    reason_code = ReasonCode.UNSPECIFIED_ERROR

    def __init__(
        self,
        text: str,
        *,
        reason_code: ReasonCode | None = None,
        is_told: bool = True,
        is_explained: bool = False,
        version: int = 5,
    ) -> None:
        """See the attributes."""
        super().__init__(text)
        if reason_code is not None:
            self.reason_code = reason_code
        self.is_told = is_told
        self.is_explained = is_explained
        self.version = version


class MalformedPacket(MqttError):
    """It cannot be parsed according to the standard (MQTT 5, 1.2)."""

    reason_code = ReasonCode.MALFORMED_PACKET


class ProtocolError(MqttError):
    """It can be parsed, and holds what the protocol or the state do not allow (MQTT 5, 1.2)."""

    reason_code = ReasonCode.PROTOCOL_ERROR


class UnsupportedVersion(MqttError):
    """Protocol name and version are of none that is spoken here (MQTT 5, 3.1.2.2)."""

    reason_code = ReasonCode.UNSUPPORTED_PROTOCOL_VERSION


class ClientIdentifierNotValid(MqttError):
    """The client identifier is not taken (MQTT 5, 3.1.3.1)."""

    reason_code = ReasonCode.CLIENT_IDENTIFIER_NOT_VALID


class TopicFilterInvalid(MqttError):
    """The topic filter is correctly formed, and is not accepted by this server."""

    reason_code = ReasonCode.TOPIC_FILTER_INVALID


class TopicNameInvalid(MqttError):
    """The topic name is correctly formed, and is not accepted by this server."""

    reason_code = ReasonCode.TOPIC_NAME_INVALID


class PacketTooLarge(MqttError):
    """It has more octets than the receiver takes (MQTT 5, 3.1.2.11.4)."""

    reason_code = ReasonCode.PACKET_TOO_LARGE


class LocalProtocolError(Exception):
    """A bug of ours: this may not be sent."""
