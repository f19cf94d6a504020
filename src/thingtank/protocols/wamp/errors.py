"""How WAMP traffic can be wrong, with what the specification wants done about it.

```
WampError
├── ProtocolViolation       the peer broke the protocol: ABORT, and close the transport
├── NoSuchRealm             HELLO names one that is not there, or not for its sender: ABORT
├── InvalidUri              one request is wrong: ERROR `wamp.error.invalid_uri`, the session lives
├── UnconvertiblePayload    no fault of anybody: this payload has no form in that serializer
└── MessageTooLong          a message of ours is longer than its receiver said it takes

FailureTold                 a bug of ours, at a request that has been answered nevertheless
```

Source: WAMP, Protocol Violations, and URIs.
"""


class WampError(Exception):
    """Anything that WAMP has an answer for. The text may be shown to the peer."""


class ProtocolViolation(WampError):
    """ABORT with `wamp.error.protocol_violation`; nothing further is read from this peer."""


class NoSuchRealm(WampError):
    """ABORT with `wamp.error.no_such_realm`: none of this name, or none for this client."""

    @classmethod
    def of(cls, name: str) -> "NoSuchRealm":
        """None of this name."""
        return cls(f"no realm {name!r}")


class InvalidUri(WampError):
    """ERROR with `wamp.error.invalid_uri`; nothing at all for an unacknowledged PUBLISH."""


class UnconvertiblePayload(WampError):
    """The receiver of another serializer cannot be given this payload."""


class MessageTooLong(WampError):
    """More bytes than the receiver takes; it has not been sent."""


class FailureTold(Exception):
    """A bug of ours, the `__cause__`; whose request met it has been told, and may go on.

    Any other exception that is no WampError leaves a request without an answer: its session ends.
    """
