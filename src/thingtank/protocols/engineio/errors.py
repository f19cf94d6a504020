"""How Engine.IO traffic can be wrong, and in which words it is refused.

```
EngineError
├── MalformedPacket     packets or payloads that have no meaning
└── PayloadTooLong      more bytes or packets than are taken

LocalProtocolError      a bug of ours: what was to be sent may not be
```

A session never lets the first two out: it ends, or answers one of the refusals.
"""

from typing import Final

import msgspec


class EngineError(Exception):
    """Anything that the peer has done wrong."""


class MalformedPacket(EngineError):
    """Octets that are no packet or payload of the revision."""


class PayloadTooLong(EngineError):
    """More than is taken at once."""


class LocalProtocolError(Exception):
    """A bug of ours: this may not be sent."""


class Refusal(msgspec.Struct, frozen=True):
    """The answer to an HTTP request that is not taken.

    Attributes:
        status: of HTTP.
        code: Engine.IO's own number for it.
        message: in the words of the reference server.
    """

    status: int
    code: int
    message: str

    @property
    def body(self) -> bytes:
        """The answer's body; its content type is application/json."""
        return msgspec.json.encode({"code": self.code, "message": self.message})


TRANSPORT_UNKNOWN: Final = Refusal(400, 0, "Transport unknown")
SESSION_UNKNOWN: Final = Refusal(400, 1, "Session ID unknown")
BAD_HANDSHAKE_METHOD: Final = Refusal(400, 2, "Bad handshake method")
BAD_REQUEST: Final = Refusal(400, 3, "Bad request")
FORBIDDEN: Final = Refusal(403, 4, "Forbidden")
UNSUPPORTED_REVISION: Final = Refusal(400, 5, "Unsupported protocol version")
PAYLOAD_TOO_LONG: Final = Refusal(413, 3, "Payload too large")
