"""What a server and its process that sends say to each other: frames of MessagePack.

A frame is its size in 4 bytes, big-endian, and that many bytes. The first is a Setup; then come
calls one way and replies the other, in any order, each pair with a number of its own. Between calls
come batches that several of them are about.

Items and batches go as they were encoded for the disk, so that the server's loop has no work with
what is in them.
"""

import asyncio
import socket
import struct
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from io import BufferedReader
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from thingtank.aws.settings import AwsSettings
from thingtank.server.sinks.selection import Stream
from thingtank.sinks.engine import Kind
from thingtank.sinks.own_places import DatabaseAt
from thingtank.sinks.rules.steps import Step
from thingtank.tank.failures import Failure

FRAME_BYTES_MAX = 256 * 1024 * 1024  # far more than a turn or a commit has
BUFFER_BYTES = 256 * 1024
_SIZE = struct.Struct("!I")

# Which of a rule's windows: what it has taken from its reader, or dead letters on their way again.
WindowName = Literal["fresh", "letters"]


class Setup(msgspec.Struct, frozen=True):
    """What engines are made from; see `EngineParts` and `AwsClients`.

    Attributes:
        version: of the server's program. A process of another, as one has when the program was
            replaced meanwhile, does nothing.
    """

    aws: AwsSettings
    attempts_max: int
    read_s_max: float
    folder: str
    database: DatabaseAt | None
    version: str = version("thingtank")


# --- calls ---


class Begin(msgspec.Struct, frozen=True, array_like=True, tag="begin"):
    """Make a rule's engine, which is not open yet, and its windows; those it had are let go.

    Attributes:
        number: of this call; so it is in the others.
        rule: by which all calls mean this one.
        to: with its passwords.
        origin: a part of each item's id.
        template: see `SinkRule`.
        wants: the same for all rules that want the same of each batch.
        from_seq: the batch that was passed last.
        held: items that are sent before all else, with their batches' numbers.
    """

    number: int
    rule: int
    to: Mapping[str, object]
    kind: Kind
    origin: str
    template: str
    wants: str
    retry_s_max: float
    from_seq: int
    held: Sequence[tuple[int, bytes]]


class Open(msgspec.Struct, frozen=True, array_like=True, tag="open"):
    """Open a rule's engine once more."""

    number: int
    rule: int


class Tell(msgspec.Struct, frozen=True, array_like=True, tag="tell"):
    """Keep batches of the journal, for all rules; there is no reply. See `told_batches.py`.

    Attributes:
        number: none that is waited for; a process of another version answers to it.
        first_seq: of the batches, which follow each other and come straight from their commits.
        blobs: as the journal has them.
    """

    number: int
    first_seq: int
    blobs: Sequence[bytes]


class BatchContent(NamedTuple):
    """A batch of a reader.

    Attributes:
        seq: its number.
        content: the journal's blob; or the one item that it is.
        is_newest: whether it comes straight from its commit.
    """

    seq: int
    content: bytes
    is_newest: bool


class More(NamedTuple):
    """What a window has to send next.

    Attributes:
        batches: in order.
        told: after these, the number of the first that was told of, and how many follow it.
        streams: of datastreams in all of these of which nothing was said yet, whose each is; None
            if the rule does not want it.
        begun: the number of a batch, and how many of its rows were sent or held before.
        last_seq: of the batches.
    """

    batches: Sequence[BatchContent]
    told: tuple[int, int]
    streams: Sequence[tuple[int, Stream | None]]
    begun: tuple[int, int]
    last_seq: int


class TakeStep(msgspec.Struct, frozen=True, array_like=True, tag="step"):
    """Send once, as `Window.step`; and before that what else is said here.

    Attributes:
        window: the one that is meant.
        recorded_count: so many of the refused items of earlier replies are on disk.
        is_forgiven: as `Window.forgive`.
        is_anew: let go of all that is there.
        held: items to be sent as what is held.
        more: what is to be added; the window has nothing fresh then.
    """

    number: int
    rule: int
    window: WindowName
    recorded_count: int
    is_forgiven: bool
    is_anew: bool
    held: Sequence[bytes]
    more: More | None


class Keep(msgspec.Struct, frozen=True, array_like=True, tag="keep"):
    """Say what is to be written down; done beside a call that is under way.

    Attributes:
        is_asked_only: as `Window.kept`: of what was said before. Otherwise as `Window.keep`.
        is_last: nothing of the rule is sent any more.
        is_whole: say all of it, and not only what is new.
        recorded_count: see TakeStep.
    """

    number: int
    rule: int
    window: WindowName
    is_asked_only: bool
    is_last: bool
    is_whole: bool
    recorded_count: int


