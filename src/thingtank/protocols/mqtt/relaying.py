"""PUBLISH in its plainest form, passed on in the octets that it came in.

Most of what a broker reads is this, so it never becomes an object. `relay_once` and `relay_tracked`
are the hard functions here: they pass a message on when nothing has to be looked at but its head,
its topic's route is known, and no receiver is owed more than the octets that came. They leave
everything else to `Inbound.take`, which does the same with all the standard's rules. On the way of
QoS 0 there are few calls: a lone message finds the processor's caches cold, and waits for each.
"""

from typing import TYPE_CHECKING

from thingtank.protocols.mqtt.outgoing import publish_head
from thingtank.protocols.mqtt.session import SENT_1, SENT_2

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.connection import Connection
    from thingtank.protocols.mqtt.routes import Route

# How packets to a client are made: all alike, or with care for what it asks for.
PLAIN, PLAIN_5, WITH_CARE = 0, 1, 2

PUBLISH_0, PUBLISH_1, _PUBLISH_2 = 0x30, 0x32, 0x34
PUBACK, _PUBREC = b"\x40\x02", b"\x50\x02"
_PUBACK_NOBODY = b"\x40\x03%b\x10"  # no matching subscribers; MQTT 5 alone can say so


def relay_once(
    connection: "Connection", route: "Route", data: bytes, at: int, stop: int, end: int
) -> bool:
    """Pass a message of QoS 0 on; False where that is not all.

    Args:
        route: of its topic, where the client may publish; up to date.
        at: where the packet begins in `data`.
        stop: where its topic ends, if it is not cut off.
        end: where the packet ends.
    """
    is_5 = connection.version == 5
    if not route.relays_once or (stop >= end and (is_5 or stop > end)):
        return False
    payload = stop
    if is_5:
        if data[stop]:  # it has properties
            return False
        payload += 1
    broker = connection.broker
    broker.received_count += 1
    dirty = broker.dirty
    same = None
    other = None
    for session, _, is_special, subscriptions in route.direct:
        receiver = session.connection
        if receiver is None:
            continue
        lane = receiver.lane
        if is_special or lane == WITH_CARE:
            source = connection.session
            broker.deliver_one(session, subscriptions, route, data[payload:end], 0, source)
            continue
        if lane == is_5:
            if same is None:
                same = data[at:end]
            packet = same
        else:
            if other is None:
                tail = data[payload:end] if is_5 else b"\0" + data[payload:end]
                other = publish_head(PUBLISH_0, route.octets, len(tail)) + tail
            packet = other
        broker.sent_count += 1
        out = receiver.out
        if not out:
            dirty.append(receiver)
        out.append(packet)
    return True


def relay_tracked(
    connection: "Connection", route: "Route", data: bytes, at: int, stop: int, end: int
) -> bool:
    """Pass a message of QoS 1 or 2 on, as `relay_once` does."""
    first = data[at]
    is_5 = connection.version == 5
    payload = stop + 2
    if (
        (first != PUBLISH_1 and first != _PUBLISH_2)
        or not route.relays
        or payload > end
        or not (data[stop] or data[stop + 1])  # packet id 0
    ):
        return False
    if is_5:
        if payload >= end or data[payload]:
            return False
        payload += 1
    packet_id = data[stop:payload] if not is_5 else data[stop : payload - 1]
    if first == PUBLISH_1:
        _send_tracked(connection, route, data, at, stop, payload, end)
        is_told = is_5 and not route.direct
        connection.write(_PUBACK_NOBODY % packet_id if is_told else PUBACK + packet_id)
        return True
    if not connection.inbound.take_packet_id(packet_id[0] << 8 | packet_id[1]):
        return False
    connection.write(_PUBREC + packet_id)  # before the message, which may be the client's own
    _send_tracked(connection, route, data, at, stop, payload, end)
    return True


def _send_tracked(
    connection: "Connection",
    route: "Route",
    data: bytes,
    at: int,
    stop: int,
    payload: int,
    end: int,
) -> None:
    """QoS 1 and 2, to sessions that end with their connections."""
    broker = connection.broker
    broker.received_count += 1
    dirty = broker.dirty
    is_5 = connection.version == 5
    qos = data[at] >> 1 & 3
    mark = SENT_1 if qos == 1 else SENT_2
    head = tail = None
    for session, sub_qos, is_special, subscriptions in route.direct:
        receiver = session.connection
        if receiver is None:
            continue
        if (
            is_special
            or sub_qos < qos
            or receiver.lane != is_5
            or session.quota <= 0
            or session.is_waiting
        ):
            source = connection.session
            broker.deliver_one(session, subscriptions, route, data[payload:end], qos, source)
            continue
        if head is None or tail is None:
            head, tail = data[at:stop], data[stop + 2 : end]
        packet_id = session.begin_once(mark)
        broker.sent_count += 1
        out = receiver.out
        if not out:
            dirty.append(receiver)
        out += (head, packet_id.to_bytes(2, "big"), tail)
