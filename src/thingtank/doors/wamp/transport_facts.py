"""What is known of a connection before its client says who it is."""

import ssl
from collections.abc import Mapping
from typing import Any, Protocol

from thingtank.protocols.wamp.authentication import TransportFacts


class _Transport(Protocol):
    def get_extra_info(self, name: str, default: Any = None) -> Any: ...


def facts_of(
    transport: _Transport, kind: str, address: str, headers: Mapping[str, str] | None = None
) -> TransportFacts:
    """The facts of a transport whose handshakes are done.

    Args:
        kind: `websocket` or `rawsocket`.
        address: where the client is.
        headers: of the request that became a WebSocket, names in lower case.
    """
    tls = transport.get_extra_info("ssl_object")
    return TransportFacts(
        kind,
        address,
        tls is not None,
        headers or {},
        tls.getpeercert(binary_form=True) if tls is not None else None,
        _channel_ids(tls) if tls is not None else {},
    )


def _channel_ids(tls: ssl.SSLObject) -> dict[str, bytes]:
    """What both ends of this TLS connection know, and no other has.

    Python offers no `tls-exporter`, and `tls-unique` is sound up to TLS 1.2 only (RFC 9266, 3).
    """
    unique = tls.get_channel_binding("tls-unique") if tls.version() == "TLSv1.2" else None
    return {"tls-unique": unique} if unique is not None else {}
