"""What a broker tells people of itself: values of its clients and messages, at one time.

Doors fill them in, and pages show them, which know nothing of doors.
"""

import codecs
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.protocols.overviews import Traffic

Listing = Literal["clients", "filters", "retained", "sys"]
SORTS: dict[Listing, tuple[str, ...]] = {
    "clients": ("newest", "client_id", "behind"),
    "filters": (),
    "retained": (),
    "sys": (),
}
"""In which orders they are listed, the usual one first; those without one by name."""

VERSION_NAMES = {3: "3.1", 4: "3.1.1", 5: "5.0"}


class ClientFacts(Struct, frozen=True):
    """A client, connected or with a session that waits for it.

    Attributes:
        who: whom it has shown to be.
        address, transport: blank while it is away.
        since_us: when its connection began; None while it is away.
        expires_us: when its session ends unless it comes back; None for never, or not yet.
        is_persistent: its session outlives its connection.
        inflight_count: messages sent and not acknowledged.
        queued_count: messages that wait to be sent.
        dropped_count: messages that it went without.
        is_workbench: it is somebody's who tries things out on the page.
    """

    client_id: str
    who: str
    address: str
    transport: str
    version: str
    since_us: int | None
    expires_us: int | None
    is_connected: bool
    is_persistent: bool
    subscription_count: int
    inflight_count: int
    queued_count: int
    dropped_count: int
    unread_bytes: int
    is_workbench: bool


class FilterFacts(Struct, frozen=True):
    """A topic filter that somebody has subscribed to, `$share/NAME/` in front if it is shared."""

    topic_filter: str
    subscriber_count: int


class RetainedFacts(Struct, frozen=True):
    """A retained message.

    Attributes:
        preview: of its payload, as people can read it.
        publisher: the client id of who published it; blank for the broker itself.
        expires_us: None for never.
    """

    topic: str
    size_bytes: int
    preview: str
    qos: int
    publisher: str
    expires_us: int | None


class BrokerFacts(Struct, frozen=True):
    """The broker in numbers, of what may be seen of it.

    Attributes:
        retained_count, sys_count: messages that are retained, those below `$SYS` apart; None for
            who sees no more than their own.
        traffic: the last minutes; None likewise.
    """

    client_count: int
    connected_count: int
    filter_count: int
    retained_count: int | None
    sys_count: int | None
    dropped_count: int
    traffic: Traffic | None


class Answer(Struct, frozen=True):
    """What became of a request.

    Attributes:
        name: of the packet that answered, or packets; blank where none does.
        reason_codes: that it had.
        is_late: an answer was wanted, and none came in time.
        is_over: the broker has ended the connection with it, or for a reason that it did not give.
    """

    name: str
    duration_us: int
    reason_codes: tuple[ReasonCode, ...] = ()
    packet_id: int = 0
    reason_string: str = ""
    is_late: bool = False
    is_over: bool = False


class HeardMessage(Struct, frozen=True):
    """A message, as it came to a subscriber.

    Attributes:
        size_bytes: of the whole payload; `text` may be a part of it.
    """

    topic: str
    at_us: int
    text: str
    size_bytes: int
    qos: int
    is_retain: bool
    is_dup: bool
    properties: Properties = NO_PROPERTIES


class SeenPacket(Struct, frozen=True):
    """A packet of one client's.

    Attributes:
        name: the packet's in the standard.
        fields: what it says, by name; secrets left out.
        size_bytes: of the whole packet.
    """

    at_us: int
    is_from_client: bool
    name: str
    fields: Mapping[str, Any]
    size_bytes: int


def payload_text(payload: bytes, bytes_max: int, size_bytes: int | None = None) -> str:
    """A payload, or its beginning, as people can read it: text, or octets in hexadecimal.

    Args:
        size_bytes: of the whole payload, if this is a part of it.
    """
    size_bytes = len(payload) if size_bytes is None else size_bytes
    head = bytes(payload[:bytes_max])
    is_cut = len(head) < size_bytes
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=not is_cut)
    except UnicodeDecodeError:
        text = ""
    if head and (not text or any(each < " " and each not in "\n\r\t" for each in text)):
        head = head[: bytes_max // 3]
        is_cut = len(head) < size_bytes
        text = head.hex(" ")
    return f"{text} … {size_bytes:,} bytes" if is_cut else text
