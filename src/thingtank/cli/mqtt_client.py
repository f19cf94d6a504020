"""One MQTT connection of the command line, by paho-mqtt, and words for what goes wrong.

paho is imported where it is used: other commands do without it.
"""

import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from thingtank.cli.mqtt_address import WEBSOCKET_PATH, Address
from thingtank.cli.mqtt_connection import Connection, context_of
from thingtank.cli.mqtt_properties import SESSION_NEVER_EXPIRES, properties_of
from thingtank.cli.session import Refusal

if TYPE_CHECKING:
    from paho.mqtt.client import Client

CONNECT_S_MAX = 10.0
DISCONNECT_S_MAX = 2.0
TURN_S = 1.0  # of the connection's loop, which looks after keep alive
_WORDS = {
    128: "refused, and the server does not say why",
    129: "the server found a malformed packet",
    130: "the server found an error of protocol",
    131: "refused for a reason of the server's own",
    132: "the server does not speak this version of MQTT; -V names another",
    133: "the server does not take this client id",
    134: "bad user name or password",
    135: "not authorised",
    136: "the server is unavailable",
    137: "the server is busy",
    138: "banned",
    139: "the server stops",
    140: "the server does not take this authentication method",
    141: "the server has heard nothing for too long",
    142: "another client has connected with this client id",
    143: "the server does not take this topic filter",
    144: "the server does not take this topic",
    145: "the packet identifier is in use",
    147: "more messages at once than the server takes",
    148: "the server does not take this topic alias",
    149: "larger than the server takes",
    150: "too many messages for the server",
    151: "a quota is used up",
    152: "ended by an administrator",
    153: "the payload is not as its format says",
    154: "the server keeps no retained messages",
    155: "the server has no such QoS",
    156: "the server says to use another one",
    157: "the server has moved",
    158: "the server has no shared subscriptions",
    159: "too many connections at once",
    160: "connected for as long as the server allows",
    161: "the server has no subscription identifiers",
    162: "the server has no wildcard subscriptions",
}
_OLD_CODES = {132: 1, 133: 2, 136: 3, 134: 4, 135: 5}  # reason code: MQTT 3.1.1's return code
_PASSING = frozenset({136, 137, 139, 141})  # a later attempt may be let in


class Refused(Refusal):
    """The server refused the connection; the exit code is its reason code, as mosquitto's is."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc] # click looks at the instance


@contextmanager
def until_interrupted(connection: Connection) -> Iterator[None]:
    """A command, which SIGTERM ends as Ctrl-C does, and a reader that goes quietly."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Refusal as error:
        if connection.is_quiet:
            raise click.exceptions.Exit(error.exit_code) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


