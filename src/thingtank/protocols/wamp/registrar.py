"""REGISTER, UNREGISTER and revocation: who may carry out what, and what the realm hears of it.

| REGISTER of a URI and match that | answer |
| --- | --- |
| nobody has | REGISTERED with a new id |
| the router has | procedure_already_exists |
| this session has, shared or not | procedure_already_exists: clients close on an id they hold |
| others have as `single`, or with another `invoke` | procedure_already_exists |
| others have with the same `invoke` | REGISTERED with their id |
| others have, and `force_reregister` | they lose it, unless one is somebody else; a new id |

Source: WAMP, Registering and Unregistering; Shared Registration; Registration Revocation;
Registration Meta API.
"""

from collections.abc import Callable, Iterable

from msgspec import UNSET

from thingtank.protocols.wamp.answers import (
    INVALID_URI,
    LIMIT_REACHED,
    NO_SUCH_REGISTRATION,
    NOT_AUTHORIZED,
    PROCEDURE_EXISTS,
    Refused,
    send_refusal,
)
from thingtank.protocols.wamp.errors import InvalidUri
from thingtank.protocols.wamp.messages import Register, Registered, Unregister, Unregistered
from thingtank.protocols.wamp.meta_events import MetaEvent
from thingtank.protocols.wamp.options import RegisterOptions, RevocationDetails
from thingtank.protocols.wamp.parties import Party
from thingtank.protocols.wamp.registrations import (
    Endpoint,
    NoSuchRegistration,
    Registration,
    Registrations,
)
from thingtank.protocols.wamp.uris import check_own_uri


class Registrar:
    """Answers for the registrations of a realm."""

    def __init__(
        self,
        registrations: Registrations,
        now_us: Callable[[], int],
        on_meta: Callable[[MetaEvent], None],
        registrations_per_session_max: int,
        *,
        is_strict: bool,
    ) -> None:
        """Answer for these.

        Args:
            on_meta: is given what happens, in order and after the one who did it was answered.
            is_strict: of URIs.
        """
        self._registrations = registrations
        self._now_us = now_us
        self._on_meta = on_meta
        self._per_session_max = registrations_per_session_max
        self._is_strict = is_strict

    def register(self, party: Party, message: Register) -> None:
        """Answer a REGISTER."""
        uri, options = message.procedure, message.options
        try:
            check_own_uri(uri, options.match, is_strict=self._is_strict)
            present = self._present(party, uri, options)
        except InvalidUri as error:
            refused = Refused(INVALID_URI, str(error))
            return send_refusal(party.peer, 64, message.request_id, refused)
        except Refused as refused:
            return send_refusal(party.peer, 64, message.request_id, refused)
        events: list[MetaEvent] = []
        if present is not None and options.force_reregister:
            for endpoint in present.endpoints.copy():
                events += self._revoke(endpoint, "another session registered the procedure anew")
            present = None
        if present is None:
            present = self._registrations.create(uri, options.match, options.invoke, self._now_us())
            created = (party.peer.session_id, present.details)
            events.append(MetaEvent("wamp.registration.on_create", created))
        self._registrations.join(present, party, options)
        party.peer.send(Registered(message.request_id, present.id))
        joined = (party.peer.session_id, present.id)
        return self.announce((*events, MetaEvent("wamp.registration.on_register", joined)))

    def unregister(self, party: Party, message: Unregister) -> None:
        """Answer an UNREGISTER. Invocations that the callee has go on."""
        endpoint = party.endpoints.get(message.registration_id)
        if endpoint is None:
            text = f"this session has no registration {message.registration_id}"
            refused = Refused(NO_SUCH_REGISTRATION, text)
            return send_refusal(party.peer, 66, message.request_id, refused)
        events = self._registrations.leave(endpoint)
        party.peer.send(Unregistered(message.request_id))
        return self.announce(events)

    def revoke(self, registration_id: int, session_id: int, reason: str | None) -> None:
        """Take a registration from a session that did not ask for it.

        Raises:
            NoSuchRegistration: it does not exist, or the session is not on it.
        """
        for endpoint in self._registrations.get(registration_id).endpoints:
            if endpoint.party.peer.session_id == session_id:
                return self.announce(self._revoke(endpoint, reason))
        raise NoSuchRegistration(f"session {session_id} is not on registration {registration_id}")

    def leave(self, party: Party) -> list[MetaEvent]:
        """Take all from a session that has gone; to be announced when its calls have ended."""
        events: list[MetaEvent] = []
        for endpoint in list(party.endpoints.values()):
            events += self._registrations.leave(endpoint)
        return events

    def _present(self, party: Party, uri: str, options: RegisterOptions) -> Registration | None:
        if len(party.endpoints) >= self._per_session_max:
            text = f"a session may have {self._per_session_max} registrations"
            raise Refused(LIMIT_REACHED, text)
        present = self._registrations.find(uri, options.match)
        if present is None:
            return None
        if not isinstance(present, Registration):
            raise Refused(PROCEDURE_EXISTS, f"{uri!r} is the router's own")
        if options.force_reregister:
            if not all(_may_replace(party, endpoint.party) for endpoint in present.endpoints):
                raise Refused(NOT_AUTHORIZED, f"{uri!r} is registered by somebody else")
            return present
        if present.id in party.endpoints:
            raise Refused(PROCEDURE_EXISTS, f"this session has registered {uri!r} already")
        if present.invoke == "single" or present.invoke != options.invoke:
            text = f"{uri!r} is registered already, with invoke {present.invoke!r}"
            raise Refused(PROCEDURE_EXISTS, text)
        return present

    def _revoke(self, endpoint: Endpoint, reason: str | None) -> list[MetaEvent]:
        """Take one place away and say so, if the callee knows what that means."""
        events = self._registrations.leave(endpoint)
        if endpoint.party.can_be_revoked:
            details = RevocationDetails(
                registration=endpoint.registration.id, reason=UNSET if reason is None else reason
            )
            endpoint.party.peer.send(Unregistered(0, details))
        return events

    def announce(self, events: Iterable[MetaEvent]) -> None:
        """Tell the realm what has happened, in order."""
        for event in events:
            self._on_meta(event)


def _may_replace(party: Party, present: Party) -> bool:
    """Whether a session may take a registration from another: a later one of the same principal.

    Calls, and what is in them, go to whoever has the registration.
    """
    return present.peer.is_anonymous or present.peer.authid == party.peer.authid
