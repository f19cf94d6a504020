"""Where a WAMP session of the command line goes, by which kind of connection, and as whom."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from thingtank.cli.session import Refusal

DEFAULT_URL = "ws://127.0.0.1:8080/ws"
_PORTS = {"ws": 80, "wss": 443, "rs": 80, "rss": 443}
_SECURE = frozenset({"wss", "rss"})


@dataclass(frozen=True)
class Address:
    """Where to go, and as whom.

    Attributes:
        url: `ws://` or `wss://`, for RawSocket `rs://` or `rss://`, or `unix:` and a socket's path.
        ticket, secret: for the methods `ticket` and `wampcra`; blank for none.
        ca: certificates to believe in place of the system's.
    """

    url: str
    realm: str
    authid: str = ""
    ticket: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    ca: Path | None = None

    @property
    def authentication(self) -> dict[str, dict[str, str]]:
        """What Autobahn is told, by method. A key, as a ticket, needs no name with it."""
        who = {"authid": self.authid} if self.authid else {}
        methods = {}
        if self.ticket:
            methods["ticket"] = {**who, "ticket": self.ticket}
        if self.secret:
            methods["wampcra"] = {**who, "secret": self.secret}
        return methods


@dataclass(frozen=True)
class Endpoint:
    """What an address comes down to: a socket's path, or a host and port, and TLS if there is."""

    is_websocket: bool
    path: str = ""
    host: str = ""
    port: int = 0
    tls: ssl.SSLContext | None = None


def endpoint_of(address: Address) -> Endpoint:
    """Read an address.

    Raises:
        Refusal: it is none of a WAMP router, or its certificates cannot be read.
    """
    path = _socket_path(address.url)
    if path:
        return Endpoint(is_websocket=False, path=path)
    try:
        parts = urlsplit(address.url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _no_address(address.url, str(error)) from None
    if parts.scheme not in _PORTS or not host:
        raise _no_address(
            address.url, "one is ws://, wss://, rs:// or rss:// and a host, or unix: and a path"
        )
    is_websocket = parts.scheme.startswith("ws")
    if not is_websocket and (parts.path.strip("/") or parts.query):
        raise _no_address(address.url, "RawSocket has no path; a Unix socket is unix:/its/path")
    return Endpoint(
        is_websocket,
        host=host,
        port=_PORTS[parts.scheme] if port is None else port,
        tls=_tls(address.ca) if parts.scheme in _SECURE else None,
    )


def _socket_path(url: str) -> str:
    """The path of a Unix socket; Autobahn writes `rs://unix:` before it."""
    for prefix in ("unix://", "unix:", "rs://unix:"):
        if url.startswith(prefix):
            return url.removeprefix(prefix)
    return ""


def _no_address(url: str, why: str) -> Refusal:
    return Refusal(f"{url} is no address of a WAMP router: {why}")


def _tls(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as error:  # no certificates in the file, or not to be read
        raise Refusal(f"{ca} has no certificates that can be read: {error}") from None


def why_not_connected(url: str, error: OSError) -> str:
    """Words for a connection that was not made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {url} is not believed: {error.verify_message};"
            " --ca FILE names a certificate to believe, for the host that is in it"
        )
    if isinstance(error, ssl.SSLError):
        return f"no TLS at {url}: {error.reason or error}"
    return (
        f"nothing listens at {url}; start a server with: thingtank serve,"
        " or name another with --url"
    )


def url_of_server(folder: Path) -> str:
    """Where the server of a data folder has WAMP, or the default address when none runs.

    Raises:
        Refusal: it runs, and has no WAMP.
    """
    from thingtank.cli.session import running_server

    server = running_server(folder)
    if server is None:
        return DEFAULT_URL
    try:
        found = server.call("server.addresses", {})
    finally:
        server.close()
    sockets = found["sockets"]
    url = sockets.get("wamp") or sockets.get("wamp_tls")
    if not url and sockets.get("wamp_unix"):
        url = f"unix:{sockets['wamp_unix']}"
    if not url:
        raise Refusal(f"the server of {folder} has WAMP at no port; give its address with --url")
    return str(url)