class MqttClient:
    """A client whose loop this thread turns, until `start_thread`.

    Attributes:
        paho: paho's client.
        is_connected: from an accepting CONNACK on, until the connection's end.
        on_connected, on_lost: called at these moments.
        receive_maximum: most QoS 1 and 2 messages at once that the server takes.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_connected = False
        self.receive_maximum = 0xFFFF
        self.on_connected: Callable[[], None] = lambda: None
        self.on_lost: Callable[[], None] = lambda: None
        self._refusal: Refused | None = None
        self._may_return = False
        self.paho = _paho_of(connection)
        self.paho.on_connect = self._connected
        self.paho.on_disconnect = self._disconnected

    def connect(self, seconds_max: float = float("inf")) -> None:
        """Connect, until the server has accepted, for at most so long or CONNECT_S_MAX.

        Raises:
            Refusal: it has not, or nothing listens.
        """
        self._refusal = None
        self._open()
        deadline_s = time.monotonic() + min(seconds_max, CONNECT_S_MAX)
        url = self.connection.address.url
        while not self.is_connected:
            if self._refusal is not None:
                raise self._refusal
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise Refusal(f"what listens at {url} does not answer as MQTT does")
            if self.turn(left_s):
                continue
            raise self._refusal or Refusal(
                f"no MQTT at {url}, or not of this version, which -V chooses"
            )

    def turn(self, seconds: float = TURN_S) -> bool:
        """Wait for packets for so long, and do what they ask for; False when there is no more."""
        from paho.mqtt.enums import MQTTErrorCode

        try:
            code = self.paho.loop(max(0.0, min(seconds, TURN_S)))
        except (Refusal, OSError):
            raise
        except Exception:  # noqa: BLE001 # a parser's of paho, of many kinds
            raise self._nonsense() from None
        return code == MQTTErrorCode.MQTT_ERR_SUCCESS

    def start_thread(self) -> None:
        """From now on have a thread of paho's turn the loop; `on_lost` is called when it ends."""
        turn_forever = self.paho.loop_forever

        def turn_until_lost(*args: Any, **kwargs: Any) -> Any:
            try:
                return turn_forever(*args, **kwargs)
            except Exception:  # noqa: BLE001 # as above
                self._refusal = self._nonsense()
            self.is_connected = False
            self.on_lost()
            return None

        self.paho.loop_forever = turn_until_lost  # type: ignore[method-assign] # what its thread runs
        self.paho.loop_start()

    def stop_thread(self) -> None:
        """Say goodbye, and wait for the thread's end."""
        if self.is_connected:
            self.paho.disconnect(properties=properties_of("disconnect", self.connection.properties))
        self.paho.loop_stop()

    def _nonsense(self) -> Refused:
        return Refused(f"{self.connection.address.url} sent what is no MQTT")

    def loss(self) -> Refused:
        """Why the connection is no more."""
        return self._refusal or Refused(f"the connection to {self.connection.address.url} was lost")

    @property
    def may_return(self) -> bool:
        """Whether it makes sense to connect again after a loss."""
        return self._refusal is None or self._may_return

    def disconnect(self) -> None:
        """Say goodbye, so that no will is published."""
        if not self.is_connected:
            return
        self.paho.disconnect(properties=properties_of("disconnect", self.connection.properties))
        deadline_s = time.monotonic() + DISCONNECT_S_MAX
        while self.paho.want_write() and time.monotonic() < deadline_s and self.turn(0.1):
            pass

    def note(self, words: str) -> None:
        """Tell the person of what does not end the command."""
        if not self.connection.is_quiet:
            click.echo(words, err=True)

    def _open(self) -> None:
        connection, address = self.connection, self.connection.address
        more = (
            {"clean_start": connection.clean, "properties": _connect_properties(connection)}
            if connection.is_v5
            else {}
        )
        try:
            self.paho.connect(
                address.path or address.host,
                address.port,
                connection.keep_alive_s,
                bind_address=connection.bind_address,
                **more,
            )
        except OSError as error:
            raise Refusal(_why_not_connected(address, error)) from None
        except ValueError as error:
            raise Refusal(f"{address.url} is no address: {error}") from None

    def _connected(self, _: Any, __: Any, ___: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._refusal = self._refused(
                "connection refused", code, properties, self._exit_code_of(code.value)
            )
            return
        self.is_connected = True
        self.receive_maximum = getattr(properties, "ReceiveMaximum", 0xFFFF)
        self.on_connected()

    def _disconnected(self, _: Any, __: Any, flags: Any, code: Any, properties: Any) -> None:
        self.is_connected = False
        if flags.is_disconnect_packet_from_server:
            self._refusal = self._refused("the server ended the connection", code, properties)
        self.on_lost()

    def _exit_code_of(self, reason_code: int) -> int:
        return reason_code if self.connection.is_v5 else _OLD_CODES.get(reason_code, 1)

    def _refused(self, what: str, code: Any, properties: Any, exit_code: int = 1) -> Refused:
        self._may_return = code.value in _PASSING
        return Refused(f"{what}: {words_of(code, properties)}", exit_code)


def words_of(code: Any, properties: Any) -> str:
    """A reason code, and what the server says about it."""
    said = getattr(properties, "ReasonString", None)
    words = _WORDS.get(code.value, f"reason code {code.value}")
    return f"{words} ({said})" if said else words


def _connect_properties(connection: Connection) -> Any:
    given = dict(connection.properties)
    expiry_s = connection.session_expiry_s
    if expiry_s is None and not connection.clean:
        expiry_s = SESSION_NEVER_EXPIRES
    name = "session-expiry-interval"
    connect = given.get("connect", [])
    if expiry_s is not None and all(name != other for other, _ in connect):
        given["connect"] = [*connect, (name, expiry_s)]
    return properties_of("connect", given)


def _paho_of(connection: Connection) -> "Client":
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

    address = connection.address
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=connection.client_id,
        clean_session=None if connection.is_v5 else connection.clean,
        protocol=MQTTProtocolVersion(connection.version),
        transport="unix" if address.path else "websockets" if address.is_websocket else "tcp",
        reconnect_on_failure=False,
    )
    if connection.username or connection.password:
        client.username_pw_set(connection.username or None, connection.password or None)
    if connection.will is not None:
        will = connection.will
        properties = properties_of("will", connection.properties)
        client.will_set(will.topic, will.payload, will.qos, will.retain, properties)
    if address.is_websocket:
        client.ws_set_options(path=WEBSOCKET_PATH)
    if address.is_tls:
        client.tls_set_context(context_of(connection.tls))
    if connection.has_no_delay and not address.path:
        client.on_socket_open = _set_no_delay
    if connection.is_debugging:
        client.on_log = lambda _, __, ___, words: click.echo(words, err=True)
    client.max_inflight_messages_set(connection.inflight_max)
    return client


def _set_no_delay(_: Any, __: Any, opened: Any) -> None:
    getattr(opened, "_socket", opened).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _why_not_connected(address: Address, error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {address.url} is not believed: {error.verify_message};"
            " --cafile FILE names a certificate to believe"
        )
    if isinstance(error, ssl.SSLError):
        return f"no TLS at {address.url}: {error.reason or error}"
    if address.is_tls and isinstance(error, ConnectionResetError):
        return f"no TLS at {address.url}: it closed the connection"
    if isinstance(error, socket.gaierror):
        return f"{address.host}: {error.strerror}"
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return (
            f"connection refused: nothing listens at {address.url}; start a server with:"
            " thingtank serve, or name another with -h and -p"
        )
    return f"{address.url}: {error.strerror or error}"
