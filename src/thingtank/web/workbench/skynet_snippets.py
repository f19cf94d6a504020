"""Lines and programs to copy that speak to the SkyNet door, with its real address."""

import json
import shlex

from thingtank.web.workbench.http_snippets import INTERVAL_S, SECRET

TOKEN = "TOKEN"  # noqa: S105 # stands where the secret goes


def first_lines(url: str, *, is_open: bool) -> str:
    """Lines for a shell that register a device, and have it send to all who listen.

    Args:
        is_open: strangers may register.
    """
    key = "" if is_open else " -H 'X-ApiKey: KEY'"
    return (
        f"# Register a device; keep the uuid and the token of the answer.\n"
        f"curl -X POST {url}/devices{key} -d 'name=my-lamp'\n"
        f"\n"
        f"# Send as this device to all who listen to it.\n"
        f"curl -X POST {url}/messages \\\n"
        f"  -H 'meshblu_auth_uuid: UUID' -H 'meshblu_auth_token: {TOKEN}' \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"""  -d '{{"devices": "*", "topic": "lights", "payload": {{"on": true}}}}'\n"""
    )


def data_line(url: str, uuid: str, channel: str) -> str:
    """A line for a shell that writes a value, with a key of the device's."""
    body = shlex.quote(json.dumps({channel: 21.5}))
    return (
        f"curl -X POST {shlex.quote(f'{url}/data/{uuid}')} -H 'X-ApiKey: {SECRET}' \\\n"
        f"  -H 'Content-Type: application/json' -d {body}\n"
    )


def message_lines(url: str, uuid: str) -> str:
    """Lines for a shell that hear what comes to a device, and send it something."""
    uuid_header = shlex.quote(f"meshblu_auth_uuid: {uuid}")
    proof = f"-H {uuid_header} -H 'meshblu_auth_token: {SECRET}'"
    body = f'{{"devices": "{uuid}", "payload": {{"on": true}}}}'
    return (
        f"# Hear what comes; leave it running.\n"
        f"curl -N {url}/subscribe {proof}\n"
        f"\n"
        f"# In another terminal: send something, here to the device itself.\n"
        f"curl -X POST {url}/messages {proof} \\\n"
        f"  -H 'Content-Type: application/json' -d {shlex.quote(body)}\n"
    )


def python_program(url: str, uuid: str, channel: str) -> str:
    """A program that comes in as a device, writes a value again and again, and prints messages."""
    return f'''\
# pip install "python-socketio[client]"
import random

import socketio

TOKEN = "{SECRET}"

client = socketio.Client()


@client.on("connect")  # also when it has come back
def connect():
    client.emit("identity", {{"uuid": "{uuid}", "token": TOKEN}})


@client.on("ready")
def ready(answer):
    print("ready as", answer["uuid"], flush=True)
    client.start_background_task(write)


def write():
    value = 21.5
    while client.connected:
        value += random.uniform(-0.2, 0.2)  # read your sensor here
        client.emit("data", {{{json.dumps(channel)}: round(value, 1)}})
        client.sleep({INTERVAL_S})


@client.on("notReady")
def not_ready(answer):
    print("refused:", answer, flush=True)


@client.on("message")
def message(content, *_):
    print("message:", content, flush=True)


client.connect("{url}")
client.wait()
'''


def node_program(url: str, uuid: str, channel: str) -> str:
    """The same for Node, by today's client of socket.io."""
    return f'''\
// npm install socket.io-client
const {{ io }} = require("socket.io-client");

const TOKEN = "{SECRET}";

const socket = io("{url}");
let timer;
socket.on("identify", () => socket.emit("identity", {{ uuid: "{uuid}", token: TOKEN }}));
socket.on("ready", (answer) => {{
  console.log("ready as", answer.uuid);
  let value = 21.5;
  const write = () => {{
    value += Math.random() * 0.4 - 0.2; // read your sensor here
    socket.emit("data", {{ {json.dumps(channel)}: Number(value.toFixed(1)) }});
  }};
  write();
  clearInterval(timer);
  timer = setInterval(write, {INTERVAL_S * 1000});
}});
socket.on("notReady", (answer) => console.log("refused:", answer));
socket.on("message", (content) => console.log("message:", content));
'''
