"""What a sink's engine is: the narrow interface between rules and where they send to.

A rule's runner (`server/sinks/`) reads the journal, makes items, and hands them to its engine in
batches, again and again until each is delivered or refused. An engine knows one service and nothing
of journals, checkpoints, pauses or dead letters.

**Threads.** An engine blocks. All its methods are called in one thread of its rule, one at a time,
so it needs no locks and may keep what belongs to a thread (a SQLite connection, a cursor).

**Order.** Items of one device (of one topic, where no device stands behind it: `Item.order_key`)
are in the order in which they were written, in a batch and from batch to batch. An engine must not
let a later item of a device arrive where an earlier one did not.
Where a service takes part of a call and refuses part (Kinesis, SQS), put what one device has in a
batch into one entry, or send one item of each device at a time; and answer `retry` for the first
that failed **and for all later ones of that device**. The runner sends those again, in order, and
sends what other devices have meanwhile.

**At least once.** The same item comes again after a crash, and after a call of which nobody knows
whether it arrived; `item_id` is the same then, so that an engine whose service can (a unique key, a
conditional write, a deduplication id) makes it harmless.

**Failures.** Of single items: `retry` and `refused` in the result. Of the whole call: raise. What
comes from boto3 may go through as it is: the runner asks `thingtank.aws.failures.classify`. Others
raise EngineFailed. Passing failures are tried again later and later; REFUSED makes the runner send
the batch's items one by one, and those that are refused alone become dead letters; what a person
has to mend (NOT_ALLOWED, MISSING, …) is told on the page and tried again once a minute. Nothing is
ever dropped without a dead letter.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import msgspec

from thingtank.aws.clients import AwsClients
from thingtank.sinks.own_places import DatabaseAt, OwnPlaces
from thingtank.tank.failures import Failure, FailureKind

Kind = Literal["datapoint", "message", "topic"]

GATHER_S = 0.5  # the usual: each batch costs the devices that write a little, however small it is
SECRET_FIELDS = ("url",)  # of engines' settings: those that may hold a password
_ITEM_BYTES = 100  # what an item takes besides its texts, about


class TopicFacts(msgspec.Struct, frozen=True, gc=False):
    """What is known of a topic's message besides its topic, its payload and its time.

    Attributes:
        qos: it was published with.
        is_retain: whether it was published to be retained.
        is_base64: whether `Item.value` is the payload in base64, as it is no text.
        content_type, user_properties: as the publisher said them, by MQTT 5 or from WAMP.
        expires_at_us: when it has no meaning any more, by its publisher; 0 for never.
    """

    qos: int
    is_retain: bool
    is_base64: bool
    content_type: str = ""
    user_properties: tuple[tuple[str, str], ...] = ()
    expires_at_us: int = 0

    @property
    def size_bytes(self) -> int:
        """About what it takes."""
        pairs = sum(len(name) + len(value) for name, value in self.user_properties)
        return len(self.content_type) + pairs


class Item(msgspec.Struct, frozen=True, gc=False):
    """One thing to be delivered.

    Attributes:
        item_id: the same each time that it is sent, and no other item's: of this data folder, the
            journal's number and the place in that batch, such as `a1b2c3d4-1207-3`. At most 64
            characters: letters, digits and hyphens.
        device_id, uuid: the device; 0 and blank for a topic's message, which is of none.
        datastream: its name; blank where it is no datapoint.
        at_us: microseconds since the epoch, UTC.
        value: the text as written; of a message between devices its JSON, of a topic's message
            its payload.
        number: the value where it is a decimal number.
        topic: of a message; blank for a datapoint. Of a topic's message without its secrets.
        payload: UTF-8, as the rule's template makes it (JSON without one); empty for engines that
            say `wants_payload = False`.
        facts: of a topic's message; None for others.
    """

    item_id: str
    kind: Kind
    device_id: int
    uuid: str
    datastream: str
    at_us: int
    value: str
    number: float | None = None
    topic: str = ""
    payload: bytes = b""
    facts: TopicFacts | None = None

    @property
    def order_key(self) -> str:
        """Within this, order holds: the device, or the topic of what is no device's."""
        return self.uuid or self.topic

    @property
    def size_bytes(self) -> int:
        """About what it takes in a call."""
        size_bytes = len(self.payload) + len(self.value) + _ITEM_BYTES
        if self.facts is not None:
            size_bytes += len(self.topic) + self.facts.size_bytes
        return size_bytes


# As an item is stored, and told to the process that sends.
encode_item = msgspec.msgpack.Encoder().encode
decode_item = msgspec.msgpack.Decoder(Item).decode


class BatchBounds(NamedTuple):
    """What one `send` takes at most.

    Attributes:
        items_max: how many items.
        bytes_max: of all items' `payload` (without payloads, of their `size_bytes`); one item alone
            may be larger, and the engine refuses it.
    """

    items_max: int
    bytes_max: int


class SendResult(msgspec.Struct, frozen=True):
    """What became of a batch: what is in neither map was delivered.

    Attributes:
        retry: place in the batch → why, of those to be sent again.
        refused: place → why, of those that can never be right: dead letters.
        failure: what became of the first in `retry`; None where only the words are known.
    """

    retry: Mapping[int, str] = {}
    refused: Mapping[int, str] = {}
    failure: Failure | None = None


ALL_DELIVERED = SendResult()


class EngineFailed(Exception):
    """A whole call failed, and not by boto3; nothing, all or some of the batch may have arrived."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure

    @classmethod
    def of(
        cls, kind: FailureKind, message: str, advice: str = "", code: str = ""
    ) -> "EngineFailed":
        """Make one from words for a person. No password may be among them."""
        return cls(Failure(kind, code or kind.name.lower(), message, advice))


class SinkEngine(Protocol):
    """One service, as one rule uses it.

    Attributes:
        bounds: what `send` takes.
        wants_payload: whether it reads `Item.payload`; rendering costs.
        gather_s: a batch waits so long for more where its rule does not say.
    """

    bounds: BatchBounds
    wants_payload: bool
    gather_s: float

    def open(self) -> None:
        """Connect, and make what is missing (a table, a queue) where the settings say so.

        Called before the first `send` and again after each failure that a call raised, until it
        returns; so it also is the way to reconnect.

        Raises:
            EngineFailed: or what boto3 raises.
        """
        ...

    def send(self, items: Sequence[Item]) -> SendResult:
        """Deliver a batch, 1 <= n <= `bounds.items_max`; returns when it is durable there.

        Ends within about a minute in any case: timeouts are the engine's.

        Raises:
            EngineFailed: or what boto3 raises.
        """
        ...

    def close(self) -> None:
        """Let go of connections; never raises. `open` may follow."""
        ...

    def describe(self) -> str:
        """Where it sends to, in one line for a person, without secrets. Never waits."""
        ...


class EngineParts(NamedTuple):
    """What engines are made from besides their own settings.

    Attributes:
        aws: the clients of the instance; boto3 is loaded by the first one.
        folder: the data folder; a local engine keeps its files in `folder / "sinks"`.
        kind: of the items that it will be given.
        database: the tank's own; see OwnPlaces.
    """

    aws: Callable[[], AwsClients]
    folder: Path
    database: DatabaseAt | None = None
    kind: Kind = "datapoint"

    @property
    def own(self) -> OwnPlaces:
        """Where no rule may write."""
        return OwnPlaces(self.folder, self.database)
