"""Brokers with their store and no more, that serve MQTT until they are killed.

`python -m tests.faults.mqtt_child FOLDER`: for each line that it reads it makes a process, which
prints its number and its port. Whoever comes in is who he says he is.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import structlog
from tests.unit.protocols.mqtt.brokers import Everybody, OpenGate

from thingtank.doors.mqtt.door import MqttDoor
from thingtank.doors.mqtt.port import MqttPort
from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.packets import Connect
from thingtank.protocols.mqtt.retained import Retained
from thingtank.server.steady_clock import SteadyClock
from thingtank.stores.mqtt_sessions import MqttSessions


class Directory:
    """Whose rights never change."""

    rights_version = 0


class ChildGate(OpenGate):
    """Tells the door who has come in."""

    door: MqttDoor

    def enter(self, connection: Connection, connect: Connect) -> None:
        self.door.entered(connection)
        super().enter(connection, connect)


async def open_door(folder: Path, bounds: Bounds | None = None) -> tuple[MqttDoor, MqttSessions]:
    """The door of a broker, with what the last one has left."""
    sessions = await MqttSessions.open(folder)
    gate = ChildGate()
    gate.broker = Broker(
        sessions,
        gate,
        bounds or Bounds(queue_messages_max=100_000),
        Retained(1000, 2**20),
        SteadyClock().now_us,
        lambda: f"made-{os.urandom(4).hex()}",
    )
    gate.broker.kept_principals = Everybody()
    gate.broker.restore(await sessions.found())
    gate.door = MqttDoor(MqttSettings(), gate.broker, Directory())
    gate.door.start()
    return gate.door, sessions


async def serve(folder: Path) -> None:
    """Until the end."""
    door, _ = await open_door(folder)
    port = MqttPort(door)
    await port.start("127.0.0.1", 0)
    print(os.getpid(), port.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(serve(Path(sys.argv[1])))
