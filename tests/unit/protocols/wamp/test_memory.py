"""What is not used any more is given back."""

import gc
import random
import weakref

from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.router import Randomness, Realm


class Application:
    """Knows the realm that calls it."""

    def __init__(self, realm: Realm) -> None:
        self.realm = realm

    def carry_out(self, call: RouterCall) -> None:
        call.result()


def test_a_realm_goes_with_its_applications() -> None:
    realm = Realm("realm1", Randomness(lambda: 1, random.randrange), lambda: 0)
    application = Application(realm)
    realm.dealer.provide("tank.help", application.carry_out)
    left = [weakref.ref(realm.broker), weakref.ref(application)]
    del realm, application
    gc.collect()
    assert [each() for each in left] == [None, None]
