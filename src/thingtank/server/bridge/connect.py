"""Connects a realm of WAMP and the broker of MQTT."""

from collections.abc import Callable

from thingtank.doors.wamp.realm_settings import RoleSettings
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.router import Realm
from thingtank.server.bridge.names import topic_of
from thingtank.server.bridge.rights import BridgeRights
from thingtank.server.bridge.to_mqtt import ToMqtt
from thingtank.server.bridge.to_wamp import ToWamp

_NEVER_CROSS = ("tank.", "wamp.")


def connect(
    realm: Realm,
    role: RoleSettings,
    mqtt: Broker,
    make_id: Callable[[], int],
) -> tuple[ToMqtt, ToWamp]:
    """Make the users' topics of both sides one.

    Args:
        make_id: of publications: random, 1 to 2^53.
    """
    rights = BridgeRights(role)
    to_mqtt = ToMqtt(mqtt, rights, make_id)
    to_wamp = ToWamp(realm, rights, to_mqtt)

    def changed(uri: str, match: Match) -> None:
        """Have MQTT ask anew what is wanted."""
        if match == "exact":
            topic = topic_of(uri)
            if topic is not None:
                mqtt.change_route(topic)
        elif not uri.startswith(_NEVER_CROSS):
            mqtt.change_routes()

    realm.broker.outlet = to_mqtt
    realm.broker.subscriptions.on_change = changed
    mqtt.listener = to_wamp
    mqtt.change_routes()
    return to_mqtt, to_wamp
