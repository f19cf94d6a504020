"""What the request log is told of what clients ask on sockets and over MQTT."""

import time
from collections.abc import Mapping
from typing import Any

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.net.blotting import shown_body, shown_value
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.things import Device

SENT_CHARS_MAX = 200  # of an event's name


class Noting:
    """One thing that is asked, from when it came until it was answered."""

    __slots__ = ("_door", "_fields", "_log_door", "_method", "_name", "_sent", "_started_ns")

    def __init__(
        self,
        door: SkynetDoor,
        log_door: str,
        method: str,
        name: str,
        sent: object,
        fields: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """It has come.

        Args:
            log_door: one of the request log's.
            method: what carries it, such as `emit`.
            name: the event's, or the topic.
            sent: its content, decoded; or bytes of JSON or text.
            fields: what else it says.
        """
        self._door = door
        self._log_door = log_door
        self._method = method
        self._name = name
        self._sent = sent
        self._fields = fields
        self._started_ns = time.perf_counter_ns()

    def answered(
        self,
        party: Party,
        body: Mapping[str, Any],
        answer: object,
        status: int = 200,
        reason: str = "",
        outcome: str = "",
    ) -> None:
        """It was answered: tell the request log, if it is about a device.

        Args:
            party: who has asked.
            body: the members of what was asked.
            answer: what was said, decoded; None for nothing.
            reason: why it was refused.
            outcome: the answer in the protocol's own words.
        """
        device = device_of(self._door, party, body)
        if device is None:
            return
        tank, address = self._door.tank, party.caller.address
        now_us = tank.clock.now_us()
        if tank.request_log.skips(self._log_door, status, device.device_id, now_us):
            return
        asked = Asked(
            device.device_id,
            self._log_door,
            self._method,
            self._name[:SENT_CHARS_MAX],
            address,
            fields=self._fields,
        )
        tank.request_log.note(
            RequestServed(
                now_us,
                asked,
                status,
                (time.perf_counter_ns() - self._started_ns) // 1000,
                reason,
                _shown(self._sent),
                b"" if answer is None else _shown(answer),
                party.caller,
                outcome,
            )
        )


def device_of(door: SkynetDoor, party: Party, body: Mapping[str, Any]) -> Device | None:
    """The device that something is about: the one that is named, who asks, or who it is for."""
    uuid = body.get("uuid")
    find = door.tank.directory.find_device_by_uuid
    if isinstance(uuid, str) and uuid and uuid != party.uuid:
        named = find(uuid)
        if named is not None:
            return named
    if party.device is not None:
        return party.device
    to = body.get("devices")
    if isinstance(to, list) and to:
        to = to[0]
    return find(to) if isinstance(to, str) else None


def _shown(value: object) -> bytes:
    return shown_body(value) if isinstance(value, bytes) else shown_value(value)
