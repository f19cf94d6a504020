"""Which devices and datastreams a caller may know of; what it may not is as if not there."""

from thingtank.tank.access import Caller, may_reach
from thingtank.tank.device_names import find_device_named
from thingtank.tank.errors import NoSuchDatastream, NoSuchDevice
from thingtank.tank.keys import ACCESS_METHODS
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, Device


def find_device(tank: Tank, caller: Caller, name: str) -> Device:
    """The device of a number or uuid.

    Raises:
        NoSuchDevice: there is none, or none of its methods is the caller's.
    """
    device = find_device_named(tank.directory, name)
    if device is None or not may_know(caller, device):
        raise _no_device(name)
    return device


def find_datastream(
    tank: Tank, caller: Caller, device_name: str, name: str
) -> tuple[Device, Datastream]:
    """A datastream and its device, which a key for this datastream alone may know of too.

    Raises:
        NoSuchDevice, NoSuchDatastream: as `find_device`.
    """
    device = find_device_named(tank.directory, device_name)
    if device is None or not may_know(caller, device, name):
        raise _no_device(device_name)
    datastream = tank.directory.datastreams(device.device_id).get(name)
    if datastream is None:
        raise NoSuchDatastream(f"device {device.device_id} has no datastream {name[:80]}")
    return device, datastream


def datastreams_of(tank: Tank, caller: Caller, device_name: str) -> tuple[Device, list[Datastream]]:
    """A device with the datastreams that the caller may know of.

    Raises:
        NoSuchDevice: there is none, or the caller may know of nothing of it.
    """
    device = find_device_named(tank.directory, device_name)
    if device is None:
        raise _no_device(device_name)
    streams = tank.directory.datastreams(device.device_id).values()
    known = [each for each in streams if may_know(caller, device, each.name)]
    if not known and not may_know(caller, device):
        raise _no_device(device_name)
    return device, known


def may_know(caller: Caller, device: Device, datastream: str | None = None) -> bool:
    """Whether the caller may do anything at all with it."""
    return any(may_reach(caller, method, device, datastream) for method in ACCESS_METHODS)


def _no_device(name: str) -> NoSuchDevice:
    return NoSuchDevice(f"there is no device {name[:80]}")
