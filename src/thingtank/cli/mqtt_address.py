"""Where `thingtank mqtt` goes: by flags as mosquitto's, a URL, or to the data folder's server."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from thingtank.cli.session import Refusal

DEFAULT_HOST = "127.0.0.1"
WEBSOCKET_PATH = "/mqtt"
TLS_PORT = 8883
_PORTS = {"mqtt": 1883, "mqtts": TLS_PORT, "ws": 80, "wss": 443}
_SCHEMES = {"tcp": "mqtt", "ssl": "mqtts", "tls": "mqtts"}  # as other programs call them


@dataclass(frozen=True)
class Address:
    """Where a server is; a socket's path, or a host and port.

    Attributes:
        path: of a Unix socket, blank for none.
        topic, username, password: what a URL may have as well, blank for none.
    """

    host: str = DEFAULT_HOST
    port: int = _PORTS["mqtt"]
    path: str = ""
    is_tls: bool = False
    is_websocket: bool = False
    topic: str = ""
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The address in words, without names and secrets."""
        if self.path:
            return f"unix:{self.path}"
        scheme = {(False, False): "mqtt", (False, True): "mqtts", (True, False): "ws"}.get(
            (self.is_websocket, self.is_tls), "wss"
        )
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}{WEBSOCKET_PATH if self.is_websocket else ''}"


def address_of_url(url: str) -> Address:
    """Read `mqtt(s)://[username[:password]@]host[:port][/topic]`; `ws(s)` is over WebSocket.

    A topic's `#` and `?` are its own.

    Raises:
        UsageError: it is none.
    """
    scheme, colon, rest = url.partition("://")
    scheme = _SCHEMES.get(scheme, scheme)
    authority, _, topic = rest.partition("/")
    if not colon or scheme not in _PORTS:
        raise click.UsageError(f"a URL begins with mqtt://, mqtts://, ws:// or wss://, not {url!r}")
    try:
        parts = urlsplit(f"//{authority}")
        port = parts.port
    except ValueError as error:
        raise click.UsageError(f"no host and port are in the URL: {error}") from None
    if not parts.hostname:
        raise click.UsageError(f"no host is in the URL {scheme}://{parts.hostname or ''}/{topic}")
    return Address(
        host=parts.hostname,
        port=_PORTS[scheme] if port is None else port,
        is_tls=scheme in ("mqtts", "wss"),
        is_websocket=scheme in ("ws", "wss"),
        topic=topic,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def address_of_flags(
    host: str | None, port: int | None, is_tls: bool, is_websocket: bool
) -> Address:
    """What `-h`, `-p` and `--ws` say, with mosquitto's ports where `-p` is not given."""
    is_tls = is_tls or (port == TLS_PORT and not is_websocket)
    scheme = ("ws" if is_websocket else "mqtt") + ("s" if is_tls else "")
    return Address(
        host=host or DEFAULT_HOST,
        port=_PORTS[scheme] if port is None else port,
        is_tls=is_tls,
        is_websocket=is_websocket,
    )


def address_of_server(folder: Path, *, is_websocket: bool) -> Address:
    """Where the server of a data folder has MQTT, or the default address when none runs.

    Raises:
        Refusal: it runs, and has no MQTT.
    """
    from thingtank.cli.session import running_server

    server = running_server(folder)
    if server is None:
        return address_of_flags(None, None, is_tls=False, is_websocket=is_websocket)
    try:
        found = server.call("server.addresses", {})
    finally:
        server.close()
    sockets = found["sockets"]
    if is_websocket and sockets.get("mqtt_websocket"):
        return address_of_url(str(sockets["mqtt_websocket"]).removesuffix(WEBSOCKET_PATH))
    if is_websocket:
        raise Refusal(f"the server of {folder} has no MQTT over WebSocket; leave --ws out")
    url = str(sockets.get("mqtt") or sockets.get("mqtt_tls") or "")
    if url:
        return address_of_url(url)
    if sockets.get("mqtt_unix"):
        return Address(path=str(sockets["mqtt_unix"]).removeprefix("unix:"))
    raise Refusal(f"the server of {folder} has MQTT at no port; give its address with -h and -p")
