"""Which sessions carry out which procedures, and who of them is next.

A registration is a URI and how it is compared; all callees of it share one id. Ids are never used
again: a client that still holds one, unknown to it revoked, must not meet it anew.

| invoke | who is taken | and when that one is unavailable |
| --- | --- | --- |
| single | the only one | nobody |
| first | who registered first | who registered next after |
| last | who registered last | who registered next before |
| roundrobin | each in turn, by order of registration | the next in turn |
| random | any | any other |

Callees whose concurrency is used up are passed over.

Source: WAMP, Pattern-based Registrations; Shared Registration; Call Re-Routing; Registration Meta
API. `concurrency` and `force_reregister` are of Crossbar.io.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection
from operator import attrgetter
from typing import Any, get_args

from thingtank.protocols.wamp.errors import WampError
from thingtank.protocols.wamp.meta_events import MetaEvent, created_text
from thingtank.protocols.wamp.options import Invoke, Match, RegisterOptions
from thingtank.protocols.wamp.parties import Party
from thingtank.protocols.wamp.patterns import Patterns, ids_by_match
from thingtank.protocols.wamp.procedures import RouterProcedure

ChooseBelow = Callable[[int], int]
"""Any of 0 .. n - 1, each as likely: `random.randrange`."""


class NoSuchRegistration(WampError):
    """ERROR with `wamp.error.no_such_registration`."""


class Endpoint:
    """One callee's place in a registration.

    Attributes:
        place: grows by order of registration.
        concurrency: most invocations at once; 0 for any number.
        is_plain: a call that asks for nothing is told nothing.
        active: how many there are.
    """

    __slots__ = (
        "active",
        "concurrency",
        "discloses_caller",
        "is_plain",
        "keeps_time",
        "party",
        "place",
        "registration",
    )

    def __init__(
        self, registration: "Registration", party: Party, place: int, options: RegisterOptions
    ) -> None:
        """As the callee asked for."""
        self.registration = registration
        self.party = party
        self.place = place
        self.concurrency = options.concurrency or 0
        self.active = 0
        self.discloses_caller = options.disclose_caller
        self.is_plain = not (registration.is_pattern or options.disclose_caller)
        self.keeps_time = options.forward_timeout and party.can_keep_time

    @property
    def has_room(self) -> bool:
        """Whether it takes one more invocation."""
        return not self.concurrency or self.active < self.concurrency


class Registration:
    """One procedure, or pattern of procedures, and who carries it out.

    Attributes:
        endpoints: n >= 1 by order of registration, until it is deleted.
        call_count: calls that came for it.
    """

    __slots__ = (
        "_is_limited",
        "_place_last",
        "_places",
        "call_count",
        "created_us",
        "endpoints",
        "id",
        "invoke",
        "is_pattern",
        "match",
        "uri",
    )

    def __init__(
        self, registration_id: int, uri: str, match: Match, invoke: Invoke, created_us: int
    ) -> None:
        """One without callees yet."""
        self.id = registration_id
        self.uri = uri
        self.match = match
        self.invoke = invoke
        self.created_us = created_us
        self.is_pattern = match != "exact"
        self.endpoints: list[Endpoint] = []
        self.call_count = 0
        self._places = 0
        self._place_last = -1  # who had the last turn
        self._is_limited = False  # whether any of them ever had a concurrency

    def add(self, party: Party, options: RegisterOptions) -> Endpoint:
        """Let one more session carry it out."""
        endpoint = Endpoint(self, party, self._places, options)
        self._places += 1
        self._is_limited |= bool(endpoint.concurrency)
        self.endpoints.append(endpoint)
        return endpoint

    def choose(self, choose_below: ChooseBelow) -> Endpoint | None:
        """Who is to carry out a call; None if all are busy."""
        endpoints = self.endpoints
        if len(endpoints) == 1:
            (endpoint,) = endpoints
            if endpoint.concurrency and not endpoint.has_room:
                return None
            self._place_last = endpoint.place
            return endpoint
        return self._choose(endpoints, self._place_last, choose_below)

    def choose_after(self, tried: list[Endpoint], choose_below: ChooseBelow) -> Endpoint | None:
        """Who is to carry out a call that others could not; None if nobody is left.

        Args:
            tried: n >= 1 that could not, the last of them at last.
        """
        place = tried[-1].place
        left = [endpoint for endpoint in self.endpoints if endpoint not in tried]
        if self.invoke == "first":
            left = [endpoint for endpoint in left if endpoint.place > place]
        elif self.invoke == "last":
            left = [endpoint for endpoint in left if endpoint.place < place]
        return self._choose(left, place, choose_below)

    def _choose(
        self, endpoints: list[Endpoint], place: int, choose_below: ChooseBelow
    ) -> Endpoint | None:
        free = endpoints
        if self._is_limited:
            free = [endpoint for endpoint in endpoints if endpoint.has_room]
        if not free:
            return None
        if self.invoke == "random":
            return free[choose_below(len(free))]
        if self.invoke == "last":
            return free[-1]
        if self.invoke == "roundrobin":
            chosen = free[bisect_right(free, place, key=attrgetter("place")) % len(free)]
            self._place_last = chosen.place
            return chosen
        return free[0]

    @property
    def details(self) -> dict[str, Any]:
        """RegistrationDetails of the meta API."""
        return {
            "id": self.id,
            "created": created_text(self.created_us),
            "uri": self.uri,
            "match": self.match,
            "invoke": self.invoke,
        }


class Registrations:
    """All registrations of a realm, and the router's own procedures.

    The router's own have no ids and do not appear in the meta API.
    """

    def __init__(self) -> None:
        self._patterns: Patterns[Registration | RouterProcedure] = Patterns()
        self._by_id: dict[int, Registration] = {}
        self._id_last = 0
        self.best = self._patterns.best

    def provide(self, uri: str, match: Match, procedure: RouterProcedure) -> None:
        """Add a procedure of the router's own.

        Raises:
            ValueError: the URI is taken.
        """
        if self._patterns.get(uri, match) is not None:
            raise ValueError(f"{uri!r} is taken")
        self._patterns.add(uri, match, procedure)

    def find(self, uri: str, match: Match) -> Registration | RouterProcedure | None:
        """What is under exactly this URI and match."""
        return self._patterns.get(uri, match)

    def create(self, uri: str, match: Match, invoke: Invoke, created_us: int) -> Registration:
        """A new one, which gets its first callee next."""
        self._id_last += 1
        registration = Registration(self._id_last, uri, match, invoke, created_us)
        self._by_id[registration.id] = registration
        self._patterns.add(uri, match, registration)
        return registration

    def join(self, registration: Registration, party: Party, options: RegisterOptions) -> None:
        """Let one more session carry it out."""
        party.endpoints[registration.id] = registration.add(party, options)

    def leave(self, endpoint: Endpoint) -> list[MetaEvent]:
        """Take a callee away, and the registration with the last one.

        Returns:
            What happened, in order.
        """
        registration = endpoint.registration
        registration.endpoints.remove(endpoint)
        del endpoint.party.endpoints[registration.id]
        args = (endpoint.party.peer.session_id, registration.id)
        events = [MetaEvent("wamp.registration.on_unregister", args)]
        if not registration.endpoints:
            del self._by_id[registration.id]
            self._patterns.remove(registration.uri, registration.match)
            events.append(MetaEvent("wamp.registration.on_delete", args))
        return events

    def get(self, registration_id: int) -> Registration:
        """One by its id: `wamp.registration.get` gives its `details`.

        Raises:
            NoSuchRegistration.
        """
        registration = self._by_id.get(registration_id)
        if registration is None:
            raise NoSuchRegistration(f"no registration {registration_id}")
        return registration

    def values(self) -> Collection[Registration]:
        """All of clients, in the order in which they came."""
        return self._by_id.values()

    def list_provided(self) -> list[tuple[str, Match]]:
        """URI and match of the router's own procedures."""
        return [
            (uri, match)
            for match in get_args(Match)
            for uri, found in self._patterns.by_match(match)
            if isinstance(found, RouterProcedure)
        ]

    def list_ids(self) -> dict[Match, list[int]]:
        """All ids by match: `wamp.registration.list`."""
        return ids_by_match(self._by_id.values())

    def lookup(self, uri: str, match: Match = "exact") -> int | None:
        """The id under exactly this URI and match: `wamp.registration.lookup`."""
        found = self._patterns.get(uri, match)
        return found.id if isinstance(found, Registration) else None

    def match(self, procedure: str) -> int | None:
        """The id that a call would go to: `wamp.registration.match`."""
        found = self._patterns.best(procedure)
        return found.id if isinstance(found, Registration) else None

    def list_callees(self, registration_id: int) -> list[int]:
        """Session ids by order of registration: `wamp.registration.list_callees`.

        Raises:
            NoSuchRegistration.
        """
        return [each.party.peer.session_id for each in self.get(registration_id).endpoints]

    def count_callees(self, registration_id: int) -> int:
        """How many there are: `wamp.registration.count_callees`.

        Raises:
            NoSuchRegistration.
        """
        return len(self.get(registration_id).endpoints)
