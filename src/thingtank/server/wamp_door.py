"""Puts the WAMP door together: realms from the settings, and who may come in."""

from random import SystemRandom

from thingtank.doors.wamp.door import WampDoor, random_ids
from thingtank.doors.wamp.settings import WampSettings
from thingtank.protocols.wamp.authentication import AnonymousAuthenticator
from thingtank.protocols.wamp.router import Randomness, Realm
from thingtank.server.steady_clock import SteadyClock

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
