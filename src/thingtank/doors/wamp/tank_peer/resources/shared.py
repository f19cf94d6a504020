"""What the procedures of all nouns share."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Annotated, Any

import msgspec

from thingtank.documents.feeds import Bodies
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.xively.query import Parameters, parse_instant
from thingtank.tank.access import Caller
from thingtank.tank.device_names import find_device_named
from thingtank.tank.errors import NoSuchAccount, NoSuchDevice, Unauthenticated, ValidationFailed
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

Number = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""What is a count, or the number of a thing."""
FeedName = Number | str
"""A feed: its number, or its device's uuid."""
Term = str | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | float | bool
"""A value, or a term of a question as Xively's queries have it. CBOR knows longer integers."""
Document = dict[str, Any]
"""One of Xively's JSON documents."""

plain: Callable[[Any], Any] = msgspec.to_builtins
"""A body in values that every serializer has."""


class Context:
    """One call.

    Attributes:
        device: the one that was named, once it was found.
    """

    __slots__ = ("_base_url", "_call", "_live_s", "caller", "device", "tank")

    def __init__(
        self, tank: Tank, caller: Caller, call: RouterCall, base_url: str, live_s: int
    ) -> None:
        self.tank = tank
        self.caller = caller
        self.device: Device | None = None
        self._call = call
        self._base_url = base_url
        self._live_s = live_s

    @property
    def live_s(self) -> int:
        """How young a live feed's newest value is."""
        return self._live_s

    @property
    def receives_progress(self) -> bool:
        """Whether the caller takes results before the last."""
        return self._call.receives_progress

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for the result any more."""
        return self._call.is_over

    def progress(self, value: object) -> None:
        """Give a result before the last."""
        self._call.progress(plain(value))

    def bodies(self, zone: tzinfo | None = None) -> Bodies:
        """Makes the bodies of the answer."""
        return Bodies(self.tank, self._base_url, zone, self._live_s)

    def find_device(self, feed: FeedName) -> Device:
        """The device that a call names.

        Raises:
            NoSuchDevice, Unauthenticated.
        """
        self.device = find_device_named(self.tank.directory, feed)
        if self.device is None:
            if self.caller.account is None and not self.caller.is_operator:
                # As for one that is there and private: strangers do not learn which there are.
                raise Unauthenticated("an API key or a sign-in is needed")
            raise NoSuchDevice(f"there is no feed {str(feed)[:80]}")
        return self.device

    def account_id_of(self, user: str) -> int:
        """The account of a login, blank for the caller's own.

        Raises:
            NoSuchAccount, Unauthenticated.
        """
        caller = self.caller
        if not user:
            if caller.account is None:
                raise Unauthenticated("an API key or a sign-in is needed")
            return caller.account.account_id
        account = self.tank.directory.find_account(user)
        if account is not None:
            return account.account_id
        if caller.is_operator or (caller.account is not None and caller.account.is_admin):
            raise NoSuchAccount(f"there is no account {user[:64]}")
        return 0  # which others are refused, as for one that there is


def json_of(document: object) -> bytes:
    """A document as Xively's clients would send it, for the readers of such.

    Raises:
        ValidationFailed: it holds what JSON does not have.
    """
    try:
        return json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationFailed([("document", f"has no form in JSON: {error}")]) from None


def parameters_of(terms: Mapping[str, Term | None]) -> Parameters:
    """Terms as a query's parameters."""
    return {name: [_text(term)] for name, term in terms.items() if term is not None}


def _text(term: Term) -> str:
    return str(term).lower() if isinstance(term, bool) else str(term)


def instant_of(text: str | None, name: str) -> int | None:
    """An ISO 8601 time in microseconds; None if there is none. Raises MalformedQuery."""
    return None if text is None else parse_instant(text, name)


def page_body(
    noun: str, items: Sequence[object], total_count: int, page: int, per_page: int
) -> dict[str, Any]:
    """One page of a list, in Xively's words."""
    return {
        "totalResults": total_count,
        "itemsPerPage": per_page,
        "startIndex": (page - 1) * per_page + 1,
        noun: [plain(item) for item in items],
    }
