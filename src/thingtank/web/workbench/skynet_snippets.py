"""Lines and programs to copy that speak to the SkyNet door, with its real address."""

import shlex

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


def curl_lines(url: str, uuid: str) -> str:
    """Lines for a shell that hear what comes to a device, and send it something."""
    uuid_header = shlex.quote(f"meshblu_auth_uuid: {uuid}")
    proof = f"-H {uuid_header} -H 'meshblu_auth_token: {TOKEN}'"
    body = f'{{"devices": "{uuid}", "payload": {{"on": true}}}}'
    return (
        f"# Hear what comes; leave it running.\n"
        f"curl -N {url}/subscribe {proof}\n"
        f"\n"
        f"# In another terminal: send something, here to the device itself.\n"
        f"curl -X POST {url}/messages {proof} \\\n"
        f"  -H 'Content-Type: application/json' -d {shlex.quote(body)}\n"
    )


def python_program(url: str, uuid: str) -> str:
    """A program that comes in as a device, prints what it gets and broadcasts that it is there."""
    return f'''\
# pip install "python-socketio[client]"
from getpass import getpass

import socketio

token = getpass("Token: ")
client = socketio.Client()


@client.on("connect")  # also when it has come back
def connect():
    client.emit("identity", {{"uuid": "{uuid}", "token": token}})


@client.on("ready")
def ready(answer):
    print("ready as", answer["uuid"])
    client.emit("message", {{"devices": "*", "payload": {{"hello": "world"}}}})


@client.on("notReady")
def not_ready(answer):
    print("refused:", answer)


@client.on("message")
def message(content, *_):
    print("message:", content)


client.connect("{url}")
client.wait()
'''


def node_program(url: str, uuid: str) -> str:
    """The same for Node, by today's client of socket.io."""
    return f'''\
// npm install socket.io-client
const {{ io }} = require("socket.io-client");

const socket = io("{url}");
socket.on("identify", () =>
  socket.emit("identity", {{ uuid: "{uuid}", token: process.env.TOKEN }}));
socket.on("ready", (answer) => {{
  console.log("ready as", answer.uuid);
  socket.emit("message", {{ devices: "*", payload: {{ hello: "world" }} }});
}});
socket.on("notReady", (answer) => console.log("refused:", answer));
socket.on("message", (content) => console.log("message:", content));
'''
