"""The Control Packet types, and where else properties are found."""

from enum import IntEnum


class PacketType(IntEnum):
    """MQTT 5, 2.1.2; MQTT 3.1.1, 2.2.1 (without AUTH).

    WILL is no packet: it names the Will Properties within CONNECT (MQTT 5, 3.1.3.2).
    """

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15
    WILL = 16
