"""The gate: who was wrong too often waits outside, and what takes long is done in turn."""

import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from msgspec import Struct

from thingtank.doors.mqtt.authentication.attempt import Refusal, Refused
from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.net.identity.attempts import Attempts
from thingtank.net.identity.secret_sources import SecretSource
from thingtank.net.identity.slow_work import SlowWork, TooBusy
from thingtank.tank.errors import TankError

WRONG = "user name and password do not go together"
_LOCKED = "too many wrong passwords came from your address; try again in 15 minutes"


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


class Gate:
    """What all ways of saying who one is share.

    Attributes:
        slow_work: turns of those whose password is checked.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        """Start with nobody who was wrong.

        Args:
            now_us: of a clock that does not jump.
        """
        self.slow_work = SlowWork()
        self._attempts = Attempts(now_us)

    def check_open(self, address: str, name: str) -> None:
        """Let nobody be wrong more often than allowed.

        Raises:
            Refused.
        """
        attempts = self._attempts
        if attempts.is_address_locked(address) or attempts.is_name_locked(address, name):
            raise Refused(Refusal.BANNED, _LOCKED)

    def refuse(self, address: str, name: str) -> Refused:
        """Count a wrong secret that a person may have chosen; what is to be raised."""
        self._attempts.fail(address, name)
        return Refused(Refusal.BAD_USER_NAME_OR_PASSWORD, WRONG)

    def accept(self, address: str, name: str) -> None:
        """Forget the wrong secrets of a name."""
        self._attempts.succeed(address, name)

    @asynccontextmanager
    async def turn(self, address: str, name: str) -> AsyncIterator[None]:
        """Wait for a turn of those whose password is checked.

        Raises:
            Refused: many wait, or those who had their turn meanwhile were wrong too often.
        """
        try:
            async with self.slow_work.turn(address):
                self.check_open(address, name)
                yield
        except TooBusy as error:
            raise Refused(Refusal.SERVER_BUSY, str(error)) from None
        except TankError as error:
            raise Refused(Refusal.SERVER_UNAVAILABLE, str(error)) from error


def is_same(presented: bytes, expected: str) -> bool:
    """Compare secrets, which takes the same time for all that have the same length."""
    return hmac.compare_digest(presented, expected.encode("utf-8", "surrogatepass"))
