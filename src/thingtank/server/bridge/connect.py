"""Connects a realm of WAMP and the broker of MQTT."""

from collections.abc import Callable

from thingtank.doors.wamp.realm_settings import RoleSettings
from thingtank.protocols.mqtt.broker import Broker as MqttBroker
from thingtank.protocols.wamp.broker import Broker as WampBroker
from thingtank.protocols.wamp.options import Match
from thingtank.server.bridge.names import topic_of
from thingtank.server.bridge.rights import BridgeRights
from thingtank.server.bridge.to_mqtt import ToMqtt
from thingtank.server.bridge.to_wamp import ToWamp

_NEVER_CROSS = ("tank.", "wamp.")


def connect(
    wamp: WampBroker,
    mqtt: MqttBroker,
    role: RoleSettings,
    make_id: Callable[[], int],
) -> tuple[ToMqtt, ToWamp]:
    """Make the users' topics of both sides one.

    Args:
        wamp: of the realm.
        role: of the realm, that the bridge has there.
        make_id: of publications: random, 1 to 2^53.
    """
    rights = BridgeRights(role)
    to_mqtt = ToMqtt(mqtt, rights, make_id)
    to_wamp = ToWamp(wamp, rights, to_mqtt)

    def changed(uri: str, match: Match) -> None:
        """Have MQTT ask anew what is wanted."""
        if match == "exact":
            topic = topic_of(uri)
            if topic is not None:
                mqtt.change_route(topic)
        elif not uri.startswith(_NEVER_CROSS):
            mqtt.change_routes()

    wamp.outlet = to_mqtt
    wamp.subscriptions.on_change = changed
    mqtt.listener = to_wamp
    mqtt.change_routes()
    return to_mqtt, to_wamp
