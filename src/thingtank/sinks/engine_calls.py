"""What a server and its process of engines say to each other: frames of MessagePack.

A frame is its size in 4 bytes, big-endian, and that many bytes. The first is a Setup; then come
calls one way and replies the other, in any order, each pair with a number of its own.
"""

import socket
from io import BufferedReader
from typing import Literal

import msgspec

from thingtank.aws.settings import AwsSettings
from thingtank.sinks.engine import Item, Kind, SendResult
from thingtank.sinks.own_places import DatabaseAt
from thingtank.tank.failures import Failure

FRAME_BYTES_MAX = 256 * 1024 * 1024  # the largest batch has 8 MiB of payload, twice as `value`
_SIZE_BYTES = 4
_BUFFER_BYTES = 256 * 1024


class Setup(msgspec.Struct, frozen=True):
    """What engines are made from; see `EngineParts` and `AwsClients`."""

    aws: AwsSettings
    attempts_max: int
    read_s_max: float
    folder: str
    database: DatabaseAt | None


class Call(msgspec.Struct, frozen=True, array_like=True):
    """A method of one engine, with all that is needed to make that engine.

    Attributes:
        number: of this call.
        engine: the number of the engine.
        to: of the rule, with its passwords; only with `open`.
        items: only with `send`.
    """

    number: int
    engine: int
    method: Literal["open", "send", "close"]
    to: dict[str, object] = {}
    kind: Kind = "datapoint"
    items: tuple[Item, ...] = ()


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """What came of a call: a result, a failure of the service, or a fault of ours, as traceback."""

    number: int
    result: SendResult | None = None
    failure: Failure | None = None
    fault: str = ""


def frame_of(message: Setup | Call | Reply) -> bytes:
    """A message as it is sent."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(_SIZE_BYTES) + body


def read_frame(stream: BufferedReader) -> bytes | None:
    """The next message, still encoded; None at the end.

    Raises:
        OSError: the other end is gone, or what comes is no frame.
    """
    size = int.from_bytes(head) if len(head := stream.read(_SIZE_BYTES)) == _SIZE_BYTES else 0
    if not size:
        return None
    if size > FRAME_BYTES_MAX:
        raise OSError(f"a frame of {size:,} bytes; {FRAME_BYTES_MAX:,} is the most")
    body = stream.read(size)
    return body if len(body) == size else None


def stream_of(end: socket.socket) -> BufferedReader:
    """What is read from."""
    return BufferedReader(end.makefile("rb", buffering=0), _BUFFER_BYTES)
