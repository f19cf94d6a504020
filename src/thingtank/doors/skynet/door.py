"""What all wires of the SkyNet door share."""

from collections.abc import Callable

from thingtank.doors.skynet.parties import Parties
from thingtank.doors.skynet.rates import Rates
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.tank.tank import Tank


class SkynetDoor:
    """Made once; in the loop's thread.

    Attributes:
        account_id: who owns what is registered without a key.
        rates: how often each may ask.
        now_us: of a clock that does not jump.
    """

    def __init__(
        self,
        settings: SkynetSettings,
        tank: Tank,
        parties: Parties,
        rates: Rates,
        account_id: int,
        now_us: Callable[[], int],
    ) -> None:
        self.settings = settings
        self.tank = tank
        self.parties = parties
        self.rates = rates
        self.account_id = account_id
        self.now_us = now_us

    @property
    def is_open(self) -> bool:
        """Whether strangers are let in, as in 2014."""
        return self.tank.messaging.policy.is_open
