"""Answers a directory's queries: which devices, in which order, a page of them, and how many.

The directory tells every change of a device or its datastreams; a change costs what it changes.
Queries may come from any thread.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thingtank.tank.arrays import Bools, Int64s
from thingtank.tank.interfaces import CurrentTimes, DevicePage, DeviceQuery, Mark
from thingtank.tank.search.clusters import Places
from thingtank.tank.search.columns import Columns, are_within, degrees_of
from thingtank.tank.search.postings import Postings, Uint32s
from thingtank.tank.search.title_order import TitleOrder, title_key
from thingtank.tank.search.word_index import PREFIX_CHARS_MIN, WordIndex
from thingtank.tank.search.words import (
    WEIGHT_NAME,
    WEIGHT_TITLE,
    query_words,
    weighed_words,
    words_of_name,
)
from thingtank.tank.things import Account, Datastream, Device

Uint16s = NDArray[np.uint16]
Slots = NDArray[np.intp]

_WORD_SCORE_MAX = 2 * WEIGHT_TITLE + 1
_SCORE_SHIFT = 52  # above any time in microseconds until the year 2112
_TIME_MAX = (1 << _SCORE_SHIFT) - 1
_SCAN_ROWS = 1024  # devices that are looked at before more are asked for
_NO_DATASTREAMS: Mapping[str, Datastream] = {}


class _Found(NamedTuple):
    """What a query matches: the columns it was asked of, slots in no order, and their scores."""

    columns: Columns
    slots: Slots
    scores: Uint16s | None
    score_max: int


class DeviceIndex:
    """The index over one directory's devices.

    Args:
        devices: by id, as the directory has them; only read.
        datastreams_of: a device's datastreams by name.
        accounts: all there are, by id.
    """

    def __init__(
        self,
        devices: Mapping[int, Device],
        datastreams_of: Callable[[int], Mapping[str, Datastream]],
        accounts: Callable[[], Iterable[Account]],
    ) -> None:
        self._devices = devices
        self._datastreams_of = datastreams_of
        self._accounts = accounts
        self._current_at_us: CurrentTimes = lambda _: None
        self._now_us: Callable[[], int] = lambda: 0
        self._columns = Columns()
        self._slots: dict[int, int] = {}
        self._free_slots: list[int] = []
        self._words = WordIndex()
        self._tags = Postings()
        self._units = Postings()
        self._titles = TitleOrder()

    def follow(self, current_at_us: CurrentTimes, now_us: Callable[[], int]) -> None:
        """Say whom to ask when a datastream was last written; until then nothing ever was."""
        self._current_at_us = current_at_us
        self._now_us = now_us

    # --- changes: in the loop's thread -----------------------------------------------------------

    def load(self) -> None:
        """Take over all devices of the directory at once; the index must be empty."""
        titles = []
        for device in self._devices.values():
            streams = self._datastreams_of(device.device_id)
            slot = self._new_slot(device)
            self._words.load(slot, weighed_words(device, streams.values()))
            self._tags.load(slot, dict.fromkeys(_tags(device, streams), 0))
            self._units.load(slot, dict.fromkeys(_units(streams), 0))
            titles.append((device, slot))
        for index in (self._words, self._tags, self._units):
            index.finish_load()
        self._titles.load(titles)

    def change(
        self,
        before: Device | None,
        after: Device,
        streams_before: Mapping[str, Datastream],
        streams_after: Mapping[str, Datastream],
    ) -> None:
        """Take over a device that is new (`before` is None) or changed, with its datastreams."""
        if before is None:
            slot = self._new_slot(after)
        else:
            slot = self._slots[after.device_id]
            self._columns.put(slot, after)
        if before is None or before.title != after.title:
            if before is not None:
                self._titles.remove(before)
            self._titles.add(after, slot)
        self._change_words(slot, before, after, streams_before, streams_after)

    def drop(self, device: Device, streams: Mapping[str, Datastream]) -> None:
        """Forget a device."""
        slot = self._slots.pop(device.device_id)
        self._columns.drop(slot)
        self._titles.remove(device)
        self._change_words(slot, device, None, streams, _NO_DATASTREAMS)
        self._free_slots.append(slot)

    def _new_slot(self, device: Device) -> int:
        slot = self._free_slots.pop() if self._free_slots else self._columns.count
        self._columns = self._columns.with_row(slot)
        self._columns.put(slot, device)
        self._slots[device.device_id] = slot
        return slot

    def _change_words(
        self,
        slot: int,
        before: Device | None,
        after: Device | None,
        streams_before: Mapping[str, Datastream],
        streams_after: Mapping[str, Datastream],
    ) -> None:
        if before and after and streams_before is streams_after and _same_texts(before, after):
            return  # as when a device moves
        old = weighed_words(before, streams_before.values()) if before else {}
        new = weighed_words(after, streams_after.values()) if after else {}
        self._words.change(slot, old, new)
        _change(self._tags, slot, _tags(before, streams_before), _tags(after, streams_after))
        _change(self._units, slot, _units(streams_before), _units(streams_after))

    # --- queries: in any thread ------------------------------------------------------------------

    def count(self, query: DeviceQuery) -> int:
        """How many devices a query matches."""
        return len(self._find(query).slots)

    def matching(self, matches: Callable[[Device], bool], limit: int) -> list[Device]:
        """The newest devices that fit, at most `limit`, newest first."""
        columns = self._columns
        count = columns.count
        ids = columns.device_ids[:count]
        # Devices come about in this order already, which makes it cheap.
        order = np.lexsort((ids, columns.created_us[:count]))[::-1]
        order = order[columns.is_there[order]]
        parts = (
            ids[order[start : start + _SCAN_ROWS]].tolist()
            for start in range(0, len(order), _SCAN_ROWS)
        )
        devices = filter(None, map(self._devices.get, chain.from_iterable(parts)))
        return list(islice(filter(matches, devices), limit))

    def find(self, query: DeviceQuery) -> DevicePage:
        """One page of the devices that a query matches."""
        found = self._find(query)
        start = (query.page - 1) * query.per_page
        stop = start + query.per_page
        if query.order == "title":
            chosen, keys = self._page_by_title(found, query, start, stop), None
        else:
            chosen, keys = self._page(found, query, start, stop)
        ids = found.columns.device_ids[found.slots[chosen]].tolist()
        scores = [0] * len(ids) if found.scores is None else found.scores[chosen].tolist()
        devices, relevances, marks = [], [], []
        for place, (device_id, score) in enumerate(zip(ids, scores, strict=True)):
            device = self._devices.get(device_id)
            # Asked again of the device itself: it may have changed since its row was read.
            if device is not None and is_visible(device, query):
                devices.append(device)
                relevances.append(score / found.score_max)
                key = title_key(device)[0] if keys is None else keys[place]
                marks.append(Mark(key, device_id))
        is_full = len(ids) == query.per_page
        return DevicePage(devices, len(found.slots), relevances, marks, is_full)

    def places(self, query: DeviceQuery) -> Places:
        """Where the devices that a query matches are, on all pages, in no order."""
        found = self._find(query)
        points = found.columns.points[found.slots]
        placed = ~np.isnan(points[:, 0])
        lats, lons = degrees_of(points[placed])
        ids = found.columns.device_ids[found.slots[placed]]
        return Places(ids, lats, lons, len(found.slots))

    def _find(self, query: DeviceQuery) -> _Found:
        columns = self._columns
        count = columns.count
        mask = _visible(columns, count, query)
        self._filter(mask, columns, count, query)
        scores, words = None, query_words(query.text)
        if words:
            scores = self._scores(words, count, columns)
            scores[~mask] = 0
            if not scores.any():
                scores = self._scores(words, count, columns, forgives=True)
                scores[~mask] = 0
            mask = scores > 0
        elif query.text.strip():
            mask = np.zeros(count, np.bool_)  # signs only, which stand in no word
        slots = np.flatnonzero(mask)
        if query.product_id:
            slots = self._of_product(columns, slots, query.product_id)
        if query.status != "all":
            slots = self._of_status(columns, slots, query)
        return _Found(
            columns,
            slots,
            None if scores is None else scores[slots],
            max(1, len(words)) * _WORD_SCORE_MAX,
        )

    def _filter(self, mask: Bools, columns: Columns, count: int, query: DeviceQuery) -> None:
        """Take out of the mask what has not the tag, unit, owner, id or place asked for."""
        if query.tag:
            mask &= _having(self._tags.numbers((query.tag.strip().casefold(),)), count)
        if query.units:
            mask &= _having(self._units.numbers((query.units.strip().casefold(),)), count)
        if query.user:
            owners = [one.account_id for one in self._accounts() if one.login == query.user]
            mask &= np.isin(columns.account_ids[:count], owners)
        if query.device_ids is not None:
            mask &= np.isin(columns.device_ids[:count], list(query.device_ids))
        if query.updated_since_us is not None:
            mask &= columns.updated_us[:count] >= query.updated_since_us
        if query.lat is not None and query.lon is not None:
            mask &= are_within(columns.points[:count], query.lat, query.lon, query.distance_m)

    def _scores(
        self, words: list[str], count: int, columns: Columns, forgives: bool = False
    ) -> Uint16s:
        """How well each device fits all the words; 0 where one of them is missing."""
        total = np.zeros(count, np.uint16)
        has_all = np.ones(count, np.bool_)
        for word in words:
            scores = np.zeros(count, np.uint16)
            _raise(scores, self._words.beginning(word), 0)
            _raise(scores, self._words.whole(word), 1)
            if forgives:
                _raise(scores, self._words.mistyped(word), 0)
            owners = self._owners_named(word)
            if owners:
                owned = np.isin(columns.account_ids[:count], owners)
                scores[owned] = np.maximum(scores[owned], 2 * WEIGHT_NAME)
            total += scores
            has_all &= scores > 0
        total[~has_all] = 0
        return total

    def _owners_named(self, word: str) -> list[int]:
        def is_named(login: str) -> bool:
            if len(word) < PREFIX_CHARS_MIN:
                return word in words_of_name(login)
            return any(name.startswith(word) for name in words_of_name(login))

        return [account.account_id for account in self._accounts() if is_named(account.login)]

    def _of_product(self, columns: Columns, slots: Slots, product_id: str) -> Slots:
        devices = map(self._devices.get, columns.device_ids[slots].tolist())
        kept = [device is not None and device.product_id == product_id for device in devices]
        return slots[np.array(kept, np.bool_)]

    def _of_status(self, columns: Columns, slots: Slots, query: DeviceQuery) -> Slots:
        wants_live = query.status == "live"
        since_us = self._now_us() - query.live_s * 1_000_000
        kept = [
            self._is_newer(device_id, since_us) == wants_live
            for device_id in columns.device_ids[slots].tolist()
        ]
        return slots[np.array(kept, np.bool_)]

    def _is_newer(self, device_id: int, since_us: int) -> bool:
        """Whether any datastream has a value after an instant."""
        for datastream in self._datastreams_of(device_id).values():
            at_us = self._current_at_us(datastream.stream_id)
            if at_us is not None and at_us > since_us:
                return True
        return False

    def _newest_us(self, device_id: int) -> int:
        newest_us = 0
        for datastream in self._datastreams_of(device_id).values():
            at_us = self._current_at_us(datastream.stream_id)
            if at_us is not None and at_us > newest_us:
                newest_us = at_us
        return newest_us

    def _page_by_title(self, found: _Found, query: DeviceQuery, start: int, stop: int) -> Slots:
        """Where in `found` a page's devices are, in order of title."""
        slots = found.slots
        place_of = np.full(found.columns.count, -1, np.intp)
        place_of[slots] = np.arange(len(slots))
        ordered = self._titles.slots()
        places = place_of[ordered[ordered < len(place_of)]]
        places = places[places >= 0]
        if query.after is not None:
            ids = found.columns.device_ids[slots[places]].tolist()
            mark = str(query.after.key), query.after.device_id
            cut = bisect_left if query.is_reversed else bisect_right
            border = cut(ids, mark, key=self._title_key)
            places = places[:border] if query.is_reversed else places[border:]
        return (places[::-1] if query.is_reversed else places)[start:stop]

    def _title_key(self, device_id: int) -> tuple[str, int]:
        device = self._devices.get(device_id)
        return title_key(device) if device is not None else ("", device_id)

    def _page(
        self, found: _Found, query: DeviceQuery, start: int, stop: int
    ) -> tuple[Slots, list[int]]:
        """Where in `found` a page's devices are, in order, and what they are ordered by."""
        keys, ids = self._keys(found, query.order), found.columns.device_ids[found.slots]
        chosen = np.arange(len(keys))
        if query.after is not None:
            key, device_id = query.after.key, query.after.device_id
            assert isinstance(key, int), "checked by the query"
            if query.is_reversed:
                is_after = (keys > key) | ((keys == key) & (ids > device_id))
            else:
                is_after = (keys < key) | ((keys == key) & (ids < device_id))
            chosen = np.flatnonzero(is_after)
        sign = -1 if query.is_reversed else 1
        page = chosen[_greatest(sign * keys[chosen], sign * ids[chosen], start, stop)]
        return page, keys[page].tolist()

    def _keys(self, found: _Found, order: str) -> Int64s:
        """What the devices found are ordered by."""
        columns, slots = found.columns, found.slots
        if order == "updated_at":
            return columns.updated_us[slots]
        if order == "retrieved_at":
            ids = columns.device_ids[slots].tolist()
            newest = np.array([self._newest_us(device_id) for device_id in ids], np.int64)
            return np.maximum(columns.updated_us[slots], newest)
        created_us = columns.created_us[slots]
        if order == "relevance" and found.scores is not None:
            return found.scores.astype(np.int64) << _SCORE_SHIFT | np.clip(created_us, 0, _TIME_MAX)
        return created_us