class Close(msgspec.Struct, frozen=True, array_like=True, tag="close"):
    """Close a rule's engine and forget the rule, after what is under way."""

    number: int
    rule: int


Call: TypeAlias = Begin | Open | TakeStep | Keep | Close
NOTHING_TOLD = (0, 0)
NO_NUMBER = 0  # no call with a reply has it


# --- replies ---


class WindowState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a window stands after a step; see the properties of `Window`.

    Attributes:
        due_s: by the monotonic clock, which all processes have in common.
    """

    has_fresh: bool
    is_empty: bool
    can_send_fresh: bool
    due_s: float
    through_seq: int


class RefusedItem(NamedTuple):
    """An item that can never be delivered: its id, the item itself, and why."""

    item_id: str
    item: bytes
    reason: str


class Stepped(msgspec.Struct, frozen=True, array_like=True, tag="stepped"):
    """How a window stands after a step, and what came of that.

    Attributes:
        refused: all that are refused and not told to be recorded, from the oldest on.
        waiting_ids: of the window of letters, the ids of all that is not settled.
        fault: of ours, as traceback, by which nothing is lost: the window has it all.
    """

    state: WindowState
    step: Step
    refused: Sequence[RefusedItem] = ()
    waiting_ids: Sequence[str] = ()
    fault: str = ""


class HeldBlob(NamedTuple):
    """An item that is held, with its id and the number of its batch."""

    seq: int
    item_id: str
    item: bytes


class WhatIsKept(msgspec.Struct, frozen=True, array_like=True, tag="kept"):
    """What is to be written down so that the journal may go on; see `rules.steps.Kept`.

    Attributes:
        seq: the batch up to which all is settled, or kept; -1 if it was asked only.
        row: how many rows of the batch behind it are, too.
        added: what was not said before, of each device in order.
        gone_ids: what was said before and is settled.
        unrecorded_count: refused items that are not told to be recorded.
        waiting_ids: see Stepped.
    """

    seq: int
    row: int = 0
    added: Sequence[HeldBlob] = ()
    gone_ids: Sequence[str] = ()
    unrecorded_count: int = 0
    waiting_ids: Sequence[str] = ()


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """What came of a call: a result, a failure of the service, or a fault of ours, as traceback."""

    number: int
    result: Stepped | WhatIsKept | None = None
    failure: Failure | None = None
    fault: str = ""


# --- frames ---

decode_call = msgspec.msgpack.Decoder(Call | Tell).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode
decode_setup = msgspec.msgpack.Decoder(Setup).decode


class FrameTooLarge(Exception):
    """A message is larger than the other side takes."""


def frame_of(message: Setup | Call | Tell | Reply) -> bytes:
    """A message as it is sent. Raise FrameTooLarge."""
    body = msgspec.msgpack.encode(message)
    if len(body) > FRAME_BYTES_MAX:
        raise FrameTooLarge(f"{len(body):,} bytes at once; {FRAME_BYTES_MAX:,} is the most")
    return _SIZE.pack(len(body)) + body


def stream_of(end: socket.socket) -> BufferedReader:
    """What frames are read from."""
    return BufferedReader(end.makefile("rb", buffering=0), BUFFER_BYTES)


def read_frame(stream: BufferedReader) -> bytes | None:
    """The next message, still encoded; None at the end.

    Raises:
        OSError: the other end is gone, or what comes is no frame.
    """
    head = stream.read(_SIZE.size)
    if len(head) < _SIZE.size:
        return None
    size = _size_of(head)
    body = stream.read(size)
    return body if len(body) == size else None


def number_of(frame: bytes) -> int:
    """The number of a call, whichever version has made it."""
    number: int = msgspec.msgpack.decode(frame)[1]
    return number


async def next_frame(stream: asyncio.StreamReader) -> bytes:
    """The next message, still encoded.

    Raises:
        OSError, EOFError: the other end is gone, or what comes is no frame.
    """
    return await stream.readexactly(_size_of(await stream.readexactly(_SIZE.size)))


def _size_of(head: bytes) -> int:
    size: int = _SIZE.unpack(head)[0]
    if not 0 < size <= FRAME_BYTES_MAX:
        raise OSError(f"a frame of {size:,} bytes; {FRAME_BYTES_MAX:,} is the most")
    return size
