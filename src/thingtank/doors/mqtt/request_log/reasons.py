"""Why a topic is refused, in words that help: asked only when it has been."""

from typing import Literal

from thingtank.doors.mqtt.access.rights import Rights
from thingtank.doors.mqtt.access.rules import plain_filter
from thingtank.doors.mqtt.access.tank_topic import TankTopic, has_wildcard, tank_topic_of
from thingtank.tank.access import caller_of_key, check_reach, named
from thingtank.tank.errors import TankError
from thingtank.tank.interfaces import Directory
from thingtank.tank.things import Device

Action = Literal["publish", "subscribe"]

_METHODS: dict[Action, str] = {"publish": "put", "subscribe": "get"}


def why_refused(
    rights: Rights, action: Action, topic: str, device: Device, directory: Directory, now_us: int
) -> str:
    """Why a client may not publish or subscribe to a topic that names a device."""
    plain = plain_filter(topic)
    tank_topic = tank_topic_of(plain)
    if tank_topic is not None:
        if action == "subscribe" and plain != topic:
            return "topics of the tank cannot be shared"
        if action == "subscribe" and has_wildcard(plain):
            return "topics of the tank have no wildcards: subscribe to each by its name"
        return _why_not_of_tank(rights, action, tank_topic, device, directory, now_us)
    caller = rights.find_caller()
    if caller is None:
        return "what this client came in by is not valid any more"
    if rights.principal.only_with_key:
        return "anonymous clients may use topics that begin with an API key, and no others"
    try:
        check_reach(caller, "put", device)
    except TankError as error:
        return f"topics of a device are for the device, and who may put to it: {error}"
    if topic.endswith(("_bc", "_tb")):
        return "a device broadcasts by `message` or `tb`: nobody publishes here"
    return f"a rule of mqtt.acl keeps {named(caller, device.account_id)} from this topic"


def why_nobody(rights: Rights | None, topic: TankTopic, directory: Directory, now_us: int) -> str:
    """Why a client acts on nobody's behalf at a topic of the tank."""
    if topic.key:
        address = rights.principal.address if rights is not None else ""
        try:
            caller_of_key(directory, topic.key, now_us, address)
        except TankError as error:
            return f"{error}: it stands in front of the topic"
    if rights is not None and rights.principal.only_with_key:
        return "an anonymous client needs an API key in front of the topic: KEY/v2/…"
    return "neither the topic nor the client has a key that is valid"


def _why_not_of_tank(
    rights: Rights,
    action: Action,
    topic: TankTopic,
    device: Device,
    directory: Directory,
    now_us: int,
) -> str:
    caller = rights.caller_at(topic)
    if caller is None:
        return why_nobody(rights, topic, directory, now_us)
    try:
        check_reach(caller, _METHODS[action], device, topic.datastream or None)
    except TankError as error:
        return str(error)
    return f"a rule of mqtt.acl keeps {named(caller, device.account_id)} from this topic"
