"""Writes what records hold; returns when it is on disk, so that the record may be acknowledged."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from thingtank.sources.calls import in_thread
from thingtank.sources.health import Health
from thingtank.sources.records import Arrived, NotTaken, TimesTaken, points_of
from thingtank.sources.settings import SourceRule
from thingtank.tank.access import Caller
from thingtank.tank.actions.bulk import (
    BULK_DATAPOINTS_MAX,
    BulkPoint,
    BulkRefused,
    Refusal,
    record_bulk,
)
from thingtank.tank.errors import TankError, Unavailable
from thingtank.tank.tank import Tank

REASON_CHARS_MAX = 500
PART_BYTES = 1024 * 1024  # parsed at once: that many become some ten times as many of memory
STORAGE, OWNER = "storage", "owner"  # what may fail here

Placed = list[tuple[int, BulkPoint]]  # which record of the batch, and one of its datapoints


class Writer:
    """Writes for one rule; lives in the loop's thread."""

    def __init__(
        self,
        tank: Tank,
        rule: SourceRule,
        find_caller: Callable[[], Caller | None],
        health: Health,
        times_taken: TimesTaken,
    ) -> None:
        """Make it.

        Args:
            find_caller: on whose behalf it writes; None while there is no such account.
            times_taken: of all that is written for the rule.
        """
        self._tank = tank
        self._rule = rule
        self._find_caller = find_caller
        self._health = health
        self._times_taken = times_taken

    async def write(self, records: Sequence[Arrived]) -> dict[int, str]:
        """Write all values of some records that can be; waits as long as the tank cannot write.

        Args:
            records: n >= 0, in order.

        Returns:
            Why records were refused, by their place; what was good of them is written.
        """
        reasons: dict[int, str] = {}
        group: Placed = []
        for first, some in _parts(records):
            # In a thread: a record may have thousands of lines, and the loop has others to serve.
            parsed = await in_thread(partial(_parsed, some, self._rule.feed, self._times_taken))
            for place, found in enumerate(parsed, first):
                if isinstance(found, NotTaken):
                    _refuse(reasons, place, str(found))
                    continue
                if len(group) + len(found) > BULK_DATAPOINTS_MAX:
                    await self._write_group(group, reasons)
                    group = []
                group += [(place, point) for point in found]
        await self._write_group(group, reasons)
        self._health.arrived(len(records), len(reasons))
        return reasons

    async def _write_group(self, group: Placed, reasons: dict[int, str]) -> None:
        """Write a group, without those that are refused."""
        while group:
            caller = await self._caller()
            points = [point for _, point in group]
            try:
                self._health.wrote(
                    await record_bulk(
                        self._tank, caller, points, creates_missing=self._rule.create_missing
                    )
                )
                self._health.works(STORAGE)
                return
            except BulkRefused as error:
                group = _without(group, error.refusals, reasons)
                await asyncio.sleep(0)  # others' turn: there may be many such rounds
            except Unavailable as error:
                # Nothing is acknowledged meanwhile, and no more is read.
                self._health.failed(STORAGE, STORAGE, str(error), needs_a_person=False)
                await self._health.pause(STORAGE)
            except TankError as error:
                group = await self._halved(group, error, reasons)

    async def _halved(self, group: Placed, error: TankError, reasons: dict[int, str]) -> Placed:
        """Find those that are at fault where the refusal does not tell; the rest is left."""
        if len(group) == 1:
            _refuse(reasons, group[0][0], str(error))
            return []
        middle = len(group) // 2
        await self._write_group(group[:middle], reasons)
        return group[middle:]

    async def _caller(self) -> Caller:
        while True:
            caller = self._find_caller()
            if caller is not None:
                self._health.works(OWNER)
                return caller
            self._health.failed(OWNER, OWNER, _nobody(self._rule.owner), needs_a_person=True)
            await self._health.pause(OWNER)


def _nobody(owner: str) -> str:
    if not owner:
        return (
            "There is no active owner of this instance. Make one with"
            " `thingtank user create NAME --admin`, or name an account in the rule's `owner`."
        )
    return (
        f"There is no active account {owner}. Make or enable it"
        f" (`thingtank user create {owner}`), or name another in the rule's `owner`."
    )


def _parts(records: Sequence[Arrived]) -> Iterator[tuple[int, Sequence[Arrived]]]:
    """Cut records into parts of about PART_BYTES, each with the place of its first one."""
    first, part_bytes = 0, 0
    for place, record in enumerate(records):
        if part_bytes >= PART_BYTES:
            yield first, records[first:place]
            first, part_bytes = place, 0
        part_bytes += len(record.data)
    if records:
        yield first, records[first:]


def _parsed(
    records: Sequence[Arrived], feed: int | str, taken: TimesTaken
) -> list[list[BulkPoint] | NotTaken]:
    parsed: list[list[BulkPoint] | NotTaken] = []
    for record in records:
        try:
            parsed.append(points_of(record, feed, taken))
        except NotTaken as error:
            parsed.append(error)
    return parsed


def _without(group: Placed, refusals: Sequence[Refusal], reasons: dict[int, str]) -> Placed:
    """What is left; of a datastream that cannot be written to, all goes at once."""
    refused_streams = set()
    refused_places = set()
    why: dict[tuple[int | str, str], str] = {}
    for each in refusals:
        place, point = group[each.index]
        reason = f"{point.datastream[:80]}: {each.reason}"
        _refuse(reasons, place, reason)
        if each.member in ("device", "datastream"):
            refused_streams.add((point.device, point.datastream))
            why[point.device, point.datastream] = reason
        else:
            refused_places.add(each.index)
    left: Placed = []
    for index, (place, point) in enumerate(group):
        stream = (point.device, point.datastream)
        if stream in refused_streams:
            _refuse(reasons, place, why[stream])
        elif index not in refused_places:
            left.append((place, point))
    return left


def _refuse(reasons: dict[int, str], place: int, reason: str) -> None:
    reasons.setdefault(place, reason[:REASON_CHARS_MAX])
