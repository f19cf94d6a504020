"""Enhanced authentication: AUTH packets to and fro until it is known who is there.

Source: MQTT 5, 4.12.
"""

from typing import Protocol

from msgspec import Struct

from thingtank.doors.mqtt.authentication.principal import Principal


class Challenge(Struct, frozen=True):
    """AUTH with reason code 0x18 and this data; the client answers with AUTH."""

    data: bytes

    def __repr__(self) -> str:
        return "Challenge(…)"


class Authenticated(Struct, frozen=True):
    """It is known who is there.

    Attributes:
        data: authentication data of CONNACK, or of AUTH with reason code 0.
    """

    principal: Principal
    data: bytes

    def __repr__(self) -> str:
        return f"Authenticated({self.principal.id!r})"


class Exchange(Protocol):
    """One run of a method. Where it ends with `Refused`, so does the connection."""

    async def begin(self, method: str, data: bytes) -> Challenge | Authenticated:
        """Take the method and data of CONNECT, or of AUTH with reason code 0x19.

        Raises:
            Refused: BAD_AUTHENTICATION_METHOD for one that is not offered.
        """
        ...

    async def proceed(self, data: bytes) -> Challenge | Authenticated:
        """Take the data of AUTH with reason code 0x18.

        Raises:
            Refused.
        """
        ...
