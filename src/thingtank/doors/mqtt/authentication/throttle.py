"""Who was wrong too often waits, and what takes long is done in turn."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from thingtank.doors.mqtt.authentication.attempt import Refusal, Refused
from thingtank.net.identity.attempts import Attempts
from thingtank.net.identity.slow_work import SlowWork, TooBusy
from thingtank.tank.errors import TankError

WRONG = "user name and password do not go together"
_LOCKED = "too many wrong passwords came from your address; try again in 15 minutes"


class Throttle:
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
