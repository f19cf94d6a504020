"""What the settings say of the bridge, and what is wrong with them."""

from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.doors.wamp.realm_settings import RealmSettings, RoleSettings


def find_role(realm: RealmSettings, name: str) -> RoleSettings | None:
    """The role of a realm that the bridge has; None where the realm is closed to it.

    Args:
        name: blank for that of anonymous clients. Who keeps those out of a realm does not mean
            to let them in by MQTT.
    """
    if not name:
        if realm.anonymous_rule == "off":
            return None
        name = realm.anonymous_role
    return realm.roles_by_name.get(name)


def bridge_problems(settings: MqttSettings, realms: tuple[RealmSettings, ...]) -> list[str]:
    """What is wrong with the settings of the bridge, in sentences."""
    realm = next((each for each in realms if each.name == settings.wamp_realm), None)
    if realm is None:
        if settings.wamp_realm in ("", MqttSettings().wamp_realm):
            return []
        return [f"mqtt.wamp_realm: there is no realm {settings.wamp_realm!r} in wamp.realms"]
    if settings.wamp_role and settings.wamp_role not in realm.roles_by_name:
        return [f"mqtt.wamp_role: {realm.name} has no role {settings.wamp_role!r}"]
    return []
