"""Puts the bridge between WAMP's and MQTT's topics together, as the settings want it."""

from thingtank.doors.mqtt.door import MqttDoor
from thingtank.doors.wamp.door import WampDoor, random_ids
from thingtank.server.bridge.connect import connect
from thingtank.server.bridge.settings import find_role
from thingtank.server.config import Config


def bridge_topics(config: Config, wamp: WampDoor, mqtt: MqttDoor) -> None:
    """Make the users' topics of both one, if they want that; before either has clients."""
    name = config.mqtt.wamp_realm
    settings = next((each for each in config.wamp.realms if each.name == name), None)
    role = find_role(settings, config.mqtt.wamp_role) if settings is not None else None
    if role is not None:
        connect(wamp.realms[name].broker, mqtt.broker, role, random_ids().__next__)
