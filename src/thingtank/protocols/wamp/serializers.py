"""The serializers there are, by what WebSocket subprotocols and RawSocket call them.

Source: WAMP, Serializations; WebSocket Transport; RawSocket Transport.
"""

from thingtank.protocols.wamp.cbor_serializer import CBOR
from thingtank.protocols.wamp.json_serializer import JSON
from thingtank.protocols.wamp.msgpack_serializer import MSGPACK
from thingtank.protocols.wamp.serializer import Serializer

SERIALIZERS: dict[str, Serializer] = {each.name: each for each in (JSON, MSGPACK, CBOR)}
RAWSOCKET_SERIALIZERS: dict[int, Serializer] = {
    each.rawsocket_id: each for each in SERIALIZERS.values()
}
