"""Which devices a list shows, in which order: one answer for every directory."""

from collections.abc import Callable, Iterable, Mapping

from thingtank.tank.interfaces import DevicePage, DeviceQuery
from thingtank.tank.things import Datastream, Device


def find_devices(
    query: DeviceQuery,
    devices: Iterable[Device],
    datastreams_of: Callable[[int], Mapping[str, Datastream]],
    login_of: Callable[[int], str],
) -> DevicePage:
    """One page of the devices that a query asks for.

    Args:
        devices: all there are.
        datastreams_of: a device's datastreams by name.
        login_of: an account's login.

    Source: Xively API v2, "List all available feeds".
    """
    found = [
        device
        for device in devices
        if _is_visible(device, query)
        and (query.device_ids is None or device.device_id in query.device_ids)
        and (not query.user or login_of(device.account_id) == query.user)
        and (not query.tag or _has_tag(device, datastreams_of, query.tag.casefold()))
        and (not query.text or _has_words(device, datastreams_of, query.text))
    ]
    if query.order == "title":
        found.sort(key=lambda device: (device.title.casefold(), device.device_id))
    else:
        found.sort(key=lambda device: (device.created_us, device.device_id), reverse=True)
    start = (query.page - 1) * query.per_page
    return DevicePage(found[start : start + query.per_page], len(found))


def _is_visible(device: Device, query: DeviceQuery) -> bool:
    if query.account_id is None or device.account_id == query.account_id:
        return query.with_private or not device.private
    return query.with_public and not device.private


def _has_tag(
    device: Device, datastreams_of: Callable[[int], Mapping[str, Datastream]], folded_tag: str
) -> bool:
    tags = list(device.tags)
    for datastream in datastreams_of(device.device_id).values():
        tags += datastream.tags
    return any(tag.casefold() == folded_tag for tag in tags)


def _has_words(
    device: Device, datastreams_of: Callable[[int], Mapping[str, Datastream]], text: str
) -> bool:
    names = datastreams_of(device.device_id)
    haystack = "\n".join([device.title, device.description, *device.tags, *names]).casefold()
    return all(word in haystack for word in text.casefold().split())
