"""A device is found by its number, as a number or a text, and by its uuid."""

import pytest

from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.device_names import find_device_named
from thingtank.tank.things import Device


@pytest.mark.parametrize("name", ["{id}", "0{id}", "aBc-1", "AbC-1"])
async def test_a_device_is_found_by_its_names(name: str) -> None:
    directory = MemoryDirectory()
    made = await directory.insert_device(Device(0, "aBc-1", 1, "Porch"), (), "token", None)
    assert find_device_named(directory, name.format(id=made.device_id)) == made
    assert find_device_named(directory, made.device_id) == made


@pytest.mark.parametrize("name", [99, -1, 10**30, "99", "-1", "", "9" * 30, "²", "x"])
async def test_what_names_nothing_is_no_device(name: int | str) -> None:
    assert find_device_named(MemoryDirectory(), name) is None
