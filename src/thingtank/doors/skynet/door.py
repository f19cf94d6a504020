"""What all wires of the SkyNet door share."""

from collections.abc import Callable, Mapping

from thingtank.doors.skynet.origins import may_come_from
from thingtank.doors.skynet.parties import Parties
from thingtank.doors.skynet.rates import Rates
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.net.forwarded import is_forwarded
from thingtank.net.origins import host_of, is_loopback
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
        """Whether strangers are let in at all, as in 2014."""
        return self.tank.messaging.policy.is_open

    def lets_in(self, headers: Mapping[str, str]) -> bool:
        """Whether a stranger's request is let in, by what it says of where it is from.

        A server that is open because it listens on a loopback address is open to this machine, and
        not to what a proxy brings, nor to pages of other sites that this machine's browser shows,
        nor to those whose names have been made to point here.

        Args:
            headers: names in lower case.
        """
        if not self.is_open:
            return False
        settings = self.settings
        host, origin = headers.get("host", ""), headers.get("origin", "")
        fetch_site = headers.get("sec-fetch-site", "")
        if not may_come_from(origin, host, settings.allowed_origins, fetch_site):
            return False
        if settings.open_access == "always":
            return True
        return not is_forwarded(headers) and (not host or is_loopback(host_of(f"//{host}")))
