"""Flags that `thingtank mqtt pub` and `sub` share: mosquitto's, by the same names."""

import json
import os
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from thingtank.cli.mqtt_address import (
    Address,
    address_of_flags,
    address_of_server,
    address_of_url,
)
from thingtank.cli.mqtt_properties import SESSION_NEVER_EXPIRES, USER_PROPERTY, parsed
from thingtank.cli.options import ParamType, data_option

if TYPE_CHECKING:
    from thingtank.cli.mqtt_connection import Connection, Tls, Will

TOPIC_BYTES_MAX = 65_535
USERNAME, PASSWORD = "THINGTANK_MQTT_USERNAME", "THINGTANK_MQTT_PASSWORD"  # in the environment
_PROPERTY_FLAGS = ("-D", "--property")
_VERSIONS = ("mqttv31", "mqttv311", "mqttv5", "31", "311", "5")
_TLS_VERSIONS = ("tlsv1.1", "tlsv1.2", "tlsv1.3")
_UNSUPPORTED = {
    "-S": "SRV records are not looked up; -h names a host",
    "--psk": "TLS with pre-shared keys is not supported; use certificates",
    "--psk-identity": "TLS with pre-shared keys is not supported; use certificates",
    "--proxy": "SOCKS proxies are not supported",
    "--keyform": "keys are files in PEM; engines are not supported",
    "--tls-engine": "keys are files in PEM; engines are not supported",
    "--tls-engine-kpass-sha1": "keys are files in PEM; engines are not supported",
}


class MosquittoCommand(click.Command):
    """A command whose `-h` is a host, and whose `-D` takes three words, or four.

    `--help` alone shows help.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings = {"help_option_names": ["--help"], **self.context_settings}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with the words of each `-D` made one."""
        return super().parse_args(ctx, list(self._joined(ctx, args)))

    def _joined(self, ctx: click.Context, args: list[str]) -> Iterator[str]:
        takes_value = {
            name
            for param in self.get_params(ctx)
            if isinstance(param, click.Option) and not (param.is_flag or param.count)
            for name in param.opts
        }
        words = iter(args)
        for word in words:
            yield word
            if word in _PROPERTY_FLAGS:
                yield json.dumps(_property_words(words))
            elif word in takes_value:
                yield from (value for value in [next(words, None)] if value is not None)


def _property_words(words: Iterator[str]) -> list[str]:
    found = list(islice(words, 2))
    count = 4 if found[1:] == [USER_PROPERTY] else 3
    found += islice(words, count - 2)
    if len(found) < count:
        raise click.UsageError(
            "-D takes COMMAND IDENTIFIER VALUE, such as: -D publish content-type text/plain;"
            " for a user-property COMMAND user-property NAME VALUE"
        )
    return found


class _Words(ParamType):
    """The words of a `-D`, which are together here."""

    name = "COMMAND IDENTIFIER [NAME] VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[str]:
        return list(json.loads(value)) if isinstance(value, str) else value


class _Expiry(ParamType):
    """Seconds, or `-1` or `∞` for a session that does not expire."""

    name = "SECONDS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if text in ("-1", "∞"):
            return SESSION_NEVER_EXPIRES
        if not text.isdecimal() or int(text[:11]) > SESSION_NEVER_EXPIRES:
            self.fail(f"{text!r} is not 0 to {SESSION_NEVER_EXPIRES}, -1 or ∞", param, ctx)
        return int(text)


class Topic(ParamType):
    """A topic to publish to."""

    name = "TOPIC"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        topic = str(value)
        _check_text(self, topic, param, ctx)
        if "+" in topic or "#" in topic:
            self.fail(f"{topic!r} has + or #, which only filters have", param, ctx)
        return topic


class TopicFilter(ParamType):
    """A topic, or a filter with `+` and `#`."""

    name = "TOPIC"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        _check_text(self, text, param, ctx)
        levels = text.split("/")
        wrong = any(len(level) > 1 and ("+" in level or "#" in level) for level in levels)
        if wrong or "#" in levels[:-1]:
            self.fail(
                f"{text!r} is no filter: + stands for a whole level, # for all the last ones",
                param,
                ctx,
            )
        return text


def _check_text(
    kind: ParamType, topic: str, param: click.Parameter | None, ctx: click.Context | None
) -> None:
    octets = topic.encode(errors="surrogateescape")
    if not topic or len(octets) > TOPIC_BYTES_MAX or "\0" in topic:
        kind.fail(f"a topic has 1 to {TOPIC_BYTES_MAX} bytes and no NUL", param, ctx)
    try:
        octets.decode()
    except UnicodeDecodeError:
        kind.fail("a topic is UTF-8", param, ctx)


