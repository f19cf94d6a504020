"""What clients may do with topics.

| topic | who may |
| --- | --- |
| `v1`, `v2` and below, also with a key in front | whose key or account may `get` or `put` there |
| `$SYS` and below | subscribe: `mqtt.sys_readers` |
| a device's uuid and below | the device; who may `put` to it; whom a rule allows that names it |
| what a device asks the tank (`MessageTopics`) | publish: devices; others as all else |
| what a device broadcasts | subscribe: devices, and who may all else; nobody publishes there |
| others with `$` | whom a rule allows |
| all else | as rules say; without one: accounts, users, master keys, anonymous clients |

A filter with wildcards is allowed if all of it is, devices' topics and those that rules forbid
aside: they are left out when messages are delivered.
"""

from collections.abc import Callable
from typing import Protocol

from thingtank.doors.mqtt.access.rules import (
    Action,
    Rule,
    covers,
    is_meant,
    plain_filter,
    rules_for,
)
from thingtank.doors.mqtt.access.tank_topic import (
    TankTopic,
    has_wildcard,
    may_read,
    may_write,
    tank_topic_of,
)
from thingtank.doors.mqtt.authentication.principal import ADMIN, ANONYMOUS, LOCAL, Principal
from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.net.identity.principals import (
    AccountPrincipal,
    Callers,
    DevicePrincipal,
    KeyPrincipal,
    NamedPrincipal,
    Nobody,
    TankPrincipal,
)
from thingtank.tank.access import Caller, caller_of_key, may_reach
from thingtank.tank.errors import NotFound, TankError, Unauthenticated
from thingtank.tank.interfaces import Directory
from thingtank.tank.keys import ACCESS_METHODS
from thingtank.tank.things import Device

_SYS = "$SYS"
_GONE = KeyPrincipal("")  # a key that nobody has: it may do nothing
_UUID_CHARS = 36


class MessageTopics(Protocol):
    """Topics by which devices message each other, where they do; all are of one level."""

    def is_request(self, topic: str) -> bool:
        """Whether a device asks the tank for something there."""

    def is_broadcast(self, topic: str) -> bool:
        """Whether it is what a device broadcasts, or would; a device need not be there."""


class MqttAccess:
    """Rights of all clients of the door. In the loop's thread; nothing here waits.

    Attributes:
        message_topics: of messages between devices; None where there are none.
    """

    def __init__(
        self,
        settings: MqttSettings,
        directory: Directory,
        callers: Callers,
        now_us: Callable[[], int],
    ) -> None:
        """Look rights up in settings and a directory.

        Args:
            now_us: since the epoch, UTC, by the clock on the wall: keys expire by it.
        """
        self.settings = settings
        self.directory = directory
        self.callers = callers
        self.now_us = now_us
        self.message_topics: MessageTopics | None = None
        self._users = frozenset(user.name for user in settings.users)

    @property
    def version(self) -> int:
        """Rises when answers may have changed. Those about the tank's topics may at any time."""
        return self.directory.rights_version

    def rights_of(self, principal: Principal) -> "Rights":
        """A client's rights, for as long as it is connected."""
        return Rights(self, principal)

    def exists(self, principal_id: str) -> bool:
        """Whether there still is who a kept session belongs to; else nobody will resume it."""
        kind, _, name = principal_id.partition(":")
        try:
            match kind:
                case "key":
                    self.directory.get_key(int(name))
                case "account":
                    self.directory.get_account(int(name))
                case "device":
                    return self.directory.find_device_by_uuid(name) is not None
                case "user":
                    return name in self._users
        except (NotFound, ValueError):
            return False
        return True

    def rights_of_kept(self, principal: str, client_id: str) -> "Rights":
        """What a session's owner may do that has not come back since a restart.

        Of a key that is the key's right from any address, and of a device by a certificate all that
        devices may: by what it came in is not kept.
        """
        kind, _, name = principal.partition(":")
        try:
            who, user_name = self._who(kind, name)
        except (NotFound, ValueError):
            who, user_name = _GONE, ""
        found = Principal(
            principal,
            client_id,
            who,
            user_name,
            device_uuid=name if kind == "device" else "",
        )
        return Rights(self, found)

    def _who(self, kind: str, name: str) -> tuple[TankPrincipal, str]:
        """With whose rights, and what `%u` stands for; raises NotFound."""
        match kind:
            case "key":
                return KeyPrincipal(self.directory.reveal_key(int(name))), ""
            case "account":
                return AccountPrincipal(int(name)), self.directory.get_account(int(name)).login
            case "device":
                return DevicePrincipal(name), ""
            case "user":
                users = {user.name: user for user in self.settings.users}
                return (NamedPrincipal(users[name].account), name) if name in users else (_GONE, "")
        return Nobody(), ""

    def device_of(self, name: str, *, is_whole: bool = False) -> Device | None:
        """The device that a topic's first level names, if it does.

        Args:
            is_whole: it is the only level. Then it may be a uuid that a client chose, which is
                any word; what lies below such words stays the users' own.
        """
        if len(name) == _UUID_CHARS or (is_whole and self.message_topics is not None):
            return self.directory.find_device_by_uuid(name)
        return None


