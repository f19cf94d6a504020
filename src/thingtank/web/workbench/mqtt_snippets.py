"""Commands and a program to copy that connect to the broker, with its real address."""

import shlex
from urllib.parse import urlsplit

from thingtank.web.workbench.http_snippets import INTERVAL_S, SECRET

TOPIC = "test/topic"
USUAL_PORT = {"mqtt": 1883, "mqtts": 8883}


def mosquitto_snippet(url: str, login: str = "") -> str:
    """Mosquitto's own clients: one waits, the other publishes.

    Args:
        url: of a TCP port.
        login: of the account that it comes in as, by password; anonymously if blank.
    """
    options = _options(url)
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
    lines = ["# pip install paho-mqtt"]
    lines += ["from getpass import getpass", ""] if login else []
    lines += ["import paho.mqtt.client as mqtt", "", ""]
    lines += ["def connected(client, userdata, flags, reason_code, properties):"]
    lines += ['    print("connected:", reason_code)']
    lines += [f'    client.subscribe("{TOPIC}")', f'    client.publish("{TOPIC}", "hello", qos=1)']
    lines += ["", "", "def heard(client, userdata, message):"]
    lines += ['    print("heard", message.topic, message.payload)', "", ""]
    lines += _paho_client(url)
    if login:
        lines += [f"client.username_pw_set({login!r}, getpass())"]
    lines += ["client.on_connect = connected", "client.on_message = heard"]
    lines += [_paho_connect(url), "client.loop_forever()"]
    return "\n".join(lines) + "\n"


def mosquitto_value_line(url: str, topic: str) -> str:
    """A line for a shell that writes a value to a feed's topic, with a key as user name.

    Args:
        url: of a TCP port.
    """
    return f"mosquitto_pub {_options(url)} -u {SECRET} -t {topic} -m 21.5 -q 1\n"


def paho_value_program(url: str, topic: str) -> str:
    """A program that writes a value to a feed's topic again and again, with a key as user name."""
    lines = ["# pip install paho-mqtt", "import random", "import time", ""]
    lines += ["import paho.mqtt.client as mqtt", "", ""]
    lines += ["def connected(client, userdata, flags, reason_code, properties):"]
    lines += ['    print("connected:", reason_code, flush=True)', "", ""]
    lines += ["def acknowledged(client, userdata, mid, reason_code, properties):"]
    lines += ['    print("written:", reason_code, flush=True)', "", ""]
    lines += _paho_client(url, "protocol=mqtt.MQTTv5")
    lines += [f'client.username_pw_set("{SECRET}")']
    lines += ["client.on_connect = connected", "client.on_publish = acknowledged"]
    lines += [_paho_connect(url), "client.loop_start()", ""]
    lines += ["value = 21.5", "while True:"]
    lines += ["    value += random.uniform(-0.2, 0.2)  # read your sensor here"]
    lines += [f'    client.publish("{topic}", f"{{value:.1f}}", qos=1)']
    lines += [f"    time.sleep({INTERVAL_S})"]
    return "\n".join(lines) + "\n"


def _options(url: str) -> str:
    """Where Mosquitto's clients go."""
    parts = urlsplit(url)
    options = f"-h {parts.hostname} -p {_port(url)}"
    return f"{options} --tls-use-os-certs" if parts.scheme == "mqtts" else options


def _paho_client(url: str, *arguments: str) -> list[str]:
    """Lines that make a client which can go there."""
    parts = urlsplit(url)
    is_websocket = parts.scheme in ("ws", "wss")
    given = ["mqtt.CallbackAPIVersion.VERSION2", *arguments]
    given += ['transport="websockets"'] if is_websocket else []
    lines = [f"client = mqtt.Client({', '.join(given)})"]
    if is_websocket:
        lines += [f'client.ws_set_options(path="{parts.path}")']
    if parts.scheme in ("wss", "mqtts"):
        lines += ["client.tls_set()"]
    return lines


def _paho_connect(url: str) -> str:
    return f'client.connect("{urlsplit(url).hostname}", {_port(url)})'


def _port(url: str) -> int:
    parts = urlsplit(url)
    usual = {"ws": 80, "wss": 443, **USUAL_PORT}
    return parts.port or usual[parts.scheme]
