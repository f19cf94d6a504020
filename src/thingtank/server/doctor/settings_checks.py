"""Settings that are allowed one by one, and make no sense together."""

from collections.abc import Iterator

from thingtank.server.config import ENVIRONMENT_PREFIX, Config
from thingtank.server.doctor.findings import Finding, Patient, ok, problem, warning

_KNOWN_VARIABLES = frozenset({"THINGTANK_DATA"})
_EVERYBODY = frozenset({"0.0.0.0/0", "::/0"})


def check_settings(patient: Patient) -> Iterator[Finding]:
    """Those that contradict each other, and variables that nobody reads."""
    found = [
        *_variables(patient),
        *_shared_ports(patient.config),
        *_tls(patient.config),
        *_web(patient.config),
    ]
    yield from found
    if not found:
        count = len(patient.sources)
        yield ok("settings", f"{count} differ from the defaults, and they fit together")


def _variables(patient: Patient) -> Iterator[Finding]:
    for variable in sorted(patient.environment):
        words = variable.removeprefix(ENVIRONMENT_PREFIX).lower().partition("_")
        is_ours = variable.startswith(ENVIRONMENT_PREFIX) and variable not in _KNOWN_VARIABLES
        if is_ours and words[0] not in Config.__struct_fields__:
            yield warning(
                "settings.environment",
                f"environment variable {variable} is no setting, and nobody reads it",
                "compare it with the settings that `thingtank config show` lists, or unset it",
            )


def ports_of(config: Config) -> dict[str, int]:
    """The port of each door that is on and has one of its own choice."""
    ports = {
        "web.port": config.web.port,
        "wamp.port": config.wamp.port,
        "wamp.tls_port": config.wamp.tls_port,
        "socket.port": config.socket.port,
        "socket.sockjs_port": config.socket.sockjs_port,
        "mqtt.port": config.mqtt.port,
        "mqtt.tls_port": config.mqtt.tls_port,
        "skynet.port": config.skynet.port,
    }
    return {name: port for name, port in ports.items() if isinstance(port, int) and port}


def _shared_ports(config: Config) -> Iterator[Finding]:
    names_of: dict[int, list[str]] = {}
    for name, port in ports_of(config).items():
        names_of.setdefault(port, []).append(name)
    for port, names in names_of.items():
        if len(names) > 1:
            yield problem(
                "settings.ports",
                f"{' and '.join(names)} are both {port}",
                f"give one of them another port, such as: --set {names[1]}={port + 1}",
            )


def _tls(config: Config) -> Iterator[Finding]:
    server = config.server
    named = [name for name in ("tls_certificate", "tls_key") if getattr(server, name)]
    doors = [n for n in ("wamp", "mqtt") if getattr(config, n).tls_port != "off"]
    if len(named) == 1:
        yield problem(
            "settings.tls",
            f"server.{named[0]} is set, and its other half is not",
            "set both server.tls_certificate and server.tls_key: two PEM files",
        )
    elif doors and not named:
        yield problem(
            "settings.tls",
            f"{' and '.join(doors)} shall speak TLS, and there is no certificate",
            "set server.tls_certificate and server.tls_key, or the tls_port to off",
        )
    elif named and not doors:
        yield warning(
            "settings.tls",
            "there is a certificate, and no door speaks TLS",
            "set mqtt.tls_port (8883 as a rule) or wamp.tls_port; the web port has TLS by a proxy",
        )


def _web(config: Config) -> Iterator[Finding]:
    web = config.web
    if web.port == "off" and web.public_url:
        yield warning(
            "settings.web",
            "web.public_url is set while the web port is off",
            "set web.port, or leave web.public_url out",
        )
    if web.public_url.startswith("http://"):
        yield warning(
            "settings.web",
            f"web.public_url {web.public_url} is without TLS: passwords travel in the clear",
            "have the proxy speak TLS, and begin web.public_url with https://",
        )
    if _EVERYBODY & {*web.trusted_proxies}:
        yield problem(
            "settings.web",
            "web.trusted_proxies names everybody: who likes can pretend to be at any address",
            "name the addresses of your proxies only",
        )
    if _EVERYBODY & {*config.metrics.allowed_networks}:
        yield warning(
            "settings.metrics",
            "metrics.allowed_networks names everybody",
            "name networks, or have Prometheus send a token (metrics.token_file)",
        )
