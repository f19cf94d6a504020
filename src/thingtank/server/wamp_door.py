"""Puts the WAMP door together: realms from the settings, and who may come in."""

from random import SystemRandom

from msgspec import Struct

from thingtank.doors.wamp.door import WampDoor, random_ids
from thingtank.doors.wamp.meter import Meter
from thingtank.doors.wamp.settings import WampSettings
from thingtank.doors.wamp.visits import KIND
from thingtank.doors.wamp.workbench import WampWorkbench
from thingtank.protocols.wamp.authentication import Accepted, AnonymousAuthenticator
from thingtank.protocols.wamp.members import Member
from thingtank.protocols.wamp.router import Randomness, Realm
from thingtank.server.steady_clock import SteadyClock
from thingtank.tank.things import Account

AGENT = "thingtank"


def make_wamp_door(settings: WampSettings) -> WampDoor:
    """The door, with its realms open."""
    clock = SteadyClock()
    randomness = Randomness(random_ids().__next__, SystemRandom().randrange)
    realms = {
        each.name: Realm(each.name, randomness, clock.now_us, is_strict=settings.strict_uris)
        for each in settings.realms
    }
    make_authid = random_ids().__next__
    authenticator = AnonymousAuthenticator(lambda: f"anonymous-{make_authid():x}")
    return WampDoor(settings, realms, authenticator, clock.now_us, AGENT)


class AccountAdmission(Struct, frozen=True):
    """Lets accounts in from the workbench, as `admin` or `account`."""

    def admit(self, realm: str, account: Account, address: str) -> Accepted | None:
        """What WELCOME says."""
        role = "admin" if account.is_admin else "account"
        return Accepted(account.login, role, KIND, "tank", is_hidden=True)

    def account_of(self, member: Member) -> int | None:
        """Nobody's: clients are anonymous."""
        return None


def make_workbench(door: WampDoor, url: str, *, is_everywhere: bool) -> tuple[WampWorkbench, Meter]:
    """The door as the workbench uses it, and its meter, which is to be started."""
    meter = Meter(door.realms, door.reception.now_us)
    workbench = WampWorkbench(door, AccountAdmission(), meter, url, is_everywhere=is_everywhere)
    return workbench, meter
