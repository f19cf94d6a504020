"""Devices in order of title, kept sorted, so that a page need not sort them all."""

from array import array
from bisect import bisect_left

import numpy as np

from thingtank.tank.search.postings import Uint32s
from thingtank.tank.things import Device


class TitleOrder:
    """Slots in order of title without regard to case, equal titles by id."""

    def __init__(self) -> None:
        self._keys: list[tuple[str, int]] = []
        self._slots = array("I")

    def load(self, devices: list[tuple[Device, int]]) -> None:
        """Begin with these devices and their slots."""
        pairs = sorted((title_key(device), slot) for device, slot in devices)
        self._keys = [key for key, _ in pairs]
        self._slots = array("I", [slot for _, slot in pairs])

    def add(self, device: Device, slot: int) -> None:
        """Put a device where it belongs."""
        place = bisect_left(self._keys, title_key(device))
        self._keys.insert(place, title_key(device))
        self._slots.insert(place, slot)

    def remove(self, device: Device) -> None:
        """Take out a device, as it was added."""
        place = bisect_left(self._keys, title_key(device))
        assert self._keys[place] == title_key(device)
        del self._keys[place]
        del self._slots[place]

    def slots(self) -> Uint32s:
        """All slots in order."""
        return np.frombuffer(self._slots[:], np.uint32)  # a copy, as the loop goes on changing it


def title_key(device: Device) -> tuple[str, int]:
    """What a device is ordered by."""
    return device.title.casefold(), device.device_id
