"""Tells the request log of a bulk write: one entry for each device that it names."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from thingtank.net.blotting import shown_headers, shown_path, shown_value
from thingtank.tank.access import Caller
from thingtank.tank.device_names import find_device_named
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.web.api.request_log import DOOR, USER_AGENT_BYTES_MAX, reason_for_owner

DEVICES_MAX = 100  # that one write makes entries for
LOOKED_AT_MAX = 10_000  # datapoints, to find them
SHOWN_MAX = 20  # datapoints of an entry: each device's own, for they may have several owners


class BulkItem(Protocol):
    """A datapoint as it came."""

    @property
    def device(self) -> int | str:
        """By which name its device goes."""


class BulkRequest(NamedTuple):
    """What is known of a request before its body is read."""

    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    address: str
    started_ns: int


class BulkOutcome(NamedTuple):
    """How it was answered.

    Attributes:
        reason: why nothing was written; blank when all was.
        reasons: what was wrong with the datapoints of some devices, by their names.
    """

    status: int
    answer: bytes
    reason: str = ""
    reasons: Mapping[int | str, str] = {}


def note_bulk(
    tank: Tank,
    request: BulkRequest,
    caller: Caller,
    items: Sequence[BulkItem],
    outcome: BulkOutcome,
) -> None:
    """Tell of one bulk write, in the loop's thread."""
    for name, own in _by_device(items).items():
        device = find_device_named(tank.directory, name)
        if device is not None:
            tank.request_log.note(_served(tank, request, caller, device, own, outcome))


def _by_device(items: Sequence[BulkItem]) -> dict[int | str, list[BulkItem]]:
    found: dict[int | str, list[BulkItem]] = {}
    for item in items[:LOOKED_AT_MAX]:
        own = found.get(item.device)
        if own is None:
            if len(found) >= DEVICES_MAX:
                continue
            own = found[item.device] = []
        if len(own) < SHOWN_MAX:
            own.append(item)
    return found


def _served(
    tank: Tank,
    request: BulkRequest,
    caller: Caller,
    device: Device,
    own: list[BulkItem],
    outcome: BulkOutcome,
) -> RequestServed:
    asked = Asked(
        device.device_id,
        DOOR,
        "POST",
        shown_path(request.path, request.query),
        request.address,
        request.headers.get(b"user-agent", b"")[:USER_AGENT_BYTES_MAX],
        shown_headers(request.headers),
    )
    reason = outcome.reasons.get(own[0].device, outcome.reason)
    return RequestServed(
        tank.clock.now_us(),
        asked,
        outcome.status,
        (time.perf_counter_ns() - request.started_ns) // 1000,
        reason_for_owner(caller, device, reason),
        shown_value(msgspec.to_builtins(own)),
        outcome.answer,
        caller,
    )
