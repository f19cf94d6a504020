"""The Registration Meta API: what is registered, and taking it away.

Source: WAMP, Registration Meta API; `remove_callee` is of Crossbar.io.
"""

from typing import TYPE_CHECKING

from thingtank.protocols.wamp.answers import NO_SUCH_REGISTRATION, Refused
from thingtank.protocols.wamp.meta_calls import NO_SUCH_SESSION, Arguments
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.registrations import NoSuchRegistration, Registration

if TYPE_CHECKING:
    from thingtank.protocols.wamp.router import Realm


def provide_registrations(realm: "Realm") -> None:
    """Have a realm answer `wamp.registration.…`."""
    registrations = _Registrations(realm)
    realm.dealer.provide("wamp.registration.list", registrations.list)
    realm.dealer.provide("wamp.registration.lookup", registrations.lookup)
    realm.dealer.provide("wamp.registration.match", registrations.match)
    realm.dealer.provide("wamp.registration.get", registrations.get)
    realm.dealer.provide("wamp.registration.list_callees", registrations.list_callees)
    realm.dealer.provide("wamp.registration.count_callees", registrations.count_callees)
    realm.dealer.provide("wamp.registration.remove_callee", registrations.remove_callee)


class _Registrations:
    def __init__(self, realm: "Realm") -> None:
        self._realm = realm
        self._dealer = realm.dealer
        self._registrations = realm.dealer.registrations

    def list(self, call: RouterCall) -> None:
        call.result(self._registrations.list_ids())

    def lookup(self, call: RouterCall) -> None:
        arguments = Arguments(call)
        procedure, match = arguments.text(0, "procedure"), arguments.match(1)
        call.result(self._registrations.lookup(procedure, match))

    def match(self, call: RouterCall) -> None:
        call.result(self._registrations.match(Arguments(call).text(0, "procedure")))

    def get(self, call: RouterCall) -> None:
        call.result(self._find(call).details)

    def list_callees(self, call: RouterCall) -> None:
        call.result(self._registrations.list_callees(self._find(call).id))

    def count_callees(self, call: RouterCall) -> None:
        call.result(self._registrations.count_callees(self._find(call).id))

    def remove_callee(self, call: RouterCall) -> None:
        arguments = Arguments(call)
        session_id, reason = arguments.id(1, "session"), arguments.uri_or_none(2, "reason")
        registration = self._find(call)
        if session_id not in self._realm.members:
            raise Refused(NO_SUCH_SESSION, f"no session {session_id}")
        try:
            self._dealer.revoke(registration.id, session_id, reason)
        except NoSuchRegistration as error:
            raise Refused(NO_SUCH_REGISTRATION, str(error)) from None
        call.result()

    def _find(self, call: RouterCall) -> Registration:
        try:
            return self._registrations.get(Arguments(call).id(0, "registration"))
        except NoSuchRegistration as error:
            raise Refused(NO_SUCH_REGISTRATION, str(error)) from None
