"""A publication as a row, and back: its payload stays in its publisher's serializer.

Who published it is kept only where receivers were told: sessions do not outlive the process.
"""

from typing import TypeAlias

from msgspec.msgpack import Decoder, Encoder

from thingtank.protocols.wamp.options import EventDetails
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.receivers import Receivers
from thingtank.protocols.wamp.serializer import Serializer
from thingtank.protocols.wamp.serializers import RAWSOCKET_SERIALIZERS

COLUMNS = "publication_id, at_us, topic, details, receivers, serializer, form, payload"
COLUMN_TYPES = """
    publication_id INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    topic TEXT NOT NULL,
    details BLOB,
    receivers BLOB,
    serializer INTEGER NOT NULL,
    form INTEGER NOT NULL,
    payload BLOB NOT NULL"""
COLUMN_COUNT = 8

Row: TypeAlias = tuple[int, int, str, bytes | None, bytes | None, int, int, bytes]

_DISK_BYTES = 100  # beside its texts
_OPAQUE = 4  # beside the count of elements, in `form`
_NO_DETAILS = EventDetails()
_ENCODE = Encoder().encode
_DETAILS = Decoder(EventDetails)
_RECEIVERS = Decoder(Receivers)


def row_of(publication: Publication) -> Row:
    """The values of COLUMNS."""
    payload, details, receivers = publication.payload, publication.details, publication.receivers
    serializer = payload.serializer
    return (
        publication.publication_id,
        publication.at_us,
        publication.topic,
        None if details == _NO_DETAILS else _ENCODE(details),
        None if receivers is None else _ENCODE(receivers),
        serializer.rawsocket_id if isinstance(serializer, Serializer) else 0,
        payload.count + (_OPAQUE if payload.is_opaque else 0),
        payload.data,
    )


def disk_bytes(row: Row) -> int:
    """About what a row takes on disk, with its place in the index."""
    _, _, topic, details, receivers, _, _, payload = row
    texts = 2 * len(topic) + len(details or b"") + len(receivers or b"") + len(payload)
    return _DISK_BYTES + texts


def publication_of(row: Row) -> Publication:
    """What `row_of` was given, but for the publisher."""
    publication_id, at_us, topic, details, receivers, serializer, form, data = row
    return Publication(
        publication_id,
        at_us,
        topic,
        None,
        True,
        _NO_DETAILS if details is None else _DETAILS.decode(details),
        Payload(RAWSOCKET_SERIALIZERS.get(serializer), form % _OPAQUE, data, form >= _OPAQUE),
        None if receivers is None else _RECEIVERS.decode(receivers),
    )