def is_visible(device: Device, query: DeviceQuery) -> bool:
    """Whether a query may show a device at all."""
    if query.everybody or (query.account_id is not None and device.account_id == query.account_id):
        return query.with_private or not device.private
    return query.with_public and not device.private


def _visible(columns: Columns, count: int, query: DeviceQuery) -> Bools:
    """`is_visible` for all rows."""
    is_public = ~columns.is_private[:count]
    shown = columns.is_there[:count].copy()
    if query.everybody:
        return shown if query.with_private else shown & is_public
    if query.account_id is None:
        owned = np.zeros(count, np.bool_)
    else:
        owned = columns.account_ids[:count] == query.account_id
    own = owned if query.with_private else owned & is_public
    return shown & (own | is_public if query.with_public else own)


def _having(slots: Uint32s, count: int) -> Bools:
    mask = np.zeros(count, np.bool_)
    mask[slots[slots < count]] = True
    return mask


def _raise(scores: Uint16s, numbers: Uint32s, bonus: int) -> None:
    """Give each device the best score that one of its words earns."""
    slots = WordIndex.slots(numbers)
    if len(slots) and slots.max() >= len(scores):  # devices that came after the columns were taken
        numbers = numbers[slots < len(scores)]
        slots = WordIndex.slots(numbers)
    earned = (2 * WordIndex.weights(numbers) + bonus).astype(np.uint16)
    np.maximum.at(scores, slots, earned)


