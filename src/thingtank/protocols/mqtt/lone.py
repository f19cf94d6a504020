"""One read that is one whole packet of the plainest kind, as nearly all are at a moderate rate.

There is nothing to gather then and nothing to gather it with, and a lone message finds the
processor's caches cold: each call on its way costs. So `take_lone` is one hard function, which does
for one receiver what `relaying` does for many, and writes at once.
"""

from typing import TYPE_CHECKING

from thingtank.protocols.mqtt.relaying import PLAIN, PUBACK, PUBLISH_0, PUBLISH_1
from thingtank.protocols.mqtt.serializer import PUBACK_OCTET
from thingtank.protocols.mqtt.session import SENT_1

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.connection import Connection

NOT_LONE = -1
_OPEN = 2  # State.OPEN; a class of values is slow to ask


def take_lone(connection: "Connection", data: bytes) -> int:
    """Take a read whole, if that is as simple as can be.

    It is for PUBLISH of QoS 0 and 1 by a client of MQTT 3.1.1 to a topic with one receiver, of
    3.1.1 as well, with nothing left to be written to anybody; and for that receiver's PUBACK.

    Returns:
        How many octets were written; NOT_LONE when nothing was done.
    """
    size = len(data)
    if (
        size < 4
        or size - 2 != data[1]
        or connection.lane != PLAIN
        or connection.state != _OPEN
        or connection.unfinished is not None
        or connection.is_held
    ):
        return NOT_LONE
    first = data[0]
    broker = connection.broker
    if first == PUBACK_OCTET and size == 4:
        session = connection.session
        packet_id = data[2] << 8 | data[3]
        if session is None or session.is_waiting or session.inflight.get(packet_id) is not SENT_1:
            return NOT_LONE
        session.take_puback(packet_id)
        connection.last_heard_us = broker.now_us()
        return 0
    publishing = connection.publishing
    if (
        (first != PUBLISH_0 and first != PUBLISH_1)
        or publishing is None
        or publishing.rights_epoch != broker.rights_epoch
        or publishing.waiting
        or broker.dirty
        or broker.awaiting
    ):
        return NOT_LONE
    stop = 4 + (data[2] << 8 | data[3])
    route = publishing.routes.get(data[4:stop])
    if route is None or route.version != broker.version or len(route.direct) != 1:
        return NOT_LONE
    session, qos, is_special, _ = route.direct[0]
    receiver = session.connection
    if receiver is None or is_special or receiver.lane != PLAIN or receiver.out:
        return NOT_LONE
    packet = data
    if first == PUBLISH_0:
        if not route.relays_once or stop > size:
            return NOT_LONE
    else:
        payload = stop + 2
        if (
            not route.relays
            or qos == 0
            or payload > size
            or not (data[stop] or data[stop + 1])  # packet id 0
            or session.quota <= 0
            or session.is_waiting
        ):
            return NOT_LONE
        sent_id = session.begin_once(SENT_1)
        packet = b"%b%c%c%b" % (data[:stop], sent_id >> 8, sent_id & 0xFF, data[payload:])
        size += 4
    try:
        receiver.link.write(packet)
    except Exception:  # noqa: BLE001 - another's link: the door writes again, and cuts it off
        receiver.out.append(packet)
        broker.dirty.append(receiver)
    if first == PUBLISH_1:
        connection.link.write(PUBACK + data[stop:payload])
    connection.last_heard_us = broker.now_us()
    broker.received_count += 1
    broker.sent_count += 1
    broker.sent_count_max += 1  # a turn's bound is for what is held in memory
    return size
