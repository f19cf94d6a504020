"""What all events have in common: who asks, by which arguments, and how refusals are told."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from thingtank.doors.skynet.errors import NotReady
from thingtank.doors.skynet.records import iso_time
from thingtank.doors.skynet.refusals import Refusal
from thingtank.protocols.socketio.events import AckId
from thingtank.protocols.socketio.json_values import NotJson, decode
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.permissions import Party

if TYPE_CHECKING:
    from thingtank.doors.skynet.sockets.client import Client
    from thingtank.doors.skynet.sockets.socketio_client import SocketioClient

Answer: TypeAlias = tuple[Any, ...] | None
"""The values of an acknowledgement; None for none, or one that comes later."""


class Asking(NamedTuple):
    """An event that a client has emitted.

    Attributes:
        args: n >= 0; what it sends for an argument that it does not have is null.
        ack: of who waits for an acknowledgement.
    """

    client: "SocketioClient"
    args: Sequence[Any]
    ack: AckId | None

    @property
    def body(self) -> dict[str, Any]:
        """The first argument, if it is an object, or JSON of one; else an empty one."""
        return body_of(self.args[0]) if self.args else {}

    def text(self, name: str) -> str:
        """A member that is a text; blank for none."""
        return text_of(self.body, name)

    @property
    def uuid(self) -> str:
        """The device that is meant: the one that is named, else the client's own.

        Raises:
            NotReady: there is neither.
        """
        uuid = self.text("uuid") or self.client.party.uuid
        if not uuid:
            raise NotReady
        return uuid


Handle: TypeAlias = Callable[[Asking], Awaitable[Answer]]
Refuse: TypeAlias = Callable[[Asking, Refusal], Answer]


class EventSpec(NamedTuple):
    """What an event does, and how a refusal is told."""

    handle: Handle
    refuse: Refuse


def body_of(value: Any) -> dict[str, Any]:
    """An object, also of the text that is its JSON; an empty one of all else."""
    if isinstance(value, str) and value[:1] == "{":
        try:
            value = decode(value.encode())
        except (NotJson, UnicodeEncodeError):
            return {}
    return value if isinstance(value, dict) else {}


def text_of(body: Mapping[str, Any], name: str) -> str:
    """A member that is a text; blank for none."""
    value = body.get(name)
    return value if isinstance(value, str) else ""


def acting(asking: Asking) -> Party:
    """On whose behalf something is asked: the client's, and of whose token comes with it.

    Raises:
        Unauthenticated: the token is wrong, or strangers are not let in.
    """
    return acting_by(asking.client, asking.body)


def acting_by(client: "Client", body: Mapping[str, Any]) -> Party:
    """As `acting`, by the body of what is asked."""
    party = client.party
    uuid, token = text_of(body, "uuid"), text_of(body, "token")
    if uuid and token:
        if uuid == party.uuid and token == party.token:
            return party
        return client.door.parties.opening(party, uuid, token)
    check_is_known(client)
    return party


def check_is_known(client: "Client") -> None:
    """Keep strangers out where they are not let in.

    Raises:
        Unauthenticated.
    """
    if not (client.has_identified or client.arrival.is_let_in):
        raise Unauthenticated("identify first")


def stamped(asking: Asking, value: dict[str, Any], code: EventCode) -> dict[str, Any]:
    """An answer with the time and the event's code, as of its generation."""
    now_us = asking.client.door.tank.clock.now_us()
    time = now_us // 1000 if asking.client.is_legacy else iso_time(now_us)
    return {**value, "timestamp": time, "eventCode": int(code)}


def refuse_plainly(asking: Asking, refusal: Refusal) -> Answer:
    """As Meshblu does."""
    return ({"error": refusal.error()},)


def refuse_as(code: EventCode, words: str, *, shows_uuid: bool = False) -> Refuse:
    """As SkyNet did; Meshblu's clients get a plain refusal.

    Args:
        words: for whoever may not, or asks for what is not there.
        shows_uuid: whether the error says of which device.
    """

    def refuse(asking: Asking, refusal: Refusal) -> Answer:
        is_legacy = asking.client.is_legacy
        error = refusal.error()
        if is_legacy and refusal.code in (401, 404):
            error = {"message": words, "code": 404}
        elif refusal.code == 404:
            error["message"] = words if words.startswith("Devices") else refusal.message
        if not is_legacy:
            return ({"error": error},)
        if shows_uuid:
            error = {"uuid": asking.text("uuid"), **error}
        return (stamped(asking, {"error": error}, code),)

    return refuse
