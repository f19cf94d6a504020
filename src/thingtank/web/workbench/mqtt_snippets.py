"""Commands and a program to copy that connect to the broker, with its real address."""

import shlex
from urllib.parse import urlsplit

TOPIC = "test/topic"
USUAL_PORT = {"mqtt": 1883, "mqtts": 8883}


def mosquitto_snippet(url: str, login: str = "") -> str:
    """Mosquitto's own clients: one waits, the other publishes.

    Args:
        url: of a TCP port.
        login: of the account that it comes in as, by password; anonymously if blank.
    """
    parts = urlsplit(url)
    options = f"-h {parts.hostname} -p {_port(url)}"
    if parts.scheme == "mqtts":
        options += " --tls-use-os-certs"
    if login:
        options += f" -u {shlex.quote(login)} -P PASSWORD"
    return (
        f"mosquitto_sub {options} -t '{TOPIC}' -v\n"
        f"mosquitto_pub {options} -t {TOPIC} -m 'hello' -q 1\n"
    )


def thingtank_snippet(url: str, login: str = "") -> str:
    """This program's own commands.

    Args:
        login: as above.
    """
    parts = urlsplit(url)  # the path of a WebSocket is the usual one
    options = f"-L {parts.scheme}://{parts.netloc}/{TOPIC}"
    if login:
        options += f" -u {shlex.quote(login)} -P PASSWORD"
    return f"thingtank mqtt sub {options} -v\nthingtank mqtt pub {options} -m hello -q 1\n"


def paho_snippet(url: str, login: str = "") -> str:
    """A program that prints what is published to TOPIC, and publishes there itself.

    Args:
        login: as above.
    """
    parts = urlsplit(url)
    is_websocket = parts.scheme in ("ws", "wss")
    transport = ', transport="websockets"' if is_websocket else ""
    lines = ["# pip install paho-mqtt"]
    lines += ["from getpass import getpass", ""] if login else []
    lines += ["import paho.mqtt.client as mqtt", "", ""]
    lines += ["def connected(client, userdata, flags, reason_code, properties):"]
    lines += ['    print("connected:", reason_code)']
    lines += [f'    client.subscribe("{TOPIC}")', f'    client.publish("{TOPIC}", "hello", qos=1)']
    lines += ["", "", "def heard(client, userdata, message):"]
    lines += ['    print("heard", message.topic, message.payload)', "", ""]
    lines += [f"client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2{transport})"]
    if is_websocket:
        lines += [f'client.ws_set_options(path="{parts.path}")']
    if parts.scheme in ("wss", "mqtts"):
        lines += ["client.tls_set()"]
    if login:
        lines += [f"client.username_pw_set({login!r}, getpass())"]
    lines += ["client.on_connect = connected", "client.on_message = heard"]
    lines += [f'client.connect("{parts.hostname}", {_port(url)})', "client.loop_forever()"]
    return "\n".join(lines) + "\n"


def _port(url: str) -> int:
    parts = urlsplit(url)
    usual = {"ws": 80, "wss": 443, **USUAL_PORT}
    return parts.port or usual[parts.scheme]
