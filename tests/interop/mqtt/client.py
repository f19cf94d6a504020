"""What the tests ask of an MQTT client, whichever it is."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

WAIT_S_MAX = 10.0  # for any one thing; two busy cores


class Properties(NamedTuple):
    """Of a message, in MQTT 5."""

    user: tuple[tuple[str, str], ...] = ()
    content_type: str = ""
    response_topic: str = ""
    correlation_data: bytes = b""


class Publication(NamedTuple):
    """A message to be published, or a will."""

    topic: str
    payload: bytes
    qos: int = 0
    is_retain: bool = False
    properties: Properties = Properties()


class Received(NamedTuple):
    """A message that has come."""

    topic: str
    payload: bytes
    qos: int
    is_retain: bool
    properties: Properties = Properties()


@dataclass(frozen=True)
class Login:
    """How a client is to connect.

    Attributes:
        url: `mqtt://`, `mqtts://`, `ws://`, or the path of a Unix socket.
        version: 4 for MQTT 3.1.1, 5 for MQTT 5.
        session_s: for how long its session is to outlive the connection; 0 begins a new one.
        ca, certificate, key: paths of PEM files.
        filters: topic filters and QoS, for the client that subscribes when it connects.
    """

    url: str
    version: int
    client_id: str
    session_s: int = 0
    will: Publication | None = None
    user_name: str = ""
    password: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    filters: tuple[tuple[str, int], ...] = field(default=())

    @property
    def transport(self) -> str:
        """As paho calls it."""
        scheme = urlsplit(self.url).scheme
        return {"": "unix", "ws": "websockets"}.get(scheme, "tcp")

    @property
    def host(self) -> str:
        return self.url if self.transport == "unix" else str(urlsplit(self.url).hostname)

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0


class Refused(Exception):
    """The broker did not let the client in."""


class Client(Protocol):
    """One client; what it does waits until the broker has answered.

    Attributes:
        is_over: it was closed or dropped.
    """

    is_over: bool

    def subscribe(self, topic_filter: str, qos: int) -> None: ...

    def publish(self, publication: Publication) -> None: ...

    def received(self, count: int) -> list[Received]:
        """The next messages, in the order in which they came; waits for them."""

    def close(self) -> None:
        """Say goodbye."""

    def drop(self) -> None:
        """Be gone without a word."""
