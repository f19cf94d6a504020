"""Pages of devices, some of which go while the page is put together."""

from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.search.device_index import DeviceIndex
from thingtank.tank.things import Device


def test_a_page_is_full_though_a_device_of_it_has_just_gone() -> None:
    devices = {number: Device(number, f"u{number}", 1, f"Node {number}") for number in range(1, 5)}
    index = DeviceIndex(devices, lambda _: {}, list)
    index.load()
    del devices[4]  # by another thread, after the rows were read and before the devices are asked
    first, last = (
        index.find(DeviceQuery(everybody=True, per_page=per_page)) for per_page in (3, 5)
    )
    assert [device.device_id for device in first.devices] == [3, 2]
    assert first.is_full
    assert not last.is_full
