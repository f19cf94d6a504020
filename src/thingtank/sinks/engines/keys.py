"""Keys of a table's items, as templates: where one is kept, and whether it takes another's place.

The two engines with tables, `dynamodb` and `table`, mean the same by the same settings.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from thingtank.sinks.engine import Item, TopicFacts
from thingtank.sinks.rules.templates import (
    PLACE,
    BadTemplate,
    compile_text,
    encoding_of,
    expiry_of,
    time_text,
    user_properties_json,
)
from thingtank.tank.history import DAY_S

HASH = "{{device}}/{{datastream}}"
HASH_OF_TOPIC = "{{topic}}"
RANGE = "{{at}} {{id}}"
KEEP_DAYS_MAX = 1_000_000
# What `attributes_of` gives an item besides its key.
ATTRIBUTES = frozenset(
    {
        "id", "topic", "at", "at_us", "number", "feed", "device", "datastream", "value", "payload",
        "encoding", "qos", "retain", "content_type", "user_properties", "expires_at",
    }
)  # fmt: skip
KEY_BYTES_MAX = 1024  # DynamoDB: 2,048 of a hash key, 1,024 of a range key


KEY_IS_TAKEN = "another item has its key: put {{id}} into `hash` or `range`"

Keep = Literal["all", "latest"]


class KeySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What items of a table are found by, and which of them are kept.

    Attributes:
        keep: `all`, where an item is never written over, and another of its key is refused; or
            `latest`, where the newest one of a key takes the place of the others.
        hash_key: the attribute that items are spread by.
        hash: its value; as for a rule's template, such as `{{device}}`. By default, device and
            datastream, or the topic.
        range_key: the attribute that items of one hash key are sorted by; blank for none.
        range: its value. By default the time, with an id behind it that no other item has; with
            `keep = "latest"` the word `latest`.
        keep_days: an item is deleted so long after its time; 0 keeps all.
        expires: the attribute that says when, in seconds since the epoch.
    """

    keep: Keep = "all"
    hash_key: str = "msgid"
    hash: str = HASH
    range_key: str = "date"
    range: str = ""
    keep_days: float = 0.0
    expires: str = "expires"

    def __post_init__(self) -> None:
        """Check what is here to be checked."""
        if not self.hash_key or not self.hash:
            raise ValueError("`hash_key` and `hash` must not be blank")
        if self.hash_key == self.range_key:
            raise ValueError("`hash_key` and `range_key` must be two attributes")
        if not 0 <= self.keep_days <= KEEP_DAYS_MAX:
            raise ValueError(f"`keep_days` must be 0 or more, and at most {KEEP_DAYS_MAX:,}")
        for name, template in ((self.hash_key, self.hash), (self.range_key, self.range)):
            # One that is put in as it is stays what it was.
            if name in ATTRIBUTES and template != f"{{{{{name}}}}}":
                raise ValueError(f"an item has a `{name}` of its own: name its key otherwise")
        if self.keep_days and self.expires in ATTRIBUTES:
            raise ValueError(f"an item has a `{self.expires}` of its own: name `expires` otherwise")
        if self.keep_days and not self.expires:
            raise ValueError("`keep_days` needs the name of an attribute in `expires`")
        for name, template in (("hash", self.hash), ("range", self.range)):
            _check_template(name, template)


def _check_template(name: str, template: str) -> None:
    """Refuse what can make no key. Raise ValueError."""
    if not template:
        return
    try:
        compile_text(template)
    except BadTemplate as error:
        raise ValueError(f"`{name}`: {error}") from None
    if len(PLACE.sub("", template).encode()) > KEY_BYTES_MAX:
        raise ValueError(f"`{name}` has more than {KEY_BYTES_MAX:,} bytes beside what is put in")


class ItemKey(NamedTuple):
    """Where an item is; `range` is blank in a table without a range key."""

    hash: str
    range: str


class Keyed(NamedTuple):
    """What is to be written under a key, and which places of the batch that settles."""

    key: ItemKey
    item: Item
    places: Sequence[int]


class Keys:
    """Makes keys of items."""

    def __init__(self, settings: KeySettings) -> None:
        self._settings = settings
        self._hash = compile_text(settings.hash)
        self._hash_of_topic = compile_text(HASH_OF_TOPIC) if settings.hash == HASH else self._hash
        text = settings.range or (RANGE if settings.keep == "all" else "latest")
        self._range = compile_text(text) if settings.range_key else None

    def key_of(self, item: Item) -> ItemKey:
        """Where an item is kept.

        Raises:
            ValueError: nowhere; the message says why.
        """
        render = self._hash if item.facts is None else self._hash_of_topic
        hash_key = _checked(render(item), "hash")
        return ItemKey(hash_key, _checked(self._range(item), "range") if self._range else "")

    def keyed(self, items: Sequence[Item]) -> tuple[list[Keyed], dict[int, str]]:
        """What is to be written for a batch; of `latest` the newest of each key alone.

        Returns:
            What is to be written, and why other items cannot be, by place.
        """
        refused: dict[int, str] = {}
        found: list[Keyed] = []
        newest: dict[ItemKey, int] = {}
        for place, item in enumerate(items):
            try:
                key = self.key_of(item)
            except ValueError as error:  # not UTF-8, either
                refused[place] = str(error)
                continue
            if self._settings.keep == "latest" and key in newest:
                before = found[newest[key]]
                best = item if item.at_us >= before.item.at_us else before.item
                found[newest[key]] = Keyed(key, best, (*before.places, place))
                continue
            newest[key] = len(found)
            found.append(Keyed(key, item, (place,)))
        return found, refused

    def attributes_of(self, item: Item) -> dict[str, Any]:
        """What is kept of an item besides its key: plain values, without those that it has not."""
        found: dict[str, Any] = {
            "id": item.item_id,
            "topic": item.topic,
            "at": time_text(item.at_us),
            "at_us": item.at_us,
            "number": item.number,
        }
        if item.facts is not None:
            found |= _of_topic(item, item.facts)
        else:
            found["feed"], found["device"] = item.device_id, item.uuid
            found["datastream"], found["value"] = item.datastream, item.value
        found = {name: value for name, value in found.items() if value is not None and value != ""}
        if expires_s := self.expires_s_of(item):
            found[self._settings.expires] = expires_s
        return found

    def expires_s_of(self, item: Item) -> int:
        """When an item is to be deleted, in seconds since the epoch; 0 for never."""
        if not self._settings.keep_days:
            return 0
        return item.at_us // 1_000_000 + round(self._settings.keep_days * DAY_S)


def _checked(part: str, name: str) -> str:
    """A part of a key. Raise ValueError, also for what is not UTF-8."""
    if not part:
        raise ValueError(f"its {name} key is blank")
    if (len(part) if part.isascii() else len(part.encode())) > KEY_BYTES_MAX:
        raise ValueError(f"its {name} key has more than {KEY_BYTES_MAX:,} bytes")
    return part


def _of_topic(item: Item, facts: TopicFacts) -> dict[str, Any]:
    return {
        "payload": item.value,
        "encoding": encoding_of(facts),
        "qos": facts.qos,
        "retain": facts.is_retain,
        "content_type": facts.content_type,
        "user_properties": user_properties_json(facts),
        "expires_at": expiry_of(facts),
    }