class Rights:
    """What one client may do. Answers are those of now; see `MqttAccess.version`."""

    __slots__ = (
        "_access",
        "_caller",
        "_dead_us",
        "_has_user_topics",
        "_reads_sys",
        "_rules",
        "_version",
        "principal",
    )

    def __init__(self, access: MqttAccess, principal: Principal) -> None:
        """Look at nothing yet."""
        self.principal = principal
        self._access = access
        self._version = -1
        self._caller: Caller | None = None
        self._dead_us: int | None = None
        self._rules: tuple[Rule, ...] = ()
        self._has_user_topics = False
        self._reads_sys = False

    def may_publish(self, topic: str) -> bool:
        """Whether it may publish to a topic name; also asked for its will."""
        tank_topic = tank_topic_of(topic)
        if tank_topic is not None:
            caller = self.caller_at(tank_topic)
            return caller is not None and may_write(caller, tank_topic, self._access.directory)
        return self._may_use("publish", topic)

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether it may subscribe, or keep a subscription, to a filter; `$share/NAME/` is fine."""
        plain = plain_filter(topic_filter)
        tank_topic = tank_topic_of(plain)
        if tank_topic is not None:
            # Of the tank's topics each is asked for by its name, and by one client for itself.
            if plain != topic_filter or has_wildcard(plain):
                return False
            return self.may_receive(plain)
        return self._may_use("subscribe", plain)

    def may_receive(self, topic: str) -> bool:
        """Whether it may be given a message of a topic name that it has subscribed to."""
        tank_topic = tank_topic_of(topic)
        if tank_topic is not None:
            caller = self.caller_at(tank_topic)
            return caller is not None and may_read(caller, tank_topic, self._access.directory)
        return self._may_use("subscribe", topic)

    def may_be_client_id(self, client_id: str) -> bool:
        """Whether it may use a client id, whoever has a session of that id.

        A device's uuid is for the device, and for who may update it.
        """
        device = self._access.device_of(client_id)
        if device is not None and not self._may_update(device):
            return False
        return self.principal.may_be_client_id(client_id)

    def is_alive(self) -> bool:
        """Whether it still has what it came in by."""
        return self.find_caller() is not None

    def caller(self) -> Caller:
        """On whose behalf it acts now; a stranger if it has no rights of its own.

        Raises:
            Unauthenticated: it had rights, and they are gone.
        """
        caller = self.find_caller()
        if caller is None:
            raise Unauthenticated("what this client came in by is not valid any more")
        return caller

    def find_caller(self) -> Caller | None:
        """The same; None if its rights are gone."""
        if self._version != self._access.version:
            self._renew()
        if self._dead_us is not None and self._dead_us <= self._access.now_us():
            return None
        return self._caller

    def caller_at(self, topic: TankTopic) -> Caller | None:
        """On whose behalf it acts at one of the tank's topics; None for nobody's."""
        if not topic.key:
            caller = self.find_caller()
            return None if self.principal.only_with_key else caller
        access = self._access
        try:
            return caller_of_key(
                access.directory, topic.key, access.now_us(), self.principal.address
            )
        except TankError:
            return None

    def _may_use(self, action: Action, topic: str) -> bool:
        """Decide on a name or filter that is not the tank's."""
        if self.find_caller() is None or self.principal.only_with_key:
            return False
        levels = topic.split("/")
        first = levels[0]
        if first == _SYS and action == "subscribe":
            return self._reads_sys
        is_whole = len(levels) == 1
        device = self._access.device_of(first, is_whole=is_whole)
        messages = self._access.message_topics if is_whole else None
        is_broadcast = messages is not None and messages.is_broadcast(topic)
        for rule in self._rules:
            if rule.is_about(action) and covers(rule.levels, levels):
                if rule.is_allowing and rule.begins_wild and (device is not None or is_broadcast):
                    continue  # it was not made for devices' topics
                return rule.is_allowing
        if is_broadcast:
            return action == "subscribe" and (self._has_user_topics or self.is_device())
        asks = messages is not None and action == "publish" and messages.is_request(topic)
        if asks and self.is_device():
            return True
        if device is not None:
            return self._may_update(device)
        return self._has_user_topics and not first.startswith("$")

    def is_device(self) -> bool:
        """Whether it acts as a device: by its token, its certificate, or a key that may all of it.

        Who came in by a key that may update the device has its topics, and is not the device.
        """
        caller, uuid = self.find_caller(), self.principal.device_uuid
        if caller is None or not uuid:
            return False
        if not isinstance(self.principal.who, KeyPrincipal):
            return True
        device = self._access.directory.find_device_by_uuid(uuid)
        return device is not None and all(
            may_reach(caller, method, device) for method in ACCESS_METHODS
        )

    def _may_update(self, device: Device) -> bool:
        caller = self.find_caller()
        return caller is not None and may_reach(caller, "put", device)

    def _renew(self) -> None:
        """Look everything up anew."""
        access, principal = self._access, self.principal
        self._version = access.version
        try:
            caller = access.callers.caller(principal.who, principal.address)
        except Unauthenticated:
            self._caller = None
            return
        self._caller = caller
        self._dead_us = caller.key.expires_us if caller.key is not None else None
        names = self._names(caller)
        values = {
            "c": principal.client_id,
            "u": principal.user_name,
            "d": principal.device_uuid,
        }
        self._rules = rules_for(access.settings.acl, names, values)
        self._reads_sys = is_meant(names, access.settings.sys_readers)
        self._has_user_topics = self._uses_user_topics(caller)

    def _names(self, caller: Caller) -> list[str]:
        """What rules may call it."""
        principal = self.principal
        if isinstance(principal.who, AccountPrincipal) and caller.account is not None:
            admin = [ADMIN] if caller.account.is_admin else []
            return [f"account:{caller.account.login}", *admin]
        return [principal.id, ANONYMOUS] if principal.id == LOCAL else [principal.id]

    def _uses_user_topics(self, caller: Caller) -> bool:
        """Whether all names are its that no rule, device or the tank is about."""
        who = self.principal.who
        if isinstance(who, KeyPrincipal):
            return not who.uuid and caller.key is not None and caller.key.is_master
        return isinstance(who, AccountPrincipal | NamedPrincipal | Nobody)
