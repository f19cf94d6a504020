"""Items in a table of this machine; what `dynamodb` is at AWS."""

import time
from collections.abc import Sequence

from thingtank.local.places import TABLES
from thingtank.local.table_file import ITEM_BYTES_MAX, TableFile, TableItem
from thingtank.sinks.engine import GATHER_S, BatchBounds, EngineParts, Item, SendResult
from thingtank.sinks.engines.keys import KEY_IS_TAKEN, Keyed, Keys, KeySettings
from thingtank.sinks.engines.local_failures import told

EXPIRE_EACH_S = 60.0


class Settings(KeySettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table, made by its first item.

    Attributes:
        table: its name.
    """

    table: str

    def __post_init__(self) -> None:
        """Check what is here to be checked."""
        super().__post_init__()
        if not self.table:
            raise ValueError("`table` is blank")


class TableEngine:
    """Implements `SinkEngine`: a batch is one transaction, and repeats change nothing."""

    bounds = BatchBounds(1000, 4 * 1024 * 1024)
    wants_payload = False
    gather_s = GATHER_S

    def __init__(self, settings: Settings, parts: EngineParts) -> None:
        """Make one that is not open."""
        self._settings = settings
        self._path = parts.folder / TABLES
        self._keys = Keys(settings)
        self._file: TableFile | None = None
        self._expired_s = 0.0

    def open(self) -> None:
        """See SinkEngine."""
        self.close()
        with told(self._path):
            self._file = TableFile(self._path)

    def send(self, items: Sequence[Item]) -> SendResult:
        """See SinkEngine."""
        assert self._file is not None, "open"
        keyed, refused = self._keys.keyed(items)
        for each in keyed:
            if len(each.item.value) > ITEM_BYTES_MAX:
                reason = f"an item has at most {ITEM_BYTES_MAX:,} bytes"
                refused |= dict.fromkeys(each.places, reason)
        keyed = [each for each in keyed if each.places[0] not in refused]
        kept = [self._item(each) for each in keyed]
        with told(self._path):
            if self._settings.keep == "all":
                self._put_all(keyed, kept, refused)
            else:
                self._file.put_if_newer(self._settings.table, kept)
            self._expire()
        return SendResult(refused=refused)

    def close(self) -> None:
        """See SinkEngine."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def describe(self) -> str:
        """See SinkEngine."""
        return f"table {self._settings.table} of this machine"

    def _put_all(
        self, keyed: Sequence[Keyed], items: Sequence[TableItem], refused: dict[int, str]
    ) -> None:
        assert self._file is not None, "open"
        table = self._settings.table
        if self._file.put_if_absent(table, items) == len(items):
            return
        for each, item in zip(keyed, items, strict=True):
            there = self._file.find(table, item.hash_key, item.range_key, 0)
            if there is not None and there.attributes.get("id") != each.item.item_id:
                refused |= dict.fromkeys(each.places, KEY_IS_TAKEN)

    def _item(self, each: Keyed) -> TableItem:
        attributes = self._keys.attributes_of(each.item)
        attributes[self._settings.hash_key] = each.key.hash
        if self._settings.range_key:
            attributes[self._settings.range_key] = each.key.range
        return TableItem(
            each.key.hash, each.key.range, each.item.at_us,
            self._keys.expires_s_of(each.item) or None, attributes,
        )  # fmt: skip

    def _expire(self) -> None:
        """Delete what is over, now and then."""
        if self._settings.keep_days and time.monotonic() >= self._expired_s + EXPIRE_EACH_S:
            assert self._file is not None, "open"
            self._file.expire(self._settings.table, time.time())
            self._expired_s = time.monotonic()


def make_engine(settings: Settings, parts: EngineParts) -> TableEngine:
    """An engine that is not open yet."""
    return TableEngine(settings, parts)
