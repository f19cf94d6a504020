"""A request as handlers see it, and what is read of its head once for all with the same head."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.rest.replies import Reply
from thingtank.net.http_request import RequestHead
from thingtank.protocols.skynet.credentials import Credentials
from thingtank.protocols.skynet.parameters import Body
from thingtank.protocols.skynet.rest_paths import RestPath
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.events import Asked
from thingtank.tank.messaging.permissions import Area, Party

Missing = Literal["device", "devices", "unregister", "error"]


class Words(msgspec.Struct, frozen=True, gc=False):
    """How a route says what is wrong.

    Attributes:
        refusal: to programs of early 2014, when a device is not there or its token not right.
        event_code: with that; 0 for none, and no time either.
        shows_uuid: with that as well.
        missing: to later programs, when a device is not there: `device` or `devices` in their
            message, `unregister` as that answered, or an `error`.
    """

    refusal: str = "Device not found or token not valid"
    event_code: int = 0
    shows_uuid: bool = False
    missing: Missing = "devices"


class Request(msgspec.Struct, gc=False):
    """One request.

    Attributes:
        parameters: of its query and its body together; the body's count if both have one.
        body: as it was read.
        sent: the body as it came.
        is_legacy: whether to answer as in early 2014.
    """

    head: RequestHead
    path: RestPath
    party: Party
    parameters: Mapping[str, Any]
    body: Body
    sent: bytes
    is_legacy: bool

    def __repr__(self) -> str:
        return f"Request(path={self.path!r}, party={self.party!r})"

    @property
    def uuid(self) -> str:
        """Of the device that the path names."""
        return self.path.uuid

    def text(self, name: str) -> str:
        """A parameter that is a text or a number; blank for none."""
        value = self.parameters.get(name)
        if isinstance(value, str):
            return value
        return str(value) if isinstance(value, int | float) else ""

    def choice(self, name: str) -> str:
        """The same of a parameter that narrows what is done; anything else would widen it again.

        Raises:
            ValidationFailed: it is there, and neither.
        """
        text = self.text(name)
        if not text and self.parameters.get(name) is not None:
            raise ValidationFailed([(name, "must be a text that is not blank")])
        return text


Handler: TypeAlias = Callable[[SkynetDoor, Request], Awaitable[Reply]]


class Route(msgspec.Struct, frozen=True, gc=False):
    """One method of one path.

    Attributes:
        handler: None for streams, which are no single answer.
        is_public: whether a stranger is answered whatever the settings say.
        takes_token: whether a parameter `token` proves who may do it.
        area: the right that another device needs to do it in a device's name; None if it cannot.
        is_modern: whether it is answered as Meshblu does to everybody.
    """

    handler: Handler | None
    words: Words = Words()
    is_public: bool = False
    takes_token: bool = True
    area: Area | None = None
    is_modern: bool = False


class Reading(msgspec.Struct, gc=False):
    """What a head asks for.

    Attributes:
        query: parameters of the query.
        acts_as: uuid of the device in whose name it is asked; blank for its own.
        lets_in: whether a stranger is let in who sends such a head.
        party: who was found to send it; None before the first.
        rights_version: as of when it was found.
        asked: what the request log says of it; None before the first.
    """

    path: RestPath
    route: Route
    credentials: Credentials | None
    query: dict[str, Any]
    content_type: bytes
    acts_as: str
    lets_in: bool
    is_legacy: bool
    party: Party | None = None
    rights_version: int = -1
    asked: Asked | None = None

    def __repr__(self) -> str:
        return f"Reading(path={self.path!r}, credentials={self.credentials!r})"
