"""Brings the workbench's MQTT page and the MQTT door together."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from thingtank.doors.mqtt.door import MqttDoor
from thingtank.doors.mqtt.gate import MqttGate
from thingtank.doors.mqtt.workbench import MqttWorkbench
from thingtank.server.config import Config
from thingtank.server.listening import is_reached_by_any_name
from thingtank.web.workbench import mqtt_broker

_PORTS = ("mqtt", "mqtt_tls", "mqtt_websocket")


def open_mqtt_workbench(
    config: Config, door: MqttDoor, sockets: Mapping[str, str], stack: AsyncExitStack
) -> None:
    """Give the pages their broker, until `stack` takes it away.

    Args:
        sockets: addresses of the socket doors by name.
    """
    # Behind a proxy it is the web port that others reach.
    names = reversed(_PORTS) if config.web.public_url else _PORTS
    addresses = {name: sockets[name] for name in names if name in sockets}
    if not addresses:
        return
    gate = door.broker.gate
    assert isinstance(gate, MqttGate), "the door's own"
    workbench = MqttWorkbench(
        door, gate, gate.access, addresses, is_everywhere=is_reached_by_any_name(config)
    )
    workbench.start()
    stack.callback(workbench.stop)
    mqtt_broker.attach(workbench)
    stack.callback(mqtt_broker.attach, None)