def _unsupported(name: str) -> Callable[..., Any]:
    def refuse(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if value and (name, value) != ("--keyform", "pem"):
            raise click.UsageError(f"{name}: {_UNSUPPORTED[name]}")

    return click.option(
        name, hidden=True, expose_value=False, callback=refuse, is_flag=name == "-S"
    )


_file = click.Path(path_type=Path, dir_okay=False, exists=True)
_folder = click.Path(path_type=Path, file_okay=False, exists=True)
_SHARED = (
    click.option(
        "-h", "--host", help="Default: the data folder's server, else 127.0.0.1."
    ),
    click.option(
        "-p", "--port", type=click.IntRange(1, 65_535),
        help="Default: the data folder's server's, else 1883, or 8883 for TLS.",
    ),
    click.option(
        "-L", "--url", metavar="URL",
        help="mqtt(s)://[USERNAME[:PASSWORD]@]HOST[:PORT][/TOPIC]; ws(s):// for WebSocket.",
    ),
    click.option(
        "--unix", type=click.Path(path_type=Path), metavar="PATH", help="A Unix socket's path."
    ),
    click.option("--ws", "is_websocket", is_flag=True, help="Over WebSocket, at /mqtt."),
    click.option("-A", "bind_address", default="", metavar="ADDRESS", help="Connect from there."),
    click.option("-i", "--id", "client_id", help="Client id; default: a random one."),
    click.option("-I", "--id-prefix", help="Client id: this and the process id."),
    click.option(
        "-u", "--username", default="", envvar=USERNAME, help=f"User name; or {USERNAME}."
    ),
    click.option(
        "-P", "--pw", "password",
        help=f"Password; other users of this machine can see it, unlike one in {PASSWORD}.",
    ),
    click.option(
        "-V", "--protocol-version", type=click.Choice(_VERSIONS),
        help="Version of MQTT; for pub mqttv5 unless told otherwise, as others cannot say that a"
        " message is refused; for sub, and with -c, mqttv311.",
    ),
    click.option(
        "-c", "--disable-clean-session", "is_persistent", is_flag=True,
        help="Continue the session of this client id, and have it kept.",
    ),
    click.option(
        "-x", "--session-expiry-interval", "session_expiry_s", type=_Expiry(),
        help="Keep the session for so long after the end; -1 or ∞ for ever. MQTT 5.",
    ),
    click.option(
        "-k", "--keepalive", "keep_alive_s", type=click.IntRange(5, 65_535), default=60,
        show_default=True, help="Seconds after which a word is sent.",
    ),
    click.option(
        "-D", "--property", "properties", multiple=True, type=_Words(),
        help="A property, such as: -D publish content-type text/plain. MQTT 5.",
    ),
    click.option(
        "--will-topic", type=Topic(),
        help="Where the server publishes when this client is gone without a word.",
    ),
    click.option("--will-payload", default="", help="What."),
    click.option("--will-qos", type=click.IntRange(0, 2), default=0),
    click.option("--will-retain", is_flag=True),
    click.option("--cafile", type=_file, help="Certificates to believe, PEM; over TLS."),
    click.option("--capath", type=_folder, help="A folder of such files, rehashed by openssl."),
    click.option("--cert", type=_file, help="The client's certificate, PEM."),
    click.option("--key", type=_file, help="Its key, PEM."),
    click.option("--ciphers", default="", help="As openssl lists them."),
    click.option("--tls-alpn", default="", metavar="PROTOCOL", help="What to ask for by ALPN."),
    click.option(
        "--tls-version", type=click.Choice(_TLS_VERSIONS), help="The oldest version to speak."
    ),
    click.option("--tls-use-os-certs", is_flag=True, help="TLS, with the system's certificates."),
    click.option("--insecure", is_flag=True, help="Do not compare the certificate's host name."),
    click.option("--nodelay", "has_no_delay", is_flag=True, help="Send small packets at once."),
    click.option("-d", "--debug", "is_debugging", is_flag=True, help="Tell of packets, on stderr."),
    click.option("--quiet", "is_quiet", is_flag=True, help="Do not print errors."),
    data_option,
    *(_unsupported(name) for name in _UNSUPPORTED),
)  # fmt: skip


def connection_options(command: Callable[..., None]) -> Callable[..., None]:
    """The flags; the command gets what they say as `connection`, and the URL's topic."""
    names = {param for option in _SHARED for param in _names_of(option)}

    @wraps(command)
    def with_connection(**given: Any) -> None:
        shared = {name: given.pop(name) for name in names}
        # Only publishers say how many messages may be on the way.
        tells_refusals = "inflight_max" in given and not shared["is_persistent"]
        if shared["protocol_version"] is None:
            shared["protocol_version"] = "mqttv5" if tells_refusals else "mqttv311"
        connection = _connection_of(inflight_max=given.pop("inflight_max", 20), **shared)
        command(connection=connection, url_topic=connection.address.topic, **given)

    decorated: Callable[..., None] = with_connection
    for option in reversed(_SHARED):
        decorated = option(decorated)
    return decorated


def _names_of(option: Callable[..., Any]) -> list[str]:
    """The arguments that an option's command gets."""
    probe = click.command()(option(lambda: None))
    return [str(param.name) for param in probe.params if param.expose_value]


def _connection_of(**given: Any) -> "Connection":
    from thingtank.cli.mqtt_connection import VERSIONS, Connection

    properties = parsed(given["properties"])
    expiry_s = given["session_expiry_s"]
    is_v5 = bool(properties) or expiry_s is not None
    address = _address_of(given)
    username = given["username"] or address.username
    password = given["password"] or address.password or os.environ.get(PASSWORD, "")
    version = VERSIONS["mqttv5" if is_v5 else given["protocol_version"]]
    if password and not username and version != VERSIONS["mqttv5"]:
        raise click.UsageError("a password needs a user name before MQTT 5; give -u")
    return Connection(
        address=address,
        client_id=_client_id_of(given),
        version=version,
        clean=not given["is_persistent"],
        keep_alive_s=given["keep_alive_s"],
        username=username,
        password=password,
        session_expiry_s=expiry_s,
        will=_will_of(given),
        tls=_tls_of(given),
        properties=properties,
        bind_address=given["bind_address"],
        has_no_delay=given["has_no_delay"],
        inflight_max=given["inflight_max"],
        is_debugging=given["is_debugging"],
        is_quiet=given["is_quiet"],
    )


def _address_of(given: dict[str, Any]) -> Address:
    is_tls = any(
        given[name]
        for name in ("cafile", "capath", "cert", "tls_version", "tls_use_os_certs", "insecure")
    )
    ways = [name for name in ("url", "unix") if given[name]]
    has_host = given["host"] is not None or given["port"] is not None
    if len(ways) + has_host > 1 and not (ways == ["url"] and given["host"] is None):
        raise click.UsageError(
            "-h and -p, -L, and --unix are three ways to name a server; give one"
        )
    if given["unix"]:
        return Address(path=str(given["unix"]))
    if given["url"]:
        return address_of_url(given["url"])
    if has_host:
        return address_of_flags(given["host"], given["port"], is_tls, given["is_websocket"])
    return address_of_server(given["data"], is_websocket=given["is_websocket"])


def _client_id_of(given: dict[str, Any]) -> str:
    from thingtank.cli.mqtt_connection import random_client_id

    if given["client_id"] is not None and given["id_prefix"] is not None:
        raise click.UsageError("-i and -I are two ways to choose a client id; give one")
    if given["id_prefix"] is not None:
        return f"{given['id_prefix']}{os.getpid()}"
    lasts = given["is_persistent"] or given["session_expiry_s"] == SESSION_NEVER_EXPIRES
    if lasts and not given["client_id"]:
        raise click.UsageError("a session that is kept needs a client id; give -i")
    return given["client_id"] or random_client_id()


def _will_of(given: dict[str, Any]) -> "Will | None":
    from thingtank.cli.mqtt_connection import Will

    topic, payload = given["will_topic"], given["will_payload"]
    qos, retain = given["will_qos"], given["will_retain"]
    if topic is None:
        if payload or qos or retain:
            raise click.UsageError("a will needs --will-topic")
        return None
    return Will(topic, payload, qos, retain)


def _tls_of(given: dict[str, Any]) -> "Tls":
    from thingtank.cli.mqtt_connection import Tls

    if bool(given["cert"]) != bool(given["key"]):
        raise click.UsageError("--cert and --key go together")
    return Tls(
        cafile=given["cafile"],
        capath=given["capath"],
        cert=given["cert"],
        key=given["key"],
        ciphers=given["ciphers"],
        alpn=given["tls_alpn"],
        version=given["tls_version"] or "",
        is_insecure=given["insecure"],
    )
