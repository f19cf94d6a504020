"""Arguments of meta procedures, checked: what is wrong is answered by ERROR.

Each may be given by its place or by its name; null is as good as none. More than there are for
are ignored.

Source: WAMP, Session Meta API; Subscription Meta API; Registration Meta API.
"""

from typing import Any

from msgspec import ValidationError, convert

from thingtank.protocols.wamp.answers import INVALID_URI, Refused
from thingtank.protocols.wamp.options import ID_MAX, Match
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.uris import is_uri

INVALID_ARGUMENT = "wamp.error.invalid_argument"
NO_SUCH_SESSION = "wamp.error.no_such_session"

_MATCHES: tuple[Match, ...] = ("exact", "prefix", "wildcard")


class Arguments:
    """Those of one call."""

    def __init__(self, call: RouterCall) -> None:
        """Read them.

        Raises:
            UnconvertiblePayload.
        """
        elements = call.payload.elements
        self._args: list[Any] = elements[0] if elements else []
        self._kwargs: dict[str, Any] = elements[1] if len(elements) == 2 else {}

    def find(self, place: int | None, name: str) -> Any:
        """One of any type; None if there is none."""
        if place is not None and place < len(self._args):
            return self._args[place]
        return self._kwargs.get(name)

    def text(self, place: int | None, name: str) -> str:
        """A string that must be there.

        Raises:
            Refused.
        """
        value = self.find(place, name)
        if not isinstance(value, str):
            raise invalid(f"{name} must be a string")
        return value

    def text_or_none(self, place: int | None, name: str) -> str | None:
        """A string, if there is one.

        Raises:
            Refused.
        """
        return None if self.find(place, name) is None else self.text(place, name)

    def id(self, place: int | None, name: str) -> int:
        """An id that must be there.

        Raises:
            Refused.
        """
        value = self.find(place, name)
        if type(value) is not int or not 1 <= value <= ID_MAX:  # a bool is an int, too
            raise invalid(f"{name} must be an id, 1 to 2^53")
        return value

    def id_or_none(self, place: int | None, name: str) -> int | None:
        """An id, if there is one.

        Raises:
            Refused.
        """
        return None if self.find(place, name) is None else self.id(place, name)

    def uri_or_none(self, place: int | None, name: str) -> str | None:
        """A reason, if there is one.

        Raises:
            Refused: with `invalid_uri`.
        """
        value = self.find(place, name)
        if value is not None and not (isinstance(value, str) and is_uri(value)):
            raise Refused(INVALID_URI, f"{name} must be a URI")
        return value

    def texts_or_none(self, place: int, name: str) -> list[str] | None:
        """A list of strings, if there is one.

        Raises:
            Refused.
        """
        value = self.find(place, name)
        try:
            return convert(value, list[str] | None)
        except ValidationError:
            raise invalid(f"{name} must be a list of strings") from None

    def match(self, place: int) -> Match:
        """`match` of a dict of options, exact if there is none.

        Raises:
            Refused.
        """
        options = self.find(place, "options")
        if options is None:
            return "exact"
        if not isinstance(options, dict) or options.get("match", "exact") not in _MATCHES:
            raise invalid(f"options must be a dict, its match one of {', '.join(_MATCHES)}")
        match: Match = options.get("match", "exact")
        return match


def invalid(text: str) -> Refused:
    """What is raised for an argument that is missing or wrong."""
    return Refused(INVALID_ARGUMENT, text)
