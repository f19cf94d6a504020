"""Any values as a message's octets in each serializer, by libraries and not by the product."""

import json
from typing import Any

import cbor2
import msgspec

WRITE = {
    "json": lambda value: json.dumps(value, ensure_ascii=False).encode(),
    "msgpack": msgspec.msgpack.encode,
    "cbor": cbor2.dumps,
}
READ = {"json": json.loads, "msgpack": msgspec.msgpack.decode, "cbor": cbor2.loads}


def octets(serializer_name: str, value: Any) -> bytes:
    """The value in that format."""
    written: bytes = WRITE[serializer_name](value)
    return written
