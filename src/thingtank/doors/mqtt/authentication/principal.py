"""Whom a connection and its session belong to."""

from msgspec import Struct

from thingtank.doors.mqtt.access.rules import fits
from thingtank.net.identity.principals import TankPrincipal

ANONYMOUS = "anonymous"
LOCAL = "local"
ADMIN = "admin"  # what rules call an account that is one


class Principal(Struct, frozen=True):
    """Who a client turned out to be. It holds for one connection: the client id is part of it.

    What it may do is looked up anew (`MqttAccess`): rights end without anybody saying so.

    Attributes:
        id: `key:12`, `device:UUID`, `account:3`, `user:NAME`; of who has not said who it is
            `local` if it is a program of this machine, else `anonymous`. Sessions keep it.
        client_id: as CONNECT has it, or as it was assigned.
        who: with whose rights it acts in the tank.
        user_name: what `%u` stands for: an account's login, or a user's name; else blank.
        device_uuid: what `%d` stands for; else blank.
        address: its IP address; blank where it has none.
        only_with_key: it may use topics that begin with an API key, and no others.
        client_id_patterns: which client ids it may use; none for all.
    """

    id: str
    client_id: str
    who: TankPrincipal
    user_name: str = ""
    device_uuid: str = ""
    address: str = ""
    only_with_key: bool = False
    client_id_patterns: tuple[str, ...] = ()

    def may_be_client_id(self, client_id: str) -> bool:
        """Whether it may use a client id at all, whoever has a session of that id."""
        patterns = self.client_id_patterns
        return not patterns or any(fits(client_id, pattern) for pattern in patterns)
