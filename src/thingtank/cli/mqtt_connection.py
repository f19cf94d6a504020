"""What a connection of `thingtank mqtt` is made from: where, as whom, how."""

import secrets
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from thingtank.cli.mqtt_address import Address
from thingtank.cli.mqtt_properties import Given
from thingtank.cli.session import Refusal

VERSIONS = {"mqttv31": 3, "mqttv311": 4, "mqttv5": 5, "31": 3, "311": 4, "5": 5}
_TLS_VERSIONS = {
    "tlsv1.1": ssl.TLSVersion.TLSv1_1,
    "tlsv1.2": ssl.TLSVersion.TLSv1_2,
    "tlsv1.3": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True)
class Will:
    """What the server publishes when the client goes without a word."""

    topic: str
    payload: str
    qos: int
    retain: bool


@dataclass(frozen=True)
class Tls:
    """How the server is believed, and what it may ask for."""

    cafile: Path | None = None
    capath: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    ciphers: str = ""
    alpn: str = ""
    version: str = ""
    is_insecure: bool = False


@dataclass(frozen=True)
class Connection:
    """All that a CONNECT packet, and the socket below it, come from."""

    address: Address
    client_id: str
    version: int
    clean: bool
    keep_alive_s: int
    username: str
    password: str = field(repr=False)
    session_expiry_s: int | None = None
    will: Will | None = None
    tls: Tls = Tls()
    properties: Given = field(default_factory=dict)
    bind_address: str = ""
    has_no_delay: bool = False
    inflight_max: int = 20
    is_debugging: bool = False
    is_quiet: bool = False

    @property
    def is_v5(self) -> bool:
        """Whether there are properties and reason codes."""
        return self.version == VERSIONS["mqttv5"]


def random_client_id() -> str:
    """One of at most 23 letters and digits, which every server takes."""
    return f"thingtank{secrets.token_hex(7)}"


def context_of(tls: Tls) -> ssl.SSLContext:
    """What TLS is spoken with.

    Raises:
        Refusal: a file, or the list of ciphers, cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=tls.cafile, capath=tls.capath)
        if tls.cert is not None:
            context.load_cert_chain(tls.cert, tls.key)
        if tls.ciphers:
            context.set_ciphers(tls.ciphers)
        if tls.alpn:
            context.set_alpn_protocols([tls.alpn])
    except (OSError, ValueError) as error:  # nothing of the kind in a file, or not to be read
        raise Refusal(f"the certificates, key or ciphers cannot be used: {error}") from None
    if tls.version:
        context.minimum_version = _TLS_VERSIONS[tls.version]
    context.check_hostname = not tls.is_insecure
    return context
