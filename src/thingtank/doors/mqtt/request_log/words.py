"""Packets and their answers in words, for the request log."""

from thingtank.doors.mqtt.access.tank_topic import tank_topic_of
from thingtank.net.secret_names import is_secret
from thingtank.protocols.mqtt.broker_facts import payload_text
from thingtank.protocols.mqtt.properties import parse_forwarded_properties
from thingtank.tank.request_log import BLOT, PATH_CHARS_MAX

DOOR = "mqtt"
VALUE_BYTES_MAX = 200
USER_PROPERTIES_MAX = 10
METHODS = {"PUT": "PUBLISH", "GET": "SUBSCRIBE"}
"""Packets that ask the HTTP API for something, by what they ask it for."""

Fields = tuple[tuple[str, str], ...]


def shown_topic(topic: str) -> str:
    """A topic name or filter, its beginning, without the API key that may stand in front."""
    tank_topic = tank_topic_of(topic)
    if tank_topic is not None and tank_topic.key:
        topic = f"{BLOT}{tank_topic.path}"
    return topic[:PATH_CHARS_MAX]


def flag_fields(qos: int, *, is_retain: bool) -> Fields:
    """What the head of a PUBLISH says."""
    return ("QoS", str(qos)), ("retain", "yes" if is_retain else "no")


def property_fields(octets: bytes) -> Fields:
    """The properties that are passed on with a message; of user properties the first.

    Args:
        octets: as `Message` has them; they have been read before, so they can be.
    """
    if not octets:
        return ()
    properties = parse_forwarded_properties(octets)
    shown = []
    for name in properties.__struct_fields__:
        value = getattr(properties, name)
        if value is not None and value != () and name != "user_properties":
            shown.append((name.replace("_", " "), _text(value)))
    for name, value in properties.user_properties[:USER_PROPERTIES_MAX]:
        shown.append((f"user property {_text(name)}", BLOT if is_secret(name) else _text(value)))
    return tuple(shown)


def _text(value: object) -> str:
    octets = value if isinstance(value, bytes) else str(value).encode()
    return payload_text(octets, VALUE_BYTES_MAX)
