"""Devices as people and programs name them: by the number of their feed, or by their uuid."""

from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.interfaces import Directory
from thingtank.tank.things import Device

_NUMBER_CHARS_MAX = 18


def find_device_named(directory: Directory, name: int | str) -> Device | None:
    """The device of a number, which may be a text too, or of a uuid; whoever may know of it."""
    number = name if isinstance(name, int) else _number(name)
    if number is None:
        return directory.find_device_by_uuid(str(name))
    try:
        return directory.get_device(number)
    except NoSuchDevice:
        return None


def _number(name: str) -> int | None:
    is_number = name.isascii() and name.isdigit() and len(name) <= _NUMBER_CHARS_MAX
    return int(name) if is_number else None