def _greatest(keys: Int64s, ids: Int64s, start: int, stop: int) -> Slots:
    """Where the greatest keys are, greatest first, equal ones by greatest id."""
    if start >= len(keys):
        return np.arange(0)
    chosen = np.arange(len(keys))
    if stop < len(keys):
        place = len(keys) - stop
        chosen = np.flatnonzero(keys >= np.partition(keys, place)[place])
    order = np.lexsort((ids[chosen], keys[chosen]))[::-1]
    return chosen[order[start:stop]]


def _same_texts(before: Device, after: Device) -> bool:
    return (before.title, before.description, before.tags) == (
        after.title,
        after.description,
        after.tags,
    )


def _change(postings: Postings, slot: int, before: set[str], after: set[str]) -> None:
    for key in before - after:
        postings.remove(key, slot)
    for key in after - before:
        postings.add(key, slot)


def _tags(device: Device | None, streams: Mapping[str, Datastream]) -> set[str]:
    tags = set() if device is None else {tag.casefold() for tag in device.tags}
    for datastream in streams.values():
        tags.update(tag.casefold() for tag in datastream.tags)
    return tags


def _units(streams: Mapping[str, Datastream]) -> set[str]:
    units = {datastream.unit for datastream in streams.values() if datastream.unit}
    texts = {text.strip().casefold() for unit in units for text in (unit.label, unit.symbol)}
    return texts - {""}
