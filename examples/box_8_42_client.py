"""A device of SkyNet in Python: it says who it is, asks some questions, and sends to itself.

After box 8.42 of the book, in Python 3 and with the arguments as dictionaries. It is written for
socket.io's client of that time, which speaks the protocol of that time.

    pip install socketIO-client==0.5.7.4
    python box_8_42_client.py UUID TOKEN [HOST] [PORT]

They may also come from SKYNET_UUID, SKYNET_TOKEN, SKYNET_HOST and SKYNET_PORT in the environment.
Ctrl-C ends it.
"""

import contextlib
import os
import sys

from socketIO_client import BaseNamespace, SocketIO


def given(place, name, otherwise=None):
    """An argument, or what the environment says; else the program ends with how it is used."""
    value = sys.argv[place] if len(sys.argv) > place else os.environ.get(name, otherwise)
    return value or sys.exit(__doc__)


UUID = given(1, "SKYNET_UUID")
TOKEN = given(2, "SKYNET_TOKEN")
HOST = given(3, "SKYNET_HOST", "127.0.0.1")
PORT = int(given(4, "SKYNET_PORT", "3000"))


def on_status_response(*args):
    """The server says how it is."""
    print("Status: ", args, flush=True)


def on_ready_response(*args):
    """The server knows the device."""
    print("Ready: ", args, flush=True)
    socket_io.emit("message", {"devices": UUID, "message": {"color": "purple"}})


def on_notready_response(*args):
    """The server does not know the device, or that is not its token."""
    print("Not Ready: ", args, flush=True)


def on_sub_response(*args):
    """The device is subscribed to itself."""
    print("Subscribed: ", args, flush=True)


def on_msg_response(*args):
    """A message has come."""
    print("Message Received: ", args, flush=True)


def on_whoami_response(*args):
    """The server says what it knows of the device."""
    print("Who Am I : ", args, flush=True)


def on_id_response(*args):
    """The server asks who this is."""
    print("Websocket connecting to Skynet with socket id: " + args[0]["socketid"], flush=True)
    identity = {"uuid": UUID, "socketid": args[0]["socketid"], "token": TOKEN}
    socket_io.emit("identity", identity)


class Namespace(BaseNamespace):
    """Has its handlers before the first packet is read, so that none is missed."""

    def initialize(self):
        """Say what is to be called for which event."""
        self.on("identify", on_id_response)
        self.on("ready", on_ready_response)
        self.on("notReady", on_notready_response)
        self.on("message", on_msg_response)


print("Requesting websocket connection to Skynet", flush=True)
socket_io = SocketIO(HOST, PORT, Namespace)
socket_io.emit("status", on_status_response)
socket_io.emit("subscribe", {"uuid": UUID, "token": TOKEN}, on_sub_response)
socket_io.emit("whoami", {"uuid": UUID}, on_whoami_response)
with contextlib.suppress(KeyboardInterrupt):
    socket_io.wait()
