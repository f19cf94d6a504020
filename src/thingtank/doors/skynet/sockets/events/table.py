"""Every event that clients of socket.io emit, by name."""

from typing import TYPE_CHECKING

import structlog

from thingtank.doors.skynet.errors import RateLimited, SkynetError
from thingtank.doors.skynet.noting import Noting
from thingtank.doors.skynet.refusals import INTERNAL, Refusal, refusal_of
from thingtank.doors.skynet.sockets.events import (
    devices,
    identities,
    messages,
    records,
    subscriptions,
    tokens,
)
from thingtank.doors.skynet.sockets.events.asking import Answer, Asking, EventSpec
from thingtank.protocols.socketio.events import Event
from thingtank.tank.errors import TankError
from thingtank.tank.request_log import SERVERS_OWN

if TYPE_CHECKING:
    from thingtank.doors.skynet.sockets.socketio_client import SocketioClient

log = structlog.get_logger()

EVENTS: dict[str, EventSpec] = {
    **identities.SPECS,
    **devices.SPECS,
    **messages.SPECS,
    **subscriptions.SPECS,
    **records.SPECS,
    **tokens.SPECS,
}
_UNKNOWN = Refusal(404, "there is no such event")


async def answer_event(client: "SocketioClient", event: Event) -> Answer:
    """Do what a client asks; what it is to be acknowledged by, if it asked for that."""
    if not client.holds():
        return None
    asking = Asking(client, event.args, event.ack)
    noting = Noting(client.door, client.log_door, "emit", event.name, event.args)
    before = client.party
    spec = EVENTS.get(event.name)
    if spec is None:
        answer: Answer = ({"error": _UNKNOWN.error()},)
        noting.answered(before, {}, answer, _UNKNOWN.code, f"there is no event {event.name[:40]}")
        return answer
    try:
        answer = await spec.handle(asking)
    except (TankError, SkynetError) as error:
        if isinstance(error, RateLimited) and event.ack is None:
            client.warn_of_rate(error)
        refusal = refusal_of(error)
        answer = spec.refuse(asking, refusal)
        noting.answered(before, asking.body, answer, refusal.code, str(error))
    except Exception:
        # The edge of the door: the client gets no details, the log all of them.
        log.exception("skynet_event_failed", socket_event=event.name[:40])
        answer = spec.refuse(asking, INTERNAL)
        noting.answered(before, asking.body, answer, INTERNAL.code, SERVERS_OWN)
    else:
        # Who has said only now who it is has asked as that.
        who = client.party if before.device is None else before
        noting.answered(who, asking.body, answer)
    return answer
