"""Users of the settings file, with their passwords."""

import hmac
from collections.abc import Mapping

from msgspec import Struct

from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.net.identity.secret_sources import SecretSource


class User(Struct, frozen=True):
    """A user of the settings file, its password read; blank where it has none."""

    name: str
    password: str
    account: str
    client_ids: tuple[str, ...]

    def __repr__(self) -> str:
        return f"User({self.name!r})"


def users_of(settings: MqttSettings, environment: Mapping[str, str]) -> dict[str, User]:
    """Users by name.

    Raises:
        UnreadableSecret.
    """
    found = {}
    for each in settings.users:
        source = each.password
        password = source.read(environment) if isinstance(source, SecretSource) else ""
        found[each.name] = User(each.name, password, each.account, each.client_ids)
    return found


def is_same(presented: bytes, expected: str) -> bool:
    """Compare secrets, which takes the same time for all that have the same length."""
    return hmac.compare_digest(presented, expected.encode("utf-8", "surrogatepass"))
