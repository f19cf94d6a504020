"""The SkyNet door on a tank in memory."""

from tests.unit.tank.messaging.messaging_bench import Bench

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.parties import Parties
from thingtank.doors.skynet.rates import Rates
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.net.identity.principals import Callers
from thingtank.tank.access import Caller
from thingtank.tank.actions.keys import create_key
from thingtank.tank.keys import ApiKey, Permission, Resource
from thingtank.tank.messaging.permissions import Party

NO_RATES = SkynetSettings(rate_messages_s=0, rate_data_s=0, rate_queries_s=0)
ADDRESS = "10.0.0.1"


class DoorBench(Bench):
    """A tank with a SkyNet door."""

    def __init__(self, *, is_open: bool = False, settings: SkynetSettings = NO_RATES) -> None:
        super().__init__(is_open=is_open)
        callers = Callers(self.directory, self.clock.now_us)
        self.parties = Parties(self.directory, callers, self.clock.now_us)
        self.door = SkynetDoor(
            settings,
            self.tank,
            self.parties,
            Rates(settings),
            self.account.account_id,
            self.clock.now_us,
        )

    async def key(self, *methods: str, device_id: int = 0, private_access: bool = True) -> str:
        """A key of the account, for all its devices or for one; its secret."""
        resources = (Resource(device_id),) if device_id else ()
        draft = ApiKey(
            0,
            self.account.account_id,
            "key",
            (Permission(methods, resources),),
            private_access=private_access,
        )
        _, secret = await create_key(self.tank, Caller(self.account), draft)
        return secret

    def shown(self, uuid: str) -> Party:
        """A device that has shown its token."""
        return self.parties.device(uuid, self.tokens[uuid], ADDRESS)
