"""Where events go beside the subscribers of a realm: to those of another protocol."""

from collections.abc import Collection, Iterable
from typing import Protocol

from thingtank.protocols.wamp.keeping import Keeping
from thingtank.protocols.wamp.options import Match, PublishOptions
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.publications import Publication


class Outlet(Protocol):
    """Takes what clients publish, and nothing of the router's own. It may not call back."""

    def is_wanted(self, topic: str) -> bool:
        """Whether somebody there would get an event of this topic; asked for each, so fast."""

    def take(self, topic: str, payload: Payload) -> None:
        """Take an event that has no options, and is wanted."""

    def take_publication(self, publication: Publication, options: PublishOptions) -> Keeping | None:
        """Take any other, wanted or not.

        Returns:
            What its publisher has to wait for, if there is something.
        """

    def find_retained(
        self, uri: str, match: Match, known: Collection[str]
    ) -> Iterable[Publication]:
        """What is retained there of topics that match, but those that are known."""
