"""Command lines that ask again what an entry of the request log shows; secrets are variables.

The page knows by which address its reader reaches a door, and puts it in the place of the marks
here: they are characters that no request has.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping

from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.request_log import BLOT, BODY_BYTES_MAX

HTTP_URL, MQTT_OPTIONS, SKYNET_URL = "\ue000", "\ue001", "\ue002"
KEY, TOKEN = "$KEY", "$TOKEN"

_CURLS_OWN = frozenset(
    {
        "host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect",
        "user-agent", "content-encoding", "keep-alive", "cookie", "upgrade-insecure-requests",
        "priority", "origin", "referer", "cache-control", "pragma",
    }
)  # fmt: skip
_METHODS = frozenset({"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"})
_SPECIAL = frozenset('"$`\\!\n')  # within the double quotes that a variable needs
_CUT = "# What was sent is longer than what is shown here."
_NOT_SHOWN = "# What was sent is not shown: it could not be searched for secrets."
_BINARY = "# What was sent is not text."


def command_of(served: RequestServed) -> str:
    """A command line; blank for what has none."""
    make = _MAKERS.get(served.asked.door)
    return "" if make is None else make(served)


def _http(served: RequestServed, url: str, variable: str) -> str:
    asked = served.asked
    method = asked.method.upper()
    if method not in _METHODS:
        return ""
    parts = ["curl", *_method_options(method), f"{url}{quoted(asked.path, variable)}"]
    for name, value in asked.fields:
        if name not in _CURLS_OWN and not name.startswith("sec-"):
            parts.append(f"-H {quoted(f'{name}: {value}', variable)}")
    return _with_body(parts, served, "--data-binary", variable)


def _method_options(method: str) -> list[str]:
    if method == "GET":
        return []
    return ["-I"] if method == "HEAD" else ["-X", method]


def _with_body(parts: list[str], served: RequestServed, option: str, variable: str) -> str:
    body, comment = served.request_body, ""
    if body == BLOT.encode():
        comment = f"\n{_NOT_SHOWN}"
    elif body:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            text = body.decode("utf-8", "ignore")
            comment = f"\n{_BINARY if len(body) < BODY_BYTES_MAX else _CUT}"
        if len(body) == BODY_BYTES_MAX:
            comment = f"\n{_CUT}"
        parts.append(f"{option} {quoted(text, variable)}")
    return " ".join(parts) + comment


def _xively(served: RequestServed) -> str:
    return _http(served, HTTP_URL, KEY)


def _skynet(served: RequestServed) -> str:
    return _http(served, SKYNET_URL, TOKEN)


def _mqtt(served: RequestServed) -> str:
    asked = served.asked
    fields = dict(asked.fields)
    match asked.method:
        case "PUBLISH":
            parts = [f"mosquitto_pub {MQTT_OPTIONS}", *_sign_in(asked), *_publish_options(fields)]
            parts += [f"-t {quoted(asked.path, KEY)}"]
            return _with_body(parts, served, "-m", KEY) if served.request_body else _blank(parts)
        case "SUBSCRIBE":
            parts = [f"mosquitto_sub {MQTT_OPTIONS}", *_sign_in(asked), "-v"]
            return " ".join([*parts, f"-t {quoted(asked.path, KEY)}"])
        case "CONNECT":
            client_id = fields.get("client id", "")
            sign_in = f'-i {shlex.quote(client_id)} -u {shlex.quote(asked.path)} -P "{TOKEN}"'
            return f"mosquitto_sub {MQTT_OPTIONS} {sign_in} -v -t {shlex.quote(asked.path)}"
    return ""


def _blank(parts: list[str]) -> str:
    return " ".join([*parts, "-n"])


def _sign_in(asked: Asked) -> Iterator[str]:
    """A key stands in front of the topic, or is what the client comes in by."""
    if not asked.path.startswith(BLOT):
        yield f'-u "{KEY}"'


def _publish_options(fields: Mapping[str, str]) -> Iterator[str]:
    yield f"-q {fields.get('QoS', '0')}"
    if fields.get("retain") == "yes":
        yield "-r"
    for name, value in fields.items():
        if name.startswith("user property "):
            own = shlex.quote(name.removeprefix("user property "))
            yield f"-D PUBLISH user-property {own} {quoted(value, KEY)}"
        elif name in ("content type", "response topic"):
            yield f"-D PUBLISH {name.replace(' ', '-')} {shlex.quote(value)}"


def _skynet_mqtt(served: RequestServed) -> str:
    fields = dict(served.asked.fields)
    parts = [f'mosquitto_pub {MQTT_OPTIONS} -u "$UUID" -P "{TOKEN}"']
    parts += [f"-q {fields.get('QoS', '0')}", f"-t {shlex.quote(served.asked.path)}"]
    return _with_body(parts, served, "-m", TOKEN)


_MAKERS: dict[str, Callable[[RequestServed], str]] = {
    "xively_http": _xively,
    "xively_tcp": _xively,
    "xively_websocket": _xively,
    "api": _xively,
    "skynet_http": _skynet,
    "skynet_mqtt": _skynet_mqtt,
    "mqtt": _mqtt,
}


def quoted(text: str, variable: str) -> str:
    """A text as one word of a shell, with a variable where a secret was."""
    if BLOT in text and _SPECIAL.isdisjoint(text):
        return f'"{text.replace(BLOT, variable)}"'
    pieces = [shlex.quote(piece) if piece else "" for piece in text.split(BLOT)]
    return f'"{variable}"'.join(pieces) or "''"


def marks_of(http_url: str, mqtt_options: str, skynet_url: str) -> dict[str, str]:
    """What the marks stand for, for the page's script."""
    return {HTTP_URL: http_url, MQTT_OPTIONS: mqtt_options, SKYNET_URL: skynet_url}
