"""What CONNECT says of who is there, and the refusal."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from msgspec import Struct

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Refusal(IntEnum):
    """Reason codes of CONNACK for who is not let in (MQTT 5, 3.2.2.2), and of DISCONNECT."""

    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    BANNED = 0x8A
    BAD_AUTHENTICATION_METHOD = 0x8C


class Refused(Exception):
    """Somebody is not let in. The message may be told: it is a reason string."""

    def __init__(self, reason_code: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason_code = reason_code


class ConnectAttempt(Struct, frozen=True):
    """A client that wants in.

    Attributes:
        client_id: as CONNECT has it, or as it is assigned: never blank.
        user_name: None where CONNECT has none.
        password: None where CONNECT has none.
        peer: where it comes from, as `net.forwarded.client_of` says: an address, `UNIX`, or
            `forwarded by …`.
        headers: of the HTTP request that became a WebSocket, names in lower case.
        certificate: the client's, verified, in DER.
    """

    client_id: str
    user_name: str | None = None
    password: bytes | None = None
    peer: str = ""
    headers: Mapping[str, str] = _NO_HEADERS
    certificate: bytes | None = None

    def __repr__(self) -> str:
        # The user name may be an API key.
        return f"ConnectAttempt(client_id={self.client_id!r}, peer={self.peer!r})"
